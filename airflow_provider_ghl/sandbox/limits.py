"""The limits of a location: a burst window and the day. Time is passed in, in seconds of a monotonic clock."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Day", "FixedWindow", "Limits", "Rate", "SlidingWindow", "Window", "WindowKind"]

WindowKind = Literal["sliding", "fixed"]

#: What the headers say where there is no limit.
UNLIMITED = 1_000_000_000


class Window(Protocol):
    """Counts requests against a limit (``None``: no limit)."""

    limit: int | None

    def used(self, now: float) -> int:
        """How many of the limit's requests are taken."""

    def count(self, now: float, requests: int = 1) -> None:
        """Count requests that were let through."""


class SlidingWindow:
    """At most ``limit`` requests in any ``interval`` seconds; a slot is free again one interval after it was taken."""

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
    """At most ``limit`` requests in a window that starts with the first request after the previous one's end."""

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
    """The daily quota: ``limit`` requests until ``ends``, then the count starts anew every ``length`` seconds."""

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
        """Seconds until the count starts anew."""
        self._roll(now)
        return self._ends - now

    def _roll(self, now: float) -> None:
        if now >= self._ends:
            self._ends += self.length * (math.floor((now - self._ends) / self.length) + 1)
            self._count = 0


@dataclass(frozen=True, slots=True)
class Rate:
    """The verdict on one request, and what the headers of its answer say. Header names: observed on live trial tokens."""

    admitted: bool
    day_spent: bool
    limit: int
    remaining: int
    interval: float
    daily_limit: int
    daily_remaining: int
    daily_resets_in: float

    def headers(self) -> dict[str, str]:
        """Lower case, as on the wire; times in milliseconds. There is no ``retry-after`` (observed)."""
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
        day_spent = _left(self.day, now) == 0
        admitted = not day_spent and _left(self.window, now) > 0
        if admitted:  # whether a refused request counts is unknown: here it does not
            self.count(now, 1)
        return Rate(
            admitted=admitted,
            day_spent=day_spent,
            limit=_most(self.window),
            remaining=_left(self.window, now),
            interval=self.interval,
            daily_limit=_most(self.day),
            daily_remaining=_left(self.day, now),
            daily_resets_in=self.day.resets_in(now),
        )

    def count(self, now: float, requests: int) -> None:
        self.window.count(now, requests)
        self.day.count(now, requests)


def _most(counted: Window | Day) -> int:
    return UNLIMITED if counted.limit is None else counted.limit


def _left(counted: Window | Day, now: float) -> int:
    return UNLIMITED if counted.limit is None else max(0, counted.limit - counted.used(now))


class Limits:
    """One window and one day for each location, company or app. May be used from several threads."""

    def __init__(self, new_window: Callable[[], Window], interval: float, new_day: Callable[[], Day]):
        self._new_window = new_window
        self._interval = interval
        self._new_day = new_day
        self._locations: dict[str, _Location] = {}
        self._limits: dict[str | None, int | None] = {}
        self._lock = threading.Lock()

    def admit(self, location_id: str, now: float) -> Rate:
        """Let a request through and count it, or refuse it."""
        with self._lock:
            return self._of(location_id).admit(now)

    def count(self, location_id: str, now: float, requests: int) -> None:
        """Count requests of other users against window and day, whether or not there is room."""
        with self._lock:
            self._of(location_id).count(now, requests)

    def spend_daily(self, location_id: str, now: float, requests: int) -> None:
        """Count requests against the day only."""
        with self._lock:
            self._of(location_id).day.count(now, requests)

    def set_limit(self, limit: int | None, location_id: str | None = None) -> None:
        """Another burst limit from now on, in one location or in every; what was counted stays counted."""
        with self._lock:
            if location_id is None:
                self._limits.clear()
            self._limits[location_id] = limit
            for key, location in self._locations.items():
                if location_id in (None, key):
                    location.window.limit = limit

    def _of(self, location_id: str) -> _Location:
        found = self._locations.get(location_id)
        if found is None:
            found = self._locations[location_id] = _Location(self._new_window(), self._interval, self._new_day())
            for key in (None, location_id):
                if key in self._limits:
                    found.window.limit = self._limits[key]
        return found
