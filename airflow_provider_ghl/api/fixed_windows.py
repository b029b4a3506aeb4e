"""Windows that begin anew all at once, told from windows that slide, and when they do."""

from __future__ import annotations

from collections import deque

__all__ = ["FixedWindows"]

#: Seconds by which clocks and the network may blur a moment.
_BLUR = 0.01
#: Looks that are gone through for one that was surely counted earlier.
_FAR_ENOUGH = 8


class FixedWindows:
    """In a window that does not slide, what is used only grows until the window ends, and is forgotten then.

    It begins with the first request after the last one's end, or by a clock: two of them are at least an interval apart.
    """

    def __init__(self) -> None:
        self.is_fixed = False
        #: The present window surely began after the first of these moments and before the second, and the first request of
        #: ours that was surely counted in it was sent at the third.
        self.began_after = float("-inf")
        self.began_before = float("-inf")
        self.seen_from = float("-inf")
        #: What was answered before was counted in an earlier window.
        self.free_before = float("-inf")
        #: What others used in the last window, and so far in this one.
        self.others_before = 0
        self.others_now = 0
        self.is_sliding = False
        self._looks: deque[tuple[float, float, int]] = deque(maxlen=256)  # (answered at, sent at, used), of this window

    def proven(self) -> None:
        """Less was used than a window that slides must hold."""
        self.is_fixed = not self.is_sliding

    def look(self, sent_at: float, answered_at: float, used: int, ours: int, interval: float) -> None:
        """So much was used when a request was counted, between its two moments; ``ours`` was sent from ``seen_from`` on."""
        if sent_at < self.seen_from:
            return  # it may have been counted in the last window
        if (before := self._earlier(sent_at, used)) is not None:
            self._began(*before, sent_at, answered_at, interval)
            ours = 1
        self.others_now = max(self.others_now, used - ours)
        self._looks.append((answered_at, sent_at, used))

    def full(self, sent_at: float, answered_at: float, limit: int, ours: int) -> None:
        """A request was refused: whatever is let through later is in another window."""
        if sent_at >= self.seen_from:
            self.others_now = max(self.others_now, limit - ours)
            self._looks.append((answered_at, sent_at, limit + 1))

    def _earlier(self, sent_at: float, used: int) -> tuple[float, float] | None:
        """A request that was surely counted before, and found no less used: when it was sent, and before when all that were
        answered were counted in the same window."""
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
