"""What each load did: its attempts, how it ended, and the rows that were sent or have a problem."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.counts import note_outcomes
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.deletions import DONE
from airflow_provider_ghl.load.ledger.load_filter import LoadFilter
from airflow_provider_ghl.load.ledger.load_ids import SEVERAL, dag_id_of
from airflow_provider_ghl.load.ledger.load_summaries import load_summaries
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.pruning import Pruned, delete_results, prune
from airflow_provider_ghl.load.ledger.schema import insert_into
from airflow_provider_ghl.load.ledger.spending import Spending, note_locations, note_quotas, note_span
from airflow_provider_ghl.load.ledger.tables import approved_plans, attempts, deletions, loads, results, spans

__all__ = ["Attempt", "LedgerLoads", "beat", "is_last"]

_ALL = LoadFilter()
_PAGE = 1_000
_LARGEST = 2**31 - 1
#: A name for the class below, in which ``list`` is a method.
_Dicts = list[dict[str, Any]]
_SPENT = (attempts.c.requests, attempts.c.retries, attempts.c.rate_limited)


@dataclass(slots=True)
class Attempt:
    """One attempt of a load, as :meth:`LedgerLoads.begin` noted it. Moments are unix seconds by the database's clock."""

    load_number: int
    number: int
    load_id: str
    try_number: int
    #: When the chain began: the first attempt since the load last ended well.
    chain_began: float
    #: Whether there were earlier attempts in the chain.
    has_earlier: bool
    #: Requests, retries and 429s of earlier attempts of the same try, if this one resumes it; else zeros.
    spent_before: tuple[int, int, int]
    deferred_since: float | None
    began: float
    #: The load's place in its series: its number, or the one that it had first, if it had ended well and runs again.
    rank: int


