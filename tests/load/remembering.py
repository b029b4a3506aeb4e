"""Loads that remember, in simulated time: the table, HighLevel, and what is asked of a load and of its ledger."""

from __future__ import annotations

from collections import Counter
from typing import Any

import sqlalchemy as sa
from simulated_highlevel import SimulatedServer
from simulated_load import Load
from simulated_time import FakeClock

from airflow_provider_ghl.load.ledger.ledger import Ledger

__all__ = ["DAY", "PAIRS", "Pair", "Time", "evidence", "known", "server"]

Pair = tuple[str, str]
PAIRS = [(f"student{n}", f"teacher{n % 7}") for n in range(300)]
DAY = 86_400.0


class Time:
    """The database's."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self, connection: sa.Connection) -> float:
        """As the ledger asks for it."""
        return self.now


def server(**options: Any) -> SimulatedServer:
    """A HighLevel of the test's own."""
    return SimulatedServer(FakeClock(), **options)


def evidence(load: Load) -> Counter[tuple[str, str | None]]:
    """Rows by outcome and evidence."""
    return Counter((result["outcome"], result["evidence"]) for result in load.results)


def known(ledger: Ledger) -> int:
    """Relations that it knows to be there."""
    return int(ledger.statistics()["relations"])
