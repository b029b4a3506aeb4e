"""What to send -> requests in flight -> results as they come. With ``client.request`` the only code that waits."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

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
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.feeder import Feeder
from airflow_provider_ghl.load.send.in_flight import GiveUp, InFlight, Send, Step, WaitUntil
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.send.queue import LocationQueue
from airflow_provider_ghl.load.send.workers import Workers, most_in_flight

__all__ = ["Dispatch", "Settled"]

#: Seconds that answers may take when told to stop: Airflow sends SIGKILL 5 s after ``on_kill``.
_GRACE = 1.9
#: Until one location is known to be one: requests in flight, and locations refused, after which their column is a wrong one.
_UNTIL_ANSWERED, _MOST_REFUSED = 20, 60


class Settled(NamedTuple):
    """What something that was sent came to."""

    location: Location
    send: Send
    result: Result


class _NextTurn(NamedTuple):
    """When a location's next turn is (clock seconds), and whether answers are to be looked at before anybody's."""

    when: float
    is_after_answers: bool = False


_UNTIL_SOMETHING_HAPPENS = _NextTurn(math.inf)


class Dispatch:
    """Sends what its locations have, at their limits' pace, and gives back what became of it.

    Each round of the loop does this, in this order:

    1. Where there is room, read on in the source, so that a location that has nothing left gets rows.
    2. Give locations their turns, the one that is due first, first. In its turn a location sends one request: one that waits
       for another try before a new one. It goes on until nobody is due, or as much is in flight as may be.
    3. Wait for answers, but no longer than until the next turn, and never longer than half a second: a stop must be heard.
    4. Take the answers in: go on with their conversations, queue what has to be tried again, stop locations.
    5. Hand out what is settled. The caller notes it before the loop goes on, so nothing is settled and unnoted for longer
       than a round.

    The order matters: reading comes before sending, since an idle slot is lost for good; answers come after sending, since
    they may take a while, and slots do not wait.

    Until a first location is known to be one, few requests are in flight. Rows that wait for another try hold new ones of their
    location back once there are as many as a window has slots, so that an outage does not eat up the input. While a location
    gets no answers at all, its rows wait and one request at a time is sent. A location whose day is spent sleeps; when all that
    is left sleeps, it is stopped.
    """

    def __init__(self, client: Client, workers: Workers, budget: Budget, abort_after: int, feeder: Feeder) -> None:
        self._client = client
        self._clock = client.clock
        self._workers = workers
        self._budget = budget
        self._feeder = feeder
        self._abort_after = abort_after
        #: Whether any location has turned out to be one.
        self._has_target = False
        self._queue = LocationQueue()
        self._in_flight: dict[int, tuple[Location, InFlight]] = {}
        self._sends, self._is_halted = 0, False
        self._stopped_at: float | None = None
        self._to_leave: list[Location] = []  # stopped, and their rows do not know yet
        self._refused = 0
        #: What ended all of it before the last row.
        self.stoppage: Stoppage | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.stoppage is not None or self._is_halted or self._client.stop.is_set

    def halt(self) -> None:
        """Send nothing more; what is in flight is waited for."""
        self._is_halted = True

    def run(self) -> Iterator[list[Settled]]:
        """What became of everything that was sent, at least twice a second, be it nothing. When it is over, what the locations
        have left is left untaken.
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
        """Once all that was sent of a stopped location is taken in, its other rows are accounted for."""
        yield settled
        for location in [one for one in self._to_leave if not one.in_flight and not one.waiting]:
            self._to_leave.remove(location)
            location.steps.skip_rest(location.reason)

    def _take_turns(self) -> float:
        """Seconds until there is something to do."""
        if self._feeder.wants_more:
            for fed in self._feeder.read_on():
                # In any order, until one works: those that do may stand behind a hundred that do not.
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
        # The next probe of an outage is a new row, where there is one: who knows what is wrong with the others.
        step = self._next_step(location) if location.due_at > now or location.outage.is_on else None
        if isinstance(step, GiveUp):
            self._stop_location(location, Stoppage(StoppedBy.ABORT, step.error))
            return _NextTurn(now, is_after_answers=True)
        if isinstance(step, Send):
            now = self._clock.monotonic()  # to read may have taken a while, and the end may have come meanwhile
            location.push(now, InFlight(step, next(step.conversation), Tries(since=now)))
        elif location.due_at > now:
            moment = step.moment if isinstance(step, WaitUntil) else math.inf
            return _NextTurn(min(moment, location.due_at), is_after_answers=moment <= self._clock.monotonic())
        return _NextTurn(now) if self.is_over else self._send_next(location, now)

    def _next_step(self, location: Location) -> Step | None:
        """What its rows want next; ``None`` where they want nothing, or have to wait for those that are tried again."""
        if location.is_exhausted or self._is_held_back(location):
            return None
        step = next(location.steps, None)
        location.is_exhausted = step is None
        return step

    def _later(self, location: Location, now: float) -> _NextTurn | None:
        """When it may send, where that is not now."""
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
        """Send what is due first, if there is a slot for it."""
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
            if found is None:  # it came after all, when it was given up already
                continue
            location, item = found
            location.in_flight -= 1
            self._client.learn(exchange)
            self._refund(location, item, not exchange.is_sent)
            # Until one works, who has begun goes first: it is to be known soon whether any does.
            self._queue.push(location, self._clock.monotonic() if self._has_target else 0.0)
            self._note_answer(location, exchange)
            result = self._take_answer(location, item, exchange)
            if result is not None:
                settled.append(Settled(location, item.send, self._finish(location, item, result, exchange)))
            if location.is_stopped:
                settled.extend(self._give_up(location))
        return settled

    def _note_answer(self, location: Location, exchange: Exchange) -> None:
        # A 429 may come from a gateway, and a spent day from the headers of an earlier answer.
        if isinstance(exchange.result, ServerError | TransportError | RateLimited | QuotaExhausted):
            return
        now = self._clock.monotonic()
        if location.outage.note_answer(now):
            location.begin_anew(now)

    def _refund(self, location: Location, item: InFlight, requests: int) -> None:
        location.requests -= requests
        item.requests -= requests
        self._budget.refund(requests)

    def _overdue(self, done: set[int]) -> list[tuple[int, Exchange]]:
        """Requests that were sent too long ago; the oldest come first."""
        before = self._clock.monotonic() - LONGEST_ANSWER
        late = itertools.takewhile(lambda sent: sent[1][1].sent_at <= before, self._in_flight.items())
        return [(key, self._client.overdue(item.call, item.sent_at)) for key, (_, item) in late if key not in done]

    def _take_answer(self, location: Location, item: InFlight, exchange: Exchange) -> Result | None:
        """Continue a conversation; its result when that was the end of it."""
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
        """Seconds that a request without a clear answer waits: in an outage it is tried again however often it was."""
        stoppage = location.outage.note_silence(item.send.row, item.sent_at, self._clock.monotonic())
        if stoppage is not None and location.is_exhausted:
            location.outage.give_up()  # these are the last rows, and perhaps it is them that HighLevel fails at
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
        if isinstance(result, RowResult) and (stoppage := location.note(item.send, result)):
            self._stop_location(location, stoppage)
        return dataclasses.replace(result, requests=item.requests)

    def _stop_location(self, location: Location, stoppage: Stoppage) -> None:
        """It sends nothing more; neither does any other where all have the token that is refused, or no location is one."""
        if location.is_stopped:
            return
        location.stop(stoppage)
        self._to_leave.append(location)
        self._refused += stoppage.is_final
        # A token that was got for this location just now, and is refused even so, says nothing of the others.
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
        """Half of what may be in flight is for those who have least, so that slow answers to some cost the others nothing."""
        most = self._most_in_flight()
        return len(self._in_flight) >= most // 2 and location.in_flight * len(self._feeder.locations) >= most

    def _stop(self, stoppage: Stoppage) -> None:
        self.stoppage = self.stoppage or stoppage

    def _is_stuck(self) -> bool:
        """Whether nothing will happen any more by itself, but for days that end."""
        now = self._clock.monotonic()
        return not self._feeder.wants_more and all(location.is_asleep(now) for location in self._queue.locations())

    def _move_on(self) -> list[Settled]:
        """Where all that is left sleeps, it is stopped; where nothing sleeps, locations that were idle look again."""
        now = self._clock.monotonic()
        sleepers = [one for one in self._feeder.locations if not one.is_over and one.is_asleep(now)]
        settled: list[Settled] = []
        for location in sleepers:
            self._stop_location(location, Stoppage(StoppedBy.QUOTA, location.slept_by))
            settled.extend(self._give_up(location))
        for location in self._feeder.locations:
            if not sleepers and not location.is_over:
                self._queue.push(location, now)
        return settled

    def _give_up(self, location: Location) -> list[Settled]:
        """What waits for a slot or another try ends here: by its last failure, or as not attempted."""
        return [Settled(location, item.send, item.end_early(location.reason)) for item in location.take_waiting()]

    def _grace(self) -> float:
        """Seconds that answers may still take: as many as they want, or what is left since we were told to stop."""
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
