"""The limits of a location: a burst window and a daily quota. Times are seconds of a monotonic clock, and are passed in."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Day", "FixedWindow", "Limits", "Rate", "SlidingWindow", "Window", "WindowKind"]

WindowKind = Literal["sliding", "fixed"]

#: The limit in the headers where there is none: no more than a client can believe.
UNLIMITED = 1_000_000


class Window(Protocol):
    """Counts requests against a limit (``None``: no limit)."""

    limit: int | None

    def used(self, now: float) -> int:
        """How many of the limit's requests are used up."""

    def count(self, now: float, requests: int = 1) -> None:
        """Count requests that are let through."""


class SlidingWindow:
    """At most ``limit`` requests in any ``interval`` seconds: each request counts for one interval."""

    def __init__(self, limit: int | None, interval: float):
        self.limit = limit
        self.interval = interval
        self._times: deque[float] = deque()

    def used(self, now: float) -> int:
        times = self._times
        while times and times[0] <= now - self.interval:
            times.popleft()
        return len(times)

    def count(self, now: float, requests: int = 1) -> None:
        if self.limit is not None:
            self._times.extend([now] * requests)


class FixedWindow:
    """At most ``limit`` requests in a window. It begins with the first request after the end of the previous window."""

    def __init__(self, limit: int | None, interval: float):
        self.limit = limit
        self.interval = interval
        self._ends = -math.inf
        self._count = 0

    def used(self, now: float) -> int:
        return self._count if now < self._ends else 0

    def count(self, now: float, requests: int = 1) -> None:
        if now >= self._ends:
            self._ends, self._count = now + self.interval, 0
        self._count += requests


class Day:
    """The daily quota: at most ``limit`` requests until ``ends``, and then in every ``length`` seconds."""

    def __init__(self, limit: int | None, ends: float, length: float = 86_400.0):
        self.limit = limit
        self.length = length
        self._ends = ends
        self._count = 0

    def used(self, now: float) -> int:
        self._roll(now)
        return self._count

    def count(self, now: float, requests: int = 1) -> None:
        self._roll(now)
        self._count += requests

    def resets_in(self, now: float) -> float:
        """Seconds until the count starts from 0 again."""
        self._roll(now)
        return self._ends - now

    def _roll(self, now: float) -> None:
        if now >= self._ends:
            self._ends += self.length * (math.floor((now - self._ends) / self.length) + 1)
            self._count = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """Whether a request is let through, and the rate headers of its answer. Header names: observed with live trial tokens."""

    admitted: bool
    day_spent: bool
    limit: int
    remaining: int
    interval: float
    daily_limit: int
    daily_remaining: int
    daily_resets_in: float

    def headers(self) -> dict[str, str]:
        """The headers. Names are lower case, times in milliseconds. There is no ``retry-after`` (observed)."""
        return {
            "x-ratelimit-max": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-interval-milliseconds": str(round(self.interval * 1000)),
            "x-ratelimit-limit-daily": str(self.daily_limit),
            "x-ratelimit-daily-remaining": str(self.daily_remaining),
            "x-ratelimit-daily-reset": str(math.ceil(self.daily_resets_in * 1000)),
        }


@dataclass(slots=True)
class _Location:
    window: Window
    interval: float
    day: Day

    def admit(self, now: float) -> Rate:
        day_spent = _remaining(self.day, now) == 0
        admitted = not day_spent and _remaining(self.window, now) > 0
        if admitted:  # whether HighLevel counts refused requests is unknown; here they do not count
            self.count(now, 1)
        return Rate(
            admitted=admitted,
            day_spent=day_spent,
            limit=_limit(self.window),
            remaining=_remaining(self.window, now),
            interval=self.interval,
            daily_limit=_limit(self.day),
            daily_remaining=_remaining(self.day, now),
            daily_resets_in=self.day.resets_in(now),
        )

    def count(self, now: float, requests: int) -> None:
        self.window.count(now, requests)
        self.day.count(now, requests)


def _limit(counted: Window | Day) -> int:
    return UNLIMITED if counted.limit is None else counted.limit


def _remaining(counted: Window | Day, now: float) -> int:
    return UNLIMITED if counted.limit is None else max(0, counted.limit - counted.used(now))


class Limits:
    """A window and a daily quota for each location, company or app. Thread-safe."""

    def __init__(self, new_window: Callable[[], Window], interval: float, new_day: Callable[[], Day]):
        self._new_window = new_window
        self._interval = interval
        self._new_day = new_day
        self._locations: dict[str, _Location] = {}
        self._limits: dict[str | None, int | None] = {}
        self._lock = threading.Lock()

    def admit(self, location_id: str, now: float) -> Rate:
        """Decide about a request, and count it if it is let through."""
        with self._lock:
            return self._location(location_id).admit(now)

    def count(self, location_id: str, now: float, requests: int) -> None:
        """Count requests of other users against window and quota, even beyond the limits."""
        with self._lock:
            self._location(location_id).count(now, requests)

    def spend_daily(self, location_id: str, now: float, requests: int) -> None:
        """Count requests against the daily quota only."""
        with self._lock:
            self._location(location_id).day.count(now, requests)

    def set_limit(self, limit: int | None, location_id: str | None = None) -> None:
        """Change the burst limit, of one location or of all. Requests that were counted stay counted."""
        with self._lock:
            if location_id is None:
                self._limits.clear()
            self._limits[location_id] = limit
            for key, location in self._locations.items():
                if location_id in (None, key):
                    location.window.limit = limit

    def _location(self, location_id: str) -> _Location:
        found = self._locations.get(location_id)
        if found is None:
            found = self._locations[location_id] = _Location(self._new_window(), self._interval, self._new_day())
            for key in (None, location_id):
                if key in self._limits:
                    found.window.limit = self._limits[key]
        return found
