"""What loads deleted, and what undoing them did: kept as long as the load itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.tables import deletions
from airflow_provider_ghl.load.ledger.upkeep import PairFilter, delete_pairs

__all__ = ["DONE", "LedgerDeletions"]

#: The outcomes after which a relation is not there.
DONE = ("deleted", "already_gone")
#: Why something was deleted: a mirror's table no longer names it, or the load that made it was taken back.
Why = Literal["mirror", "undo"]


class LedgerDeletions:
    """The deletions of each load. Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(
        self,
        load_number: int,
        why: Why,
        results: Sequence[Mapping[str, Any]],
        gone: PairFilter | None = None,
    ) -> None:
        """Note the results of deletions, and forget what is gone by them: both or neither.

        :param load_number: the load that deleted them, or that is taken back.
        :param results: columns of ``ghl_deletions`` from ``location_id`` on.
        :param gone: matches what these deleted.
        """

        def write(connection: sa.Connection) -> None:
            if gone is not None:
                delete_pairs(connection, gone)
            if results:
                last = sa.select(sa.func.coalesce(sa.func.max(deletions.c.number), -1)).filter_by(load=load_number)
                first, now = connection.execute(last).scalar_one() + 1, self._database.now(connection)
                rows = [
                    {**result, "load": load_number, "number": number, "why": why, "at": now}
                    for number, result in enumerate(results, first)
                ]
                connection.execute(sa.insert(deletions), rows)

        self._database.write(write)

    def of(self, load_number: int) -> list[dict[str, Any]]:
        """What is known of a load, in the order in which it happened: all columns but ``load``."""
        columns = (column for column in deletions.c if column is not deletions.c.load)
        asked = sa.select(*columns).where(deletions.c.load == load_number).order_by(deletions.c.number)
        return self._database.read(lambda connection: [dict(row) for row in connection.execute(asked).mappings()])
