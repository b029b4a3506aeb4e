"""What each load did, in short: a dict for each, as people are shown it."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.counts import outcomes_so_far
from airflow_provider_ghl.load.ledger.liveness import alive_attempts
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import attempts

__all__ = ["load_summaries", "running_loads"]


def load_summaries(connection: sa.Connection, query: sa.Select[Any], now: float, here: Process) -> list[dict[str, Any]]:
    """The loads of a query, as :meth:`~airflow_provider_ghl.load.ledger.loads.LedgerLoads.list` describes them.

    :param query: selects rows of ``ghl_loads``.
    :param now: unix seconds by the database's clock.
    :param here: the process that asks.
    """
    found = connection.execute(query).all()
    numbers = [load.number for load in found]
    of_loads = sa.select(attempts).where(attempts.c.load.in_(numbers)).order_by(attempts.c.number)
    tried = connection.execute(of_loads).all()
    running = running_loads(connection, numbers, now, here)
    so_far = outcomes_so_far(connection, [load.number for load in found if not _has_counts(load)])
    return [
        {
            **_summary(load, [one for one in tried if one.load == load.number], is_running=load.number in running),
            "counts_so_far": so_far.get(load.number),
        }
        for load in found
    ]


def running_loads(connection: sa.Connection, numbers: Collection[int], now: float, here: Process) -> set[int]:
    """Which of these loads have an attempt that is alive. Parameters as in :func:`load_summaries`."""
    asked = set(numbers)
    open_attempts = sa.select(attempts.c.number, attempts.c.load).where(attempts.c.ended.is_(None))
    load_by_attempt = {number: load for number, load in connection.execute(open_attempts) if load in asked}
    return {load_by_attempt[number] for number in alive_attempts(connection, load_by_attempt.keys(), now, here)}


def _has_counts(load: sa.Row[Any]) -> bool:
    """Whether it has counts. A load that an exception broke off has noted its end without any."""
    return load.counts not in (None, "{}")


def _summary(load: sa.Row[Any], of_load: list[sa.Row[Any]], *, is_running: bool) -> dict[str, Any]:
    has_ended = not of_load or of_load[-1].ended is not None
    return {
        "number": load.number,
        "load_id": load.load_id,
        "location_id": load.location_id,
        "association": load.association,
        "began": load.chain_began,
        "updated": max([load.updated, *(attempt.heartbeat for attempt in of_load)]),
        # Where its end is noted at this very moment, the attempt may have one before the load.
        "state": (load.end or "running") if has_ended else "running" if is_running else "lost",
        "tries": len({attempt.try_number for attempt in of_load}),
        "requests": sum(attempt.requests for attempt in of_load),
        "rate_limited": sum(attempt.rate_limited for attempt in of_load),
        "counts": None if load.counts is None else json.loads(load.counts),
        "message": load.message,
        "total": load.total,
    }
