"""What to send -> requests in flight -> verdicts as they come. With ``client.request`` the only code that waits."""

from __future__ import annotations

import dataclasses
import heapq
import itertools
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.client import LONGEST_ANSWER, Attempt, Client
from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import BudgetSpent, ConfigurationError, GHLError, QuotaExhausted, RateLimited, Stopped
from airflow_provider_ghl.load.outcomes import SUCCESSES, Outcome, RowResult, StoppedBy
from airflow_provider_ghl.load.reading import Reading
from airflow_provider_ghl.load.refusals import Refusals
from airflow_provider_ghl.load.relate import Conversation
from airflow_provider_ghl.load.workers import MOST, Workers

__all__ = ["Dispatch", "Settled", "ToSend"]

#: Seconds that answers may take when told to stop: Airflow sends SIGKILL 5 s after ``on_kill``.
_GRACE = 1.9
_STOPPING: dict[type[GHLError], StoppedBy] = {QuotaExhausted: StoppedBy.QUOTA, BudgetSpent: StoppedBy.MAX_REQUESTS}


class ToSend(NamedTuple):
    """What needs requests: a row, its pair and the conversation that settles it; or the row for which others are read."""

    row: int
    first: str
    second: str
    conversation: Conversation | Generator[Call, Answer, Reading]
    #: The pair in the ledger, and whether an earlier attempt of this load may have sent it.
    key: bytes = b""
    is_again: bool = False


Settled = tuple[ToSend, RowResult | Reading]


class _End:
    """The end of the work."""


_END = _End()


@dataclass(slots=True)
class _Item:
    """A row on its way."""

    to_send: ToSend
    call: Call
    tries: Tries
    sent_at: float = 0.0
    requests: int = 0
    unanswered: int = 0
    #: How it last failed, should it not be sent again.
    last_error: GHLError | None = None


