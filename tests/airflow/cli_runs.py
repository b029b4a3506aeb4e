"""Commands as a person types them, and a ledger for them to look at."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
import sys
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_ghl.cli import main
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.load.columns import Columns
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.spec import LoadSpec
from airflow_provider_ghl.relations.kind import RelationRows
from airflow_provider_ghl.sandbox import Sandbox

COLUMNS = Columns("contact_id", "event_id", row_key="id")
LOAD_ID = "nightly/scheduled__2026-11-21/relate/-1"
#: What a plan of such a table is given.
OPTIONS = ("--first-record-column", "contact_id", "--second-record-column", "event_id", "--row-key-column", "id")
ABSENT = ("ZxT4kQ1nWc8RfPq2LbYs", "ZxT4kQ1nWc8RfPq2LbYt")


@dataclass
class Said:
    """What a command came to."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its one document; nothing went wrong."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """Nothing went wrong."""
        assert self.status == 0, self.err
        return self.out


class Terminal(io.StringIO):
    """Somebody at a keyboard."""

    def isatty(self) -> bool:
        return True


def say(capsys: pytest.CaptureFixture[str], *words: str) -> Said:
    """``python -m airflow_provider_ghl`` with these words."""
    capsys.readouterr()
    try:
        status = main(words)
    except SystemExit as end:
        status = int(end.code or 0)
    return Said(status, *capsys.readouterr())


def answering(monkeypatch: pytest.MonkeyPatch, text: str, *, is_terminal: bool = True) -> None:
    """Put a person, or a pipe, before the command."""
    monkeypatch.setattr(sys, "stdin", Terminal(text) if is_terminal else io.StringIO(text))


def table_of(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Four rows that can be related; then one without a contact, one twice, and two whose contacts HighLevel does not have."""
    event = sandbox.state.add_record("custom_objects.event")
    contacts = [sandbox.state.add_record("contact") for _ in range(4)]
    contacts += ["", contacts[0], *ABSENT]
    return [{"id": f"R{at}", "contact_id": contact, "event_id": event} for at, contact in enumerate(contacts)]


def file_of(rows: Iterable[dict[str, Any]], path: Path) -> str:
    """The same as a CSV file."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "contact_id", "event_id"])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def relate(rows: Any, load_id: str = LOAD_ID, **spec: Any) -> Verdict:
    """A load of such rows, as the operator makes it."""
    hook = GHLHook()
    association: dict[str, Any] = {} if "association_id" in spec else {"association_key": "attended"}
    association |= {name: spec.pop(name) for name in ("association_id", "association_key") if name in spec}
    kind = RelationRows(columns=COLUMNS, **association)
    what: dict[str, Any] = {"location_id": hook.location_id, **spec}
    batches = from_data(rows, COLUMNS, 1000)
    try:
        asked = LoadSpec(load_id=load_id, kind=kind, **what)
        return run(asked, Ports(batches=batches, client=hook.get_conn(), ledger=hook.ledger))
    finally:
        hook.get_conn().close()
        hook.ledger.close()


def store_connection(database: Path, conn_id: str, text: str) -> None:
    """Into Airflow's database, as it would stand there without a Fernet key."""
    said = json.loads(text)
    fields = (
        conn_id,
        said["conn_type"],
        said.get("host"),
        said.get("password"),
        json.dumps(said.get("extra", {})),
        False,
        False,
    )
    names = "conn_id, conn_type, host, password, extra, is_encrypted, is_extra_encrypted"
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(f"INSERT INTO connection ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", fields)


def copy_database(source: Path, target: Path) -> None:
    """With what is in its write-ahead log."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
