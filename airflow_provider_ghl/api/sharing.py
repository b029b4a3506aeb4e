"""Shares a location's window with its other users, of whom only the answers tell.

Each answer says how full the window was when its request was counted. A slot of a sliding window is free again one interval
after it was used. So users who use their own slots again as soon as they are free never get in each other's way. That is why
an :class:`Allotment` holds slots and not a rate. A slot is ours from its answer until we use it again; we lose it when a
request is refused, or when we leave it unused.

We take new slots from room that lasts. Much room has to last longer than slots take to be used again by their users, and the
last few slots have to be free for a whole interval. In fixed windows, all users use their slots as soon as a window begins,
and the slots that are left then are free.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from airflow_provider_ghl.api.fixed_windows import FixedWindows
from airflow_provider_ghl.api.latency import Latency

__all__ = ["Allotment"]

#: Share of the free room that is taken at once: right after the use by others has grown; otherwise; and of the last few slots.
_PART = 0.15
_QUIET_PART = 0.5
_LONG_PART = 0.15
#: Slots that stay free: so few may be slots that their users are about to use again.
_MARGIN = 2
#: Time between two single tries, as a share of the time for which room has to last.
_BETWEEN_TRIES = 0.3
#: Free slots, seen once, that are worth a try with one request.
_WORTH_A_TRY = 3
#: Slots by which the use by others has to grow to count as growth. Less may come from not knowing when a request is counted.
_GREW = 2
#: Intervals after which other users count as gone, if they were not seen again.
_REMEMBERED = 1.5
#: Share of its slots that a user of the whole window gives up in each interval. A user of half of it or less gives up none.
_GIVEN_UP = 0.2
#: Intervals for which slots that were given up stay free for others.
_LEFT_FOR = 1.2
#: Slots that stay free for others after all were refused.
_LEFT_AT_FIRST = 3
#: With so few slots there are few answers to learn from. Then a try is made with this probability.
_SMALL = 3
_SMALL_TRIES = 0.5
#: Intervals without another try after one that was refused, unless there is so many times the room, and so many slots more.
_VAIN_FOR = 2.5
_MORE = 1.3
_PLENTY = 5
#: Share of a fixed window after which others will hardly use the slots that they used in the last one.
_LATE = 0.6
#: Share of the limit. Where more is free or ours, the other users are probably gone.
_EMPTY = 0.8
#: Share of the limit. Others who use less may be about to send their first burst.
_BEGINNING = 0.1
#: Seconds. Room that has lasted for less may be slots that are about to be used again.
_SHORTEST_LOOK = 0.1
#: Seconds after which slots that were taken and not used are free again.
_STEP_LASTS = 1.0


class Allotment:
    """The slots that are ours, and those that may be taken besides.

    :param draw: numbers in [0, 1), so that users who see the same do not do the same.
    """

    def __init__(self, draw: Callable[[], float], windows: FixedWindows) -> None:
        self._draw = draw
        self._windows = windows
        self.is_shared = False
        self._own: deque[float] = deque()  # when each was answered, the next to be used again first
        self._looks: deque[list[float]] = deque()  # [answered at, room]
        self._given: deque[float] = deque()  # when slots were given up
        self._permits = 0
        self._permits_end = float("-inf")
        self._changed_at = float("-inf")
        self._asked_at = float("-inf")
        self._others_at = float("-inf")
        self._others_grew_at = float("-inf")
        self._others_most_at = float("-inf")
        self._others = 0
        self._sent_at = float("-inf")
        self._is_fresh = False
        self._lasting = _SHORTEST_LOOK
        self._noise = 0
        self._interval = 10.0
        self._limit = 100
        self._since = float("inf")
        self._patient_since = float("-inf")
        self._patience = 0.0
        self._tried = 0
        self._refused_at = float("-inf")

    @property
    def held(self) -> int:
        """Our slots, without those of requests in flight."""
        return len(self._own)

    def answered(self, now: float) -> None:
        """One of our requests was let through: its slot is ours now."""
        self._since = min(self._since, now)
        self._own.append(max(now, self._own[-1]) if self._own else now)

    def take(self, free_before: float, lost_before: float, limit: int, in_flight: int, now: float) -> bool:
        """Use one of our slots again, if one is free.

        :param free_before: slots answered before this moment are free.
        :param lost_before: slots answered before this moment are lost.
        """
        while self._own and self._own[0] < lost_before:
            self._own.popleft()
        while self._own and self._own[0] <= free_before:
            held = len(self._own) + in_flight
            self._own.popleft()
            if not self.is_shared or not self._gives_up(now, held, limit):
                return True
        return False

    def next_free(self) -> float | None:
        """When our next slot was answered."""
        return self._own[0] if self._own else None

    def take_more(self, now: float, in_flight: int, most: int) -> bool:
        """Use a free slot that was not ours, if we may."""
        if self._permits and now > self._permits_end:
            self._permits = 0
        if not self._permits:
            self._permits = min(self._step(now, in_flight), most - in_flight - len(self._own))
            if self._permits <= 0:
                self._permits = 0
                return False
            self._permit(now, self._permits)
            for look in self._looks:
                look[1] -= self._permits
        self._permits -= 1
        return True

    def try_again_in(self, now: float, in_flight: int) -> float:
        """Seconds to wait before a try, where only a request of ours can find out more."""
        if in_flight or not self._looks:
            return float("inf")
        if self._windows.is_fixed:
            if self._least_since(self._windows.began_before) <= 0:
                return float("inf")
            return max(0.01, self._settled() - now, self._tries_from() - now)
        if self._looks[-1][1] - self._noise - _MARGIN < _WORTH_A_TRY:
            return float("inf")
        return max(0.01, self._tries_from() - now)

    def _tries_from(self) -> float:
        """When to try next, where no request is in flight."""
        return max(self._changed_at, self._asked_at) + self._lasting * _BETWEEN_TRIES

    def _settled(self) -> float:
        """When all users have used their slots in this window."""
        if self._patient_since != self._windows.began_before:
            self._patient_since, self._patience = self._windows.began_before, self._draw()
        return self._windows.began_before + (2.0 + 2.0 * self._patience) * self._lasting

    def _in_fixed(self, now: float, in_flight: int) -> int:
        """Slots to take in a fixed window: those that are left when all users have used theirs."""
        windows = self._windows
        if now < self._settled() or now > windows.began_before + self._interval:
            return 0
        room = self._least_since(windows.began_before) - len(self._given) - in_flight
        if now < windows.began_before + (_LATE + 0.2 * self._patience) * self._interval:
            room -= max(0, windows.others_before - windows.others_now)
        if room <= 0:
            return 0
        if self._sent_at < self._settled():
            if room <= _MORE * self._tried + _PLENTY and now < self._refused_at + _VAIN_FOR * self._interval:
                return 0
            self._tried = room
            return 1
        return int(room * _QUIET_PART + self._draw())

    def others_seen(self, now: float, others: int, limit: int, in_flight: int) -> None:
        """Others use at least so many slots."""
        self.is_shared = True
        self._others_at = now
        if others >= self._others + _GREW:
            self._others_grew_at = now
        if others >= self._others or now - self._others_most_at > self._interval:
            self._others, self._others_most_at = others, now
        while self._own and len(self._own) + in_flight > max(1, limit - others):
            self._own.popleft()

    def refused(self, now: float) -> None:
        """A 429: there is no room, and the location has other users."""
        self.is_shared = True
        self._others_at = self._others_grew_at = self._refused_at = now
        self._permits = 0
        self._looks.append([now, 0])

    def reopened(self, now: float, remaining: int) -> None:
        """The first request is let through after all were refused. Some room stays free for others who were refused too."""
        self.is_shared = True
        self._others_at = now
        self._looks.clear()
        self._given.extend([now] * _LEFT_AT_FIRST)
        self._permit(now, int(max(0, remaining - len(self._own)) * _PART))

    def joined(self, now: float, others: int, remaining: int, limit: int) -> None:
        """The very first answer shows other users: take a share of the room at once, unless they are just beginning, too."""
        if others > limit * _BEGINNING:
            self._permit(now, int(max(0, remaining - len(self._own)) * _PART))

    def _permit(self, now: float, slots: int) -> None:
        self._permits, self._permits_end, self._changed_at = slots, now + _STEP_LASTS, now

    def look(self, sent_at: float, now: float, remaining: int, latency: Latency, limit: int, interval: float) -> None:
        """An answer says how many slots were left."""
        if not self.is_shared:
            return
        if now - self._others_at > _REMEMBERED * interval * (1.0 if self._windows.is_sliding else 3.0):
            self.is_shared = False
            self._looks.clear()
            return
        longest, spread = latency.longest(), latency.spread()
        self._lasting = max(_SHORTEST_LOOK, longest + spread)
        self._noise = round(limit * spread / interval)
        self._interval, self._limit = interval, limit
        self._sent_at = max(self._sent_at, sent_at)
        self._is_fresh = True
        self._looks.append([now, remaining - (self._permits if sent_at < self._changed_at else 0)])
        while self._looks[0][0] < now - interval - longest:
            self._looks.popleft()

    def _step(self, now: float, in_flight: int) -> int:
        if not self._looks or (in_flight and (self._sent_at < self._changed_at or not self._is_fresh)):
            return 0
        if not in_flight and now < self._tries_from():
            return 0
        self._is_fresh, self._asked_at = False, now
        self._forget_given(now)
        if self._windows.is_fixed:
            return self._in_fixed(now, in_flight)
        return max(self._much(now, in_flight), self._few())

    def _forget_given(self, now: float) -> None:
        while self._given and self._given[0] < now - _LEFT_FOR * self._interval:
            self._given.popleft()

    def _few(self) -> int:
        """Slots to take of room that was free for a whole interval."""
        if len(self._own) <= _SMALL:
            room = self._least_since(self._looks[-1][0] - self._lasting) - len(self._given)
            return int(room > 0 and self._draw() < _SMALL_TRIES)
        if self._looks[-1][0] - self._looks[0][0] < 0.9 * self._interval:
            return 0
        room = self._lasting_room() - len(self._given)
        return int(room * _LONG_PART + self._draw()) if room > 0 else 0

    def _least_since(self, moment: float) -> int:
        """The least room that was seen since a moment."""
        least = self._looks[-1][1]
        for at, room in reversed(self._looks):
            if at < moment:
                break
            least = min(least, room)
        return int(least)

    def _lasting_room(self) -> int:
        """The least room that was seen within about an interval."""
        return int(min((room for _, room in self._looks), default=0))

    def _much(self, now: float, in_flight: int) -> int:
        """Slots to take of room that was free for longer than users take to use their slots again."""
        last, since = self._looks[-1][0], self._looks[-1][0]
        room = self._looks[-1][1]
        for at, seen in reversed(self._looks):
            if since <= last - self._lasting or at < last - 1.5 * self._lasting:
                break
            since, room = at, min(room, seen)
        room = int(room) - self._noise - _MARGIN - len(self._given) - in_flight
        if room <= 0:
            return 0
        is_quiet = now - self._others_grew_at >= self._lasting
        may_be_fixed = not self._windows.is_sliding and now > self._since + self._interval
        is_empty = room + len(self._own) + 2 * in_flight > _EMPTY * self._limit
        part = _QUIET_PART if is_quiet and (is_empty or not may_be_fixed) else _PART
        step = int(room * part + self._draw())
        if last - since >= self._lasting:
            return step
        if last - since >= self._lasting / (4 if is_empty else 2):
            return min(step, len(self._own) + in_flight + 1)
        return int(room >= _WORTH_A_TRY and now - self._changed_at >= self._lasting * _BETWEEN_TRIES)

    def _gives_up(self, now: float, held: int, limit: int) -> bool:
        """Whether to leave a slot to others, where we have more than half of them: no faster than their use has grown."""
        if self._draw() >= _GIVEN_UP * (2.0 * held / limit - 1.0) or self._lasting_room() > 0:
            return False
        if now - self._others_at > self._interval:
            return False
        self._forget_given(now)
        if len(self._given) > 2 * self._others:
            return False
        self._given.append(now)
        return True
