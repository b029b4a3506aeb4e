"""How long to wait for another day of quota, and when that is too long."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

__all__ = ["Patience", "until_reset"]

#: Seconds. Two looks at a spent day are at least so far apart, and as much is drawn on top, lest all tasks come at once.
_LEAST, _JITTER = 60.0, 60.0


def until_reset(resets_in: float | None, now: datetime, draw: Callable[[], float]) -> float:
    """Seconds until it is worth to try again.

    :param resets_in: what HighLevel said, in seconds; ``None``: it said nothing that makes sense, so the next midnight (UTC).
    :param draw: a number from [0, 1).
    """
    if resets_in is None:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        resets_in = (midnight - now).total_seconds()
    return max(resets_in, _LEAST) + draw() * _JITTER


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a load may wait for quota in all.

    :param timeout: over all its waits. :param waited: seconds since the first of them began.
    """

    timeout: timedelta
    waited: float = 0.0

    def allows(self, seconds: float) -> bool:
        """Whether it may wait that much longer."""
        return self.waited + seconds <= self.timeout.total_seconds()
