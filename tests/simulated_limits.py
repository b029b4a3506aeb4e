"""How HighLevel counts requests, in simulated time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

__all__ = ["SimulatedLimits"]

#: Seconds until a day is over whose end nobody has set.
_REST_OF_DAY = 7_200.0


@dataclass(kw_only=True)
class SimulatedLimits:
    """The limits of one location: ``limit`` requests in ``interval`` seconds, and ``daily_limit`` a day.

    ``window``: ``sliding`` or ``fixed`` (which of them the real one is, is unknown). ``day_ends``: the clock's seconds at which
    the day's requests are back.
    """

    limit: int = 100
    interval: float = 10.0
    window: str = "sliding"
    daily_limit: int | None = 200_000
    day_ends: float = math.inf
    used_of_day: int = 0
    _counted: deque[float] = field(default_factory=deque)
    _window_ends: float = -math.inf

    def admit(self, now: float) -> bool:
        """Count a request, if it is let through."""
        if now >= self.day_ends:
            self.used_of_day, self.day_ends = 0, math.inf
        self._forget(now)
        if len(self._counted) >= self.limit or self.day_left == 0:
            return False
        self._counted.append(now)
        self.used_of_day += 1
        return True

    @property
    def remaining(self) -> int:
        """Requests that the window had left after the last one."""
        return max(0, self.limit - len(self._counted))

    @property
    def day_left(self) -> int | None:
        """Requests that the day has left."""
        return None if self.daily_limit is None else max(0, self.daily_limit - self.used_of_day)

    def day_resets_in(self, now: float) -> float:
        """Seconds until they are back."""
        return _REST_OF_DAY if self.day_ends == math.inf else self.day_ends - now

    def spend_day(self) -> None:
        """All the requests of the day, by others."""
        assert self.daily_limit is not None
        self.used_of_day = self.daily_limit

    def _forget(self, now: float) -> None:
        if self.window == "sliding":
            while self._counted and self._counted[0] <= now - self.interval:
                self._counted.popleft()
        elif now >= self._window_ends:
            self._window_ends = now + self.interval
            self._counted.clear()
