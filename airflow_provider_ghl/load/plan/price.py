"""Estimates what a load costs, from the number of requests and the current limits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.load.results.time_span import time_span

__all__ = ["Estimate", "estimate"]

#: The smallest share of the day that is given as a number.
_LEAST_SHARE = 0.001


@dataclass(frozen=True, slots=True)
class Estimate:
    """The cost of a load, if nothing fails and nobody else uses its locations.

    With several locations, each value but ``requests`` is that of the location that takes longest or has fewest left.
    """

    requests: int
    #: Seconds at the current burst limit.
    seconds: float
    #: How many requests are left today, and the share of them that the load takes; ``None`` where that is not known.
    left_today: int | None
    share_of_today: float | None
    #: On how many days of quota requests are sent; ``None`` where that is not known.
    days: int | None

    def as_dict(self) -> dict[str, Any]:
        """The fields as JSON can hold them."""
        return {
            "requests": self.requests,
            "seconds": self.seconds,
            "left_today": self.left_today,
            "share_of_today": self.share_of_today,
            "days": self.days,
        }

    def __str__(self) -> str:
        parts = [f"{_requests(self.requests)}, {time_span(self.seconds)} at the current limit"]
        if self.left_today is not None and self.share_of_today is not None:
            is_little = self.requests and self.share_of_today < _LEAST_SHARE
            share = f"less than {_LEAST_SHARE:.1%}" if is_little else f"{self.share_of_today:.1%}"
            are = "is" if self.left_today == 1 else "are"
            parts.append(f"{share} of the {_requests(self.left_today)} that {are} left today")
        if self.days is not None and self.days > 1:
            parts.append(f"so that it takes {self.days} days")
        return ", ".join(parts)


def estimate(prices: Sequence[tuple[int, Limit]]) -> Estimate:
    """Estimate the cost of a load.

    :param prices: for each location, its number of requests and its limit. Locations are loaded in parallel.
    """
    each = [_estimate(requests, limit) for requests, limit in prices]
    if len(each) == 1:
        return each[0]
    return Estimate(
        sum(one.requests for one in each),
        max((one.seconds for one in each), default=0.0),
        min((one.left_today for one in each if one.left_today is not None), default=None),
        max((one.share_of_today for one in each if one.share_of_today is not None), default=None),
        max((one.days for one in each if one.days is not None), default=None),
    )


def _estimate(requests: int, limit: Limit) -> Estimate:
    windows = max(math.ceil(requests / limit.capacity) - 1, 0)
    seconds = windows * limit.interval
    if limit.daily_left is None or limit.daily_limit is None:
        return Estimate(requests, seconds, None, None, None)
    today = max(limit.daily_left - limit.daily_reserve, 0)
    share = round(requests / today, 4) if today else (0.0 if not requests else None)
    return Estimate(requests, seconds, today, share, _days(requests, today, limit.daily_limit - limit.daily_reserve))


def _requests(count: int) -> str:
    return f"{count:,} {'request' if count == 1 else 'requests'}"


def _days(requests: int, today: int, a_day: int) -> int | None:
    if requests <= today:
        return int(requests > 0)
    if a_day <= 0:
        return None
    return int(today > 0) + math.ceil((requests - today) / a_day)
