"""Log lines about the progress of a load, few enough to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.load.results.time_span import time_span

__all__ = ["LocationStatus", "Progress"]

#: Seconds between two lines. The first lines come soon, since a person may be watching.
_SOON, _LATER, _EARLY_LINES = 10.0, 30.0, 6
#: From this share of use on, the limit sets the pace.
_AT_THE_LIMIT = 0.8
#: How many locations a line names, and from how many requests a second on others are mentioned.
_MOST_NAMED, _WORTH_A_WORD = 3, 0.1


@dataclass(frozen=True, slots=True)
class LocationStatus:
    """The status of one location.

    :param is_over: whether it will never send another request.
    :param trouble: what delays it, as text; empty where nothing does.
    """

    location_id: str
    limit: Limit
    is_over: bool = False
    trouble: str = ""


class _Moment(NamedTuple):
    at: float
    done: int
    requests: int


class Progress:
    """Writes a line now and then: rows done, requests per second, use of the limit, time left, and what delays the load.

    :param write: takes a line, such as a logger's ``info``.
    :param total: how many rows the source has, where that is known.
    :param estimate: about how many rows it has, where the number is not known.
    :param what: what is counted, and what is done to it.
    """

    def __init__(
        self,
        write: Callable[[str], None],
        clock: Clock,
        total: int | None = None,
        estimate: int | None = None,
        *,
        what: str = "rows done",
    ) -> None:
        self._write = write
        self._clock = clock
        self._total = total
        self._estimate = estimate
        self._what = what
        self._began: float | None = None
        #: When the last line was written, or the first one was due to come.
        self._before = _Moment(0.0, 0, 0)
        self._next = 0.0
        self._lines = 0
        self._troubles: set[str] = set()

    def of_part(self, what: str, total: int) -> Progress:
        """The progress of something that follows the rows.

        :param what: what is counted, and what is done to it, such as "parents read".
        :param total: how much of it there is.
        """
        return Progress(self._write, self._clock, total, what=what)

    @property
    def is_due(self) -> bool:
        """Whether :meth:`tick` would write a line."""
        return self._began is None or self._clock.monotonic() >= self._next

    def tick(self, done: int, read: int, requests: int, statuses: Sequence[LocationStatus], looked_up: int = 0) -> None:
        """Write a line, if one is due.

        :param done: how many rows have an outcome.
        :param read: how many rows were read so far.
        :param requests: how many requests were sent so far.
        :param statuses: all locations that the source has named so far.
        :param looked_up: how many keys HighLevel was asked for so far.
        """
        now = self._clock.monotonic()
        if self._began is None:
            self._began, self._next, self._before = now, now + _SOON, _Moment(now, done, requests)
        if now < self._next:
            return
        self._lines += 1
        self._next = now + (_SOON if self._lines < _EARLY_LINES else _LATER)
        parts = self._parts(now - self._began, done, read, requests, statuses, now)
        self._before = _Moment(now, done, requests)
        if looked_up:
            parts.insert(1, f"{looked_up:,} {'key' if looked_up == 1 else 'keys'} looked up")
        self._write(", ".join(parts))

    def announce(self, rows: int, price: str, *, is_exact: bool) -> None:
        """Write how many rows there are and what they cost.

        :param price: the cost, as text.
        :param is_exact: whether all rows were counted, and not only the first ones.
        """
        self._write(f"{rows:,} {'row' if rows == 1 else 'rows'}: {'' if is_exact else 'about '}{price}")

    def log_trouble(self, location_id: str, trouble: str) -> None:
        """Write at once that a location is delayed, or that it goes on again.

        :param trouble: what delays it, as text; empty where nothing does any more.
        """
        if trouble and location_id not in self._troubles:
            self._troubles.add(location_id)
            self._write(f"location {location_id}: {trouble}")
        elif not trouble and location_id in self._troubles:
            self._troubles.discard(location_id)
            self._write(f"location {location_id}: it goes on")

    def _parts(
        self, seconds: float, done: int, read: int, requests: int, statuses: Sequence[LocationStatus], now: float
    ) -> list[str]:
        at_work = [one for one in statuses if not one.is_over]
        limits = [one.limit for one in at_work]
        used = sum(limit.used_recently(now) for limit in limits) / max(sum(limit.capacity for limit in limits), 1)
        parts = [self._rows_done(done, read)]
        total = self._total or max(self._estimate or 0, read)
        pace = self._pace(done, requests, now, limits if used >= _AT_THE_LIMIT else [])
        if (self._total or self._estimate) and done <= total and pace > 0.0:
            parts.append(f"about {time_span(_rounded((total - done) / pace))} left")
        parts += [f"{requests / seconds:.1f} requests/s", self._usage(used, limits, now)]
        left = [limit.daily_left for limit in limits if limit.daily_left is not None]
        if left:
            parts.append(f"{min(left):,} requests left of the day{' where fewest are' if len(limits) > 1 else ''}")
        return parts + _of_locations(statuses, at_work)

    def _pace(self, done: int, requests: int, now: float, limits: Sequence[Limit]) -> float:
        """Rows a second since the last line: what came before, such as rows that the ledger knew, says little of the rest.

        :param limits: those that set the pace; none where something else does.
        """
        before = self._before
        rows, sent = done - before.done, requests - before.requests
        if limits and sent > 0:  # a window's requests may all be sent at its start
            return rows / sent * sum(limit.capacity / limit.interval for limit in limits)
        return rows / max(now - before.at, 1e-9)

    def _rows_done(self, done: int, read: int) -> str:
        if self._total:
            return f"{done:,} of {self._total:,} {self._what} ({done / self._total:.0%})"
        if self._estimate:
            about = max(self._estimate, read)
            return f"{done:,} of about {about:,} {self._what} ({done / about:.0%})"
        return f"{done:,} {self._what}, {read:,} read so far"

    def _usage(self, used: float, limits: Sequence[Limit], now: float) -> str:
        several = f"s of {len(limits):,} locations" if len(limits) > 1 else ""
        ours = f"{min(used, 1.0):.0%} of the limit{several} in use"
        others = sum(limit.others_per_second(now) for limit in limits)
        if others < _WORTH_A_WORD:
            return ours
        whose = "these locations" if several else "this location"
        return f"{ours} by this load, others use {others:.1f} requests/s of {whose}"


def _rounded(seconds: float) -> float:
    """No more exact than it is known."""
    step = 60 if seconds >= 600 else 10 if seconds >= 60 else 1
    return round(seconds / step) * step


def _of_locations(statuses: Sequence[LocationStatus], at_work: Sequence[LocationStatus]) -> list[str]:
    parts = []
    if len(statuses) > 1:
        parts.append(f"{len(statuses) - len(at_work):,} of {len(statuses):,} locations done")
    held_up = [one for one in at_work if one.trouble]
    if len(statuses) == 1:
        return [one.trouble for one in held_up]
    parts += [f"{one.location_id}: {one.trouble}" for one in held_up[:_MOST_NAMED]]
    if (more := len(held_up) - _MOST_NAMED) > 0:
        parts.append(f"{more} more held up")
    if not held_up and 0 < len(at_work) <= _MOST_NAMED < len(statuses):
        parts.append(f"still at work: {' '.join(one.location_id for one in at_work)}")
    return parts
