"""Which record each key names, as far as it was looked up: all keys of a look-up at once, some keys, or how many there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Words
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.joined import joined
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.ledger.pairs import keys_from_words, per_statement
from airflow_provider_ghl.load.ledger.pieces import count_up_to, pieces
from airflow_provider_ghl.load.ledger.schema import find_or_make
from airflow_provider_ghl.load.ledger.tables import lookups, record_keys

__all__ = ["KnownKeys", "LedgerKeys"]

#: Keys in one value from the database, where each is longer than a pair is.
_KEYS_IN_A_PIECE = {True: 1 << 16, False: 1 << 18}


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """Keys whose records are known, sorted by ``high``, then ``low``."""

    high: Words
    low: Words
    #: The record of each, as ASCII bytes (``S24``): as wide as the longest id that the look-up has, fresh or not.
    record_ids: np.ndarray[Any, np.dtype[np.bytes_]]


class LedgerKeys:
    """The keys that the ledger remembers, as hashes. Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`."""

    def __init__(self, database: Database, keys_in_a_piece: int | None = None) -> None:
        self._database = database
        self._piece = keys_in_a_piece or _KEYS_IN_A_PIECE[database.is_sqlite]

    def lookup(self, host: str, location_id: str, name: str) -> int:
        """The number of a look-up; made where missing.

        :param host: base URL of the API.
        :param name: what is looked up by what, such as ``contact by email``.
        """
        return find_or_make(self._database, lookups, host=host, location_id=location_id, name=name)

    def count(self, lookup_id: int, at_most: int) -> int:
        """Keys that are known, fresh or not, counted up to a number: see :func:`count_up_to`."""
        is_meant = record_keys.c.lookup_id == lookup_id
        return self._database.read(lambda connection: count_up_to(connection, record_keys.c.key, is_meant, at_most))

    def known(self, lookup_id: int, freshness: Freshness) -> KnownKeys:
        """All keys that are fresh. Needs 16 bytes and the length of the longest id for each, and some MB."""
        return self._database.read(lambda connection: self._known(connection, lookup_id, freshness))

    def look_up(self, lookup_id: int, high: Words, low: Words, freshness: Freshness) -> list[str | None]:
        """The id of the record that each key names, by position; ``None`` where that is not known, or not fresh."""
        keys = keys_from_words(high, low)
        chosen = sa.select(record_keys.c.key, record_keys.c.record_id).where(
            record_keys.c.lookup_id == lookup_id, freshness.condition(record_keys)
        )

        def look(connection: sa.Connection) -> dict[bytes, str]:
            found: dict[bytes, str] = {}
            for some in per_statement(keys):
                found.update(map(tuple, connection.execute(chosen.where(record_keys.c.key.in_(some)))))
            return found

        found = self._database.read(look)
        return [found.get(key) for key in keys]

    def _known(self, connection: sa.Connection, lookup_id: int, freshness: Freshness) -> KnownKeys:
        is_meant = record_keys.c.lookup_id == lookup_id
        lengths = sa.select(sa.func.length(record_keys.c.record_id)).where(is_meant).distinct()
        widths = sorted(connection.scalars(lengths)) or [1]
        high, low, record_ids = bytearray(), bytearray(), bytearray()
        for is_in_piece in pieces(connection, record_keys.c.key, is_meant, self._piece):
            rows = self._rows(connection, sa.and_(is_in_piece, freshness.condition(record_keys)), widths)
            high_words, low_words = (rows[name].astype(np.uint64) for name in ("high", "low"))
            high += high_words.data
            low += low_words.data
            record_ids += rows["record_id"].tobytes()
        return KnownKeys(
            np.frombuffer(high, np.uint64), np.frombuffer(low, np.uint64), np.frombuffer(record_ids, f"S{widths[-1]}")
        )

    def _rows(
        self, connection: sa.Connection, condition: sa.ColumnElement[bool], widths: Sequence[int]
    ) -> np.ndarray[Any, Any]:
        """Keys and the ids of their records, sorted.

        :param widths: how many characters the ids have: nearly always all the same.
        """
        record_id = record_keys.c.record_id
        encoded = record_id if self._database.is_sqlite else sa.func.convert_to(record_id, "UTF8")
        each = record_keys.c.key.op("||")(encoded)
        parts = []
        for width in widths:
            is_as_wide = sa.func.length(record_id) == width if len(widths) > 1 else sa.true()
            parts.append(np.frombuffer(joined(connection, each, sa.and_(condition, is_as_wide)), _row(width)))
        rows = parts[0] if len(parts) == 1 else np.concatenate([part.astype(_row(widths[-1])) for part in parts])
        high = rows["high"]
        return rows if (high[1:] > high[:-1]).all() else rows[np.lexsort((rows["low"], high))]


def _row(width: int) -> np.dtype[Any]:
    return np.dtype([("high", ">u8"), ("low", ">u8"), ("record_id", f"S{width}")])
