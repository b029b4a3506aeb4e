"""Which record each key names, as far as it was looked up: all keys of a look-up at once, some keys, or how many there are."""

from __future__ import annotations

from binascii import unhexlify
from dataclasses import dataclass
from typing import Any

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Words
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.ledger.pairs import keys_from_words, per_statement
from airflow_provider_ghl.load.ledger.pieces import count_up_to, pieces
from airflow_provider_ghl.load.ledger.schema import find_or_make, lookups, record_keys

__all__ = ["KnownKeys", "LedgerKeys"]

#: Bytes of a key.
_KEY = 16
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
        """Keys that are known, fresh or not, counted up to a number."""
        return self._database.read(lambda connection: count_up_to(connection, record_keys.c.lookup_id == lookup_id, at_most))

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
        longest = sa.select(sa.func.max(sa.func.length(record_keys.c.record_id))).where(is_meant)
        width = connection.execute(longest).scalar() or 1
        one = np.dtype([("high", ">u8"), ("low", ">u8"), ("record_id", f"S{width}")])
        high, low, record_ids = bytearray(), bytearray(), bytearray()
        for is_in_piece in pieces(connection, record_keys.c.key, is_meant, self._piece):
            is_fresh_in_piece = sa.and_(is_in_piece, freshness.condition(record_keys))
            rows = np.frombuffer(self._rows(connection, is_fresh_in_piece, width), one)
            if not (rows["high"][1:] > rows["high"][:-1]).all():
                rows = rows[np.lexsort((rows["low"], rows["high"]))]
            high += rows["high"].astype(np.uint64).data
            low += rows["low"].astype(np.uint64).data
            record_ids += rows["record_id"].tobytes()
        return KnownKeys(np.frombuffer(high, np.uint64), np.frombuffer(low, np.uint64), np.frombuffer(record_ids, f"S{width}"))

    def _rows(self, connection: sa.Connection, condition: sa.ColumnElement[bool], width: int) -> bytes:
        """All keys as one value, each followed by its record's id, which zeros fill up to the width."""
        if self._database.is_sqlite:
            return unhexlify(connection.execute(sa.select(_digits(width)).where(condition)).scalar() or "")
        zeros, nothing = (sa.literal(data, sa.LargeBinary) for data in (bytes(width), b""))
        filled = sa.func.substring(sa.func.convert_to(record_keys.c.record_id, "UTF8").op("||")(zeros), 1, width)
        together = sa.func.string_agg(record_keys.c.key.op("||")(filled), nothing, type_=sa.LargeBinary)
        return connection.execute(sa.select(together).where(condition)).scalar() or b""


def _digits(width: int) -> sa.ColumnElement[str]:
    """The same as hexadecimal digits, for SQLite. Nothing in it is bound: SQLite would fetch that for each row."""
    zeros = sa.literal_column(f"'{'00' * width}'", sa.Text)
    all_of_it = sa.func.hex(record_keys.c.key).concat(sa.func.hex(record_keys.c.record_id)).concat(zeros)
    digits = sa.func.substr(all_of_it, sa.literal_column("1"), sa.literal_column(str(2 * (_KEY + width))))
    return sa.func.group_concat(digits, sa.literal_column("''"), type_=sa.Text)
