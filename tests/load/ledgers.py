"""Ledgers for tests: in a file, in memory and in PostgreSQL; with short methods to use them."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import ClaimResult, Freshness, Knowledge, Notes
from airflow_provider_ghl.load.ledger.pairs import keys_from_words
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import METADATA

__all__ = ["KINDS", "NOW", "VERSION_1", "VERSION_2", "Clock", "Pairs", "Place", "Worker", "open_place"]

KINDS = ("sqlite", "memory", "postgresql")
NOW = 1_800_000_000.0
#: Ledgers of earlier releases, as SQL for SQLite.
VERSION_1, VERSION_2 = (Path(__file__).with_name("data") / f"ledger_version_{version}.sql" for version in (1, 2))
#: The tables and columns that came with a version.
_CAME = {
    2: {"ghl_lookups", "ghl_keys", "ghl_named", ("ghl_loads", "series")},
    3: {
        *(
            "ghl_approved_plans",
            "ghl_deletions",
            "ghl_hours",
            "ghl_load_locations",
            "ghl_load_outcomes",
            "ghl_problems",
            "ghl_quotas",
            "ghl_spans",
        ),
        *(("ghl_loads", "dag_id"), ("ghl_loads", "rank"), ("ghl_loads", "total"), ("ghl_load_results", "problem")),
        *(("ghl_named", "rank"), ("ghl_named", "has_earlier")),
    },
}
FOREVER = Freshness(now=NOW, since=0.0, max_age=None)


class Clock:
    """The database's time, set by the test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self, connection: sa.Connection) -> float:
        """The time, in the form that :class:`Ledger` needs."""
        return self.now


@dataclass
class Place:
    """A database for one test."""

    kind: str
    url: str
    clock: Clock = field(default_factory=Clock)
    _open: list[sa.Engine] = field(default_factory=list)

    def engine(self) -> sa.Engine:
        """A new engine; for a database in memory always the same."""
        if self.kind == "memory":
            return self.shared
        self._open.append(sa.create_engine(self.url))
        return self._open[-1]

    @cached_property
    def shared(self) -> sa.Engine:
        """One engine for all ledgers and queries of the test, since connecting takes longer than most tests."""
        is_memory = self.kind == "memory"
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}} if is_memory else {}
        self._open.append(sa.create_engine(self.url, **options))
        return self._open[-1]

    def ledger(self, process: Process | None = None) -> Ledger:
        """A ledger that a process has opened, with the test's clock."""
        return Ledger(self.shared, database_time=self.clock, process=process)

    def worker(self, load_id: str = "load", process: Process | None = None, **begin: Any) -> Worker:
        """The next attempt of a load."""
        options: dict[str, Any] = {
            "try_number": 1,
            "is_resumed": False,
            "location_id": "location",
            "association": "friends",
        } | begin
        ledger = self.ledger(process)
        target_id = ledger.relations.target("https://x", "location", "friends")
        return Worker(ledger, ledger.loads.begin(load_id, **options), target_id)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Query the database directly."""
        with self.shared.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def change(self, statement: str) -> None:
        """Change the database from outside the ledger."""
        with self.shared.begin() as connection:
            connection.exec_driver_sql(statement)

    def fill_with_version_1(self) -> None:
        """Make the ledger of an earlier release in the empty database."""
        self.fill_with(VERSION_1)

    def fill_with(self, dump: Path) -> None:
        """Make such a ledger in the empty database."""
        if self.kind == "sqlite":
            with contextlib.closing(sqlite3.connect(str(sa.make_url(self.url).database))) as file:
                file.executescript(dump.read_text())
            return
        if self.kind == "memory":
            with self.shared.connect() as connection:
                _execute_script(connection, dump)
            return
        source, tables = sa.create_engine("sqlite://", poolclass=StaticPool), _earlier_tables(dump)
        with source.connect() as old, self.shared.begin() as new:
            _execute_script(old, dump)
            tables.create_all(new)
            for table in tables.sorted_tables:
                rows = [dict(row) for row in old.execute(sa.select(table)).mappings()]
                if rows:
                    new.execute(sa.insert(table), rows)
                for column in table.primary_key.columns:
                    if column is table.autoincrement_column and rows:
                        number = f"pg_get_serial_sequence('{table.name}', '{column.name}')"
                        new.exec_driver_sql(f"SELECT setval({number}, (SELECT max({column.name}) FROM {table.name}))")
        source.dispose()

    def close(self) -> None:
        """Close all engines."""
        for engine in self._open:
            engine.dispose()


def _execute_script(connection: sa.Connection, script: Path) -> None:
    raw: Any = connection.connection.dbapi_connection
    raw.executescript(script.read_text())


def _earlier_tables(dump: Path) -> sa.MetaData:
    """The tables of an earlier release, with those of their indexes that are of one column."""
    version = {VERSION_1: 1, VERSION_2: 2}[dump]
    later = {one for came, names in _CAME.items() if came > version for one in names}
    tables = sa.MetaData()
    for table in METADATA.sorted_tables:
        if table.name not in later:
            columns = [column._copy() for column in table.columns if (table.name, column.name) not in later]
            unique = [
                sa.UniqueConstraint(*one.columns.keys()) for one in table.constraints if isinstance(one, sa.UniqueConstraint)
            ]
            sa.Table(table.name, tables, *columns, *unique)
    return tables


@contextlib.contextmanager
def open_place(kind: str, folder: Path, postgresql: str) -> Iterator[Place]:
    """An empty database; in PostgreSQL an empty schema."""
    if kind == "postgresql":
        schema = f"test_{secrets.token_hex(6)}"
        server = sa.create_engine(postgresql, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with server.connect() as connection:
            connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
        url = sa.make_url(postgresql).update_query_dict({"options": f"-csearch_path={schema}", "application_name": schema})
        place = Place(kind, url.render_as_string(hide_password=False))
    else:
        place = Place(kind, "sqlite://" if kind == "memory" else f"sqlite:///{folder / 'ledger.db'}")
    try:
        yield place
    finally:
        place.close()
        if kind == "postgresql":
            with server.connect() as connection:
                connection.exec_driver_sql(f"DROP SCHEMA {schema} CASCADE")


@dataclass
class Pairs:
    """Pairs with their identities, as a load has them."""

    first: Any
    second: Any
    high: Any
    low: Any

    @classmethod
    def build(cls, ledger: Ledger, pairs: Sequence[tuple[str, str]]) -> Pairs:
        """Compute the pairs' identities in a ledger."""
        first, second = (np.array([*ids, None], dtype=object)[:-1] for ids in (zip(*pairs, strict=True) if pairs else ((), ())))
        return cls(first, second, *ledger.identity((first, second)))

    @property
    def keys(self) -> list[bytes]:
        """The pairs' keys, as in notes."""
        return keys_from_words(self.high, self.low)


