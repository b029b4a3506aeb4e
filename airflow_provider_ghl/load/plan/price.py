"""What a load will cost: counts and a snapshot of the limits become requests, a share of the day, seconds and days."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_ghl.api.limits import Limit

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """What so many requests cost, if nothing fails and nobody else uses the location."""

    requests: int
    #: Seconds at the current burst limit. Of several locations, here and below: of the one that takes most.
    seconds: float
    #: Requests that today still allows this connection, and the part of them that the load takes; ``None`` if not known.
    left_today: int | None
    share_of_today: float | None
    #: Days (the quota's) on which requests are sent.
    days: int | None

    def as_dict(self) -> dict[str, Any]:
        """For the XCom and machines."""
        return {
            "requests": self.requests,
            "seconds": self.seconds,
            "left_today": self.left_today,
            "share_of_today": self.share_of_today,
            "days": self.days,
        }

    def __str__(self) -> str:
        parts = [f"{self.requests:,} requests, {timedelta(seconds=round(self.seconds))} at the current limit"]
        if self.left_today is not None and self.share_of_today is not None:
            parts.append(f"{self.share_of_today:.1%} of the {self.left_today:,} requests that are left today")
        if self.days is not None and self.days > 1:
            parts.append(f"so that it takes {self.days} days")
        return ", ".join(parts)


def estimate(prices: Sequence[tuple[int, Limit]]) -> Estimate:
    """The price of so many requests under each of some locations' limits, as far as these are known.

    Locations run side by side: of seconds, days and shares it is the most that any of them takes.
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


def _days(requests: int, today: int, a_day: int) -> int | None:
    if requests <= today:
        return int(requests > 0)
    if a_day <= 0:
        return None
    return int(today > 0) + math.ceil((requests - today) / a_day)
