"""How far a load is, at a pace that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.api.limits import Limit

__all__ = ["Progress"]

#: Seconds between two lines: the first ones soon, since a person may be watching, later ones once a minute.
_SOON, _LATER, _EARLY_LINES = 10.0, 60.0, 6
#: Share of the limit in use from which on it sets the pace.
_AT_THE_LIMIT = 0.8


class Progress:
    """Writes a line now and then: rows done of the known total, rate, share of the limit in use, time left.

    :param write: takes the line, such as a logger's ``info``.
    :param total: rows of the source where that is known.
    """

    def __init__(self, write: Callable[[str], None], clock: Clock, total: int | None = None) -> None:
        self._write = write
        self._clock = clock
        self._total = total
        self._began: float | None = None
        self._next = 0.0
        self._lines = 0

    @property
    def is_due(self) -> bool:
        """Whether :meth:`tick` would do anything."""
        return self._began is None or self._clock.monotonic() >= self._next

    def tick(self, done: int, read: int, requests: int, limits: Sequence[Limit]) -> None:
        """Say where things stand, if it is time to.

        :param done: rows that have their outcome.
        :param read: rows read so far.
        :param requests: requests sent so far.
        :param limits: of the locations that have rows left.
        """
        now = self._clock.monotonic()
        if self._began is None:
            self._began, self._next = now, now + _SOON
        if now < self._next:
            return
        self._lines += 1
        self._next = now + (_SOON if self._lines < _EARLY_LINES else _LATER)
        self._write(self._line(now - self._began, done, read, requests, limits, now))

    def announce(self, rows: int, price: str, *, is_exact: bool) -> None:
        """Say what is ahead.

        :param price: what it costs, in words.
        :param is_exact: all rows were counted, and not just the first ones.
        """
        self._write(f"{rows:,} rows: {'' if is_exact else 'about '}{price}")

    def _line(self, seconds: float, done: int, read: int, requests: int, limits: Sequence[Limit], now: float) -> str:
        total = self._total
        of = f"of {total:,} rows done ({done / total:.0%})" if total else f"rows done, {read:,} read so far"
        used = sum(limit.used_recently(now) for limit in limits) / max(sum(limit.capacity for limit in limits), 1)
        several = f"s of {len(limits):,} locations" if len(limits) > 1 else ""
        parts = [f"{done:,} {of}", f"{requests / seconds:.1f} requests/s", f"{min(used, 1.0):.0%} of the limit{several} in use"]
        if total and 0 < done <= total:
            # Where the limit sets the pace, the first window's worth of rows took no time.
            paced = seconds + max((limit.interval for limit in limits), default=0.0) * (used >= _AT_THE_LIMIT)
            parts.append(f"about {timedelta(seconds=round((total - done) * paced / done))} left")
        left = [limit.daily_left for limit in limits if limit.daily_left is not None]
        if left:
            parts.append(f"{min(left):,} requests left of the day{' where fewest are' if several else ''}")
        return ", ".join(parts)
