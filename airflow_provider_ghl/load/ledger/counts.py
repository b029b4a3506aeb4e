"""What is counted while results are written, so that nobody has to count them: outcomes, and problems by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from airflow_provider_ghl.load.ledger.bulk import Insert
from airflow_provider_ghl.load.ledger.pairs import per_statement
from airflow_provider_ghl.load.ledger.schema import insert_for
from airflow_provider_ghl.load.ledger.tables import attempts, load_outcomes, loads, problems, results
from airflow_provider_ghl.load.outcome import rows_by_outcome
from airflow_provider_ghl.load.reasons import Problem, Problems

__all__ = ["add_to_problems", "note_outcomes", "outcomes_so_far", "problems_of_last", "problems_of_rows"]


def note_outcomes(connection: sa.Connection, load_number: int, counts: Mapping[str, Any]) -> None:
    """Note the outcomes of a load that has ended, in place of those that it had."""
    connection.execute(sa.delete(load_outcomes).where(load_outcomes.c.load == load_number))
    rows = [{"load": load_number, "outcome": name, "rows": count} for name, count in rows_by_outcome(counts).items()]
    if rows:
        connection.execute(sa.insert(load_outcomes), rows)


def problems_of_last(connection: sa.Connection, load_number: int, attempt_number: int) -> Problems | None:
    """The problems that a load has had, as long as no attempt has followed this one; else ``None``."""
    found = connection.execute(_PROBLEMS_OF_LAST, {"of": load_number, "attempt": attempt_number}).all()
    if not found:
        return None
    return Problems((number, Problem(*problem)) for number, *problem in found if number is not None)


def problems_of_rows(connection: sa.Connection, load_number: int, rows: Sequence[int]) -> dict[int, int | None]:
    """The numbers of the problems of those rows that have a result."""
    if connection.dialect.name != "sqlite":
        found: Iterable[Any] = connection.execute(_PROBLEMS_OF_ARRAY, {"of": load_number, "some": list(rows)})
        return {row: problem for row, problem in found}
    parts = (connection.execute(_PROBLEMS_OF_ROWS, {"of": load_number, "some": some}) for some in per_statement(rows))
    return {row: problem for part in parts for row, problem in part}


def add_to_problems(
    connection: sa.Connection, load_number: int, known: Problems, new: Iterable[int], old: Iterable[int | None]
) -> None:
    """Count rows.

    :param known: all problems that are named.
    :param new: the problem of each row that was written.
    :param old: the problems that these rows had.
    """
    change, named = Counter(new), known.all
    change.subtract(number for number in old if number in named)
    changed = [
        {"load": load_number, "number": number, "rows": rows, **named[number]._asdict()}
        for number, rows in sorted(change.items())
        if rows
    ]
    if changed:
        connection.execute(_add_problems(connection.dialect.name), changed)


# Statements are built once, which takes longer than to run them: they are run with each hundred rows.
def _problems_of_last() -> sa.Select[Any]:
    later = sa.exists().where(attempts.c.load == sa.bindparam("of"), attempts.c.number > sa.bindparam("attempt"))
    joined = sa.outerjoin(loads, problems, problems.c.load == loads.c.number)
    chosen = sa.select(problems.c.number, problems.c.outcome, problems.c.status_code, problems.c.reason).select_from(joined)
    return chosen.where(loads.c.number == sa.bindparam("of"), ~later)


_PROBLEMS_OF_LAST = _problems_of_last()
_OF_LOAD = sa.select(results.c.row, results.c.problem).where(results.c.load == sa.bindparam("of"))
_PROBLEMS_OF_ROWS = _OF_LOAD.where(results.c.row.in_(sa.bindparam("some", expanding=True)))
_ARRAY = postgresql.ARRAY(sa.BigInteger)
_PROBLEMS_OF_ARRAY = _OF_LOAD.where(results.c.row == sa.any_(sa.cast(sa.bindparam("some", type_=_ARRAY), _ARRAY)))


@cache
def _add_problems(dialect: str) -> Insert:
    insert = insert_for(dialect, problems).values({column.name: sa.bindparam(column.name) for column in problems.c})
    added = {"rows": problems.c.rows + insert.excluded.rows}
    return insert.on_conflict_do_update(index_elements=[problems.c.load, problems.c.number], set_=added)


def outcomes_so_far(connection: sa.Connection, numbers: Sequence[int]) -> dict[int, dict[str, int]]:
    """The results of each load by outcome, as far as they are written."""
    counts: dict[int, dict[str, int]] = {number: {} for number in numbers}
    counted = sa.select(problems.c.load, problems.c.outcome, sa.func.sum(problems.c.rows))
    counted = counted.group_by(problems.c.load, problems.c.outcome).where(problems.c.load.in_(numbers))
    # What releases before version 3 wrote was not counted.
    others = sa.select(results.c.load, results.c.outcome, sa.func.count()).group_by(results.c.load, results.c.outcome)
    others = others.where(results.c.load.in_(numbers), results.c.problem.is_(None))
    for number, outcome, rows in [*connection.execute(counted), *connection.execute(others)]:
        if rows > 0:
            counts[number][outcome] = counts[number].get(outcome, 0) + int(rows)
    return counts
