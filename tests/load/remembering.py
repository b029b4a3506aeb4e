"""Helpers for loads with a ledger, in simulated time."""

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
    """The time of the ledger's database."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self, connection: sa.Connection) -> float:
        """The time, in the form that the ledger needs."""
        return self.now


def server(**options: Any) -> SimulatedServer:
    """A simulated HighLevel for one test."""
    return SimulatedServer(FakeClock(), **options)


def evidence(load: Load) -> Counter[tuple[str, str | None]]:
    """How many rows have each outcome and evidence."""
    return Counter((result["outcome"], result["evidence"]) for result in load.results)


def known(ledger: Ledger) -> int:
    """How many relations the ledger knows to exist."""
    return int(ledger.statistics()["relations"])
