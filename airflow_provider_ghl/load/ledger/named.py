"""Which relations the tables of loads name, whoever made them. Who takes a load back must not take what a later one names."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Numbers, Words
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.pairs import ascending
from airflow_provider_ghl.load.ledger.schema import insert_into
from airflow_provider_ghl.load.ledger.tables import loads, named

__all__ = ["LedgerTables"]

_WORD = np.dtype(">u8")
_RANK_OF_TABLE = sa.func.coalesce(named.c.rank, named.c.load)
_RANK_OF_LOAD = sa.func.coalesce(loads.c.rank, loads.c.number)
#: Loads in one statement.
_AT_ONCE = 500


class LedgerTables:
    """What the tables of loads name: of each series of loads its latest table. 8 bytes a relation.

    Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        series: str,
        load_number: int,
        target_id: int,
        high: Words,
        *,
        rank: int | None = None,
        is_complete: bool,
        is_mirror: bool | None = False,
    ) -> None:
        """Note what a load's table names, unless a later load of the series has noted its table.

        :param series: loads of one series load the same table, one after the other.
        :param high: the high words of the pairs.
        :param rank: the load's place in its series; ``None``: its number.
        :param is_complete: whether the whole table was read. If not, what the series named before stays named.
        :param is_mirror: whether what the table names no more is deleted; ``None``: as before.
        """

        place = load_number if rank is None else rank

        def write(connection: sa.Connection) -> None:
            is_mine = sa.and_(named.c.series == series, named.c.target_id == target_id)
            before = connection.execute(sa.select(named).where(is_mine)).one_or_none()
            if before is not None and (before.load if before.rank is None else before.rank) > place:
                return
            kept, has_earlier = high, before is not None and not is_complete
            if before is not None and has_earlier:
                kept = np.concatenate((high, np.frombuffer(before.pairs, _WORD).astype(np.uint64)))
            since = None if before is None else before.mirror_since
            if is_mirror is not None:
                since = (place if since is None else since) if is_mirror else None
            values: dict[str, Any] = {"load": load_number, "mirror_since": since, "rank": place, "has_earlier": has_earlier}
            values |= {"pairs": ascending(kept).astype(_WORD).tobytes(), "noted": self._database.now(connection)}
            insert = insert_into(connection, named).values(series=series, target_id=target_id, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=[named.c.series, named.c.target_id], set_=values))

        self._database.write(write)

    def has_baseline(self, series: str, target_id: int, rank: int | None) -> bool:
        """Whether the latest load of the series was a mirror of its table, and another load than this one the first.

        All attempts of the first load are the baseline: what one of them left out is not for the next one to delete.
        """
        mine = sa.select(named.c.mirror_since).where(named.c.series == series, named.c.target_id == target_id)
        since = self._database.read(lambda connection: connection.execute(mine).scalar())
        return since is not None and since != rank

    def mirrors(self, target_id: int) -> list[str]:
        """The series that mirror their tables into a target."""
        is_mirror = sa.and_(named.c.target_id == target_id, named.c.mirror_since.is_not(None))
        asked = sa.select(named.c.series).where(is_mirror).order_by(named.c.series)
        return list(self._database.read(lambda connection: connection.scalars(asked).all()))

    def by_others(self, series: str, rank: int | None, target_id: int, high: Words, makers: Numbers) -> Numbers:
        """For each pair a load of another series, or a later one of the same, whose table names it, or -1.

        What the table of a load names is not known before its end. So all counts as named that such a load made since the
        latest end that its series has noted: it may still run, or have been killed.

        :param rank: of the load that asks; ``None`` where it is not noted.
        :param makers: for each pair the load that made it, or -1.
        """
        is_others = named.c.series != series
        if rank is not None:
            is_others = sa.or_(is_others, rank < _RANK_OF_TABLE)
        found = self._naming(sa.and_(named.c.target_id == target_id, is_others), high)
        loads_made = np.unique(makers[makers >= 0]).tolist()
        unnoted = self._database.read(lambda connection: self._unnoted(connection, series, rank, target_id, loads_made))
        is_unnoted = np.isin(makers, unnoted)
        found[is_unnoted] = makers[is_unnoted]
        return found

    def _unnoted(
        self, connection: sa.Connection, series: str, rank: int | None, target_id: int, numbers: list[int]
    ) -> list[int]:
        """Which of these loads have made more than their series has noted."""
        is_noted = sa.exists().where(
            named.c.series == loads.c.series, named.c.target_id == target_id, _RANK_OF_TABLE >= _RANK_OF_LOAD
        )
        is_others = loads.c.series != series
        if rank is not None:
            is_others = sa.or_(is_others, rank < _RANK_OF_LOAD)
        unnoted = sa.select(loads.c.number).where(is_others, ~is_noted)
        return [
            number
            for start in range(0, len(numbers), _AT_ONCE)
            for number in connection.scalars(unnoted.where(loads.c.number.in_(numbers[start : start + _AT_ONCE])))
        ]

    def later(self, load_number: int, target_id: int, high: Words) -> Numbers:
        """For each pair a later load whose table names it, or -1.

        Another pair is taken for one of these with a probability of 2**-64 for each that is named.
        """
        rank = sa.func.coalesce(sa.select(_RANK_OF_LOAD).where(loads.c.number == load_number).scalar_subquery(), load_number)
        return self._naming(sa.and_(named.c.target_id == target_id, rank < _RANK_OF_TABLE), high)

    def may_be_of_earlier(self, load_numbers: Collection[int], target_id: int) -> set[int]:
        """Which of these loads' tables are noted together with earlier ones, since rows of theirs are not accounted for."""
        is_meant = sa.and_(named.c.target_id == target_id, named.c.has_earlier.is_(True))
        asked = sa.select(named.c.load).where(is_meant)
        return set(load_numbers) & set(self._database.read(lambda connection: connection.scalars(asked).all()))

    def _naming(self, condition: sa.ColumnElement[bool], high: Words) -> Numbers:
        found = np.full(len(high), -1, dtype=np.int64)
        latest_last = sa.select(named.c.load, named.c.pairs).where(condition).order_by(named.c.load)

        def look(connection: sa.Connection) -> None:
            for load, pairs in connection.execute(latest_last):
                found[np.isin(high, np.frombuffer(pairs, _WORD).astype(np.uint64))] = load

        self._database.read(look)
        return found
