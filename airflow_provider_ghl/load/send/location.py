"""One sub-account of a load."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import QuotaExhausted
from airflow_provider_ghl.load.columns import Chunk
from airflow_provider_ghl.load.kind import Result
from airflow_provider_ghl.load.results.outcomes import SUCCESSES, RowResult
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import NOT_REACHED, Stoppage
from airflow_provider_ghl.load.send.breaker import Breaker
from airflow_provider_ghl.load.send.in_flight import InFlight, Send, Step
from airflow_provider_ghl.load.send.outage import Outage

__all__ = ["Location", "State", "StepSource"]

#: Seconds after which a spent day is looked at again: where HighLevel does not say when it ends, and at least.
_LOOK_AGAIN, _SHORTEST_SLEEP = 900.0, 5.0


class State(StrEnum):
    """Where a location is. It begins with the first, goes on to the second, and ends with one of the last two."""

    #: Its target, such as the association, is not found yet.
    WAITING = "waiting for its association"
    #: Its rows are planned and sent.
    WORKING = "working"
    #: HighLevel does not answer. One request at a time is sent to find out when it does again.
    UNANSWERED = "not answered"
    #: Its day is spent. It goes on when the next one begins.
    ASLEEP = "asleep"
    #: It sends nothing more, though it had rows left: its ``stoppage`` says why.
    STOPPED = "stopped"
    #: All its rows have their outcome.
    DONE = "done"


class StepSource(Protocol):
    """A location's rows, as the sending of them needs it."""

    def __iter__(self) -> Iterator[Step]:
        """Itself."""

    def __next__(self) -> Step:
        """What to do next. Ends with the last row, and where the ledger fails."""

    @property
    def needs_rows(self) -> bool:
        """Whether it asked for more of the source."""

    @property
    def has_target(self) -> bool:
        """Whether it is known what they are about."""

    @property
    def price(self) -> int:
        """Requests that they would take, where nothing is sent."""

    @property
    def warnings(self) -> list[str]:
        """What a user should know of how it went."""

    def feed(self, chunk: Chunk) -> None:
        """Take in rows that were read."""

    def take_result(self, send: Send, result: Result) -> None:
        """Take in what something that was sent came to."""

    def skip_rest(self, reason: str) -> None:
        """Account for all rows that are not on their way, now and later: nothing more is sent."""


class Location:
    """A sub-account: its line in the account, its rows, its requests, and where it stands.

    :param abort_after: see :class:`Breaker`.
    :param cautious: how many requests may be in flight until a first row has succeeded.
    """

    def __init__(self, results: LocationResults, steps: StepSource, outage: Outage, abort_after: int, cautious: int) -> None:
        self.results = results
        self.steps = steps
        self.outage = outage
        self.in_flight = 0
        #: Requests that were sent.
        self.requests = 0
        #: Why it sends nothing more.
        self.stoppage: Stoppage | None = None
        #: Until when its day is spent (clock seconds), and HighLevel's word for it.
        self.asleep_until = -math.inf
        self.slept_by: QuotaExhausted | None = None
        #: Whether its rows have nothing more to send.
        self.is_exhausted = False
        #: When it is its turn (clock seconds); ``None``: when something happens.
        self.queued_for: float | None = None
        self._most_in_flight: float = min(cautious, abort_after)
        self._breaker = Breaker(abort_after)
        self._due: list[tuple[float, int, InFlight]] = []  # a heap: when, row, what

    @property
    def id(self) -> str:
        """HighLevel's."""
        return self.results.location_id or ""

    def state(self, now: float) -> State:
        """Where it stands at this moment."""
        if self.stoppage is not None:
            return State.STOPPED
        if self.is_over:
            return State.DONE
        if now < self.asleep_until:
            return State.ASLEEP
        if self.outage.is_on:
            return State.UNANSWERED
        return State.WORKING if self.steps.has_target else State.WAITING

    def trouble(self, now: float) -> str:
        """What holds it up, in words; empty where nothing does."""
        match self.state(now):
            case State.UNANSWERED:
                silence = timedelta(seconds=round(self.outage.seconds(now)))
                return f"no answer from HighLevel for {silence}, one request at a time is tried"
            case State.ASLEEP:
                return "its requests of the day are spent"
        return ""

    @property
    def is_stopped(self) -> bool:
        """Whether something ended it before its last row."""
        return self.stoppage is not None

    @property
    def is_over(self) -> bool:
        """Whether it will never send anything again."""
        return self.is_stopped or (self.is_exhausted and not self._due and not self.in_flight)

    def is_asleep(self, now: float) -> bool:
        """Whether its day is spent."""
        return now < self.asleep_until

    def sleep(self, error: QuotaExhausted, now: float) -> float:
        """The day is spent; the moment at which it is worth to ask again."""
        self.slept_by = error
        seconds = max(error.resets_in, _SHORTEST_SLEEP) if error.resets_in is not None else _LOOK_AGAIN
        self.asleep_until = now + seconds
        return self.asleep_until

    def stop(self, stoppage: Stoppage) -> None:
        """Send nothing more."""
        self.stoppage = self.stoppage or stoppage

    @property
    def reason(self) -> str:
        """Why a row of it was not reached."""
        return self.stoppage.reason if self.stoppage is not None else NOT_REACHED

    @property
    def has_room(self) -> bool:
        """Whether it may have another request in flight."""
        return self.in_flight < (1 if self.outage.is_on else self._most_in_flight)

    def note(self, send: Send, result: RowResult) -> Stoppage | None:
        """Take in a row's end; why to stop, if it is time to."""
        if result.outcome in SUCCESSES:
            self._most_in_flight = math.inf
        return self._breaker.note(result, send.values)

    @property
    def waiting(self) -> int:
        """Requests that wait for a slot or another try."""
        return len(self._due)

    @property
    def next(self) -> InFlight:
        """What is due first."""
        return self._due[0][2]

    @property
    def due_at(self) -> float:
        """When the next of them is due (clock seconds)."""
        return self._due[0][0] if self._due else math.inf

    def push(self, when: float, item: InFlight) -> None:
        """Have it sent at that moment, or as soon as there is a slot."""
        heapq.heappush(self._due, (when, item.send.row, item))

    def pop(self) -> InFlight:
        """What is due first, no longer waiting."""
        return heapq.heappop(self._due)[2]

    def begin_anew(self, now: float) -> None:
        """After an outage: what waits is due, and its tries count from now on."""
        self._due = [(now, row, item) for _, row, item in self._due]
        heapq.heapify(self._due)
        for _, _, item in self._due:
            item.tries = Tries(since=now)

    def take_waiting(self) -> list[InFlight]:
        """All that waits, which it does no longer."""
        waiting, self._due = sorted(self._due, key=lambda due: due[:2]), []
        return [item for _, _, item in waiting]
