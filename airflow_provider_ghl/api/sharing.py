"""How many slots of a window are ours while other users of the location are about.

Nobody tells how many they are, but every answer tells how full the window was when the request was counted. So each of us
keeps to an allotment of slots: it grows by a part of the room that was seen to last, shrinks by a little while there is none,
and so drifts towards equal parts. Room lasts when it is seen for longer than it takes others to use a slot of theirs again.
"""

from __future__ import annotations

from collections import deque

__all__ = ["Allotment"]

#: Slots that are nobody's at least: room of this size is noise, because slots come back to their users a little late.
_MARGIN = 2
#: Part of the room that is taken at once while others are seen to send: six users who see the same room do not overrun it.
_PART = 0.15
#: And while they are not: whoever used those slots may be done.
_QUIET_PART = 0.5
#: Who is new takes one slot in so many that are free: whoever was first may just be sending a whole window.
_FIRST_PART = 8
#: Room that cannot be slots that come back late: who sees it may double what it has before the next answer.
_PLENTY = 15
#: Part of the time after which room lasts that lies between two tries.
_BETWEEN_TRIES = 0.3
#: Room, seen once, that is worth a try of one request.
_WORTH_A_TRY = 3
#: Slots by which others must grow to be seen to send; less is the blur of not knowing when a request is counted.
_GREW = 2
#: Intervals after which other users that were not seen again are gone.
_REMEMBERED = 1.5
#: Part of its slots that a user of a full window gives up in each interval.
_GIVEN_UP = 0.03
#: Seconds. Room that was seen for a shorter time may be a slot that is about to be used again.
_SHORTEST_LOOK = 0.1


class Allotment:
    """Slots that may be used. ``None`` means all that there are: no other user was seen."""

    def __init__(self) -> None:
        self.slots: float | None = None
        self._looks: deque[tuple[float, int]] = deque()
        self._changed_at = float("-inf")
        self._shrunk_at = float("-inf")
        self._others_at = float("-inf")
        self._others_sent_at = float("-inf")
        self._others = 0
        self._sent_at = float("-inf")
        self._lasting = _SHORTEST_LOOK

    def others_seen(self, now: float, others: int, limit: int, ours: int, *, is_first: bool) -> None:
        """At least ``others`` slots are in the hands of others. Who is new begins small: they may be in their first burst."""
        self._others_at = now
        if is_first or others >= self._others + _GREW:
            self._others_sent_at, self._others = now, others
        self._others = min(self._others, others)
        free = limit - others - 1
        slots = float(max(1, ours + max(1, (free - ours) // _FIRST_PART) if is_first else free))
        if self.slots is None or slots < self.slots:
            self._change(now, slots)

    def reopened(self, now: float, remaining: int) -> None:
        """The first answer after a 429: a part of the room, since whoever else was refused comes back as well."""
        self._others_at = self._others_sent_at = now
        self._change(now, 1.0 + int(remaining * _PART))

    def look(self, sent_at: float, now: float, remaining: int, lasting: float, noise: int, forget_after: float) -> None:
        """An answer said that so much of the limit was left. Room that is seen for ``lasting`` seconds lasts."""
        if self.slots is None:
            return
        if now - self._others_at > _REMEMBERED * forget_after:
            self.slots = None
            return
        self._lasting = max(_SHORTEST_LOOK, lasting)
        self._sent_at = max(self._sent_at, sent_at)
        self._looks.append((now, remaining - _MARGIN - noise))
        while self._looks[0][0] < now - self._lasting:
            self._looks.popleft()
        if self._room() <= 0 and now - self._shrunk_at >= forget_after:
            self._shrunk_at = now
            self.slots = max(1.0, self.slots * (1.0 - _GIVEN_UP))

    def grow(self, now: float, ours: int, in_flight: int, most: int) -> float:
        """Take a part of the room that was seen, where ``ours`` slots are used by us; not before our last step was seen.

        Returns seconds after which another look is worth while; infinity where only an answer can tell more.
        """
        room = self._room() - in_flight
        if self.slots is None or room <= 0 or (in_flight and self._sent_at < self._changed_at):
            return float("inf")
        if not in_flight and (wait := self._changed_at + self._lasting * _BETWEEN_TRIES - now) > 0.0:
            return wait
        step = self._step(now, room)
        if step and ours + step > self.slots:
            self.slots, self._changed_at = min(self.slots + step, float(most)), now
        return float("inf")

    def _step(self, now: float, room: int) -> int:
        part = _PART if now - self._others_sent_at < self._lasting else _QUIET_PART
        if self._looks[-1][0] - self._looks[0][0] >= self._lasting / 2:
            return max(1, int(room * part))
        if room >= _PLENTY:
            return min(int(room * part / 2) + 1, int(self.slots or 0) + 1)
        return int(room >= _WORTH_A_TRY and now - self._changed_at >= self._lasting * _BETWEEN_TRIES)

    def _room(self) -> int:
        return min((room for _, room in self._looks), default=0)

    def _change(self, now: float, slots: float) -> None:
        self.slots, self._changed_at = slots, now
        self._looks.clear()
