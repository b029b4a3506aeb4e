"""One sub-account of a load: its state, its waiting requests, and the protocol of its steps."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import QuotaExhausted
from airflow_provider_ghl.load.columns import Chunk
from airflow_provider_ghl.load.kind import Result
from airflow_provider_ghl.load.plan.scope import MirroredLocation
from airflow_provider_ghl.load.results.outcomes import RowResult
from airflow_provider_ghl.load.results.removals import RemovalResult
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import NOT_REACHED, Stoppage
from airflow_provider_ghl.load.results.time_span import time_span
from airflow_provider_ghl.load.send.breaker import Breaker
from airflow_provider_ghl.load.send.in_flight import InFlight, Send, Step
from airflow_provider_ghl.load.send.outage import Outage

__all__ = ["Location", "State", "StepSource"]

#: Seconds until a location with a spent quota asks again: where HighLevel names no reset time; and at least.
_LOOK_AGAIN, _SHORTEST_SLEEP = 900.0, 5.0


class State(StrEnum):
    """The state of a location. It begins as ``WAITING``, goes on to ``WORKING``, and ends as ``STOPPED`` or ``DONE``."""

    #: Its target, such as the association, is not found yet.
    WAITING = "waiting for its target"
    #: Its rows are planned and sent.
    WORKING = "working"
    #: HighLevel does not answer. One request at a time is sent, to notice when it answers again.
    UNANSWERED = "not answered"
    #: Its quota of the day is spent. It goes on after the reset.
    ASLEEP = "asleep"
    #: It was stopped before its last row. ``stoppage`` says why.
    STOPPED = "stopped"
    #: All its rows have their outcome.
    DONE = "done"


class StepSource(Protocol):
    """What a location does next: an iterator of steps, and the results of what it sent."""

    def __iter__(self) -> Iterator[Step]:
        """The iterator itself."""

    def __next__(self) -> Step:
        """The next step. Ends after the last row, or where the ledger fails."""

    @property
    def needs_rows(self) -> bool:
        """Whether it waits for more rows of the source."""

    @property
    def has_target(self) -> bool:
        """Whether the target of the rows, such as the association, was found."""

    @property
    def has_sent_all(self) -> bool:
        """Whether every row is sent, and only their answers may bring it another step."""

    @property
    def price(self) -> int:
        """How many requests its rows would take, where nothing is sent."""

    @property
    def mirrored(self) -> MirroredLocation | None:
        """What its rows name; ``None`` where its target was not found."""

    @property
    def looked_up(self) -> int:
        """How many keys HighLevel was asked for."""

    @property
    def lookup_requests(self) -> int:
        """How many requests that took."""

    @property
    def warnings(self) -> list[str]:
        """Warnings for the user."""

    def feed(self, chunk: Chunk) -> None:
        """Add rows that were read."""

    def take_result(self, send: Send, result: Result) -> None:
        """Take the result of a :class:`~airflow_provider_ghl.load.send.in_flight.Send` step."""

    def skip_rest(self, reason: str) -> None:
        """Mark all rows that have no request in flight as not attempted, also those added later. Nothing more is sent."""


class Location:
    """A sub-account: its results, its steps, its waiting requests, and its state.

    :param abort_after: see :class:`Breaker`.
    :param cautious: how many requests may be in flight until a first row has succeeded.
    """

    def __init__(self, results: LocationResults, steps: StepSource, outage: Outage, abort_after: int, cautious: int) -> None:
        self.results = results
        self.steps = steps
        self.outage = outage
        self.in_flight = 0
        #: How many requests were sent.
        self.requests = 0
        #: Why it was stopped; ``None`` where it was not.
        self.stoppage: Stoppage | None = None
        #: When its quota is back (clock seconds), and the error that said so.
        self.asleep_until = -math.inf
        self.quota_error: QuotaExhausted | None = None
        #: Whether its steps have ended.
        self.is_exhausted = False
        #: When its next turn is due (clock seconds); ``None`` where it has none.
        self.queued_for: float | None = None
        self._most_in_flight: float = min(cautious, abort_after)
        self._breaker = Breaker(abort_after)
        self._due: list[tuple[float, int, InFlight]] = []  # a heap of: due time, row, request

    @property
    def id(self) -> str:
        """HighLevel's id of the sub-account."""
        return self.results.location_id or ""

    def state(self, now: float) -> State:
        """The state at this moment (clock seconds)."""
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
        """What delays the location, as text for the log; empty where nothing does."""
        match self.state(now):
            case State.UNANSWERED:
                seconds = self.outage.seconds(now)
                silence = f" for {time_span(seconds)}" if seconds >= 1.0 else ""
                return f"no answer from HighLevel{silence}, one request at a time is tried"
            case State.ASLEEP:
                return "its requests of the day are spent"
        return ""

    @property
    def is_stopped(self) -> bool:
        """Whether it was stopped before its last row."""
        return self.stoppage is not None

    @property
    def is_over(self) -> bool:
        """Whether it will never send another request."""
        return self.is_stopped or (self.is_exhausted and not self._due and not self.in_flight)

    def is_asleep(self, now: float) -> bool:
        """Whether its quota of the day is spent."""
        return now < self.asleep_until

    def sleep(self, error: QuotaExhausted, now: float) -> float:
        """Note that the quota of the day is spent. Returns when to ask again (clock seconds)."""
        self.quota_error = error
        seconds = max(error.resets_in, _SHORTEST_SLEEP) if error.resets_in is not None else _LOOK_AGAIN
        self.asleep_until = now + seconds
        return self.asleep_until

    def stop(self, stoppage: Stoppage) -> None:
        """Send no more requests. The first reason is kept."""
        self.stoppage = self.stoppage or stoppage

    @property
    def reason(self) -> str:
        """Why its remaining rows were not attempted."""
        return self.stoppage.reason if self.stoppage is not None else NOT_REACHED

    @property
    def has_room(self) -> bool:
        """Whether it may have another request in flight."""
        return self.in_flight < (1 if self.outage.is_on else self._most_in_flight)

    def note(self, send: Send, result: RowResult | RemovalResult) -> Stoppage | None:
        """Count the result of a row or a deletion. Returns why to stop, or ``None`` where the location may go on."""
        if result.is_success:
            self._most_in_flight = math.inf
        return self._breaker.note(result, send.values)

    @property
    def waiting(self) -> int:
        """How many requests wait for a slot or a retry."""
        return len(self._due)

    @property
    def next(self) -> InFlight:
        """The waiting request that is due first."""
        return self._due[0][2]

    @property
    def due_at(self) -> float:
        """When the first waiting request is due (clock seconds); infinity where none waits."""
        return self._due[0][0] if self._due else math.inf

    def push(self, when: float, item: InFlight) -> None:
        """Queue a request, to be sent at that moment (clock seconds) or as soon after as there is a slot."""
        heapq.heappush(self._due, (when, item.send.row, item))

    def pop(self) -> InFlight:
        """Remove and return the waiting request that is due first."""
        return heapq.heappop(self._due)[2]

    def restart_tries(self, now: float) -> None:
        """After an outage: make all waiting requests due now, and count their tries anew."""
        self._due = [(now, row, item) for _, row, item in self._due]
        heapq.heapify(self._due)
        for _, _, item in self._due:
            item.tries = Tries(since=now)

    def take_waiting(self) -> list[InFlight]:
        """Remove and return all waiting requests, in the order of their due times."""
        waiting, self._due = sorted(self._due, key=lambda due: due[:2]), []
        return [item for _, _, item in waiting]
