"""A month of loads in a ledger, as they would have been written night by night."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt

__all__ = ["Night", "write_month"]

_NIGHTS = 30
_TASKS = ("load_attendance", "load_policies")


class Night:
    """A ledger at whatever moment.

    :param path: the SQLite file.
    """

    def __init__(self, path: Path) -> None:
        self.at = datetime.now(UTC)
        engine = sa.create_engine(sa.URL.create("sqlite", database=str(path)))
        self.ledger = Ledger(engine, database_time=lambda _: self.at.timestamp())

    def begin(self, task_id: str, location_id: str) -> Attempt:
        """A load of the DAG ``ghl_nightly`` begins."""
        run_id = f"scheduled__{self.at:%Y-%m-%dT02:00:00+00:00}"
        return self.ledger.loads.begin(
            f"ghl_nightly/{run_id}/{task_id}/-1",
            try_number=1,
            is_resumed=False,
            location_id=location_id,
            association="attended" if task_id == _TASKS[0] else "holder",
        )

    def end(self, attempt: Attempt, counts: dict[str, Any], end: str, message: str) -> None:
        """It ends."""
        self.ledger.loads.beat(attempt, counts["created"] + counts.get("rejected", 0), 0, 0)
        self.ledger.loads.end(attempt, end=end, message=message, counts=counts, is_well=end == "green")


def write_month(path: Path, location_id: str) -> None:
    """Two loads a night, the last of them yesterday; every few nights one of them is red."""
    night, draw, today = Night(path), random.Random(7), datetime.now(UTC).replace(hour=2, minute=0, second=0, microsecond=0)
    for back in range(_NIGHTS, 0, -1):
        for task_id in _TASKS:
            night.at = today - timedelta(days=back) + timedelta(minutes=draw.randrange(20))
            attempt = night.begin(task_id, location_id)
            night.at += timedelta(seconds=draw.randrange(90, 2_400))
            rows = 18_000 + 150 * (_NIGHTS - back) + draw.randrange(400)
            bad = draw.randrange(3, 90) if draw.random() < 0.15 else 0
            created = draw.randrange(80, 900)
            counts = {"rows": rows, "created": created, "rejected": bad, "already_exists": rows - created - bad}
            told = f"{rows:,} rows: {created:,} created, {counts['already_exists']:,} already_exists"
            if bad:
                first = f"{bad:,} of {rows:,} rows failed, all of them rejected: No record found with id <id>."
                night.end(attempt, counts, "final", f"{first} {told}, {bad:,} rejected.")
            else:
                night.end(attempt, counts, "green", f"{told}.")
    night.ledger.close()
