"""How long requests take."""

from __future__ import annotations

from collections import deque
from itertools import islice

__all__ = ["Latency"]

#: Latencies that are needed to say how long a request takes at least, and how far a sample of them is mistrusted.
_FEWEST = 16
_CAUTION = 10.0


class Latency:
    """Bounds of the time that a request takes, from the last few."""

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=512)
        self._floor = 0.0
        self._stale = 0

    def add(self, seconds: float) -> None:
        """One more."""
        self._recent.append(seconds)
        self._stale += 1

    def longest(self) -> float:
        """The longest of the last few."""
        return max(islice(reversed(self._recent), 32), default=0.0)

    def spread(self) -> float:
        """By how much they differ; all of the longest while too few are known."""
        return self.longest() - self.floor()

    def floor(self) -> float:
        """The shortest time seen, less what a sample of this size may have missed of a shorter one; 0.0 for too few."""
        if self._stale and len(self._recent) >= _FEWEST and (self._stale >= 16 or len(self._recent) <= 64):
            ordered = sorted(self._recent)
            count = len(ordered)
            missed = (ordered[count // 2] - ordered[0]) * _CAUTION / count
            self._floor = max(0.0, ordered[0] - missed)
            self._stale = 0
        return min(self._floor, min(islice(reversed(self._recent), 16), default=0.0))
