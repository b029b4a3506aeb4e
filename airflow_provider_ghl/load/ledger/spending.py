"""What loads spend: requests by spans of a load, and by hours and days of a location, against its quota."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.bulk import BulkRows, Insert
from airflow_provider_ghl.load.ledger.schema import insert_for
from airflow_provider_ghl.load.ledger.tables import attempts, hours, load_locations, quotas, spans

__all__ = ["DAY", "HOUR", "SPAN", "Spending", "forget_requests", "note_locations", "note_quotas", "note_span"]

#: Seconds.
SPAN = 10
HOUR = 3_600
DAY = 86_400
#: How long they are kept: spans; hours, of which a page shows a day; days of locations that are sent nothing any more.
_SPANS_KEPT, _HOURS_KEPT, _DAYS_KEPT = timedelta(days=7), timedelta(days=2), timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Spending:
    """What was sent to one location since the last note of it, and what HighLevel's headers said last.

    :param resets_in: seconds until the location's day is over, from now on; ``None`` where HighLevel did not say.
    :param seen_ago: seconds since HighLevel said so; ``None`` where it never did.
    """

    location_id: str
    requests: int
    rate_limited: int
    daily_limit: int | None = None
    daily_left: int | None = None
    resets_in: float | None = None
    seen_ago: float | None = None


def note_span(connection: sa.Connection, attempt_number: int, now: float, spent: tuple[int, int, int]) -> None:
    """Note what was spent since the attempt's totals were written, before they are written anew: so twice is as good as once.

    :param spent: requests, retries and 429s of the attempt so far.
    """
    values = {"of": attempt_number, "begin": int(now // SPAN) * SPAN, "sent": spent[0], "refused": spent[2]}
    connection.execute(_add_span(connection.dialect.name), values)


@cache
def _add_span(dialect: str) -> Insert:
    requests = sa.bindparam("sent", type_=sa.Integer) - attempts.c.requests
    limited = sa.bindparam("refused", type_=sa.Integer) - attempts.c.rate_limited
    since = sa.select(attempts.c.load, sa.bindparam("begin", type_=sa.BigInteger), requests, limited)
    since = since.where(attempts.c.number == sa.bindparam("of"), sa.or_(requests > 0, limited > 0))
    insert = insert_for(dialect, spans).from_select(["load", "at", "requests", "rate_limited"], since)
    return insert.on_conflict_do_update(index_elements=[spans.c.load, spans.c.at], set_=_added(spans, insert))


def note_locations(connection: sa.Connection, load_number: int, location_ids: Collection[str]) -> None:
    """Note that rows of a load name these locations."""
    rows = BulkRows(connection, load_locations, {"location_id": sorted(location_ids)})
    rows.run(rows.insert(load=load_number).on_conflict_do_nothing())


def note_quotas(connection: sa.Connection, load_number: int, host: str, now: float, spendings: Sequence[Spending]) -> None:
    """Count the requests of locations, and note what HighLevel said of their days.

    :param host: base URL of the API.
    :param now: unix seconds by the database's clock.
    """
    # Everybody takes rows in one order, so that on PostgreSQL no two wait for each other.
    ordered = sorted(spendings, key=lambda one: one.location_id)
    _note_hours(connection, host, int(now // HOUR) * HOUR, ordered)
    _note_days(connection, load_number, host, now, ordered)


def _note_hours(connection: sa.Connection, host: str, at: int, sent: Sequence[Spending]) -> None:
    columns = {name: [getattr(one, name) for one in sent] for name in ("location_id", "requests", "rate_limited")}
    rows = BulkRows(connection, hours, columns)
    insert = rows.insert(host=host, at=at)
    key = [hours.c.host, hours.c.location_id, hours.c.at]
    rows.run(insert.on_conflict_do_update(index_elements=key, set_=_added(hours, insert)))


def _note_days(connection: sa.Connection, load_number: int, host: str, now: float, spendings: Sequence[Spending]) -> None:
    columns: dict[str, list[Any]] = {
        name: [getattr(one, name) for one in spendings] for name in ("location_id", "requests", "daily_limit", "daily_left")
    }
    columns["resets_at"] = [None if one.resets_in is None else now + one.resets_in for one in spendings]
    columns["seen"] = [None if one.seen_ago is None else now - one.seen_ago for one in spendings]
    rows = BulkRows(connection, quotas, columns)
    insert = rows.insert(host=host, load=load_number, noted=now)
    said = insert.excluded
    # Where HighLevel did not say when a day ends, its requests are counted on: the hours tell those of 24 hours.
    is_newer = sa.and_(said.seen.is_not(None), sa.or_(quotas.c.seen.is_(None), said.seen >= quotas.c.seen))
    # HighLevel's clock may be ahead of ours. What was noted after the end of a day is of the next one already.
    is_over = sa.or_(quotas.c.resets_at <= now, sa.and_(is_newer, said.resets_at > quotas.c.resets_at + HOUR))
    is_another_day = sa.and_(quotas.c.noted < quotas.c.resets_at, is_over)
    change: dict[str, Any] = {
        "load": said.load,
        "noted": said.noted,
        "requests": sa.case((is_another_day, said.requests), else_=quotas.c.requests + said.requests),
    }
    for name in ("daily_limit", "daily_left", "resets_at", "seen"):
        change[name] = sa.case((is_newer, said[name]), else_=quotas.c[name])
    rows.run(insert.on_conflict_do_update(index_elements=[quotas.c.host, quotas.c.location_id], set_=change))


def forget_requests(connection: sa.Connection, now: float) -> None:
    """Delete what is too old to be shown."""
    connection.execute(sa.delete(spans).where(spans.c.at < now - _SPANS_KEPT.total_seconds()))
    connection.execute(sa.delete(hours).where(hours.c.at < now - _HOURS_KEPT.total_seconds()))
    connection.execute(sa.delete(quotas).where(quotas.c.noted < now - _DAYS_KEPT.total_seconds()))


def _added(table: sa.Table, insert: Any) -> dict[str, Any]:
    return {name: table.c[name] + insert.excluded[name] for name in ("requests", "rate_limited")}
