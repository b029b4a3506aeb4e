"""How the window of a location is shared with other users of it, who cannot be asked.

Nobody tells how many they are, but every answer tells how full the window was when the request was counted. A slot of a
sliding window is free again one interval after it was used, so users who each use their own slots again, and at once, never
meet. So a :class:`Allotment` holds slots, not a rate: one is ours from its answer on until we use it again, and lost when we
are refused or let it lie. New ones are taken from the room that was seen to last: longer than slots are on their way back to
their users for much room, a whole interval for the last few of them. In windows that begin anew all at once, everybody uses
its slots again as soon as one has begun, and what is left after that is nobody's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from airflow_provider_ghl.api.fixed_windows import FixedWindows
from airflow_provider_ghl.api.latency import Latency

__all__ = ["Allotment"]

#: Part of the room that is taken at once: while others were just seen to grow, while they were not, and of the last few slots.
_PART = 0.15
_QUIET_PART = 0.5
_LONG_PART = 0.15
#: Slots that are nobody's at least: less room may be slots on their way back.
_MARGIN = 2
#: Part of the time after which room lasts that lies between two tries of one request.
_BETWEEN_TRIES = 0.3
#: Room, seen once, that is worth a try of one request.
_WORTH_A_TRY = 3
#: Slots by which others must grow to be seen to grow; less is the blur of not knowing when a request is counted.
_GREW = 2
#: Intervals after which other users that were not seen again are gone.
_REMEMBERED = 1.5
#: Part of its slots that who has all of them gives up in each interval; who has half of them or less gives up none.
_GIVEN_UP = 0.2
#: Intervals for which that is left to others.
_LEFT_FOR = 1.2
#: Slots that are left to others by who was refused before.
_LEFT_AT_FIRST = 3
#: Who has so few slots looks so seldom that it tries its luck.
_SMALL = 3
_SMALL_TRIES = 0.5
#: Intervals for which a try that was refused is believed, unless there is so much more room than then, and more.
_VAIN_FOR = 2.5
_MORE = 1.3
_PLENTY = 5
#: Part of a fixed window after which others will hardly use what they used in the last one.
_LATE = 0.6
#: Part of the limit. Where more is free or ours, whoever else had slots is probably gone.
_EMPTY = 0.8
#: Part of the limit. Others who have less may be about to send their first burst.
_BEGINNING = 0.1
#: Seconds. Room that was seen for a shorter time may be a slot that is about to be used again.
_SHORTEST_LOOK = 0.1
#: Seconds within which a step must be used.
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
        """Slots that are ours and not in use by a request in flight."""
        return len(self._own)

    def answered(self, now: float) -> None:
        """A request of ours was let through: its slot is ours."""
        self._since = min(self._since, now)
        self._own.append(max(now, self._own[-1]) if self._own else now)

    def take(self, free_before: float, lost_before: float, limit: int, in_flight: int, now: float) -> bool:
        """Use a slot of ours again that was answered before ``free_before``; those from before ``lost_before`` are lost."""
        while self._own and self._own[0] < lost_before:
            self._own.popleft()
        while self._own and self._own[0] <= free_before:
            held = len(self._own) + in_flight
            self._own.popleft()
            if not self.is_shared or not self._gives_up(now, held, limit):
                return True
        return False

    def next_free(self) -> float | None:
        """When the slot was answered that is free first."""
        return self._own[0] if self._own else None

    def take_more(self, now: float, in_flight: int, most: int) -> bool:
        """Use a slot that was nobody's."""
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
        """Seconds after which a try may be worth while, where only another request can tell more."""
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
        """When it is worth while to ask again, where nothing is in flight that could tell more."""
        return max(self._changed_at, self._asked_at) + self._lasting * _BETWEEN_TRIES

    def _settled(self) -> float:
        """When all have used their slots in this window."""
        if self._patient_since != self._windows.began_before:
            self._patient_since, self._patience = self._windows.began_before, self._draw()
        return self._windows.began_before + (2.0 + 2.0 * self._patience) * self._lasting

    def _in_fixed(self, now: float, in_flight: int) -> int:
        """In a window that is forgotten at once, whatever is left when all have used their slots is nobody's."""
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
        """At least ``others`` slots are in the hands of others."""
        self.is_shared = True
        self._others_at = now
        if others >= self._others + _GREW:
            self._others_grew_at = now
        if others >= self._others or now - self._others_most_at > self._interval:
            self._others, self._others_most_at = others, now
        while self._own and len(self._own) + in_flight > max(1, limit - others):
            self._own.popleft()

    def refused(self, now: float) -> None:
        """A 429: no room at all, and others are about."""
        self.is_shared = True
        self._others_at = self._others_grew_at = self._refused_at = now
        self._permits = 0
        self._looks.append([now, 0])

    def reopened(self, now: float, remaining: int) -> None:
        """The first that is let through after all were refused: whoever else was refused must find some room as well."""
        self.is_shared = True
        self._others_at = now
        self._looks.clear()
        self._given.extend([now] * _LEFT_AT_FIRST)
        self._permit(now, int(max(0, remaining - len(self._own)) * _PART))

    def joined(self, now: float, others: int, remaining: int, limit: int) -> None:
        """The first answer of all shows others: unless they just begin as well, a part of the room is ours at once."""
        if others > limit * _BEGINNING:
            self._permit(now, int(max(0, remaining - len(self._own)) * _PART))

    def _permit(self, now: float, slots: int) -> None:
        self._permits, self._permits_end, self._changed_at = slots, now + _STEP_LASTS, now

    def look(self, sent_at: float, now: float, remaining: int, latency: Latency, limit: int, interval: float) -> None:
        """An answer said that so much of the limit was left."""
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
        """Of room that was there for a whole interval."""
        if len(self._own) <= _SMALL:
            room = self._least_since(self._looks[-1][0] - self._lasting) - len(self._given)
            return int(room > 0 and self._draw() < _SMALL_TRIES)
        if self._looks[-1][0] - self._looks[0][0] < 0.9 * self._interval:
            return 0
        room = self._lasting_room() - len(self._given)
        return int(room * _LONG_PART + self._draw()) if room > 0 else 0

    def _least_since(self, moment: float) -> int:
        """The least room that was seen since."""
        least = self._looks[-1][1]
        for at, room in reversed(self._looks):
            if at < moment:
                break
            least = min(least, room)
        return int(least)

    def _lasting_room(self) -> int:
        """The least room that was seen for about an interval."""
        return int(min((room for _, room in self._looks), default=0))

    def _much(self, now: float, in_flight: int) -> int:
        """Of room that was there for longer than slots are on their way back to their users."""
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
        """Whether who has more than half leaves a slot to those who have little: only as fast as they were seen to grow."""
        if self._draw() >= _GIVEN_UP * (2.0 * held / limit - 1.0) or self._lasting_room() > 0:
            return False
        if now - self._others_at > self._interval:
            return False
        self._forget_given(now)
        if len(self._given) > 2 * self._others:
            return False
        self._given.append(now)
        return True