class Dispatch:
    """Sends what it is given, at the limits' pace, and gives back a verdict for each row.

    Until a first row has succeeded, at most ``abort_after`` requests are in flight. Rows that wait for another try hold new
    ones back once there are as many as a window has slots, so that an outage does not eat up the input.

    :param abort_after: see :class:`Refusals`.
    :raises ConfigurationError: ``abort_after`` is less than 1, which would send nothing.
    """

    def __init__(self, client: Client, workers: Workers, budget: Budget, abort_after: int) -> None:
        if abort_after < 1:
            raise ConfigurationError(f"abort_after must be at least 1, not {abort_after!r}")
        self._client = client
        self._clock = client.clock
        self._workers = workers
        self._budget = budget
        self._cautious = abort_after
        self._refusals = Refusals(abort_after)
        self._in_flight: dict[int, _Item] = {}
        self._due: list[tuple[float, int, _Item]] = []  # a heap: when, row, what
        self._sends = 0
        self._stopped_at: float | None = None
        self._is_halted = False
        #: What ended it before the last row.
        self.stopped_by: StoppedBy | None = None
        self.why: GHLError | str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.stopped_by is not None or self._is_halted or self._client.stop.is_set

    def halt(self) -> None:
        """Send nothing more; what is in flight is waited for."""
        self._is_halted = True

    def run(self, work: Iterator[ToSend | float]) -> Iterator[list[Settled]]:
        """What became of everything that was taken from ``work``; when it is over, the rest of ``work`` is left untaken.

        Gives what was settled at least twice a second, be it nothing. A number in ``work`` says for how many seconds to look
        out for answers before it goes on: 0.0 where it took a while to get there.
        """
        exhausted = False
        while True:
            wait = 0.0
            if not self.is_over:
                wait, exhausted = self._send_what_can_be(work, exhausted)
            if self.is_over:
                yield self._give_up_waiting()
                wait = self._grace()
            if not self._in_flight and not self._due and (exhausted or self.is_over):
                return
            yield self._take_in(min(wait, LONGEST_WAIT))
            if self._grace() <= 0.0:
                yield self._give_up_waiting() + self._abandon()
                return

    def _send_what_can_be(self, work: Iterator[ToSend | float], exhausted: bool) -> tuple[float, bool]:
        """Seconds until there is something to do, and whether ``work`` is at its end."""
        while len(self._in_flight) < self._most_in_flight():
            now = self._clock.monotonic()
            if not (self._due and self._due[0][0] <= now):
                until_due = self._due[0][0] - now if self._due else LONGEST_WAIT
                if exhausted or self._is_held_back():
                    return until_due, exhausted
                new = next(work, _END)
                if isinstance(new, float):
                    return min(new, until_due), exhausted
                if isinstance(new, _End):
                    exhausted = True
                    continue
                now = self._clock.monotonic()  # to read may have taken a while, and the end may have come meanwhile
                self._push(now, _Item(new, next(new.conversation), Tries(since=now)))
                if self.is_over:
                    return 0.0, exhausted
            if (wait := self._send_next(now)) > 0.0 or self.is_over:
                return wait, exhausted
        return LONGEST_WAIT, exhausted

    def _is_held_back(self) -> bool:
        return bool(self._due) and len(self._due) >= self._client.limit(self._due[0][2].call.location_id).capacity

    def _send_next(self, now: float) -> float:
        """Send what is due first: 0.0, or seconds until it may be sent."""
        _, _, item = self._due[0]
        try:
            if self._budget.is_spent:
                self._budget.charge()
            if (wait := self._client.reserve(item.call, now)) > 0.0:
                return wait
            charge = self._budget.charge()
        except (QuotaExhausted, BudgetSpent) as error:
            self._stop(_STOPPING[type(error)], error)
            return 0.0
        heapq.heappop(self._due)
        item.requests += 1
        item.sent_at = now
        self._sends += 1
        self._in_flight[self._sends] = item
        self._workers.submit(self._sends, lambda: self._client.attempt(item.call, charge, now))
        return 0.0

    def _take_in(self, wait: float) -> list[Settled]:
        settled = []
        done = self._workers.wait(wait)
        for key, attempt in [*done, *self._overdue({key for key, _ in done})]:
            item = self._in_flight.pop(key, None)
            if item is None:  # it came after all, when it was given up already
                continue
            self._client.learn(attempt)
            result = self._go_on(item, attempt)
            if result is not None:
                settled.append((item.to_send, self._finish(item, result, attempt)))
        return settled

    def _overdue(self, done: set[int]) -> list[tuple[int, Attempt]]:
        """Requests that were sent too long ago; the oldest come first."""
        before = self._clock.monotonic() - LONGEST_ANSWER
        late = itertools.takewhile(lambda sent: sent[1].sent_at <= before, self._in_flight.items())
        return [(key, self._client.overdue(item.call, item.sent_at)) for key, item in late if key not in done]

    def _go_on(self, item: _Item, attempt: Attempt) -> RowResult | Reading | None:
        """Continue a row's conversation; its verdict when that was the end of it."""
        result = attempt.result
        if isinstance(result, Answer):
            return self._say(item, result)
        result.unanswered_before = item.unanswered
        item.tries.note(result)
        item.unanswered = item.tries.unanswered
        self._budget.rate_limited += isinstance(result, RateLimited)
        if isinstance(result, QuotaExhausted):
            self._stop(StoppedBy.QUOTA, result)
        now = self._clock.monotonic()
        wait = self._client.retry.decide(result, item.tries, now, repeat_safe=item.call.repeat_safe)
        if wait is None:
            return self._say(item, result)
        item.last_error = result
        self._budget.retries += not isinstance(result, RateLimited)
        self._push(now + wait, item)
        return None

    def _say(self, item: _Item, said: Answer | GHLError) -> RowResult | Reading | None:
        conversation = item.to_send.conversation
        try:
            item.call = conversation.send(said) if isinstance(said, Answer) else conversation.throw(said)
        except StopIteration as end:
            result: RowResult | Reading = end.value
            return result
        item.tries, item.unanswered = Tries(since=self._clock.monotonic()), 0
        self._push(item.tries.since, item)
        return None

    def _finish(self, item: _Item, result: RowResult | Reading, attempt: Attempt) -> RowResult | Reading:
        if result.stops is not None:
            self._stop(result.stops, attempt.result if isinstance(attempt.result, GHLError) else None)
        if isinstance(result, RowResult):
            if self._refusals.note(result, item.to_send.first, item.to_send.second):
                self._stop(StoppedBy.ABORT, self._refusals.reason)
            if result.outcome in SUCCESSES:
                self._cautious = MOST
        return dataclasses.replace(result, requests=item.requests)

    def _push(self, when: float, item: _Item) -> None:
        heapq.heappush(self._due, (when, item.to_send.row, item))

    def _most_in_flight(self) -> int:
        return min(self._cautious, MOST)

    def _stop(self, by: StoppedBy, why: GHLError | str | None) -> None:
        if self.stopped_by is None:
            self.stopped_by, self.why = by, why

    def _give_up_waiting(self) -> list[Settled]:
        """Rows that wait for a slot or another try end here: by their last failure, or as not attempted."""
        waiting, self._due = sorted(self._due), []
        return [(item.to_send, self._end_early(item)) for _, _, item in waiting]

    def _end_early(self, item: _Item) -> RowResult | Reading:
        error: GHLError = Stopped("the load stopped before it")
        if item.unanswered and item.last_error is not None:
            error = item.last_error
        error.unanswered_before = item.unanswered
        try:
            item.to_send.conversation.throw(error)
        except StopIteration as end:
            result: RowResult | Reading = end.value
            return dataclasses.replace(result, requests=item.requests)
        return RowResult(Outcome.FAILED, reason="the load stopped before it was settled", requests=item.requests)

    def _grace(self) -> float:
        """Seconds that answers may still take: as many as they want, or what is left since we were told to stop."""
        if not self._client.stop.is_set:
            return LONGEST_WAIT
        now = self._clock.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
        return max(0.0, self._stopped_at + _GRACE - now)

    def _abandon(self) -> list[Settled]:
        abandoned, self._in_flight = list(self._in_flight.values()), {}
        for item in abandoned:
            item.unanswered += 1
            item.last_error = None
        return [(item.to_send, self._end_early(item)) for item in abandoned]
