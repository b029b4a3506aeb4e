"""How long a load waits for its daily quota, and when that is too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["SHORTEST_WAIT", "QuotaWait"]

#: The shortest wait. A random part of the same size is added, so that not all tasks return at once.
SHORTEST_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QuotaWait:
    """How long a load may wait for quota in all.

    :param timeout: the limit for all its waits together.
    :param waited: seconds since the first wait began.
    :param shortest: the shortest wait, and the largest random part that is added to it.
    """

    timeout: timedelta
    waited: float = 0.0
    shortest: timedelta = SHORTEST_WAIT

    def seconds(self, resets_in: float | None, now: datetime, draw: Callable[[], float]) -> float | None:
        """Seconds until the next try; ``None`` where that is longer than the load may wait.

        :param resets_in: seconds until the reset, as HighLevel named it; ``None``: unknown, so wait until midnight UTC.
        :param draw: returns a random number from [0, 1).
        """
        if resets_in is None:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            resets_in = (midnight - now).total_seconds()
        least = self.shortest.total_seconds()
        seconds = max(resets_in, least) + draw() * least
        return seconds if self.waited + seconds <= self.timeout.total_seconds() else None
