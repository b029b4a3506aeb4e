"""Writes down which record each key names, and forgets the keys of records that are gone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.bulk import BulkRows
from airflow_provider_ghl.load.ledger.notes import KeyNotes
from airflow_provider_ghl.load.ledger.pairs import per_statement, phases
from airflow_provider_ghl.load.ledger.tables import record_keys

__all__ = ["write_keys"]

_LONGEST_ID = 64


def write_keys(connection: sa.Connection, notes: Mapping[int, KeyNotes], load_number: int, now: float) -> None:
    """Write all of the notes, in the caller's transaction.

    :param notes: by the number of their look-up.
    :param load_number: the load that learned them.
    :param now: unix seconds by the database's clock.
    """
    found = {(lookup_id, key): record_id for lookup_id, one in notes.items() for key, record_id in one.found}
    known = {place: record_id for place, record_id in found.items() if _can_be_kept(record_id)}
    # Everybody takes keys in one order, so that on PostgreSQL no two wait for each other.
    _write_found(connection, dict(sorted(known.items())), load_number, now)
    lookup, key, record = record_keys.c.lookup_id, record_keys.c.key, record_keys.c.record_id
    for lookup_id, one in sorted(notes.items()):
        # What such a key named before, it names no longer.
        _delete(connection, lookup == lookup_id, key, sorted(k for of, k in found.keys() - known.keys() if of == lookup_id))
        # "+ 0" keeps SQLite from going through all of the look-up's keys instead of the records' index.
        _delete(connection, lookup + 0 == lookup_id, record, sorted(r for r in one.gone if _can_be_kept(r)))


def _write_found(connection: sa.Connection, known: Mapping[tuple[int, bytes], str], load_number: int, now: float) -> None:
    keys = [key for _, key in known]
    columns: dict[str, Sequence[Any]] = {
        "lookup_id": [lookup_id for lookup_id, _ in known],
        "key": keys,
        "phase": phases(keys),
        "record_id": list(known.values()),
    }
    rows = BulkRows(connection, record_keys, columns)
    insert = rows.insert(confirmed=now, confirmed_by=load_number)
    change = {name: insert.excluded[name] for name in ("record_id", "confirmed", "confirmed_by")}
    rows.run(insert.on_conflict_do_update(index_elements=[record_keys.c.lookup_id, record_keys.c.key], set_=change))


def _delete(
    connection: sa.Connection, is_of_lookup: sa.ColumnElement[bool], column: sa.Column[Any], values: Sequence[bytes | str]
) -> None:
    for some in per_statement(values):
        connection.execute(sa.delete(record_keys).where(is_of_lookup, column.in_(some)))


def _can_be_kept(record_id: str) -> bool:
    return 1 <= len(record_id) <= _LONGEST_ID and record_id.isascii() and record_id.isprintable()
