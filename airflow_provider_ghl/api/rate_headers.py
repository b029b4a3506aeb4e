"""What HighLevel says of its limits in the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RateHeaders"]

#: Bounds of what can be meant; a number beyond them is ignored. Documented: 100 requests in 10 s, 200,000 a day.
_MOST = 1_000_000_000
_LONGEST_WINDOW = 3_600_000  # milliseconds, as the next
_LONGEST_DAY = 25 * 3_600_000


@dataclass(frozen=True, slots=True)
class RateHeaders:
    """The ``X-RateLimit-*`` headers of one answer (names: observed, Authorization.md and live trial tokens)."""

    #: Requests that a window allows, and that are left in it.
    limit: int | None = None
    remaining: int | None = None
    #: Seconds.
    interval: float | None = None
    daily_limit: int | None = None
    daily_remaining: int | None = None
    #: Seconds from the answer on; the header is in milliseconds from now, not an epoch (observed).
    daily_resets_in: float | None = None

    @classmethod
    def from_headers(cls, headers: Mapping[str, str]) -> RateHeaders:
        """Read them; what is absent, no number or out of bounds is ``None``.

        :param headers: by name, in whatever case (a mapping that does not mind it).
        """
        interval = _number(headers.get("x-ratelimit-interval-milliseconds"), 1, _LONGEST_WINDOW)
        reset = _number(headers.get("x-ratelimit-daily-reset"), 0, _LONGEST_DAY)
        return cls(
            limit=_number(headers.get("x-ratelimit-max"), 1, _MOST),
            remaining=_number(headers.get("x-ratelimit-remaining"), 0, _MOST),
            interval=interval / 1000.0 if interval is not None else None,
            daily_limit=_number(headers.get("x-ratelimit-limit-daily"), 1, _MOST),
            daily_remaining=_number(headers.get("x-ratelimit-daily-remaining"), 0, _MOST),
            daily_resets_in=reset / 1000.0 if reset is not None else None,
        )

    @property
    def day_is_spent(self) -> bool:
        """Whether nothing is left of the day: the only thing that tells a daily 429 from one of the burst (observed)."""
        return self.daily_remaining == 0


def _number(text: str | None, least: int, most: int) -> int | None:
    try:
        value = int(text or "")
    except ValueError:
        return None
    return value if least <= value <= most else None
