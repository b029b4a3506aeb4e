"""Fixed windows, in which all requests are forgotten at once: whether a location has them, and when they begin."""

from __future__ import annotations

from collections import deque

__all__ = ["FixedWindows"]

#: Seconds by which clocks and the network may blur a moment.
_BLUR = 0.01
#: Answers that are searched, at most, for one that was surely counted earlier.
_FAR_ENOUGH = 8


class FixedWindows:
    """Finds out from the answers whether a location's windows are fixed or slide, and when the present one began.

    In a fixed window the number of used slots only grows, and drops to zero when the next window begins. That is with the first
    request after the end of the last one, or by a clock: two beginnings are at least an interval apart.
    """

    def __init__(self) -> None:
        self.is_fixed = False
        #: The present window surely began after the first of these moments and before the second. At the third we sent our
        #: first request that was surely counted in it.
        self.began_after = float("-inf")
        self.began_before = float("-inf")
        self.seen_from = float("-inf")
        #: Requests that were answered before this moment were counted in an earlier window.
        self.free_before = float("-inf")
        #: Slots that others used in the last window, and so far in this one.
        self.others_before = 0
        self.others_now = 0
        self.is_sliding = False
        self._looks: deque[tuple[float, float, int]] = deque(maxlen=256)  # (answered at, sent at, used), of this window

    def proven(self) -> None:
        """Fewer slots were used than a sliding window must hold: the windows are fixed."""
        self.is_fixed = not self.is_sliding

    def look(self, sent_at: float, answered_at: float, used: int, ours: int, interval: float) -> None:
        """An answer says how many slots were used when its request was counted.

        :param used: slots, by all.
        :param ours: our own requests among them, sent since ``seen_from``.
        """
        if sent_at < self.seen_from:
            return  # it may have been counted in the last window
        if (before := self._earlier(sent_at, used)) is not None:
            self._began(*before, sent_at, answered_at, interval)
            ours = 1
        self.others_now = max(self.others_now, used - ours)
        self._looks.append((answered_at, sent_at, used))

    def full(self, sent_at: float, answered_at: float, limit: int, ours: int) -> None:
        """A request was refused: the next one that is let through is in another window."""
        if sent_at >= self.seen_from:
            self.others_now = max(self.others_now, limit - ours)
            self._looks.append((answered_at, sent_at, limit + 1))

    def _earlier(self, sent_at: float, used: int) -> tuple[float, float] | None:
        """Two moments of an earlier request that was surely counted before this one and found as many slots used or more.

        So a window began between the two. The first moment is when it was sent; what was answered before the second was counted
        in the earlier window.
        """
        gone_through, last = 0, None
        for answered, sent, seen in reversed(self._looks):
            if answered > sent_at:
                continue
            if seen >= used:
                return sent, sent if last else answered
            last = answered
            gone_through += 1
            if gone_through >= _FAR_ENOUGH:
                break
        return None

    def _began(self, after: float, free_before: float, sent_at: float, answered_at: float, interval: float) -> None:
        if answered_at < self.began_after + interval - _BLUR:
            self.is_fixed, self.is_sliding = False, True
        self.began_after, self.began_before, self.seen_from = after, answered_at, sent_at
        self.free_before = free_before
        self.others_before, self.others_now = self.others_now, 0
        self._looks.clear()
