"""What HighLevel says of its limits in the headers of every answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RateHeaders"]

#: Seconds. A longer or negative "resets in" is nonsense and is ignored.
_LONGEST_DAY = 25 * 3600.0


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
        """Read them; what is absent or no number is ``None``. ``headers`` must not mind the case of names."""
        interval = _number(headers.get("x-ratelimit-interval-milliseconds"), least=1)
        reset = _number(headers.get("x-ratelimit-daily-reset"), least=0)
        return cls(
            limit=_number(headers.get("x-ratelimit-max"), least=1),
            remaining=_number(headers.get("x-ratelimit-remaining"), least=0),
            interval=interval / 1000.0 if interval else None,
            daily_limit=_number(headers.get("x-ratelimit-limit-daily"), least=1),
            daily_remaining=_number(headers.get("x-ratelimit-daily-remaining"), least=0),
            daily_resets_in=reset / 1000.0 if reset is not None and reset / 1000.0 <= _LONGEST_DAY else None,
        )

    @property
    def day_is_spent(self) -> bool:
        """Whether nothing is left of the day: the only thing that tells a daily 429 from one of the burst (observed)."""
        return self.daily_remaining == 0


def _number(text: str | None, *, least: int) -> int | None:
    try:
        value = int(text or "")
    except ValueError:
        return None
    return value if value >= least else None
