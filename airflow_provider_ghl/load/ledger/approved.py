"""Plans that a person has approved, while loads carry them out: a later attempt has only a part of its plan left to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Words
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.pairs import ascending
from airflow_provider_ghl.load.ledger.tables import approved_plans

__all__ = ["NOTHING", "ApprovedLocation", "LedgerApproved"]

_WORD = np.dtype(">u8")


@dataclass(frozen=True, slots=True)
class ApprovedLocation:
    """What a plan does in one location. Pairs are high words, 8 bytes each, ascending.

    :param table: a digest of all that the table names.
    :param unsent: what is to be sent.
    :param deletes: what is to be deleted.
    """

    table: str
    unsent: Words
    deletes: Words


#: What a plan does in a location that it does not name.
NOTHING = ApprovedLocation("", np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.uint64))


class LedgerApproved:
    """The plans that loads have begun to carry out. They are kept until the load ends well.

    Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def note(self, load_id: str, plan_id: str, locations: Mapping[str, ApprovedLocation]) -> None:
        """Note that a load is to do exactly this, instead of what it was to do before."""
        rows = [
            {
                "load_id": load_id,
                "location_id": location_id,
                "plan_id": plan_id,
                "table_digest": one.table,
                "unsent": _packed(one.unsent),
                "deletes": _packed(one.deletes),
            }
            for location_id, one in sorted(locations.items())
        ]

        def write(connection: sa.Connection) -> None:
            connection.execute(sa.delete(approved_plans).where(approved_plans.c.load_id == load_id))
            if rows:
                now = self._database.now(connection)
                connection.execute(sa.insert(approved_plans), [row | {"noted": now} for row in rows])

        self._database.write(write)

    def of(self, load_id: str, plan_id: str) -> dict[str, ApprovedLocation]:
        """What was noted for a load under this id, by location; empty where nothing was."""
        asked = sa.select(approved_plans).filter_by(load_id=load_id, plan_id=plan_id)
        rows = self._database.read(lambda connection: connection.execute(asked).all())
        return {row.location_id: ApprovedLocation(row.table_digest, _words(row.unsent), _words(row.deletes)) for row in rows}


def _packed(words: Words) -> bytes:
    return ascending(words).astype(_WORD).tobytes()


def _words(packed: bytes) -> Words:
    return np.frombuffer(packed, _WORD).astype(np.uint64)
