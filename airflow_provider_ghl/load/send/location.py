"""One location's requests: what waits for another try, what is in flight, and whether it may go on; and whose turn it is."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import count
from typing import Protocol

from airflow_provider_ghl.api.answers import mask
from airflow_provider_ghl.exceptions import GHLError, QuotaExhausted, Unauthorized
from airflow_provider_ghl.load.plan.difference import Chunk
from airflow_provider_ghl.load.results.outcomes import SUCCESSES, RowResult, StoppedBy
from airflow_provider_ghl.load.send.breaker import Refusals
from airflow_provider_ghl.load.send.in_flight import Item, Result, ToSend

__all__ = ["IDLE", "NOT_REACHED", "Lane", "Rows", "Supply", "Turns", "told"]

#: Why a row was not attempted.
NOT_REACHED = "the load stopped before it"

#: What a lane's rows say when there is nothing to send until more of the source is read.
IDLE = math.inf
#: Seconds after which a spent day is looked at again, where HighLevel does not say when it ends, or says that it ends now.
_UNTOLD, _LEAST = 900.0, 5.0


def told(why: GHLError | str | None) -> str:
    """Why something was stopped, with what to do about it where that is known."""
    if isinstance(why, QuotaExhausted) and why.whose:
        return f"{why.whose} requests of the day are spent"
    return why.explain() if isinstance(why, Unauthorized) else str(why)


class Rows(Protocol):
    """A location's rows, as the sending of them needs it."""

    def __iter__(self) -> Iterator[ToSend | float]:
        """Itself."""

    def __next__(self) -> ToSend | float:
        """What to send next; a number is seconds to look out for answers before asking again."""

    @property
    def is_hungry(self) -> bool:
        """Whether it asked for more of the source."""

    def feed(self, chunk: Chunk) -> None:
        """Take in rows that were read."""

    def take(self, sent: ToSend, result: Result) -> None:
        """What became of something that was sent."""

    def leave(self, reason: str) -> None:
        """Account for all rows that are not on their way, now and later: this location sends nothing more."""


class Lane:
    """The requests of one location.

    :param abort_after: see :class:`Refusals`.
    :param cautious: how many may be in flight until a first row has succeeded.
    """

    def __init__(self, location_id: str, rows: Rows, abort_after: int, cautious: int) -> None:
        self.location_id = location_id
        self.rows = rows
        self.in_flight = 0
        #: Requests that were sent.
        self.requests = 0
        self.is_exhausted = False
        #: What ended it before its last row.
        self.is_stopped = False
        self.stopped_by: StoppedBy | None = None
        self.why: GHLError | str | None = None
        #: Until when its day is spent, and HighLevel's word for it.
        self.asleep_until = -math.inf
        self.slept_by: QuotaExhausted | None = None
        #: When it is its turn; ``None``: when something happens.
        self.turn: float | None = None
        self._cautious: float = min(cautious, abort_after)
        self._refusals = Refusals(abort_after)
        self._due: list[tuple[float, int, Item]] = []  # a heap: when, row, what

    @property
    def waiting(self) -> int:
        """Rows that wait for a slot or another try."""
        return len(self._due)

    @property
    def next(self) -> Item:
        """What is due first."""
        return self._due[0][2]

    @property
    def has_room(self) -> bool:
        """Whether it may have another request in flight."""
        return self.in_flight < self._cautious

    @property
    def is_done(self) -> bool:
        """Whether it will never send anything again."""
        return self.is_stopped or (self.is_exhausted and not self._due and not self.in_flight)

    def until_due(self, now: float) -> float:
        """Seconds until a row is due for another try, 0.0 or less where one is."""
        return self._due[0][0] - now if self._due else math.inf

    def push(self, when: float, item: Item) -> None:
        """Have it sent at that moment, or as soon as there is a slot."""
        heapq.heappush(self._due, (when, item.to_send.row, item))

    def pop(self) -> Item:
        """What is due first, no longer waiting."""
        return heapq.heappop(self._due)[2]

    def note(self, sent: ToSend, result: RowResult) -> bool:
        """Take in a row's end; whether it is time to stop."""
        if result.outcome in SUCCESSES:
            self._cautious = math.inf
        return self._refusals.note(result, sent.first, sent.second)

    @property
    def refusal(self) -> str | None:
        """The answer that came again and again."""
        return self._refusals.reason

    def sleep(self, error: QuotaExhausted, now: float) -> float:
        """The day is spent; seconds until it is worth to ask again."""
        self.slept_by = error
        self.asleep_until = now + (max(error.resets_in, _LEAST) if error.resets_in is not None else _UNTOLD)
        return self.asleep_until - now

    def is_asleep(self, now: float) -> bool:
        """Whether its day is spent."""
        return now < self.asleep_until

    def stop(self, by: StoppedBy | None, why: GHLError | str | None) -> None:
        """Send nothing more."""
        if not self.is_stopped:
            self.is_stopped, self.stopped_by, self.why = True, by, why

    def take_waiting(self) -> list[Item]:
        """What waits, which it does no longer."""
        waiting, self._due = sorted(self._due, key=lambda due: due[:2]), []
        return [item for _, _, item in waiting]

    @property
    def reason(self) -> str:
        """Why a row of it was not reached."""
        why = self.why
        if isinstance(why, Unauthorized) and not why.is_plain:
            why = f"{why.status} {why.message}"  # HighLevel's own words: with what to do about it they would be cut
        return NOT_REACHED if why is None else mask(f"{NOT_REACHED}: {told(why)}")


class Supply(Protocol):
    """Where lanes come from."""

    lanes: list[Lane]

    @property
    def wants_more(self) -> bool:
        """Whether it is time to read on."""

    def read_on(self) -> list[Lane]:
        """Read a batch more. Lanes that may have something to send now."""


class Turns:
    """The one heap of due times, over all locations."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Lane]] = []
        self._numbers = count()

    def give(self, lane: Lane, when: float) -> None:
        """Let it be its turn at that moment, or earlier if it was to be so before."""
        if when == math.inf or (lane.turn is not None and lane.turn <= when):
            return
        lane.turn = when
        heapq.heappush(self._heap, (when, next(self._numbers), lane))

    def take(self, now: float) -> Lane | None:
        """Whose turn it is, if it is anybody's."""
        while self._heap and self._heap[0][0] <= now:
            when, _, lane = heapq.heappop(self._heap)
            if lane.turn == when:
                lane.turn = None
                return lane
        return None

    def until(self, now: float) -> float:
        """Seconds until it is somebody's turn."""
        while self._heap and self._heap[0][2].turn != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] - now if self._heap else math.inf

    def all(self) -> Iterator[Lane]:
        """Whoever has a turn to come, some of them more than once."""
        return (lane for when, _, lane in self._heap if lane.turn == when)
