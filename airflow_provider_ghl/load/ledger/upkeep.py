"""How much a ledger holds, and what it is to forget."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.pieces import count_in_all
from airflow_provider_ghl.load.ledger.schema import insert_into
from airflow_provider_ghl.load.ledger.tables import (
    METADATA,
    SENT,
    THERE,
    ledger,
    loads,
    lookups,
    named,
    problems,
    record_keys,
    relations,
    results,
    targets,
)

__all__ = ["PairFilter", "RelationFilter", "delete", "delete_pairs", "overview", "statistics", "times_forgotten"]

_FORGETS = "forgets"
#: Of a :class:`RelationFilter`: what keys have as well.
_OF_KEYS = {"host", "location_id", "record_id", "confirmed_before", "everything"}


@dataclass(frozen=True, slots=True)
class RelationFilter:
    """Relations that match all of it.

    Keys match as well where it names a host, a location, a record or everything, and nothing that only relations have: who has
    all of a record or of a location forgotten means these too. The age narrows both.

    :param record_id: on either side.
    :param pair: first and second record id.
    :param is_unnamed: whether HighLevel's id of the relation is not known.
    :param confirmed_before: unix seconds; matches no claim that was never confirmed.
    :param everything: all relations; goes with nothing else.
    :raises ValueError: neither a property nor ``everything``, or both.
    """

    host: str | None = None
    location_id: str | None = None
    association_id: str | None = None
    record_id: str | None = None
    pair: tuple[str, str] | None = None
    relation_id: str | None = None
    is_unnamed: bool | None = None
    confirmed_before: float | None = None
    everything: bool = False

    def __post_init__(self) -> None:
        others = [getattr(self, name) for name in self.__slots__ if name != "everything"]
        if self.everything is any(value is not None for value in others):
            raise ValueError("say which relations, by at least one of their properties; or everything, and nothing besides")

    def condition(self) -> sa.ColumnElement[bool]:
        """On ``ghl_relations``."""
        columns = relations.c
        conditions: list[sa.ColumnElement[bool]] = []
        names = {name: getattr(self, name) for name in ("host", "location_id", "association_id")}
        target = {name: value for name, value in names.items() if value is not None}
        if target:
            conditions.append(columns.target_id.in_(sa.select(targets.c.id).filter_by(**target)))
        if self.record_id is not None:
            conditions.append(sa.or_(columns.first_record_id == self.record_id, columns.second_record_id == self.record_id))
        if self.pair is not None:
            conditions += [columns.first_record_id == self.pair[0], columns.second_record_id == self.pair[1]]
        if self.relation_id is not None:
            conditions.append(columns.relation_id == self.relation_id)
        if self.is_unnamed is not None:
            conditions.append(columns.relation_id.is_(None) if self.is_unnamed else columns.relation_id.is_not(None))
        if self.confirmed_before is not None:
            conditions.append(columns.confirmed < self.confirmed_before)
        return sa.and_(sa.true(), *conditions)

    def key_condition(self) -> sa.ColumnElement[bool] | None:
        """On ``ghl_keys``; ``None`` where no key is meant."""
        columns = record_keys.c
        place = {name: getattr(self, name) for name in ("host", "location_id") if getattr(self, name) is not None}
        of_relations = (name for name in self.__slots__ if name not in _OF_KEYS)
        if any(getattr(self, name) is not None for name in of_relations):
            return None
        if not (place or self.record_id is not None or self.everything):
            return None
        conditions: list[sa.ColumnElement[bool]] = []
        if place:
            conditions.append(columns.lookup_id.in_(sa.select(lookups.c.id).filter_by(**place)))
        if self.record_id is not None:
            conditions.append(columns.record_id == self.record_id)
        if self.confirmed_before is not None:
            conditions.append(columns.confirmed < self.confirmed_before)
        return sa.and_(sa.true(), *conditions)

    def whole_targets(self) -> sa.ColumnElement[bool] | None:
        """On ``ghl_named``: the targets of which all relations match; ``None`` where only some of them may."""
        narrower = (self.record_id, self.pair, self.relation_id, self.is_unnamed, self.confirmed_before)
        if self.everything or any(value is not None for value in narrower):
            return None
        names = {name: getattr(self, name) for name in ("host", "location_id", "association_id")}
        target = {name: value for name, value in names.items() if value is not None}
        return named.c.target_id.in_(sa.select(targets.c.id).filter_by(**target))

    def count(self, connection: sa.Connection) -> int:
        """How many there are."""
        return _count(connection, relations, self.condition())

    def count_keys(self, connection: sa.Connection) -> int:
        """How many keys match as well."""
        condition = self.key_condition()
        return 0 if condition is None else _count(connection, record_keys, condition)


@dataclass(frozen=True, slots=True)
class PairFilter:
    """One relation by its pair, which is found at once, however many relations its records have.

    :param pairs: the keys that it may have.
    :param relation_id: where the ledger knows another id, it is another relation, and does not match. ``None``: any id.
    """

    target_id: int
    pairs: tuple[bytes, ...]
    relation_id: str | None

    def condition(self) -> sa.ColumnElement[bool]:
        """On ``ghl_relations``."""
        is_its: sa.ColumnElement[bool] = sa.true()
        if self.relation_id is not None:
            is_its = sa.or_(relations.c.relation_id.is_(None), relations.c.relation_id == self.relation_id)
        return sa.and_(relations.c.target_id == self.target_id, relations.c.pair.in_(self.pairs), is_its)


def times_forgotten(connection: sa.Connection) -> int:
    """How often something was to be forgotten."""
    return int(connection.scalar(sa.select(ledger.c.value).where(ledger.c.name == _FORGETS)) or 0)


def delete(connection: sa.Connection, wanted: RelationFilter) -> int:
    """Delete these relations, and the keys that match as well. Returns how many relations there were."""
    _count_time(connection)
    if wanted.everything:
        count = wanted.count(connection)
        for table in (relations, record_keys, named):
            connection.execute(sa.delete(table))  # without a condition SQLite drops whole pages
        return count
    if (is_target := wanted.whole_targets()) is not None:
        connection.execute(sa.delete(named).where(is_target))
    if (is_key := wanted.key_condition()) is not None:
        connection.execute(sa.delete(record_keys).where(is_key))
    return connection.execute(sa.delete(relations).where(wanted.condition())).rowcount


def delete_pairs(connection: sa.Connection, wanted: PairFilter) -> int:
    """Delete this relation. Returns how many rows it had."""
    _count_time(connection)
    return connection.execute(sa.delete(relations).where(wanted.condition())).rowcount


def _count_time(connection: sa.Connection) -> None:
    times = str(times_forgotten(connection) + 1)
    insert = insert_into(connection, ledger).values(name=_FORGETS, value=times)
    connection.execute(insert.on_conflict_do_update(index_elements=[ledger.c.name], set_={"value": times}))


def statistics(connection: sa.Connection, database: Database) -> dict[str, Any]:
    """See :meth:`~airflow_provider_ghl.load.ledger.ledger.Ledger.statistics`."""
    is_there = relations.c.state == THERE
    is_confirmed = sa.and_(is_there, relations.c.confirmed > 0)  # not where somebody was about to delete it
    grouped = sa.select(
        relations.c.target_id,
        sa.func.sum(sa.case((is_there, 1), else_=0)).label("there"),
        sa.func.sum(sa.case((relations.c.state == SENT, 1), else_=0)).label("sent"),
        sa.func.min(sa.case((is_confirmed, relations.c.confirmed))).label("oldest"),
        sa.func.max(sa.case((is_confirmed, relations.c.confirmed))).label("newest"),
    ).group_by(relations.c.target_id)
    sums = {row.target_id: row for row in connection.execute(grouped)}
    by_target = [
        {
            "host": target.host,
            "location_id": target.location_id,
            "association_id": target.association_id,
            "relations": int(sums[target.id].there) if target.id in sums else 0,
            "oldest_confirmed": sums[target.id].oldest if target.id in sums else None,
            "newest_confirmed": sums[target.id].newest if target.id in sums else None,
        }
        for target in connection.execute(sa.select(targets).order_by(targets.c.id))
    ]
    by_lookup = _lookups(connection)
    return {
        "bytes": _size(connection, database),
        "relations": sum(int(row.there) for row in sums.values()),
        "claims": sum(int(row.sent) for row in sums.values()),
        "keys": sum(one["keys"] for one in by_lookup),
        "loads": _count(connection, loads),
        "results": _count(connection, results),
        "oldest_confirmed": min((row.oldest for row in sums.values() if row.oldest is not None), default=None),
        "newest_confirmed": max((row.newest for row in sums.values() if row.newest is not None), default=None),
        "targets": by_target,
        "lookups": by_lookup,
    }


def overview(connection: sa.Connection, database: Database) -> dict[str, Any]:
    """See :meth:`~airflow_provider_ghl.load.ledger.reader.LedgerReader.overview`."""
    known = count_in_all(connection, targets, relations.c.target_id, relations.c.pair, relations.c.state == THERE)
    keys = count_in_all(connection, lookups, record_keys.c.lookup_id, record_keys.c.key, sa.true())
    return {
        "bytes": _size(connection, database),
        "relations": sum(known.values()),
        "keys": sum(keys.values()),
        "loads": _count(connection, loads),
        "results": int(connection.execute(sa.select(sa.func.coalesce(sa.func.sum(problems.c.rows), 0))).scalar_one()),
        "oldest_load": connection.execute(sa.select(sa.func.min(loads.c.chain_began))).scalar_one(),
    }


def _lookups(connection: sa.Connection) -> list[dict[str, Any]]:
    moments = sa.func.min(record_keys.c.confirmed), sa.func.max(record_keys.c.confirmed)
    grouped = sa.select(record_keys.c.lookup_id, sa.func.count(), *moments).group_by(record_keys.c.lookup_id)
    sums = {lookup_id: tuple(sums) for lookup_id, *sums in connection.execute(grouped)}
    found = []
    for lookup in connection.execute(sa.select(lookups).order_by(lookups.c.id)):
        count, oldest, newest = sums.get(lookup.id, (0, None, None))
        names = {"host": lookup.host, "location_id": lookup.location_id, "name": lookup.name}
        found.append({**names, "keys": int(count), "oldest_confirmed": oldest, "newest_confirmed": newest})
    return found


def _count(connection: sa.Connection, table: sa.Table, condition: sa.ColumnElement[bool] | None = None) -> int:
    where = sa.true() if condition is None else condition
    return connection.execute(sa.select(sa.func.count()).select_from(table).where(where)).scalar_one()


def _size(connection: sa.Connection, database: Database) -> int | None:
    if not database.is_sqlite:
        sizes = (sa.func.pg_total_relation_size(sa.cast(name, sa.dialects.postgresql.REGCLASS)) for name in METADATA.tables)
        return sum(int(connection.execute(sa.select(size)).scalar_one()) for size in sizes)
    if database.file is None:
        return None
    size = 0
    for ending in ("", "-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            size += database.file.with_name(database.file.name + ending).stat().st_size
    return size