@dataclass
class Worker:
    """An attempt that works on one target. Pairs are written ``"a-b"``."""

    ledger: Ledger
    attempt: Attempt
    target_id: int
    freshness: Freshness = FOREVER

    def pairs(self, *pairs: str) -> Pairs:
        """The pairs of these short names."""
        return Pairs.build(self.ledger, [(first, second) for first, _, second in (pair.partition("-") for pair in pairs)])

    def claim(self, *pairs: str) -> list[ClaimResult]:
        """Claim pairs."""
        of = self.pairs(*pairs)
        codes = self.ledger.relations.claim(self.attempt, self.target_id, of.high, of.low, of.first, of.second, self.freshness)
        assert codes.dtype == np.uint8
        return [ClaimResult(code) for code in codes]

    def release(self, *pairs: str, again: Sequence[str] = ()) -> None:
        """Release claims."""
        of, flags = self.pairs(*pairs), np.array([pair in again for pair in pairs])
        self.ledger.relations.release(self.attempt, self.target_id, of.high, of.low, flags)

    def made(self, *pairs: str, relation_id: str | None = "id", is_ours: bool = True) -> None:
        """Note that pairs were created or exist."""
        self.note(there=[(key, relation_id, is_ours) for key in self.pairs(*pairs).keys])

    def refused(self, *pairs: str) -> None:
        """Note that pairs were refused."""
        self.note(refused=self.pairs(*pairs).keys)

    def learned(self, *pairs: str, relation_id: str | None = "id", **also: Any) -> None:
        """Note that pairs were read from HighLevel."""
        of = self.pairs(*pairs)
        self.note(learned=[(key, (a, b), relation_id) for key, a, b in zip(of.keys, of.first, of.second, strict=True)], **also)

    def note(self, **notes: Any) -> None:
        """Write notes."""
        self.ledger.write(self.attempt, self.target_id, Notes(**notes))

    def knows(self, *pairs: str, load_number: int | None = None) -> list[Knowledge]:
        """Look pairs up, as this load or as another one."""
        of, load_number = self.pairs(*pairs), self.attempt.load_number if load_number is None else load_number
        codes = self.ledger.relations.look_up(self.target_id, of.high, of.low, self.freshness, load_number)
        assert codes.dtype == np.uint8
        return [Knowledge(code) for code in codes]

    def ids(self, *pairs: str) -> list[str | None]:
        """HighLevel's ids of pairs."""
        of = self.pairs(*pairs)
        return self.ledger.relations.relation_ids(self.target_id, of.high, of.low)

    def at(self, moment: float, max_age: float | None = None) -> None:
        """Set the moment and the age by which freshness is judged."""
        self.freshness = replace(FOREVER, now=moment, since=moment, max_age=max_age)

    def end(self, *, is_well: bool = False, **end_options: Any) -> None:
        """End the attempt."""
        options: dict[str, Any] = {"end": "green" if is_well else "retryable", "message": "", "counts": {}} | end_options
        self.ledger.loads.end(self.attempt, is_well=is_well, **options)
