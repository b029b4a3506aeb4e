"""The loop that sends requests and takes in answers. Only this loop and ``client.request`` wait."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Answer
from airflow_provider_ghl.api.client import LONGEST_ANSWER, Client, Exchange
from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.api.retry import Tries, is_ambiguous
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    GHLError,
    QuotaExhausted,
    RateLimited,
    ServerError,
    TransportError,
    Unauthorized,
)
from airflow_provider_ghl.load.kind import Result, TargetResult
from airflow_provider_ghl.load.results.outcomes import RowResult, StoppedBy
from airflow_provider_ghl.load.results.removals import RemovalResult
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.in_flight import GiveUp, InFlight, Send, Step, WaitUntil
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.send.queue import LocationQueue
from airflow_provider_ghl.load.send.workers import Workers, most_in_flight

__all__ = ["Dispatch", "Settled", "Source"]

#: Seconds to wait for answers after a stop: Airflow sends SIGKILL 5 s after ``on_kill``.
_GRACE = 1.9
#: Until the target of a first location is found: how many requests may be in flight, and how many locations may be refused
#: before the location column is taken for a wrong one.
_UNTIL_ANSWERED, _MOST_REFUSED = 20, 60


class Settled(NamedTuple):
    """The result of a conversation: of one row, of a read, or of the search for a target."""

    location: Location
    send: Send
    result: Result


class _NextTurn(NamedTuple):
    """When a location's next turn is.

    :param when: clock seconds.
    :param is_after_answers: whether answers must be taken in before any location gets another turn.
    """

    when: float
    is_after_answers: bool = False


_UNTIL_SOMETHING_HAPPENS = _NextTurn(math.inf)


class Source(Protocol):
    """Where the locations of a :class:`Dispatch` come from."""

    @property
    def locations(self) -> Sequence[Location]:
        """Those there are so far."""

    @property
    def wants_more(self) -> bool:
        """Whether to read on."""

    def read_on(self) -> Sequence[Location]:
        """Read on. Returns the locations that may have something to send."""


class Dispatch:
    """Sends the requests of all locations, at the pace of their limits, and yields the results.

    Each round of the loop does five things, in this order:

    1. Read on in the source where there is room, so that a location without rows gets more.
    2. Give locations their turns, in the order of their due times. In its turn a location sends one request; a retry goes
       before a new row. This goes on until no location is due, or no more requests may be in flight.
    3. Wait for answers: until the next turn at most, and never longer than half a second, so that a stop is noticed.
    4. Take the answers in: continue their conversations, queue retries, stop locations.
    5. Yield the results. The caller records them before the loop goes on, so no result is unrecorded for longer than a round.

    The order matters. Reading comes before sending because an unused slot is lost for good. Taking in answers comes after
    sending because it may take a while, and slots do not wait.

    Until the target of a first location is found, few requests are in flight. Where a location has as many retries waiting as
    a window has slots, no new row of it is sent, so that an outage does not use up the input. While a location gets no answers
    at all, its rows wait and one request at a time is sent. A location whose quota of the day is spent sleeps. When only
    sleeping locations are left, they are stopped.
    """

    def __init__(self, client: Client, workers: Workers, budget: Budget, abort_after: int, feeder: Source) -> None:
        self._client = client
        self._clock = client.clock
        self._workers = workers
        self._budget = budget
        self._feeder = feeder
        self._abort_after = abort_after
        #: Whether the target of any location was found.
        self._has_target = False
        self._queue = LocationQueue()
        self._in_flight: dict[int, tuple[Location, InFlight]] = {}
        self._sends, self._is_halted = 0, False
        self._stopped_at: float | None = None
        self._to_skip: list[Location] = []  # stopped, and their remaining rows have no outcome yet
        self._refused = 0
        #: What stopped the load before its last row.
        self.stoppage: Stoppage | None = None

    @property
    def is_over(self) -> bool:
        """Whether no more requests may be sent."""
        return self.stoppage is not None or self._is_halted or self._client.stop.is_set

    def halt(self) -> None:
        """Send no more requests. Those in flight are waited for."""
        self._is_halted = True

    def run(self) -> Iterator[list[Settled]]:
        """Send everything, and yield results at least twice a second; a list may be empty.

        Where the load stops early, rows that no location has yielded stay without an outcome: the caller marks them.
        """
        while True:
            wait = 0.0
            if not self.is_over:
                wait = self._take_turns()
            if self.is_over:
                yield from self._hand_out([one for location in self._feeder.locations for one in self._give_up(location)])
                wait = self._grace()
            elif not self._in_flight and self._is_stuck():
                if all(location.is_over for location in self._feeder.locations):
                    return
                yield from self._hand_out(self._move_on())
                continue
            if not self._in_flight and self.is_over:
                return
            yield from self._hand_out(self._take_in(min(wait, LONGEST_WAIT)))
            if self._grace() <= 0.0:
                yield from self._hand_out(self._abandon())
                return

    def _hand_out(self, settled: list[Settled]) -> Iterator[list[Settled]]:
        """Yield results. Then mark the remaining rows of stopped locations that have no request left in flight."""
        yield settled
        for location in [one for one in self._to_skip if not one.in_flight and not one.waiting]:
            self._to_skip.remove(location)
            location.steps.skip_rest(location.reason)

    def _take_turns(self) -> float:
        """Give due locations their turns. Returns the seconds until there is something to do."""
        if self._feeder.wants_more:
            for fed in self._feeder.read_on():
                # In random order until one succeeds: a location that works may come after a hundred that do not.
                self._queue.push(fed, self._clock.monotonic() - (0.0 if self._has_target else self._client.retry.draw()))
        while len(self._in_flight) < self._most_in_flight():
            now = self._clock.monotonic()
            location = self._queue.pop(now)
            if location is None:
                break
            turn = self._take_turn(location, now)
            self._queue.push(location, turn.when)
            if turn.is_after_answers or self.is_over:
                return 0.0
        else:
            return LONGEST_WAIT
        return 0.0 if self._feeder.wants_more else max(self._queue.seconds_to_next(now), 0.0)

    def _take_turn(self, location: Location, now: float) -> _NextTurn:
        """Have a location send one request, if it may."""
        if (later := self._later(location, now)) is not None:
            return later
        # In an outage the next probe is a new row, where there is one: the rows that wait may be at fault themselves.
        step = self._next_step(location) if location.due_at > now or location.outage.is_on else None
        if isinstance(step, GiveUp):
            self._stop_location(location, Stoppage(step.by, step.error))
            return _NextTurn(now, is_after_answers=True)
        if isinstance(step, Send):
            now = self._clock.monotonic()  # planning the rows may have taken a while, and a stop may have come
            location.push(now, InFlight(step, next(step.conversation), Tries(since=now)))
        elif location.due_at > now:
            moment = step.moment if isinstance(step, WaitUntil) else math.inf
            return _NextTurn(min(moment, location.due_at), is_after_answers=moment <= self._clock.monotonic())
        return _NextTurn(now) if self.is_over else self._send_next(location, now)

    def _next_step(self, location: Location) -> Step | None:
        """The next step; ``None`` where there is none, or where retries hold new rows back."""
        if location.is_exhausted or self._is_held_back(location):
            return None
        step = next(location.steps, None)
        location.is_exhausted = step is None
        return step

    def _later(self, location: Location, now: float) -> _NextTurn | None:
        """The location's next turn, where it may not send now; ``None`` where it may."""
        if location.is_stopped or not location.has_room:
            return _UNTIL_SOMETHING_HAPPENS
        if location.is_asleep(now):
            return _NextTurn(location.asleep_until)
        if now < location.outage.probe_at:
            return _NextTurn(location.outage.probe_at)
        return _NextTurn(now + LONGEST_WAIT) if self._has_its_share(location) else None

    def _is_held_back(self, location: Location) -> bool:
        return bool(location.waiting) and location.waiting >= self._client.limit(location.id).capacity

    def _send_next(self, location: Location, now: float) -> _NextTurn:
        """Send the request that is due first, if the limits have a slot for it."""
        item = location.next
        try:
            if self._budget.is_spent:
                self._budget.charge()
            if (wait := self._client.reserve(item.call, now)) > 0.0:
                return _NextTurn(now + wait)
            charge = self._budget.charge()
        except QuotaExhausted as error:
            return _NextTurn(location.sleep(error, now))
        except BudgetSpent as error:
            self._stop(Stoppage(StoppedBy.MAX_REQUESTS, error))
            return _NextTurn(now)
        location.pop()
        location.in_flight += 1
        location.requests += 1
        item.requests += 1
        item.sent_at = now
        self._sends += 1
        self._in_flight[self._sends] = location, item
        self._workers.submit(self._sends, lambda: self._client.send_once(item.call, charge, now))
        return _NextTurn(now)

    def _take_in(self, wait: float) -> list[Settled]:
        settled: list[Settled] = []
        done = self._workers.wait(wait)
        for key, exchange in [*done, *self._overdue({key for key, _ in done})]:
            found = self._in_flight.pop(key, None)
            if found is None:  # a late answer to a request that was given up
                continue
            location, item = found
            location.in_flight -= 1
            self._client.learn(exchange)
            self._refund(location, item, not exchange.is_sent)
            # Until a first location works, those that have begun go first: that shows soonest whether any works.
            self._queue.push(location, self._clock.monotonic() if self._has_target else 0.0)
            self._note_answer(location, exchange)
            result = self._take_answer(location, item, exchange)
            if result is not None:
                settled.append(Settled(location, item.send, self._finish(location, item, result, exchange)))
            if location.is_stopped:
                settled.extend(self._give_up(location))
        return settled

    def _note_answer(self, location: Location, exchange: Exchange) -> None:
        # These are no sign of life: a 429 may come from a gateway, and a spent quota from the headers of an earlier answer.
        if isinstance(exchange.result, ServerError | TransportError | RateLimited | QuotaExhausted):
            return
        now = self._clock.monotonic()
        if location.outage.note_answer(now):
            location.restart_tries(now)

    def _refund(self, location: Location, item: InFlight, requests: int) -> None:
        location.requests -= requests
        item.requests -= requests
        self._budget.refund(requests)

    def _overdue(self, done: set[int]) -> list[tuple[int, Exchange]]:
        """Requests without an answer that were sent too long ago, as failed exchanges, the oldest first."""
        before = self._clock.monotonic() - LONGEST_ANSWER
        late = itertools.takewhile(lambda sent: sent[1][1].sent_at <= before, self._in_flight.items())
        return [(key, self._client.overdue(item.call, item.sent_at)) for key, (_, item) in late if key not in done]

    def _take_answer(self, location: Location, item: InFlight, exchange: Exchange) -> Result | None:
        """Continue a conversation with an answer. Returns its result, or ``None`` where it goes on."""
        result = exchange.result
        if isinstance(result, Answer):
            return self._advance(location, item, result)
        result.unanswered_before = item.unanswered
        now = self._clock.monotonic()
        if isinstance(result, QuotaExhausted):
            location.sleep(result, now)
            location.push(now, item)
            return None
        item.tries.note(result)
        item.unanswered += is_ambiguous(result)
        self._budget.rate_limited += isinstance(result, RateLimited)
        wait = self._client.retry.decide(result, item.tries, now, repeat_safe=item.call.repeat_safe)
        if isinstance(result, ServerError | TransportError) and location.steps.has_target:
            wait = self._wait_out(location, item, result, wait)
        if wait is None:
            return self._advance(location, item, result)
        item.last_error = result
        self._budget.retries += not isinstance(result, RateLimited)
        location.push(now + wait, item)
        return None

    def _wait_out(
        self, location: Location, item: InFlight, error: ServerError | TransportError, wait: float | None
    ) -> float | None:
        """Seconds until a request without a clear answer is retried. In an outage the number of retries has no limit."""
        stoppage = location.outage.note_silence(item.send.row, item.sent_at, self._clock.monotonic())
        if stoppage is not None and (location.is_exhausted or location.steps.has_sent_all):
            location.outage.give_up()  # only these rows are left, and HighLevel may fail at just these
        elif stoppage is not None:
            self._stop_location(location, stoppage)
        may_repeat = item.call.repeat_safe or not is_ambiguous(error)
        return 0.0 if wait is None and location.outage.is_on and may_repeat else wait

    def _advance(self, location: Location, item: InFlight, answer: Answer | GHLError) -> Result | None:
        now = self._clock.monotonic()
        result = item.advance(answer, now)
        if result is None:
            location.push(now, item)
        return result

    def _finish(self, location: Location, item: InFlight, result: Result, exchange: Exchange) -> Result:
        if isinstance(result, TargetResult) and result.error is not None:
            self._stop_location(location, Stoppage(result.stops, result.error))
        elif isinstance(result, TargetResult):
            self._has_target = True
        elif result.stops is not None:
            error = exchange.result if isinstance(exchange.result, GHLError) else None
            self._stop_location(location, Stoppage(result.stops, error))
        if isinstance(result, RowResult | RemovalResult) and (stoppage := location.note(item.send, result)):
            self._stop_location(location, stoppage)
        self._has_target = self._has_target or (isinstance(result, RemovalResult) and result.is_success)
        return dataclasses.replace(result, requests=item.requests)

    def _stop_location(self, location: Location, stoppage: Stoppage) -> None:
        """Stop a location. Stop the load too where all locations use the refused token, or where too many are refused."""
        if location.is_stopped:
            return
        location.stop(stoppage)
        self._to_skip.append(location)
        self._refused += stoppage.is_final
        # A token that was just renewed for this location and is refused even so is no evidence about the other locations.
        error = stoppage.error
        is_everybodys = isinstance(error, Unauthorized) and error.kind == "token" and not error.is_renewed
        if stoppage.by is not None and is_everybodys:
            self._stop(stoppage)
        if self._refused >= _MOST_REFUSED and not self._has_target:
            text = f"by all {self._refused} locations that were asked, such as: {stoppage.explanation}"
            self._stop(Stoppage(StoppedBy.ABORT, text=text))

    def _most_in_flight(self) -> int:
        return most_in_flight(len(self._feeder.locations)) if self._has_target else min(self._abort_after, _UNTIL_ANSWERED)

    def _has_its_share(self, location: Location) -> bool:
        """Whether half of all slots are taken and the location holds its share: slow locations must not block others."""
        most = self._most_in_flight()
        return len(self._in_flight) >= most // 2 and location.in_flight * len(self._feeder.locations) >= most

    def _stop(self, stoppage: Stoppage) -> None:
        self.stoppage = self.stoppage or stoppage

    def _is_stuck(self) -> bool:
        """Whether there is nothing to do until the quota of a day is back."""
        now = self._clock.monotonic()
        return not self._feeder.wants_more and all(location.is_asleep(now) for location in self._queue.locations())

    def _move_on(self) -> list[Settled]:
        """Stop the locations that sleep, since only they are left; where none sleeps, give the idle ones another turn."""
        now = self._clock.monotonic()
        sleepers = [one for one in self._feeder.locations if not one.is_over and one.is_asleep(now)]
        settled: list[Settled] = []
        for location in sleepers:
            self._stop_location(location, Stoppage(StoppedBy.QUOTA, location.quota_error))
            settled.extend(self._give_up(location))
        for location in self._feeder.locations:
            if not sleepers and not location.is_over:
                self._queue.push(location, now)
        return settled

    def _give_up(self, location: Location) -> list[Settled]:
        """End the conversations that wait for a slot or a retry: by their last failure, or as not attempted."""
        return [Settled(location, item.send, item.end_early(location.reason)) for item in location.take_waiting()]

    def _grace(self) -> float:
        """Seconds to wait for answers: without a stop the longest wait, after a stop what is left of the grace period."""
        if not self._client.stop.is_set:
            return LONGEST_WAIT
        now = self._clock.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
        return max(0.0, self._stopped_at + _GRACE - now)

    def _abandon(self) -> list[Settled]:
        settled = [one for location in self._feeder.locations for one in self._give_up(location)]
        abandoned, self._in_flight = list(self._in_flight.values()), {}
        for location, item in abandoned:
            item.unanswered, item.last_error = item.unanswered + 1, None
            settled.append(Settled(location, item.send, item.end_early(location.reason)))
        return settled
