"""The account of what came and what was answered. Times are seconds of ``time.monotonic`` on the server's side."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TypedDict

__all__ = ["Stats", "StatsDict"]


class StatsDict(TypedDict):
    """``requests``: all that came. ``by_status``: answers, by status as text.

    ``by_route``: requests, by method and path template. ``rate_limited``: answers 429 of either limit. ``faults``: faults
    that struck, by kind. ``writes``: relations that were created over HTTP; ``first_write`` and ``last_write``: when.
    ``refused_refreshes``: refresh tokens that were spent, revoked or unknown.
    ``relations``: how many there are now, in all locations. ``most_in_flight``: the most requests in work at once.
    """

    requests: int
    by_status: dict[str, int]
    by_route: dict[str, int]
    rate_limited: int
    refused_refreshes: int
    faults: dict[str, int]
    writes: int
    first_write: float | None
    last_write: float | None
    relations: int
    most_in_flight: int


class Stats:
    """Counted by the server's thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests = 0
        self._statuses: Counter[int] = Counter()
        self._routes: Counter[str] = Counter()
        self._faults: Counter[str] = Counter()
        self._limited = 0
        self._refused_refreshes = 0
        self._writes: list[float] = []
        self._in_flight = 0
        self._most_in_flight = 0

    def came(self, route: str) -> None:
        """A request arrived."""
        with self._lock:
            self._requests += 1
            self._routes[route] += 1
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def answered(self, status: int) -> None:
        """It was answered."""
        with self._lock:
            self._statuses[status] += 1
            self._limited += status == 429
            self._in_flight -= 1

    def not_answered(self) -> None:
        """It will never be answered."""
        with self._lock:
            self._in_flight -= 1

    def struck(self, fault: str) -> None:
        """A fault struck it."""
        with self._lock:
            self._faults[fault] += 1

    def wrote(self, now: float) -> None:
        """It created a relation."""
        with self._lock:
            self._writes.append(now)

    def refused_refresh(self) -> None:
        """It was a refresh, and the refresh token was no good."""
        with self._lock:
            self._refused_refreshes += 1

    def write_times(self) -> list[float]:
        """When each relation was created."""
        with self._lock:
            return list(self._writes)

    def as_dict(self, relations: int) -> StatsDict:
        """The account so far."""
        with self._lock:
            return StatsDict(
                requests=self._requests,
                by_status={str(status): count for status, count in sorted(self._statuses.items())},
                by_route=dict(sorted(self._routes.items())),
                rate_limited=self._limited,
                refused_refreshes=self._refused_refreshes,
                faults=dict(sorted(self._faults.items())),
                writes=len(self._writes),
                first_write=self._writes[0] if self._writes else None,
                last_write=self._writes[-1] if self._writes else None,
                relations=relations,
                most_in_flight=self._most_in_flight,
            )
