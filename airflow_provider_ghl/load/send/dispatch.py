"""What to send -> requests in flight -> verdicts as they come. With ``client.request`` the only code that waits."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Answer
from airflow_provider_ghl.api.client import LONGEST_ANSWER, Client, Exchange
from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.api.retry import Tries
from airflow_provider_ghl.exceptions import BudgetSpent, GHLError, QuotaExhausted, RateLimited, Unauthorized
from airflow_provider_ghl.load.results.outcomes import RowResult, StoppedBy
from airflow_provider_ghl.load.send.in_flight import Item, Result, ToSend
from airflow_provider_ghl.load.send.location import Lane, Supply, Turns, told
from airflow_provider_ghl.load.send.workers import Workers, most_in_flight
from airflow_provider_ghl.relations.association import Resolution

__all__ = ["Dispatch", "Settled"]

#: Seconds that answers may take when told to stop: Airflow sends SIGKILL 5 s after ``on_kill``.
_GRACE = 1.9
#: Until one location is known to be one: requests in flight, and locations refused, after which their column is a wrong one.
_UNTIL_ANSWERED, _MOST_REFUSED = 20, 60

Settled = tuple[Lane, ToSend, Result]


class Dispatch:
    """Sends what its lanes have, at their limits' pace, and gives back what became of it.

    Until a first location is known to be one, few requests are in flight. Rows that wait for another try hold new ones of their
    lane back once there are as many as a window has slots, so that an outage does not eat up the input. A lane whose day is
    spent sleeps; when all that is left sleeps, it is stopped.
    """

    def __init__(self, client: Client, workers: Workers, budget: Budget, abort_after: int, supply: Supply) -> None:
        self._client = client
        self._clock = client.clock
        self._workers = workers
        self._budget = budget
        self._supply = supply
        self._abort_after = abort_after
        #: Whether any location has turned out to be one.
        self._has_target = False
        self._turns = Turns()
        self._in_flight: dict[int, tuple[Lane, Item]] = {}
        self._sends, self._is_halted = 0, False
        self._stopped_at: float | None = None
        self._stopped: list[Lane] = []  # whose rows do not know yet
        self._refused = 0
        #: What ended all of it before the last row.
        self.stopped_by: StoppedBy | None = None
        self.why: GHLError | str | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be sent."""
        return self.stopped_by is not None or self._is_halted or self._client.stop.is_set

    def halt(self) -> None:
        """Send nothing more; what is in flight is waited for."""
        self._is_halted = True

    def run(self) -> Iterator[list[Settled]]:
        """What became of everything that was sent, at least twice a second, be it nothing. When it is over, what the lanes have
        left is left untaken.
        """
        while True:
            wait = 0.0
            if not self.is_over:
                wait = self._take_turns()
            if self.is_over:
                yield from self._tell([settled for lane in self._supply.lanes for settled in self._give_up(lane)])
                wait = self._grace()
            elif not self._in_flight and self._is_stuck():
                if all(lane.is_done for lane in self._supply.lanes):
                    return
                yield from self._tell(self._move_on())
                continue
            if not self._in_flight and self.is_over:
                return
            yield from self._tell(self._take_in(min(wait, LONGEST_WAIT)))
            if self._grace() <= 0.0:
                yield from self._tell(self._abandon())
                return

    def _tell(self, settled: list[Settled]) -> Iterator[list[Settled]]:
        """Once all that was sent of a lane that is stopped is taken in, its other rows are accounted for."""
        yield settled
        for lane in [lane for lane in self._stopped if not lane.in_flight and not lane.waiting]:
            self._stopped.remove(lane)
            lane.rows.leave(lane.reason)

    def _take_turns(self) -> float:
        """Seconds until there is something to do."""
        if self._supply.wants_more:
            for fed in self._supply.read_on():
                # In any order, until one works: those that do may stand behind a hundred that do not.
                self._turns.give(fed, self._clock.monotonic() - (0.0 if self._has_target else self._client.retry.draw()))
        while len(self._in_flight) < self._most_in_flight():
            now = self._clock.monotonic()
            lane = self._turns.take(now)
            if lane is None:
                break
            wait = self._take_turn(lane, now)
            self._turns.give(lane, now + max(wait, 0.0))
            if wait < 0.0 or self.is_over:
                return 0.0
        else:
            return LONGEST_WAIT
        return 0.0 if self._supply.wants_more else max(self._turns.until(now), 0.0)

    def _take_turn(self, lane: Lane, now: float) -> float:
        """Have a lane send one request. Seconds until it is its turn again; below zero: once answers were looked out for."""
        if lane.is_stopped or not lane.has_room:
            return float("inf")
        if lane.is_asleep(now):
            return lane.asleep_until - now
        if self._has_its_share(lane):
            return LONGEST_WAIT
        if lane.until_due(now) > 0.0:
            if lane.is_exhausted or self._is_held_back(lane):
                return lane.until_due(now)
            new = next(lane.rows, None)
            if new is None:
                lane.is_exhausted = True
                return lane.until_due(now)
            if isinstance(new, float):
                return min(new, lane.until_due(now)) or -1.0
            now = self._clock.monotonic()  # to read may have taken a while, and the end may have come meanwhile
            lane.push(now, Item(new, next(new.conversation), Tries(since=now)))
            if self.is_over:
                return 0.0
        return self._send_next(lane, now)

    def _is_held_back(self, lane: Lane) -> bool:
        return bool(lane.waiting) and lane.waiting >= self._client.limit(lane.location_id).capacity

    def _send_next(self, lane: Lane, now: float) -> float:
        """Send what is due first: 0.0, or seconds until it may be sent."""
        item = lane.next
        try:
            if self._budget.is_spent:
                self._budget.charge()
            if (wait := self._client.reserve(item.call, now)) > 0.0:
                return wait
            charge = self._budget.charge()
        except QuotaExhausted as error:
            return lane.sleep(error, now)
        except BudgetSpent as error:
            self._stop(StoppedBy.MAX_REQUESTS, error)
            return 0.0
        lane.pop()
        lane.in_flight += 1
        lane.requests += 1
        item.requests += 1
        item.sent_at = now
        self._sends += 1
        self._in_flight[self._sends] = lane, item
        self._workers.submit(self._sends, lambda: self._client.send_once(item.call, charge, now))
        return 0.0

    def _take_in(self, wait: float) -> list[Settled]:
        settled: list[Settled] = []
        done = self._workers.wait(wait)
        for key, exchange in [*done, *self._overdue({key for key, _ in done})]:
            found = self._in_flight.pop(key, None)
            if found is None:  # it came after all, when it was given up already
                continue
            lane, item = found
            lane.in_flight -= 1
            self._client.learn(exchange)
            self._refund(lane, item, not exchange.is_sent)
            # Until one works, who has begun goes first: it is to be known soon whether any does.
            self._turns.give(lane, self._clock.monotonic() if self._has_target else 0.0)
            result = self._go_on(lane, item, exchange)
            if result is not None:
                settled.append((lane, item.to_send, self._finish(lane, item, result, exchange)))
            if lane.is_stopped:
                settled.extend(self._give_up(lane))
        return settled

    def _refund(self, lane: Lane, item: Item, requests: int) -> None:
        lane.requests -= requests
        item.requests -= requests
        self._budget.refund(requests)

    def _overdue(self, done: set[int]) -> list[tuple[int, Exchange]]:
        """Requests that were sent too long ago; the oldest come first."""
        before = self._clock.monotonic() - LONGEST_ANSWER
        late = itertools.takewhile(lambda sent: sent[1][1].sent_at <= before, self._in_flight.items())
        return [(key, self._client.overdue(item.call, item.sent_at)) for key, (_, item) in late if key not in done]

    def _go_on(self, lane: Lane, item: Item, exchange: Exchange) -> Result | None:
        """Continue a conversation; its result when that was the end of it."""
        result = exchange.result
        if isinstance(result, Answer):
            return self._say(lane, item, result)
        result.unanswered_before = item.unanswered
        now = self._clock.monotonic()
        if isinstance(result, QuotaExhausted):
            lane.sleep(result, now)
            lane.push(now, item)
            return None
        item.tries.note(result)
        item.unanswered = item.tries.unanswered
        self._budget.rate_limited += isinstance(result, RateLimited)
        wait = self._client.retry.decide(result, item.tries, now, repeat_safe=item.call.repeat_safe)
        if wait is None:
            return self._say(lane, item, result)
        item.last_error = result
        self._budget.retries += not isinstance(result, RateLimited)
        lane.push(now + wait, item)
        return None

    def _say(self, lane: Lane, item: Item, said: Answer | GHLError) -> Result | None:
        now = self._clock.monotonic()
        result = item.say(said, now)
        if result is None:
            lane.push(now, item)
        return result

    def _finish(self, lane: Lane, item: Item, result: Result, exchange: Exchange) -> Result:
        if isinstance(result, Resolution) and result.error is not None:
            self._stop_lane(lane, result.stops, result.error)
        elif isinstance(result, Resolution):
            self._has_target = True
        elif result.stops is not None:
            self._stop_lane(lane, result.stops, exchange.result if isinstance(exchange.result, GHLError) else None)
        if isinstance(result, RowResult) and lane.note(item.to_send, result):
            self._stop_lane(lane, StoppedBy.ABORT, lane.refusal)
        return dataclasses.replace(result, requests=item.requests)

    def _stop_lane(self, lane: Lane, by: StoppedBy | None, why: GHLError | str | None) -> None:
        """It sends nothing more; neither does any other where all have the token that is refused, or no location is one."""
        if lane.is_stopped:
            return
        lane.stop(by, why)
        self._stopped.append(lane)
        self._refused += by in (StoppedBy.TOKEN, StoppedBy.ABORT)
        # A token that was got for this location just now, and is refused even so, says nothing of the others.
        is_everybodys = isinstance(why, Unauthorized) and why.kind == "token" and not why.is_renewed
        if by is not None and is_everybodys:
            self._stop(by, why)
        if self._refused >= _MOST_REFUSED and not self._has_target:
            self._stop(StoppedBy.ABORT, f"by all {self._refused} locations that were asked, such as: {told(why)}")

    def _most_in_flight(self) -> int:
        return most_in_flight(len(self._supply.lanes)) if self._has_target else min(self._abort_after, _UNTIL_ANSWERED)

    def _has_its_share(self, lane: Lane) -> bool:
        """Half of what may be in flight is for those who have least, so that slow answers to some cost the others nothing."""
        most = self._most_in_flight()
        return len(self._in_flight) >= most // 2 and lane.in_flight * len(self._supply.lanes) >= most

    def _stop(self, by: StoppedBy, why: GHLError | str | None) -> None:
        if self.stopped_by is None:
            self.stopped_by, self.why = by, why

    def _is_stuck(self) -> bool:
        """Whether nothing will happen any more by itself, but for days that end."""
        now = self._clock.monotonic()
        return not self._supply.wants_more and all(lane.is_asleep(now) for lane in self._turns.all())

    def _move_on(self) -> list[Settled]:
        """Where all that is left sleeps, it is stopped; where nothing sleeps, lanes that were idle look again."""
        now = self._clock.monotonic()
        sleepers = [lane for lane in self._supply.lanes if not lane.is_done and lane.is_asleep(now)]
        settled: list[Settled] = []
        for lane in sleepers:
            self._stop_lane(lane, StoppedBy.QUOTA, lane.slept_by)
            settled.extend(self._give_up(lane))
        for lane in self._supply.lanes:
            if not sleepers and not lane.is_done:
                self._turns.give(lane, now)
        return settled

    def _give_up(self, lane: Lane) -> list[Settled]:
        """What waits for a slot or another try ends here: by its last failure, or as not attempted."""
        return [(lane, item.to_send, item.end_early(lane.reason)) for item in lane.take_waiting()]

    def _grace(self) -> float:
        """Seconds that answers may still take: as many as they want, or what is left since we were told to stop."""
        if not self._client.stop.is_set:
            return LONGEST_WAIT
        now = self._clock.monotonic()
        if self._stopped_at is None:
            self._stopped_at = now
        return max(0.0, self._stopped_at + _GRACE - now)

    def _abandon(self) -> list[Settled]:
        settled = [settled for lane in self._supply.lanes for settled in self._give_up(lane)]
        abandoned, self._in_flight = list(self._in_flight.values()), {}
        for lane, item in abandoned:
            item.unanswered, item.last_error = item.unanswered + 1, None
            settled.append((lane, item.to_send, item.end_early(lane.reason)))
        return settled
