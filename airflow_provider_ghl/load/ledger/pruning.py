"""Forgets what loads did a long time ago. What is there stays known."""

from __future__ import annotations

from typing import NamedTuple

import sqlalchemy as sa

from airflow_provider_ghl.load.keys_kept import KEYS_KEPT
from airflow_provider_ghl.load.ledger.load_summaries import running_loads
from airflow_provider_ghl.load.ledger.pairs import per_statement
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.spending import forget_requests
from airflow_provider_ghl.load.ledger.tables import (
    approved_plans,
    attempts,
    deletions,
    load_locations,
    load_outcomes,
    loads,
    named,
    problems,
    record_keys,
    results,
    spans,
)

__all__ = ["Pruned", "delete_results", "prune"]

#: What is counted of a load's results, and goes with them.
_OF_RESULTS = (load_outcomes.c.load, problems.c.load, load_locations.c.load)


class Pruned(NamedTuple):
    """How many results of loads, how many loads and how many keys were deleted."""

    results: int
    loads: int
    keys: int


def prune(connection: sa.Connection, before: float, now: float, here: Process) -> Pruned:
    """Forget loads that did nothing since a moment, with all that is kept of them, unless they run or are deferred.

    Keys go that HighLevel has not confirmed for ``KEYS_KEPT``, whatever the moment.

    :param before: unix seconds.
    :param now: unix seconds by the database's clock.
    :param here: the process that asks.
    """
    is_young = sa.exists().where(attempts.c.load == loads.c.number, attempts.c.heartbeat >= before)
    is_over = loads.c.end.is_distinct_from("deferred")
    old = connection.scalars(sa.select(loads.c.number).where(loads.c.updated < before, ~is_young, is_over)).all()
    running = running_loads(connection, old, now, here)
    gone = [number for number in old if number not in running]
    rows = sum(connection.execute(sa.delete(results).where(results.c.load == number)).rowcount for number in gone)
    for column in (*_OF_RESULTS, spans.c.load, deletions.c.load, attempts.c.load, loads.c.number):
        for some in per_statement(gone):
            connection.execute(sa.delete(column.table).where(column.in_(some)))
    too_old = now - KEYS_KEPT.total_seconds()
    keys = connection.execute(sa.delete(record_keys).where(record_keys.c.confirmed < too_old)).rowcount
    # A task that is gone must not keep for ever what its last table named.
    connection.execute(sa.delete(named).where(named.c.noted < too_old))
    connection.execute(sa.delete(approved_plans).where(approved_plans.c.noted < too_old))
    forget_requests(connection, now)
    return Pruned(rows, len(gone), keys)


def delete_results(connection: sa.Connection, load_number: int) -> None:
    """Delete the results of one load, and what was counted of them."""
    for column in (results.c.load, *_OF_RESULTS):
        connection.execute(sa.delete(column.table).where(column == load_number))