class LedgerLoads:
    """The loads that the ledger remembers. Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    def begin(
        self,
        load_id: str,
        *,
        try_number: int,
        is_resumed: bool,
        location_id: str,
        association: str,
        series: str | None = None,
        total: int | None = None,
    ) -> Attempt:
        """Note a new attempt of a load.

        The results of its earlier attempts are deleted, since each attempt accounts for every row anew. If the load is new or
        last ended well, a chain of attempts begins and gets a number of its own: what an earlier chain made was there before.

        :param association: its id or its key, as it was asked for.
        :param series: loads of one series load the same table, one after the other; ``None``: it belongs to none.
        :param total: about how many rows the source has, where that is known.
        """
        names = {"load_id": load_id, "location_id": location_id, "association": association, "series": series}
        begun: Attempt | None = None

        def work(connection: sa.Connection) -> Attempt:
            nonlocal begun
            # The server may have been lost in the commit of an earlier run, and the attempt may be noted all the same.
            if begun is None or not self._is_noted(connection, begun):
                begun = self._begin(connection, names, try_number, total, is_resumed=is_resumed)
            return begun

        return self._database.write(work)

    def beat(self, attempt: Attempt, requests: int, retries: int, rate_limited: int) -> None:
        """Say that the attempt is alive, and what it has spent so far."""
        spent = (requests, retries, rate_limited)
        self._database.write(lambda connection: beat(connection, attempt, self._database.now(connection), spent))

    def end(
        self,
        attempt: Attempt,
        *,
        end: str,
        message: str,
        counts: Mapping[str, Any],
        is_well: bool,
        is_deferred: bool = False,
    ) -> None:
        """Note how the attempt ended. An attempt that others have followed says nothing about the load any more.

        :param end: ``green``, ``retryable``, ``final`` or ``deferred``.
        :param counts: what JSON can hold.
        :param is_well: whether the chain is over, so that the next attempt begins another.
        """

        def note(connection: sa.Connection) -> None:
            now = self._database.now(connection)
            mine = sa.update(attempts).where(attempts.c.number == attempt.number)
            connection.execute(mine.values(ended=now, heartbeat=now))
            values: dict[str, Any] = {"end": end, "message": message, "counts": json.dumps(dict(counts)), "updated": now}
            values["ended_well"] = is_well
            if is_deferred:
                values["deferred_since"] = sa.func.coalesce(loads.c.deferred_since, now)
            if connection.execute(sa.update(loads).where(is_last(attempt)).values(values)).rowcount:
                note_outcomes(connection, attempt.load_number, counts)
            if is_well:
                connection.execute(sa.delete(approved_plans).where(approved_plans.c.load_id == attempt.load_id))

        self._database.write(note)

    def list(self, limit: int = 50, wanted: LoadFilter = _ALL) -> _Dicts:
        """The latest loads first: number, load_id, location_id, association, began, updated, state, tries, requests,
        rate_limited, counts, total (about how many rows the source has; ``None`` where that is not known).

        ``state`` is ``running``, ``lost`` (it has not ended, and is not alive), or how it ended. ``counts_so_far`` are the kept
        results by outcome of a load that has no ``counts``, since it has not ended or was broken off; else ``None``.
        """
        size = limit if wanted.states is None else _PAGE

        def look(connection: sa.Connection) -> _Dicts:
            found: _Dicts = []
            newest_first = sa.select(loads).where(wanted.condition()).order_by(loads.c.number.desc()).limit(size)
            page = newest_first
            while len(found) < limit:
                summaries = self._summaries(connection, page)
                found += [load for load in summaries if wanted.has_state(load["state"])]
                if len(summaries) < size:
                    break
                page = newest_first.where(loads.c.number < summaries[-1]["number"])
            return found[:limit]

        return self._database.read(look)

    def associations_by_key(self, key: str) -> set[tuple[str, str | None]]:
        """Location and association id, as the kept results have them, of loads that were asked for an association by this key.

        A load without such results gives its own location and ``None``. The key is compared without regard to case.
        """
        is_known = sa.and_(results.c.location_id.is_not(None), results.c.association_id.is_not(None))
        location_id = sa.func.coalesce(results.c.location_id, loads.c.location_id).label("location_id")
        of_loads = sa.select(location_id, results.c.association_id).select_from(
            sa.outerjoin(loads, results, sa.and_(results.c.load == loads.c.number, is_known))
        )
        asked = of_loads.where(sa.func.lower(loads.c.association) == key.lower()).distinct()
        return {(row["location_id"], row["association_id"]) for row in self._database.read(partial(_fetch_all, asked))}

    def find(self, id_or_number: str) -> dict[str, Any] | None:
        """One load as in :meth:`list`, with its ``message``: by its id, or by its number as text."""
        is_named = loads.c.load_id == id_or_number
        if id_or_number.isascii() and id_or_number.isdigit() and int(id_or_number) <= _LARGEST:
            is_named = sa.or_(is_named, loads.c.number == int(id_or_number))
        # An id that looks like a number comes first.
        named = sa.select(loads).where(is_named).order_by(sa.case((loads.c.load_id == id_or_number, 0), else_=1)).limit(1)
        found = self._database.read(lambda connection: self._summaries(connection, named))
        return found[0] if found else None

    def results(
        self, load_number: int, *, outcomes: Collection[str] | None = None, limit: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """What is kept of a load's rows, by row, read as it is asked for: no transaction stays open meanwhile.

        :param outcomes: only these.
        """
        columns = (column for column in results.c if column.name not in ("load", "problem"))
        chosen = sa.select(*columns).where(results.c.load == load_number)
        if outcomes is not None:
            chosen = chosen.where(results.c.outcome.in_(sorted(map(str, outcomes))))
        last, left = -1, limit
        while left is None or left > 0:
            size = _PAGE if left is None else min(_PAGE, left)
            page = chosen.where(results.c.row > last).order_by(results.c.row).limit(size)
            rows = self._database.read(partial(_fetch_all, page))
            for row in rows:
                yield {**row, "row_key": None if row["row_key"] is None else json.loads(row["row_key"])}
            if len(rows) < size:
                return
            last, left = rows[-1]["row"], None if left is None else left - size

    def note_spending(
        self, attempt: Attempt, host: str, spendings: Sequence[Spending], location_ids: Collection[str] = ()
    ) -> None:
        """Note what was sent to locations since the last time, and what HighLevel said of their days.

        :param host: base URL of the API.
        :param location_ids: of locations that rows of the load name, and that were not noted before.
        """

        def note(connection: sa.Connection) -> None:
            note_locations(connection, attempt.load_number, location_ids)
            note_quotas(connection, attempt.load_number, host, self._database.now(connection), spendings)

        self._database.write(note)

    def prune(self, before: float) -> Pruned:
        """As :func:`~airflow_provider_ghl.load.ledger.pruning.prune`."""
        return self._database.write(lambda connection: prune(connection, before, self._database.now(connection), self._process))

    def _summaries(self, connection: sa.Connection, query: sa.Select[Any]) -> _Dicts:
        return load_summaries(connection, query, self._database.now(connection), self._process)

    def _begin(
        self, connection: sa.Connection, names: dict[str, str | None], try_number: int, total: int | None, *, is_resumed: bool
    ) -> Attempt:
        now = self._database.now(connection)
        load = self._lock_load(connection, names, now)
        is_of_load = attempts.c.load == load.number
        delete_results(connection, load.number)
        # What is gone by an earlier attempt stays in the account; the rest is tried again.
        connection.execute(sa.delete(deletions).where(deletions.c.load == load.number, deletions.c.outcome.not_in(DONE)))
        earlier = connection.execute(sa.select(sa.func.count()).select_from(attempts).where(is_of_load)).scalar_one()
        spent = (0, 0, 0)
        if is_resumed:
            sums = sa.select(*(sa.func.coalesce(sa.func.sum(column), 0) for column in _SPENT))
            requests, retries, limited = connection.execute(sums.where(is_of_load, attempts.c.try_number == try_number)).one()
            spent = (int(requests), int(retries), int(limited))
        deferred_since = load.deferred_since if is_resumed else None
        values = {**names, "dag_id": dag_id_of(load.load_id), "deferred_since": deferred_since, "updated": now}
        values |= {**dict.fromkeys(("end", "message", "counts")), "total": total}
        connection.execute(sa.update(loads).where(loads.c.number == load.number).values(values))
        if (location_id := names["location_id"]) is not None and location_id != SEVERAL:
            note_locations(connection, load.number, [location_id])
        process = self._process
        attempt = {"load": load.number, "try_number": try_number, "is_resumed": is_resumed, "began": now, "heartbeat": now}
        attempt |= {"machine": process.machine, "pid": process.pid, "process_began": process.began}
        attempt |= {column.name: 0 for column in _SPENT}
        (number,) = connection.execute(sa.insert(attempts).values(attempt)).inserted_primary_key or (0,)
        return Attempt(
            load_number=load.number,
            number=number,
            load_id=load.load_id,
            try_number=try_number,
            chain_began=load.chain_began,
            has_earlier=bool(earlier),
            spent_before=spent,
            deferred_since=deferred_since,
            began=now,
            rank=load.number if load.rank is None else load.rank,
        )

    def _is_noted(self, connection: sa.Connection, attempt: Attempt) -> bool:
        is_it = sa.and_(attempts.c.number == attempt.number, attempts.c.load == attempt.load_number)
        here = sa.and_(attempts.c.machine == self._process.machine, attempts.c.pid == self._process.pid)
        found = sa.select(attempts.c.number).where(is_it, here, attempts.c.began == attempt.began)
        return connection.execute(found).first() is not None

    def _lock_load(self, connection: sa.Connection, names: dict[str, str | None], now: float) -> sa.Row[Any]:
        """The load's row, locked. If its last chain of attempts is over, a new one takes its place."""
        find = sa.select(loads).where(loads.c.load_id == names["load_id"])
        rank: int | None = None
        while True:
            load = connection.execute(find.with_for_update()).one_or_none()
            if load is None:
                values = {**names, "chain_began": now, "ended_well": False, "updated": now, "rank": rank}
                connection.execute(insert_into(connection, loads).values(values).on_conflict_do_nothing())
                continue
            if not load.ended_well:
                return load
            rank = load.number if load.rank is None else load.rank
            delete_results(connection, load.number)
            for column in (spans.c.load, deletions.c.load):
                connection.execute(sa.delete(column.table).where(column == load.number))
            # One that has not ended may be alive, and owns its claims as long as it is.
            connection.execute(sa.delete(attempts).where(attempts.c.load == load.number, attempts.c.ended.is_not(None)))
            connection.execute(sa.delete(loads).where(loads.c.number == load.number))


def _fetch_all(chosen: sa.Select[Any], connection: sa.Connection) -> Sequence[sa.RowMapping]:
    return connection.execute(chosen).mappings().all()


def beat(connection: sa.Connection, attempt: Attempt, now: float, spent: tuple[int, int, int]) -> None:
    """Write the heartbeat and the totals, in the caller's transaction.

    :param spent: requests, retries and 429s of the attempt so far.
    """
    note_span(connection, attempt.number, now, spent)
    totals = dict(zip((column.name for column in _SPENT), spent, strict=True))
    connection.execute(sa.update(attempts).where(attempts.c.number == attempt.number).values(heartbeat=now, **totals))


def is_last(attempt: Attempt) -> sa.ColumnElement[bool]:
    """A condition on ``ghl_loads``: the attempt's load, as long as no other attempt has followed."""
    later = sa.exists().where(attempts.c.load == attempt.load_number, attempts.c.number > attempt.number)
    return sa.and_(loads.c.number == attempt.load_number, ~later)
