"""Mirrors of one table, night after night."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from remembering import Time, server
from simulated_highlevel import SimulatedServer
from simulated_load import Load, load_pairs

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.verdict import Verdict

#: Five students, each with four teachers.
TABLE = [(f"student{at % 5}", f"teacher{at}") for at in range(20)]
HAND = ("student1", "byhand")
#: No guard, for tests of something else.
FREE: dict[str, Any] = {"max_deletes": None, "max_delete_share": None}


def mirror(rows: Sequence[Any], world: SimulatedServer, ledger: Ledger, night: str, **options: Any) -> Load:
    settings: dict[str, Any] = {"parent": 0, "series": "table"} | FREE | options
    return load_pairs(rows, world, ledger=ledger, load_id=night, **settings)


def deletes(load: Load) -> dict[str, int]:
    return {name: count for name, count in load.summary["deletes"].items() if count}


def killed_at_the_end(rows: Sequence[Any], world: SimulatedServer, ledger: Ledger, **options: Any) -> None:
    """A load whose process ends when all of its rows are there."""

    def deliver(verdict: Verdict) -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        load_pairs(rows, world, ledger=ledger, deliver=deliver, **options)


def mirrored_once(ledger: Ledger, time: Time) -> SimulatedServer:
    """HighLevel after a first mirror of the table, and a relation that somebody has made by hand."""
    highlevel = server()
    first = mirror(TABLE, highlevel, ledger, "first")
    assert first.verdict.is_green
    assert first.summary["baseline"]
    assert "the next one deletes what its table does not name" in first.verdict.warnings[0]
    highlevel.add(HAND)
    time.now += 3_600
    return highlevel
