"""What was sent to each location, against its quota, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.pieces import count_in_all
from airflow_provider_ghl.load.ledger.spending import DAY, HOUR
from airflow_provider_ghl.load.ledger.tables import (
    THERE,
    hours,
    load_locations,
    loads,
    lookups,
    quotas,
    record_keys,
    relations,
    targets,
)
from airflow_provider_ghl.load.ledger.view_values import LocationView, RatePoint

__all__ = ["location_views"]

#: Host and location.
_Place = tuple[str, str]


def location_views(connection: sa.Connection, of_viewer: sa.ColumnElement[bool] | None, now: float) -> list[LocationView]:
    """All locations that the ledger knows, sorted.

    :param of_viewer: a condition on ``ghl_loads``: only locations that such loads had; ``None``: all.
    :param now: unix seconds by the database's clock.
    """
    last_loads = _last_loads(connection, sa.true() if of_viewer is None else of_viewer)
    quota_by_place = {(one.host, one.location_id): one for one in connection.execute(sa.select(quotas))}
    by_hour = _by_hour(connection, now)
    there = relations.c.state == THERE
    known = _counts(connection, targets, relations.c.target_id, relations.c.pair, there)
    keys = _counts(connection, lookups, record_keys.c.lookup_id, record_keys.c.key, sa.true())
    places = {*quota_by_place, *by_hour, *known, *keys}
    views = []
    for place in sorted(places):
        host, location_id = place
        if of_viewer is not None and location_id not in last_loads:
            continue
        quota, points = quota_by_place.get(place), by_hour.get(place, ())
        views.append(
            LocationView(
                host,
                location_id,
                _requests_today(quota, points, now),
                points,
                None if quota is None else quota.daily_limit,
                None if quota is None else quota.daily_left,
                None if quota is None else quota.resets_at,
                None if quota is None else quota.seen,
                known.get(place, 0),
                keys.get(place, 0),
                last_loads.get(location_id),
            )
        )
    return views


def _last_loads(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> dict[str, int]:
    joined = sa.join(load_locations, loads, loads.c.number == load_locations.c.load)
    latest = sa.select(load_locations.c.location_id, sa.func.max(load_locations.c.load)).select_from(joined)
    return {
        location_id: int(number)
        for location_id, number in connection.execute(latest.where(condition).group_by(load_locations.c.location_id))
    }


def _by_hour(connection: sa.Connection, now: float) -> dict[_Place, tuple[RatePoint, ...]]:
    first = int(now // HOUR) * HOUR - DAY + HOUR
    found: dict[_Place, list[RatePoint]] = {}
    for one in connection.execute(sa.select(hours).where(hours.c.at >= first).order_by(hours.c.at)):
        found.setdefault((one.host, one.location_id), []).append(
            RatePoint(float(one.at), float(HOUR), one.requests, one.rate_limited)
        )
    return {place: tuple(points) for place, points in found.items()}


def _requests_today(quota: sa.Row[Any] | None, points: tuple[RatePoint, ...], now: float) -> int:
    if quota is None or quota.resets_at is None:
        return sum(point.requests for point in points)
    if now >= quota.resets_at + DAY:  # HighLevel has named no day since, and none has ended what was counted
        return sum(point.requests for point in points)
    # Whose day is over has sent nothing since, or that was noted later and counted anew.
    return int(quota.requests) if now < quota.resets_at or quota.noted >= quota.resets_at else 0


def _counts(
    connection: sa.Connection, table: sa.Table, of: sa.Column[Any], key: sa.Column[Any], condition: sa.ColumnElement[bool]
) -> Mapping[_Place, int]:
    """How many rows each location has, whose rows belong to a row of a table with hosts and locations."""
    counts: dict[_Place, int] = {}
    by_id = count_in_all(connection, table, of, key, condition)
    for one in connection.execute(sa.select(table.c.id, table.c.host, table.c.location_id)):
        place = one.host, one.location_id
        counts[place] = counts.get(place, 0) + by_id[one.id]
    return counts
