"""Loads that wait for another day of quota."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.sdk.exceptions import TaskDeferred

from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

A_DAY = 50
OUTCOMES = ["created", "already_exists", "repeated", "invalid", "unresolved", "rejected", "failed", "not_attempted"]


class Hasty(BulkCreateRelationsOperator):
    """Waits as it does, but for seconds where it would wait for minutes."""

    shortest_wait = timedelta(seconds=1)


def pairs(count: int) -> list[tuple[str, str]]:
    """So many rows."""
    return [(f"contact-{row}", "event-1") for row in range(count)]


def bulk(rows: int = 80, **arguments: Any) -> BulkCreateRelationsOperator:
    """A load of so many rows that may wait; a new instance for each attempt, as Airflow makes them."""
    return bulk_of(pairs(rows), **arguments)


def bulk_of(rows: list[tuple[str, str]], **arguments: Any) -> BulkCreateRelationsOperator:
    """The same of these rows."""
    arguments = {"association_key": "attended", "deferrable": True, **arguments}
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **arguments)


def another_day(ghl: Sandbox) -> None:
    """The sandbox's day begins anew, at once."""
    ghl.spend_daily(-A_DAY)


def wait_of(deferred: TaskDeferred) -> float:
    """Seconds from now on."""
    return float((deferred.trigger.moment - datetime.now(UTC)).total_seconds())


def writes(ghl: Sandbox) -> int:
    """Creates that were sent and let through."""
    return int(ghl.stats()["by_route"].get("POST /associations/relations", 0))


def rows_of(ledger: Path, statement: str) -> list[tuple[Any, ...]]:
    """What is in the ledger's file."""
    with closing(sqlite3.connect(ledger)) as database, database:
        return database.execute(statement).fetchall()
