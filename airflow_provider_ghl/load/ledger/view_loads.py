"""Which loads a viewer asks for, as queries; and what they were, day by day."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.load_ids import SEVERAL, LoadId
from airflow_provider_ghl.load.ledger.load_summaries import load_summaries, running_loads
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import load_locations, load_outcomes, loads, problems
from airflow_provider_ghl.load.ledger.view_values import DayOutcomes, EarlierLoad, LoadView, ViewFilter
from airflow_provider_ghl.load.outcome import rows_by_outcome

__all__ = ["chosen_loads", "earlier_loads", "matching", "outcomes_by_day", "values_of_loads"]

_OPEN = ("running", "lost")
_DAY = 86_400
#: The largest number that a load may have.
_LARGEST = 2**31 - 1


def matching(connection: sa.Connection, wanted: ViewFilter, now: float, here: Process) -> sa.ColumnElement[bool]:
    """A condition on ``ghl_loads``.

    :param now: unix seconds by the database's clock.
    :param here: the process that asks.
    """
    conditions = [_of_dags(connection, wanted.dag_ids)]
    if wanted.dag_id is not None:
        conditions.append(loads.c.dag_id == wanted.dag_id)
    if wanted.association is not None:
        conditions.append(loads.c.association == wanted.association)
    if wanted.location_id is not None:
        of_location = sa.select(load_locations.c.load).where(load_locations.c.location_id == wanted.location_id)
        conditions.append(loads.c.number.in_(of_location))
    if wanted.outcome is not None:
        conditions.append(_has_outcome(wanted.outcome))
    if wanted.state is not None:
        conditions.append(_is_in_state(connection, wanted.state, now, here))
    return sa.and_(sa.true(), *conditions)


def chosen_loads(condition: sa.ColumnElement[bool], before: int | None, limit: int) -> sa.Select[Any]:
    """The newest loads that match, newest first."""
    # Only numbers at first: with all columns, a database would carry summaries along while it sorts.
    is_before = sa.true() if before is None or before > _LARGEST else loads.c.number < before
    numbers = sa.select(loads.c.number).where(condition, is_before).order_by(loads.c.number.desc()).limit(limit)
    return sa.select(loads).where(loads.c.number.in_(numbers)).order_by(loads.c.number.desc())


def values_of_loads(connection: sa.Connection, query: sa.Select[Any], now: float, here: Process) -> list[LoadView]:
    """The loads of a query. Parameters as in :func:`matching`."""
    return [_value(load) for load in load_summaries(connection, query, now, here)]


def earlier_loads(connection: sa.Connection, number: int, limit: int, now: float, here: Process) -> list[EarlierLoad]:
    """The loads before this one that load the same table, newest first. Other parameters as in :func:`matching`."""
    mine = connection.execute(
        sa.select(loads.c.load_id, loads.c.dag_id, loads.c.series).where(loads.c.number == number)
    ).first()
    if mine is None:
        return []
    # The DAG has an index, and answers alone where loads are of version 1, which noted no series.
    is_earlier = sa.and_(loads.c.dag_id == mine.dag_id, loads.c.number < number)
    is_of_series = sa.and_(loads.c.series.is_(None), _is_of_task(mine.load_id))
    if mine.series is not None:
        is_of_series = sa.or_(loads.c.series == mine.series, is_of_series)
    # Neither counts nor messages, which are long where a load has many locations.
    asked = sa.select(loads.c.number, loads.c.end, loads.c.chain_began).where(is_earlier, is_of_series)
    found = connection.execute(asked.order_by(loads.c.number.desc()).limit(limit)).all()
    running = running_loads(connection, [one.number for one in found if one.end is None], now, here)
    return [
        EarlierLoad(one.number, one.end or ("running" if one.number in running else "lost"), one.chain_began) for one in found
    ]


def outcomes_by_day(connection: sa.Connection, condition: sa.ColumnElement[bool], days: int, now: float) -> list[DayOutcomes]:
    """The loads that match and began on the last days, today included; oldest first."""
    today = int(now // _DAY)
    day = _day(connection, loads.c.chain_began).label("day")
    is_late = loads.c.chain_began >= (today - days + 1) * _DAY
    recent = sa.select(loads.c.number, day).where(condition, is_late).subquery()
    counted = connection.execute(sa.select(recent.c.day, sa.func.count()).group_by(recent.c.day))
    how_many = {number: int(count) for number, count in counted}
    by_day: dict[int, dict[str, int]] = {number: {} for number in how_many}
    for rows in _rows_of_loads():
        asked = sa.select(recent.c.day, rows.c.outcome, sa.func.sum(rows.c.rows))
        joined = asked.select_from(recent.join(rows, rows.c.load == recent.c.number))
        for number, outcome, count in connection.execute(joined.group_by(recent.c.day, rows.c.outcome)):
            if count > 0:
                by_day[number][outcome] = by_day[number].get(outcome, 0) + int(count)
    return [
        DayOutcomes(_iso(number), how_many.get(number, 0), by_day.get(number, {}))
        for number in range(today - days + 1, max([today, *how_many]) + 1)
    ]


def _rows_of_loads() -> Iterator[Any]:
    """What is counted of loads: of those that have ended, and of the others."""
    yield sa.select(load_outcomes.c.load, load_outcomes.c.outcome, load_outcomes.c.rows).subquery()
    has_ended = sa.exists().where(load_outcomes.c.load == problems.c.load)
    yield sa.select(problems.c.load, problems.c.outcome, problems.c.rows).where(~has_ended).subquery()


def _day(connection: sa.Connection, moment: sa.ColumnElement[float]) -> sa.ColumnElement[int]:
    days = moment / _DAY
    # SQLite may have no floor, and cuts; PostgreSQL would round.
    return sa.cast(days if connection.dialect.name == "sqlite" else sa.func.floor(days), sa.Integer)


def _of_dags(connection: sa.Connection, dag_ids: Collection[str] | None) -> sa.ColumnElement[bool]:
    if dag_ids is None:
        return sa.true()
    # A viewer may read thousands of DAGs; those that load are few.
    known = connection.scalars(sa.select(loads.c.dag_id).distinct()).all()
    return loads.c.dag_id.in_(sorted(set(dag_ids).intersection(one for one in known if one is not None)))


def _is_of_task(load_id: str) -> sa.ColumnElement[bool]:
    """Whether a load of the same DAG is one of the same task and map index, by how its id ends."""
    parts = LoadId.parse(load_id)
    end = f"/{parts.task_id}/{parts.map_index}"
    # No LIKE: to SQLite it says that "Task" is "task".
    return sa.func.substr(loads.c.load_id, sa.func.length(loads.c.load_id) - (len(end) - 1)) == end


def _has_outcome(outcome: str) -> sa.ColumnElement[bool]:
    of_end = sa.select(load_outcomes.c.load).where(load_outcomes.c.outcome == outcome, load_outcomes.c.rows > 0)
    so_far = sa.select(problems.c.load).where(problems.c.outcome == outcome, problems.c.rows > 0)
    return sa.or_(loads.c.number.in_(of_end), loads.c.number.in_(so_far))


def _is_in_state(connection: sa.Connection, state: str, now: float, here: Process) -> sa.ColumnElement[bool]:
    if state not in _OPEN:
        return loads.c.end == state
    not_ended = connection.scalars(sa.select(loads.c.number).where(loads.c.end.is_(None))).all()
    running = running_loads(connection, not_ended, now, here)
    return loads.c.number.in_(sorted(running if state == "running" else set(not_ended) - running))


def _value(load: Mapping[str, Any]) -> LoadView:
    parts = LoadId.parse(load["load_id"])
    return LoadView(
        number=load["number"],
        load_id=load["load_id"],
        dag_id=parts.dag_id,
        run_id=parts.run_id,
        task_id=parts.task_id,
        map_index=parts.map_index,
        location_id=None if load["location_id"] == SEVERAL else load["location_id"],
        association=load["association"],
        state=load["state"],
        began=load["began"],
        updated=load["updated"],
        tries=load["tries"],
        requests=load["requests"],
        rate_limited=load["rate_limited"],
        message=load["message"],
        counts=load["counts"],
        outcomes=rows_by_outcome(load["counts"]) if load["counts"] else load["counts_so_far"] or {},
        total=load["total"],
    )


def _iso(day: int) -> str:
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=day)).date().isoformat()
