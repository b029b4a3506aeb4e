"""What a page shows of loads. It only reads, and counts nothing that was counted when it was written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.spending import SPAN
from airflow_provider_ghl.load.ledger.tables import attempts, load_locations, loads, spans
from airflow_provider_ghl.load.ledger.view_deletions import deletion_groups, deletion_rows
from airflow_provider_ghl.load.ledger.view_loads import (
    chosen_loads,
    earlier_loads,
    matching,
    outcomes_by_day,
    values_of_loads,
)
from airflow_provider_ghl.load.ledger.view_locations import location_views
from airflow_provider_ghl.load.ledger.view_results import problem_groups, result_page
from airflow_provider_ghl.load.ledger.view_values import (
    DayOutcomes,
    DeletionGroup,
    EarlierLoad,
    LoadView,
    LocationView,
    ProblemGroup,
    RatePoint,
    ResultPage,
    ViewFilter,
)

__all__ = [
    "DayOutcomes",
    "DeletionGroup",
    "EarlierLoad",
    "LedgerViews",
    "LoadView",
    "LocationView",
    "ProblemGroup",
    "RatePoint",
    "ResultPage",
    "ViewFilter",
]

#: Points that a diagram of a load's requests has at most.
_MOST_POINTS = 120
#: Results that are read at once where all are wanted.
_PAGE = 1_000
_LARGEST = 2**31 - 1


class LedgerViews:
    """What a page shows. Every method raises ``LedgerError`` where the database fails.

    Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger` and
    :class:`~airflow_provider_ghl.load.ledger.reader.LedgerReader`.
    """

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    def loads(self, wanted: ViewFilter, *, before: int | None = None, limit: int = 50) -> list[LoadView]:
        """The newest loads that match, newest first.

        :param before: only loads with smaller numbers: the last one of the page before.
        """

        def look(connection: sa.Connection) -> list[LoadView]:
            now = self._database.now(connection)
            chosen = chosen_loads(matching(connection, wanted, now, self._process), before, limit)
            return values_of_loads(connection, chosen, now, self._process)

        return self._database.read(look)

    def load(self, number: int) -> LoadView | None:
        """The load with this number."""
        return self._one(loads.c.number == number) if 0 <= number <= _LARGEST else None

    def find(self, load_id: str) -> LoadView | None:
        """The load with this id."""
        return self._one(loads.c.load_id == load_id)

    def before(self, number: int, limit: int) -> list[EarlierLoad]:
        """The loads before this one of the same task (and map index), newest first. Of other tasks of its DAG none is read."""

        def look(connection: sa.Connection) -> list[EarlierLoad]:
            return earlier_loads(connection, number, limit, self._database.now(connection), self._process)

        return self._database.read(look)

    def choices(self, dag_ids: frozenset[str] | None) -> Mapping[str, list[str]]:
        """What there is to filter loads by: ``dag_id``, ``location_id`` and ``association``, each sorted.

        :param dag_ids: as in :class:`ViewFilter`.
        """

        def look(connection: sa.Connection) -> dict[str, list[str]]:
            is_shown = self._is_shown(connection, dag_ids)
            of_locations = sa.select(load_locations.c.location_id)
            if dag_ids is not None:  # else its index answers alone
                of_locations = of_locations.join(loads, loads.c.number == load_locations.c.load).where(is_shown)
            asked = {
                "dag_id": sa.select(loads.c.dag_id).where(is_shown),
                "location_id": of_locations,
                "association": sa.select(loads.c.association).where(is_shown),
            }
            return {name: sorted(filter(None, connection.scalars(query.distinct()))) for name, query in asked.items()}

        return self._database.read(look)

    def problems(self, number: int, first: int = 5) -> list[ProblemGroup]:
        """The rows of a load that failed, by reason; the commonest first.

        At most 50 reasons are told apart; rows with others are together, as "other reasons" of their outcome.

        :param first: how many of its first rows each reason has.
        """
        return self._database.read(lambda connection: problem_groups(connection, number, first))

    def results(
        self, number: int, *, search: str = "", outcome: str | None = None, after: int = -1, limit: int = 100
    ) -> ResultPage:
        """What is kept of a load's rows, by row. To go through all pages neither skips nor repeats a row, while others come.

        :param search: a row's number, its key, or the id of one of its records, each as a whole; or how its key begins. Case
            counts.
        :param after: only rows with greater numbers.
        """
        search = search.strip()
        return self._database.read(lambda connection: result_page(connection, number, search, outcome, after, limit))

    def all_results(self, number: int, *, search: str = "", outcome: str | None = None) -> Iterator[Mapping[str, object]]:
        """The same, all of them, read as they are asked for: no transaction stays open meanwhile.

        :raises LedgerError: also where the load begins another attempt meanwhile, which deletes the rest of them.
        """
        search = search.strip()
        last = sa.select(sa.func.max(attempts.c.number)).where(attempts.c.load == number)

        def look(connection: sa.Connection, after: int) -> tuple[int | None, ResultPage]:
            attempt = connection.execute(last).scalar()
            return attempt, result_page(connection, number, search, outcome, after, _PAGE)

        attempt, page = self._database.read(partial(look, after=-1))
        yield from page.rows
        while page.next_after is not None:
            now, page = self._database.read(partial(look, after=page.next_after))
            if now != attempt:
                raise LedgerError(f"load {number} has begun another attempt: the results of the one before are gone")
            yield from page.rows

    def rate(self, number: int) -> list[RatePoint]:
        """Requests over the time of a load, without gaps, in spans of ten seconds or of a multiple of that; kept for days."""
        of_load = spans.c.load == number

        def look(connection: sa.Connection) -> list[RatePoint]:
            began, last = connection.execute(sa.select(sa.func.min(spans.c.at), sa.func.max(spans.c.at)).where(of_load)).one()
            if began is None:
                return []
            count = (last - began) // SPAN + 1
            seconds = SPAN * -(-count // _MOST_POINTS)
            at = ((spans.c.at - began) // sa.literal_column(str(seconds), sa.BigInteger)).label("point")
            sums = sa.select(at, sa.func.sum(spans.c.requests), sa.func.sum(spans.c.rate_limited))
            found = {point: sums for point, *sums in connection.execute(sums.where(of_load).group_by(sa.literal_column("1")))}
            return [
                RatePoint(float(began + point * seconds), float(seconds), *map(int, found.get(point, (0, 0))))
                for point in range(-(-count * SPAN // seconds))
            ]

        return self._database.read(look)

    def outcomes_by_day(self, wanted: ViewFilter, days: int = 31) -> list[DayOutcomes]:
        """Rows by outcome of the loads that match, by the day on which they began: oldest first, days without loads included.

        :param days: today and the days before it.
        """

        def look(connection: sa.Connection) -> list[DayOutcomes]:
            now = self._database.now(connection)
            return outcomes_by_day(connection, matching(connection, wanted, now, self._process), days, now)

        return self._database.read(look)

    def locations(self, dag_ids: frozenset[str] | None) -> list[LocationView]:
        """The locations that loads of these DAGs had, sorted by host and location.

        Their requests and what is known of them are those of all loads, whatever their DAG: that is what the quota counts.

        :param dag_ids: as in :class:`ViewFilter`; ``None``: all locations that the ledger knows.
        """

        def look(connection: sa.Connection) -> list[LocationView]:
            is_shown = None if dag_ids is None else self._is_shown(connection, dag_ids)
            return location_views(connection, is_shown, self._database.now(connection))

        return self._database.read(look)

    def deletions(self, number: int, limit: int = 1000, why: str | None = None) -> list[Mapping[str, object]]:
        """What a mirror or an undo deleted, or was to delete, in the order in which that was noted.

        :param why: ``mirror`` or ``undo``; ``None``: both.
        """
        return self._database.read(lambda connection: deletion_rows(connection, number, why, limit))

    def deletion_groups(self, number: int) -> list[DeletionGroup]:
        """How many that were; the mirror's before those of an undo. Of neither: an empty list."""
        return self._database.read(lambda connection: deletion_groups(connection, number))

    def _one(self, condition: sa.ColumnElement[bool]) -> LoadView | None:
        def look(connection: sa.Connection) -> list[LoadView]:
            now = self._database.now(connection)
            return values_of_loads(connection, sa.select(loads).where(condition), now, self._process)

        return next(iter(self._database.read(look)), None)

    def _is_shown(self, connection: sa.Connection, dag_ids: frozenset[str] | None) -> Any:
        return matching(connection, ViewFilter(dag_ids=dag_ids), self._database.now(connection), self._process)
