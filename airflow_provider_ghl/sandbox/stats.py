"""Statistics of requests and answers. Times are seconds of the server's ``time.monotonic``."""

from __future__ import annotations

import threading
from collections import Counter
from typing import TypedDict

__all__ = ["Stats", "StatsDict"]


class StatsDict(TypedDict):
    """As ``GET /sandbox/stats`` answers it."""

    requests: int
    #: Answers, by their status as text.
    by_status: dict[str, int]
    #: Requests, by method and path template.
    by_route: dict[str, int]
    #: Answers 429, of either limit.
    rate_limited: int
    #: Refreshes that failed because the refresh token was spent, revoked or unknown.
    refused_refreshes: int
    #: Requests that were struck by a fault, by its kind.
    faults: dict[str, int]
    #: Relations that were created over HTTP, and when the first and the last one was.
    writes: int
    first_write: float | None
    last_write: float | None
    #: Relations that there are now, in all locations.
    relations: int
    #: The most requests that were being handled at once.
    most_in_flight: int


class Stats:
    """Written by the server's thread, read by any thread."""

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

    def count_request(self, route: str) -> None:
        """Count a request that has arrived."""
        with self._lock:
            self._requests += 1
            self._routes[route] += 1
            self._in_flight += 1
            self._most_in_flight = max(self._most_in_flight, self._in_flight)

    def count_answer(self, status: int) -> None:
        """Count an answer."""
        with self._lock:
            self._statuses[status] += 1
            self._limited += status == 429
            self._in_flight -= 1

    def count_unanswered(self) -> None:
        """Count a request that will not be answered."""
        with self._lock:
            self._in_flight -= 1

    def count_fault(self, fault: str) -> None:
        """Count a request that a fault has struck."""
        with self._lock:
            self._faults[fault] += 1

    def count_write(self, now: float) -> None:
        """Count a relation that was created."""
        with self._lock:
            self._writes.append(now)

    def count_refused_refresh(self) -> None:
        """Count a refresh that failed because of its refresh token."""
        with self._lock:
            self._refused_refreshes += 1

    def write_times(self) -> list[float]:
        """When each relation was created over HTTP."""
        with self._lock:
            return list(self._writes)

    def as_dict(self, relations: int) -> StatsDict:
        """The statistics so far."""
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
