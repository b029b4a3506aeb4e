"""Runs commands as a person would, and loads whose ledger they look at."""

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
from airflow_provider_ghl.relations.orientation import sides_of
from airflow_provider_ghl.sandbox import Sandbox

COLUMNS = Columns("contact_id", "event_id", row_key="id")
LOAD_ID = "nightly/scheduled__2026-11-21/relate/-1"
#: Options of ``plan`` for a file of ``write_csv``.
OPTIONS = ("--first-record-column", "contact_id", "--second-record-column", "event_id", "--row-key-column", "id")
ABSENT = ("ZxT4kQ1nWc8RfPq2LbYs", "ZxT4kQ1nWc8RfPq2LbYt")


@dataclass
class Result:
    """What a command returned and printed."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Its JSON document; the command must have succeeded."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def text(self) -> str:
        """Its output; the command must have succeeded."""
        assert self.status == 0, self.err
        return self.out


class Terminal(io.StringIO):
    """A stream that is a terminal."""

    def isatty(self) -> bool:
        return True


def run_command(capsys: pytest.CaptureFixture[str], *words: str) -> Result:
    """Run ``python -m airflow_provider_ghl`` with these arguments, in this process."""
    capsys.readouterr()
    try:
        status = main(words)
    except SystemExit as end:
        status = int(end.code or 0)
    return Result(status, *capsys.readouterr())


def type_answer(monkeypatch: pytest.MonkeyPatch, text: str, *, is_terminal: bool = True) -> None:
    """Put text on stdin, as typed at a terminal or from a pipe."""
    monkeypatch.setattr(sys, "stdin", Terminal(text) if is_terminal else io.StringIO(text))


def make_rows(sandbox: Sandbox) -> list[dict[str, Any]]:
    """Eight rows: four good ones, one without a contact, a repeated one, and two whose contacts HighLevel does not have."""
    event = sandbox.state.add_record("custom_objects.event")
    contacts = [sandbox.state.add_record("contact") for _ in range(4)]
    contacts += ["", contacts[0], *ABSENT]
    return [{"id": f"R{at}", "contact_id": contact, "event_id": event} for at, contact in enumerate(contacts)]


def write_csv(rows: Iterable[dict[str, Any]], path: Path) -> str:
    """Write rows of ``make_rows`` to a CSV file; returns its path."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "contact_id", "event_id"])
        writer.writeheader()
        writer.writerows(rows)
    return str(path)


def relate(rows: Any, load_id: str = LOAD_ID, **spec: Any) -> Verdict:
    """Load rows of ``make_rows``, as the operator does."""
    hook = GHLHook()
    association: dict[str, Any] = {} if "association_id" in spec else {"association_key": "attended"}
    association |= {name: spec.pop(name) for name in ("association_id", "association_key") if name in spec}
    lookups = spec.pop("lookups", (None, None))
    sides = spec.pop("sides", sides_of(*lookups))
    kind = RelationRows(columns=COLUMNS, sides=sides, lookups=lookups, **association)
    what: dict[str, Any] = {"location_id": hook.location_id, **spec}
    batches = from_data(rows, COLUMNS, 1000)
    try:
        asked = LoadSpec(load_id=load_id, kind=kind, **what)
        return run(asked, Ports(batches=batches, client=hook.get_conn(), ledger=hook.ledger))
    finally:
        hook.get_conn().close()
        hook.ledger.close()


def store_connection(database: Path, conn_id: str, text: str) -> None:
    """Write a connection to Airflow's database, as Airflow does without a Fernet key."""
    values = json.loads(text)
    fields = (
        conn_id,
        values["conn_type"],
        values.get("host"),
        values.get("password"),
        json.dumps(values.get("extra", {})),
        False,
        False,
    )
    names = "conn_id, conn_type, host, password, extra, is_encrypted, is_extra_encrypted"
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.execute(f"INSERT INTO connection ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", fields)


def copy_database(source: Path, target: Path) -> None:
    """Copy a database, with what is in its write-ahead log."""
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(target)) as other:
        one.backup(other)
