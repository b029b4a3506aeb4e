"""How long requests take, at least and at most."""

from __future__ import annotations

from collections import deque
from itertools import islice

__all__ = ["Latency"]

#: Latencies from which on their minimum is used, and how cautiously: see :meth:`Latency.floor`.
_FEWEST = 16
_CAUTION = 10.0


class Latency:
    """Bounds of the time that a request takes, from the last few."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=512)
        self._floor = 0.0
        self._stale = 0

    def add(self, seconds: float) -> None:
        """Add the latency of one request."""
        self._recent.append(seconds)
        self._stale += 1

    def longest(self) -> float:
        """The longest of the last few."""
        return max(islice(reversed(self._recent), 32), default=0.0)

    def spread(self) -> float:
        """The difference between longest and shortest; the longest itself while too few are known."""
        return self.longest() - self.floor()

    def floor(self) -> float:
        """A cautious minimum: below the shortest seen, the more so the fewer are known; 0.0 for too few."""
        if self._stale and len(self._recent) >= _FEWEST and (self._stale >= 16 or len(self._recent) <= 64):
            ordered = sorted(self._recent)
            count = len(ordered)
            missed = (ordered[count // 2] - ordered[0]) * _CAUTION / count
            self._floor = max(0.0, ordered[0] - missed)
            self._stale = 0
        return min(self._floor, min(islice(reversed(self._recent), 16), default=0.0))
