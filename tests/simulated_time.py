"""Time that passes when somebody waits, and how long HighLevel takes in it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from airflow_provider_ghl.api.clock import Clock

__all__ = ["FakeClock", "spread_around"]

_NEVER = 10_000_000.0


class FakeClock(Clock):
    """Time that passes only while somebody sleeps; it may do something at a moment. A wait that never ends is an error."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now
        self.sleeps: list[float] = []
        self.alarms: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.now += seconds
        assert self.now < _NEVER, "this would take for ever"
        for alarm in [alarm for alarm in self.alarms if alarm[0] <= self.now]:
            self.alarms.remove(alarm)
            alarm[1]()


def spread_around(seconds: float, share: float, seed: int | random.Random) -> Iterator[float]:
    """Latencies, uniform in ``seconds`` × (1 ± ``share``)."""
    draw = seed if isinstance(seed, random.Random) else random.Random(seed)
    while True:
        yield seconds * draw.uniform(1.0 - share, 1.0 + share)
