"""The daily quota of one token in one location, learned from the headers of every answer."""

from __future__ import annotations

from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.exceptions import QuotaExhausted

__all__ = ["DailyQuota"]

#: Seconds after which a spent day is tried again, where HighLevel does not say when it resets.
_TRY_AGAIN_AFTER = 60.0


class DailyQuota:
    """How much is left of the day, and when it ends.

    :param reserve: requests that are left to others.
    """

    def __init__(self, reserve: int) -> None:
        self.reserve = reserve
        #: Requests that HighLevel allows in a day, and those left at the last answer; ``None`` while not known.
        self.limit: int | None = None
        self.left: int | None = None
        self._seen_at = float("-inf")
        self._ends_at = float("inf")
        self._knows_end = False

    @property
    def seen_at(self) -> float | None:
        """When HighLevel last said what is left (clock seconds); ``None`` where it never did."""
        return self._seen_at if self._seen_at > float("-inf") else None

    @property
    def ends_at(self) -> float | None:
        """When the day ends, as HighLevel last said (clock seconds); ``None`` where it did not."""
        return self._ends_at if self._knows_end else None

    def learn(self, sent_at: float, answered_at: float, rate: RateHeaders) -> None:
        """Learn from an answer.

        :param sent_at: clock seconds at which its request was sent.
        """
        left = rate.daily_remaining
        if left is None:
            return
        is_newer = sent_at >= self._seen_at or answered_at >= self._ends_at
        if not is_newer and self.left is not None and left >= self.left:
            return  # answers overtake each other, and this one was counted earlier
        self.limit = rate.daily_limit or self.limit
        self.left, self._seen_at = left, answered_at
        resets_in = rate.daily_resets_in
        self._knows_end = resets_in is not None
        self._ends_at = answered_at + (resets_in if resets_in is not None else _TRY_AGAIN_AFTER)

    def allows(self, in_flight: int) -> bool:
        """Whether one more request may be sent beside those in flight, as far as is known."""
        return self.left is None or self.left - in_flight > self.reserve

    def try_new_day(self, now: float) -> bool:
        """Whether the day should be over. Then what was left of it is forgotten."""
        if now < self._ends_at:
            return False
        self.left = None
        return True

    def exhausted(self, now: float) -> QuotaExhausted:
        """The error for a request that the day does not allow."""
        reserve = f", {self.reserve} of them reserved for others" if self.reserve else ""
        error = QuotaExhausted(f"{self.left} requests are left of the day{reserve}", status=429)
        error.resets_in = self._ends_at - now if self._knows_end else None
        return error
