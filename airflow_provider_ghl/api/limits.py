"""The burst window and the day of one token in one location, learned from the headers of every answer.

A :class:`Limit` never waits and never sends: it says how many seconds to wait for a slot. It need not see HighLevel's counter.
A request is counted at some moment between sending and answer. Let ``floor`` be the shortest time that a request takes. If the
server counts after the same share of each request's time, a slot is surely free for a request that is sent
``interval - floor`` seconds after the *answer* to the request that held it. So a slot comes back one interval plus
(latency - floor) after it was taken: steady latency costs nothing, only its spread does.
"""

from __future__ import annotations

import random
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable

from airflow_provider_ghl.api.daily_quota import DailyQuota
from airflow_provider_ghl.api.fixed_windows import FixedWindows
from airflow_provider_ghl.api.latency import Latency
from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.api.sharing import Allotment

__all__ = ["Limit"]

#: Used where answers have no ``X-RateLimit-*`` headers: the smallest limit that was seen (a trial token's).
DEFAULT_LIMIT = 25
DEFAULT_INTERVAL = 10.0
#: Seconds to ask again in, when only an answer can free a slot.
_ON_ANSWER = 0.5
_BLUR = 0.002  # seconds by which clocks and the network may blur a moment
#: Parts of a request's time after which the server may count it.
_PARTS = (0.0, 0.5, 1.0)
#: Old requests are forgotten in groups of so many, which is faster.
_FORGET_AT_ONCE = 64
#: Seconds to wait after a 429 in a location that others use too, at least. And the extra seconds in which a slot of ours may
#: still be used again.
_PAUSE = 0.3
_SLACK = 0.25
#: The last slot is left free at times, so that a user who comes later finds room: for so many seconds for each second that we
#: used all slots, where there are at least so many, after so many intervals.
_GAP = 0.01
_NO_GAP_BELOW = 20
_NO_GAP_FOR = 10.0
#: Refusals in a row after which we wait a whole interval, even in a location that others use too.
_TOO_OFTEN = 3
#: Intervals, at most, by which that wait is shortened at random, so that several users do not ask in step.
_EARLIER = 0.3


