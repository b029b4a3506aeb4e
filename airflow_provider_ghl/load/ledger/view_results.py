"""Results of one load: a page of them, by row; and those that failed, by reason."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.pairs import per_statement
from airflow_provider_ghl.load.ledger.tables import problems, results
from airflow_provider_ghl.load.ledger.view_values import ProblemGroup, ResultPage
from airflow_provider_ghl.load.outcome import FAILURES
from airflow_provider_ghl.load.reasons import OTHERS, Problem, Problems

__all__ = ["problem_groups", "result_page"]

#: Row keys that begin alike, up to which it is worth sorting them by row. More of them stand close together.
_FEW = 50_000
_LARGEST_ROW = 2**63 - 1
#: Beyond any character of JSON's ASCII.
_AFTER_ALL = "\x7f"
_FIELDS = [column for column in results.c if column.name not in ("load", "problem")]
_UNCOUNTED_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class _Way:
    """One way in which results match.

    :param row: their number, as they are sorted by it.
    """

    condition: sa.ColumnElement[bool]
    row: sa.ColumnElement[int] = results.c.row


def result_page(
    connection: sa.Connection, load_number: int, search: str, outcome: str | None, after: int, limit: int
) -> ResultPage:
    """See :meth:`~airflow_provider_ghl.load.ledger.views.LedgerViews.results`."""
    of_load = results.c.load == load_number
    # Each way to match has an index of its own, and is asked for alone: with several at once a database may read all rows.
    if search:
        ways = _ways_to_match(connection, load_number, search)
        also = sa.true() if outcome is None else results.c.outcome == outcome
    else:
        ways = [_Way(sa.true())] if outcome is None else _ways_to_have(connection, load_number, outcome)
        also = sa.true()
    numbers: set[int] = set()
    for way in ways:
        asked = sa.select(results.c.row).where(of_load, way.condition, also, way.row > after)
        numbers.update(connection.scalars(asked.order_by(way.row).limit(limit + 1)))
    some = sorted(numbers)[: limit + 1]
    rows = _fetch(connection, load_number, some[:limit])
    return ResultPage(rows, some[limit - 1] if len(some) > limit else None)


def problem_groups(connection: sa.Connection, load_number: int, first: int) -> list[ProblemGroup]:
    """See :meth:`~airflow_provider_ghl.load.ledger.views.LedgerViews.problems`."""
    chosen = sa.select(problems).where(problems.c.load == load_number)
    counted = connection.execute(chosen).all()
    known = Problems((one.number, Problem(one.outcome, one.status_code, one.reason)) for one in counted)
    rows = {one.number: int(one.rows) for one in counted}
    first_rows: dict[int, list[int]] = {}
    _count_uncounted(connection, load_number, known, rows, first_rows, first)
    groups = []
    for number, problem in known.all.items():
        if rows[number] <= 0 or problem.outcome not in FAILURES:
            continue
        of_problem = sa.select(results.c.row).where(results.c.load == load_number, results.c.problem == number)
        early = connection.scalars(of_problem.order_by(results.c.row).limit(first)).all()
        together = sorted([*early, *first_rows.get(number, [])])[:first]
        groups.append((problem, rows[number], together))
    # Equal ones in an order that stays.
    groups.sort(key=lambda group: (-group[1], group[0].reason == OTHERS, group[0].outcome, str(group[0])))
    fetched = {row["row"]: row for row in _fetch(connection, load_number, [row for *_, some in groups for row in some])}
    return [
        # A new attempt may have deleted some meanwhile.
        ProblemGroup(one.outcome, one.status_code, one.reason or "", count, tuple(filter(None, map(fetched.get, some))))
        for one, count, some in groups
    ]


def _count_uncounted(
    connection: sa.Connection,
    load_number: int,
    known: Problems,
    rows: dict[int, int],
    first_rows: dict[int, list[int]],
    first: int,
) -> None:
    """Count what releases before version 3 wrote.

    :param rows: gets the numbers of rows.
    :param first_rows: gets the first rows of each, so many.
    """
    if not _has_uncounted(connection, load_number):
        return
    names = ("row", "outcome", "status_code", "reason", "first_record_id", "second_record_id")
    asked = sa.select(*(results.c[name] for name in names)).where(results.c.load == load_number, results.c.problem.is_(None))
    asked = asked.order_by(results.c.row).limit(_UNCOUNTED_PAGE)
    last = -1
    while page := connection.execute(asked.where(results.c.row > last)).mappings().all():
        for result in page:
            number = known.number(dict(result))
            rows[number] = rows.get(number, 0) + 1
            early = first_rows.setdefault(number, [])
            if len(early) < first:
                early.append(result["row"])
        last = page[-1]["row"]


def _has_uncounted(connection: sa.Connection, load_number: int) -> bool:
    """Whether the load has results that a release before version 3 wrote."""
    one = sa.select(sa.literal(1)).where(results.c.load == load_number, results.c.problem.is_(None)).limit(1)
    return connection.execute(one).first() is not None


def _ways_to_have(connection: sa.Connection, load_number: int, outcome: str) -> list[_Way]:
    of_outcome = sa.select(problems.c.number).where(problems.c.load == load_number, problems.c.outcome == outcome)
    ways = [_Way(results.c.problem == number) for number in connection.scalars(of_outcome)]
    if _has_uncounted(connection, load_number):
        ways.append(_Way(sa.and_(results.c.problem.is_(None), results.c.outcome == outcome)))
    return ways


def _ways_to_match(connection: sa.Connection, load_number: int, search: str) -> list[_Way]:
    ways = [_Way(results.c.first_record_id == search), _Way(results.c.second_record_id == search)]
    beginnings = [json.dumps(search)[:-1]]
    if _is_number(search):
        beginnings.append(search)
        if 0 <= int(search) <= _LARGEST_ROW:
            ways.append(_Way(results.c.row == int(search)))
    for beginning in beginnings:
        begins = _begins_with(connection, beginning)
        if _are_few(connection, load_number, begins):
            # "+ 0" keeps a database from going through all rows in their order.
            ways.append(_Way(begins, results.c.row + 0))
        else:
            ways.append(_Way(sa.func.substr(results.c.row_key, 1, len(beginning)) == beginning))
    return ways


def _begins_with(connection: sa.Connection, beginning: str) -> sa.ColumnElement[bool]:
    key, end = results.c.row_key, beginning + _AFTER_ALL
    if connection.dialect.name == "sqlite":
        return sa.and_(key >= beginning, key < end, key.is_not(None))
    # The operators of the index, which compare characters by their numbers.
    return sa.and_(key.op("~>=~", is_comparison=True)(beginning), key.op("~<~", is_comparison=True)(end), key.is_not(None))


def _are_few(connection: sa.Connection, load_number: int, condition: sa.ColumnElement[bool]) -> bool:
    some = sa.select(sa.literal(1).label("one")).where(results.c.load == load_number, condition).limit(_FEW)
    return connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one() < _FEW


def _is_number(search: str) -> bool:
    digits = search.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 19


def _fetch(connection: sa.Connection, load_number: int, numbers: Sequence[int]) -> tuple[Mapping[str, object], ...]:
    found: list[Mapping[str, object]] = []
    for some in per_statement(numbers):
        asked = sa.select(*_FIELDS).where(results.c.load == load_number, results.c.row.in_(some)).order_by(results.c.row)
        for row in connection.execute(asked).mappings():
            found.append({**row, "row_key": None if row["row_key"] is None else json.loads(row["row_key"])})
    return tuple(found)
