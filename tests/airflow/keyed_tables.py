"""Bulk loads of tables of keys, against the sandbox."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas
import psycopg
import sqlalchemy as sa
from running import TaskInstance, run

from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

__all__ = [
    "BY_EMAIL",
    "BY_NUMBER",
    "POLICY",
    "Eager",
    "add_people",
    "bulk",
    "empty_postgresql",
    "ended",
    "holds",
    "read_results",
]

POLICY = "custom_objects.policy"
BY_EMAIL, BY_NUMBER = Contact(by="email"), CustomObject(POLICY, by="policy_no")


class Eager(BulkCreateRelationsOperator):
    """Waits as it does for the index, but only for as long as the sandbox's index takes."""

    index_lag = 0.3


def holds(ghl: Sandbox, first: str = "contact", second: str = POLICY, location_id: str | None = None) -> str:
    """The id of a new association ``holds``, as it is stored: other than the tables, contacts come first."""
    return ghl.state.add_association("holds", first, second, "A", "B", location_id=location_id)


def add_people(ghl: Sandbox, count: int, location_id: str | None = None) -> list[tuple[str, str]]:
    """So many policies ``P-<n>`` and contacts ``p<n>@example.org``: their ids."""
    return [
        (
            ghl.add(POLICY, policy_no=f"P-{at}", location_id=location_id),
            ghl.add("contact", email=f"p{at}@example.org", location_id=location_id),
        )
        for at in range(count)
    ]


def bulk(rows: Any = None, **arguments: Any) -> Eager:
    """A load of policy numbers and e-mail addresses."""
    said: dict[str, Any] = {"association_key": "holds", "first_lookup": BY_NUMBER, "second_lookup": BY_EMAIL}
    said |= {"task_id": "load", "rows": rows, **arguments}
    return Eager(**said)


def ended(operator: BulkCreateRelationsOperator) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The summary and all results, in input order, however it ended."""
    ti = TaskInstance()
    try:
        summary = run(operator, ti)
    except Exception:
        summary = ti.xcoms.get("return_value")
        if summary is None:
            raise
    return summary, sorted(ti.xcoms["results"], key=lambda result: int(result["row"]))


def read_results(path: Path) -> pandas.DataFrame:
    """A results file."""
    match path.suffix:
        case ".csv":
            return pandas.read_csv(path)
        case ".jsonl":
            return pandas.read_json(path, lines=True)
    return pandas.read_parquet(path)


@contextmanager
def empty_postgresql(server: str) -> Iterator[str]:
    """A new database of the server, as an Airflow connection says it."""
    url, name = sa.make_url(server), f"ledger_{secrets.token_hex(4)}"
    database = psycopg.sql.Identifier(name)
    with psycopg.connect(url.set(drivername="postgresql").render_as_string(False), autocommit=True) as admin:
        admin.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(database))
        said = {"conn_type": "postgres", "host": url.host, "port": url.port, "login": url.username, "schema": name}
        yield json.dumps({**said, "password": url.password})
        admin.execute(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
