"""Which relations the tables of loads name, whoever made them. Who takes a load back must not take what a later one names."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Numbers, Words
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.schema import insert_into, named

__all__ = ["LedgerTables"]

_WORD = np.dtype(">u8")


class LedgerTables:
    """What the tables of loads name: of each series of loads its latest table. 8 bytes a relation.

    Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, series: str, load_number: int, target_id: int, high: Words, *, is_complete: bool) -> None:
        """Note what a load's table names.

        :param series: loads of one series load the same table, one after the other.
        :param high: the high words of the pairs.
        :param is_complete: whether the whole table was read. If not, what the series named before stays named.
        """

        def write(connection: sa.Connection) -> None:
            mine = sa.select(named.c.pairs).where(named.c.series == series, named.c.target_id == target_id)
            before = None if is_complete else connection.execute(mine).scalar()
            kept = high if before is None else np.concatenate((high, np.frombuffer(before, _WORD).astype(np.uint64)))
            values = {"load": load_number, "pairs": _ascending(kept).astype(_WORD).tobytes()}
            insert = insert_into(connection, named).values(series=series, target_id=target_id, **values)
            connection.execute(insert.on_conflict_do_update(index_elements=[named.c.series, named.c.target_id], set_=values))

        self._database.write(write)

    def later(self, load_number: int, target_id: int, high: Words) -> Numbers:
        """For each pair a later load whose table names it, or -1.

        Another pair is taken for one of these with a probability of 2**-64 for each that is named.
        """
        found = np.full(len(high), -1, dtype=np.int64)
        latest_last = (
            sa.select(named.c.load, named.c.pairs)
            .where(named.c.target_id == target_id, named.c.load > load_number)
            .order_by(named.c.load)
        )

        def look(connection: sa.Connection) -> None:
            for load, pairs in connection.execute(latest_last):
                found[np.isin(high, np.frombuffer(pairs, _WORD).astype(np.uint64))] = load

        self._database.read(look)
        return found


def _ascending(high: Words) -> Words:
    """Each of them once. ``np.unique`` hashes them, which takes a hundred times as long where they are sorted."""
    ordered = np.sort(high)
    is_new = np.ones(len(ordered), dtype=np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]