class Limit:
    """How many requests may be sent, and when.

    The first request goes alone, and its answer opens the window. The location has other users where ``Remaining`` is smaller
    than our own requests explain. From then on :class:`Allotment` says how many slots are ours.

    :param share: share of the burst limit that may be used, in (0, 1].
    :param daily_reserve: requests of the day that are left to others.
    :param draw: random numbers in [0, 1).
    """

    def __init__(self, *, share: float = 1.0, daily_reserve: int = 0, draw: Callable[[], float] = random.random) -> None:
        self._share = share
        self._advertised: int | None = None
        self._interval = DEFAULT_INTERVAL
        self._is_open = False
        self._blocked_until = float("-inf")
        self._in_flight: list[float] = []  # when each was sent
        self._sent: list[float] = []  # the same, and of those that were answered since an interval
        self._answered: list[tuple[float, float]] = []  # (answered at, sent at), both sorted by the first
        self._windows = FixedWindows()
        self._allotment = Allotment(draw, self._windows)
        self._was_refused = False
        self._refused_in_a_row = 0
        self._busy_since, self._gap_from = 0.0, float("inf")
        self._draw = draw
        self._latency = Latency()
        self._others, self._others_seen_at = 0, float("-inf")
        self._day = DailyQuota(daily_reserve)
        #: Requests that were sent, and those of them that were answered 429, since :meth:`take_sent` was last called.
        self.sent = self.refused = 0

    @property
    def advertised(self) -> int:
        """The burst limit: requests that HighLevel allows in a window."""
        return self._advertised if self._advertised is not None else DEFAULT_LIMIT

    @property
    def capacity(self) -> int:
        """Our share of the burst limit, at least one request."""
        return max(1, int(self.advertised * self._share + 1e-9))

    @property
    def interval(self) -> float:
        """Seconds that a window lasts."""
        return self._interval

    @property
    def daily_limit(self) -> int | None:
        """Requests that HighLevel allows in a day; ``None`` while it is not known."""
        return self._day.limit

    @property
    def daily_left(self) -> int | None:
        """Requests that were left of the day at the last answer; ``None`` while it is not known."""
        return self._day.left

    @property
    def day_seen_at_and_ends_at(self) -> tuple[float | None, float | None]:
        """When HighLevel last said what is left of the day, and when it ends (clock seconds); ``None`` where it did not."""
        return self._day.seen_at, self._day.ends_at

    @property
    def daily_reserve(self) -> int:
        """Requests of the day that are left to others."""
        return self._day.reserve

    def reserve(self, now: float) -> float:
        """Take a slot for a request that is sent at ``now``: 0.0. Or seconds to wait before asking again.

        :raises QuotaExhausted: the day is spent, or what is left of it is reserved for others.
        """
        if now < self._blocked_until:
            return self._blocked_until - now
        if (wait := self._wait_for_day(now)) or (wait := self._wait_for_slot(now)):
            return wait
        insort(self._in_flight, now)
        insort(self._sent, now)
        return 0.0

    def learn(
        self, sent_at: float, answered_at: float, rate: RateHeaders | None, *, limited: bool = False, connecting: float = 0.0
    ) -> None:
        """Learn from the answer to a request.

        :param sent_at: when the request took its slot.
        :param rate: of the answer; ``None`` where none came.
        :param connecting: seconds that a new connection took; later requests do not take them.
        """
        self._in_flight.pop(bisect_left(self._in_flight, sent_at))
        insort(self._answered, (answered_at, sent_at))
        if rate is None:
            return
        self._interval = rate.interval or self._interval
        self._advertised = rate.limit or self._advertised
        self._day.learn(sent_at, answered_at, rate)
        if limited:
            self._learn_refusal(sent_at, answered_at)
            return
        self._allotment.answered(answered_at)
        self._latency.add(answered_at - sent_at - connecting)
        if rate.limit is not None and rate.remaining is not None:
            self._learn_room(sent_at, answered_at, rate.limit - rate.remaining, rate.remaining)
        if sent_at >= self._blocked_until:
            self._is_open, self._was_refused = True, False
            self._refused_in_a_row = 0

    def take_sent(self) -> tuple[int, int]:
        """How many requests were sent since the last call, and how many of them were answered 429."""
        taken, self.sent, self.refused = (self.sent, self.refused), 0, 0
        return taken

    def used_recently(self, now: float) -> int:
        """The number of our requests in the last interval."""
        return len(self._in_flight) + self._answered_since(now - self._interval)

    def others_per_second(self, now: float) -> float:
        """Requests a second that others send to the location, as far as the last answer shows it; 0.0 where none came."""
        return max(self._others, 0) / self._interval if now - self._others_seen_at <= 2.0 * self._interval else 0.0

    def _wait_for_slot(self, now: float) -> float:
        if not self._is_open:
            return _ON_ANSWER if self._in_flight else 0.0
        hold = self._interval - self._latency.floor() + _BLUR
        self._forget_before(now - self._interval - _ON_ANSWER)
        if self._allotment.is_shared:
            return self._wait_shared(now, hold)
        if not (wait := self._wait_alone(now, hold)):
            self._take_own(now, now - hold, hold)
        return wait

    def _wait_shared(self, now: float, hold: float) -> float:
        """Use our own slots first (in a new fixed window all are free), then free ones."""
        allotment, in_flight = self._allotment, len(self._in_flight)
        free_before = max(now - hold, self._windows.free_before) if self._windows.is_fixed else now - hold
        if self._take_own(now, free_before, hold) or not (in_flight or allotment.held):
            return 0.0
        if allotment.take_more(now, in_flight, self.capacity):
            return 0.0
        first = allotment.next_free()
        wait = _ON_ANSWER if first is None else first + hold - now
        return max(min(wait, allotment.try_again_in(now, in_flight)), 1e-4)

    def _take_own(self, now: float, free_before: float, hold: float) -> bool:
        lost_before = now - hold - self._pause() - self._latency.spread() - _SLACK
        return self._allotment.take(free_before, lost_before, self.advertised, len(self._in_flight), now)

    def _wait_alone(self, now: float, hold: float) -> float:
        """No other user was seen. At times the last slot is left free for a while: a new user could not get in otherwise."""
        in_flight, answered = len(self._in_flight), self._answered_since(now - hold)
        free = self.capacity - in_flight - answered
        if not in_flight + answered:
            self._busy_since, self._gap_from = now, now + self._interval * _NO_GAP_FOR
        has_gap = now >= self._gap_from and self.capacity >= _NO_GAP_BELOW
        if free > has_gap:
            return 0.0
        wait = self._answered[-answered][0] + hold - now if answered else _ON_ANSWER
        if free > 0:
            gap = min(self._interval, _GAP * (now - self._busy_since))
            if in_flight + self._answered_since(now - hold - gap) < self.capacity:
                self._gap_from = now + self._interval * (1.0 + self._draw())
                return 0.0
            wait = min(wait, self._answered[-answered - 1][0] + hold + gap - now)
        return max(wait, 1e-4)

    def _pause(self) -> float:
        """Seconds to wait after a 429 in a shared location: the requests in flight are answered by then."""
        return max(_PAUSE, self._latency.longest())

    def _learn_refusal(self, sent_at: float, answered_at: float) -> None:
        """In a shared location one slot too many was asked for, and is given up. Otherwise all wait for an interval."""
        self._answered.remove((answered_at, sent_at))
        self._sent.pop(bisect_left(self._sent, sent_at))
        allotment, pause = self._allotment, self._interval
        ours = len(self._sent) - bisect_left(self._sent, self._windows.seen_from)
        self._windows.full(sent_at, answered_at, self.advertised, ours)
        if sent_at >= self._blocked_until:
            self._refused_in_a_row += 1
            if self._was_refused and self._refused_in_a_row >= _TOO_OFTEN:
                pause *= 1.0 - _EARLIER * self._draw()
        ours = len(self._in_flight) + allotment.held
        if ours and self._refused_in_a_row < _TOO_OFTEN and allotment.is_shared:
            allotment.refused(answered_at)
            pause = self._pause()
        else:
            self._is_open, self._was_refused = False, True
        self._blocked_until = max(self._blocked_until, answered_at + pause)

    def _answered_since(self, moment: float) -> int:
        return len(self._answered) - bisect_right(self._answered, (moment, float("inf")))

    def _forget_before(self, moment: float) -> None:
        oldest = min(self._in_flight[0] - self._interval, moment) if self._in_flight else moment
        if (old := bisect_left(self._answered, (oldest, 0.0))) >= _FORGET_AT_ONCE:
            del self._answered[:old]
            del self._sent[: bisect_left(self._sent, oldest - self._interval)]

    def _learn_room(self, sent_at: float, answered_at: float, used: int, remaining: int) -> None:
        """``used`` slots were taken when this request was counted, at some moment between its two times."""
        if self._was_refused and sent_at >= self._blocked_until:
            self._allotment.reopened(answered_at, remaining)
        others = self._others_used(sent_at, answered_at, used)
        self._others, self._others_seen_at = others, answered_at
        if others > 0:
            if not self._allotment.is_shared and self._was_refused:
                self._blocked_until, self._was_refused = answered_at + self._pause(), False
                self._is_open = True
            if not self._is_open and not self._was_refused:
                self._allotment.joined(answered_at, others, remaining, self.advertised)
            self._allotment.others_seen(answered_at, others, self.advertised, len(self._in_flight))
        windows, allotment = self._windows, self._allotment
        if remaining and not windows.is_fixed and allotment.is_shared and self._is_reset(sent_at, answered_at, used):
            windows.proven()
        windows.look(sent_at, answered_at, used, len(self._sent) - bisect_left(self._sent, windows.seen_from), self._interval)
        allotment.look(sent_at, answered_at, remaining, self._latency, self.advertised, self._interval)

    def _others_used(self, sent_at: float, answered_at: float, used: int) -> int:
        """Used slots that our own requests do not explain, whenever the server counts them."""
        if used <= self._answered_since(answered_at - self._interval - _BLUR):
            return 0  # it may count at the answer
        if used <= bisect_right(self._sent, sent_at) - bisect_right(self._sent, sent_at - self._interval - _BLUR):
            return 0  # or at arrival
        return used - max(self._ours_if(part, sent_at, answered_at) for part in _PARTS)

    def _ours_if(self, part: float, sent_at: float, answered_at: float) -> int:
        """Our requests in the window at the moment when this one is counted, if that is after this part of its time."""
        counted = sent_at + part * (answered_at - sent_at)
        began = counted - self._interval - _BLUR
        oldest = bisect_right(self._answered, (began, 0.0))
        ours = sum(began < sent + part * (answered - sent) <= counted + _BLUR for answered, sent in self._answered[oldest:])
        return ours + bisect_right(self._in_flight, counted)

    def _is_reset(self, sent_at: float, answered_at: float, used: int) -> bool:
        """Whether fewer slots are used than a sliding window must hold when this request is counted."""
        began = answered_at - self._interval
        if used > self._answered_since(began):
            return False
        oldest = bisect_right(self._answered, (began, float("inf")))
        return used < 1 + sum(sent > began and answered <= sent_at for answered, sent in self._answered[oldest:])

    def _wait_for_day(self, now: float) -> float:
        if self._day.allows(len(self._in_flight)):
            return 0.0
        if self._day.try_new_day(now):
            self._is_open = False  # one request goes alone and finds out whether a new day has begun
            return 0.0
        if self._in_flight:
            return _ON_ANSWER
        raise self._day.exhausted(now)
