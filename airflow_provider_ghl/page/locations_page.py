"""What the page of locations shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from airflow_provider_ghl.load.ledger.views import LocationView, RatePoint
from airflow_provider_ghl.page.query import Query

__all__ = ["locations_values"]

_PAGE = 50
_HOUR = 3600.0
#: From so many on, relations and keys are estimated: to count them takes too long for a page.
_COUNTED = 100_000


def locations_values(ledger: Any, dag_ids: frozenset[str], query: Query) -> dict[str, Any]:
    """The values of the template.

    :raises HTTPException: 400: a parameter cannot be right.
    """
    now = datetime.now(UTC).timestamp()
    begins, after = query.text("location_id"), query.position("after") or 0
    all_of_viewer = [_as_of(one, now) for one in ledger.views.locations(dag_ids)]
    found = [one for one in all_of_viewer if begins is None or one.location_id.startswith(begins)]
    found.sort(key=_left)
    shown = [replace(one, by_hour=_whole_day(one.by_hour, now)) for one in found[after : after + _PAGE]]
    return {
        "locations": shown,
        "older": after + _PAGE if after + _PAGE < len(found) else None,
        "is_cut": len(found) > len(shown),
        "is_first_page": not after,
        "chosen": begins,
        "is_about": sum(one.relations + one.keys for one in found) >= _COUNTED,
        "now": now,
    }


def _as_of(location: LocationView, now: float) -> LocationView:
    """Without what was left of a day that is over: of the new one HighLevel has said nothing yet."""
    is_over = location.resets_at is not None and location.resets_at <= now
    return replace(location, daily_left=None) if is_over else location


def _whole_day(points: Sequence[RatePoint], now: float) -> tuple[RatePoint, ...]:
    """The last 24 hours, those without a request included."""
    known = {int(point.at // _HOUR): point for point in points}
    last = int(now // _HOUR)
    return tuple(known.get(at) or RatePoint(at * _HOUR, _HOUR, 0, 0) for at in range(last - 23, last + 1))


def _left(location: LocationView) -> tuple[float, int]:
    """The share of its day that is left; where that is not known, it comes after the others, with most requests first."""
    if location.daily_limit and location.daily_left is not None:
        return location.daily_left / location.daily_limit, 0
    return 2.0, -location.requests_today
