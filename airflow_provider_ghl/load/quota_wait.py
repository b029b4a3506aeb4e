"""How long to wait for another day of quota, and when that is too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["SHORTEST_WAIT", "QuotaWait"]

#: Two looks at a spent day are at least so far apart, and as much is drawn on top, lest all tasks come at once.
SHORTEST_WAIT = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class QuotaWait:
    """How long a load may wait for quota in all.

    :param timeout: over all its waits.
    :param waited: seconds since the first of them began.
    :param shortest: the least that one of them takes, and the most that is drawn on top.
    """

    timeout: timedelta
    waited: float = 0.0
    shortest: timedelta = SHORTEST_WAIT

    def seconds(self, resets_in: float | None, now: datetime, draw: Callable[[], float]) -> float | None:
        """Seconds until it is worth to try again; ``None`` where that is longer than the load may wait.

        :param resets_in: what HighLevel said, in seconds; ``None``: nothing that makes sense, so the next midnight (UTC).
        :param draw: a number from [0, 1).
        """
        if resets_in is None:
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
            resets_in = (midnight - now).total_seconds()
        least = self.shortest.total_seconds()
        seconds = max(resets_in, least) + draw() * least
        return seconds if self.waited + seconds <= self.timeout.total_seconds() else None
