"""A ledger that is only read: nothing is made, migrated or written, whatever is found."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.schema import read_facts
from airflow_provider_ghl.load.ledger.upkeep import overview, statistics
from airflow_provider_ghl.load.ledger.views import LedgerViews

__all__ = ["LedgerReader", "ReadOnlyDatabase"]

T = TypeVar("T")

#: How often a file is read that changes meanwhile.
_TRIES = 5


class LedgerReader:
    """A ledger for reading. Where the database fails, every method raises ``LedgerError``, and nothing else.

    A server that is away is not waited for, since a person waits for the answer.

    :param engine: for SQLite or PostgreSQL, and for this reader alone.
    :param database_time: unix seconds by the database's clock; ``None`` asks the database.
    :param process: who reads; ``None`` is this process.
    :raises ConfigurationError: neither SQLite nor PostgreSQL.
    :raises LedgerError: there is no ledger yet, it was written by an earlier release or by one to come, or the database fails.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        database_time: Callable[[sa.Connection], float] | None = None,
        process: Process | None = None,
    ) -> None:
        self._database = ReadOnlyDatabase(engine, database_time)
        #: Names the database without user and password.
        self.where = self._database.where
        try:
            facts = read_facts(self._database)
        except BaseException:
            self._database.close()
            raise
        self.id = facts["ledger_id"]
        self.schema_version = int(facts["schema_version"])
        #: When its tables were made (unix seconds); ``None`` where that is not known.
        self.made_at = _moment(facts.get("made_at"))
        self.views = LedgerViews(self._database, process or Process.current())

    @property
    def file(self) -> Path | None:
        """The SQLite file; ``None`` for all else."""
        return self._database.file

    def statistics(self) -> dict[str, Any]:
        """As :meth:`~airflow_provider_ghl.load.ledger.ledger.Ledger.statistics`, with ``made_at``.

        It reads all relations: seconds for millions of them.
        """
        return self._facts | self._database.read(lambda connection: statistics(connection, self._database))

    def overview(self) -> dict[str, Any]:
        """The same in a moment, however large the ledger is: ``where``, ``id``, ``schema_version`` and ``made_at``; ``bytes``
        on disk; how many ``relations`` and ``keys`` are known (from hundreds of thousands on about how many), and how many
        ``loads`` and ``results`` are kept (those that releases since version 3 wrote); when the ``oldest_load`` began.
        """
        return self._facts | self._database.read(lambda connection: overview(connection, self._database))

    @property
    def _facts(self) -> dict[str, Any]:
        return {"where": self.where, "id": self.id, "schema_version": self.schema_version, "made_at": self.made_at}

    def close(self) -> None:
        """Let go of the database's connections."""
        self._database.close()


class ReadOnlyDatabase(Database):
    """A database of which nothing is written, not even a file beside it where that can be avoided.

    SQLite makes two files beside one that it opens, -wal and -shm, even if it only reads. So a file without them, which nobody
    has open, is read as one that does not change, and read again if it has changed meanwhile.

    :param engine: as in :class:`~airflow_provider_ghl.load.ledger.database.Database`.
    """

    def __init__(self, engine: sa.Engine, database_time: Callable[[sa.Connection], float] | None = None) -> None:
        super().__init__(engine, database_time, Clock(), longest_outage=0.0)
        if not self.is_sqlite:
            # What is read together is of one moment: a load may end between two statements.
            self._engine = engine.execution_options(isolation_level="REPEATABLE READ")
        # SQLite has its files beside the real one, wherever links to it are.
        self._path = None if self._file is None else Path(os.path.realpath(self._file.path))
        self._file = None
        if self._path is not None:
            engine.dispose()
            self._engine = sa.create_engine("sqlite://", creator=self._connect, poolclass=NullPool, hide_parameters=True)

    @property
    def file(self) -> Path | None:
        """The SQLite file; ``None`` for all else."""
        return self._path

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Nothing is written.

        :raises LedgerError: always.
        """
        raise LedgerError(f"the ledger {self.where} was opened for reading only")

    alone = write

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run it in a transaction that only reads. It may be run more than once."""
        if self._path is None:
            return super().read(work)
        for _ in range(_TRIES - 1):
            before = self._state()
            try:
                found = super().read(work)
            except LedgerError:
                if self._state() == before:
                    raise
                continue
            if self._state() == before:
                return found
        return super().read(work)

    def _state(self) -> tuple[object, ...] | None:
        """What tells whether a file that is taken for unchanging has changed; ``None`` where SQLite takes care of that."""
        if self._path is None or _size(_wal(self._path)):
            return None
        with contextlib.suppress(OSError):
            found = self._path.stat()
            return found.st_ino, found.st_size, found.st_mtime_ns
        return ()

    def _connect(self) -> sqlite3.Connection:
        path = self._path
        if path is None or not path.is_file():
            raise sqlite3.OperationalError("there is no such file")
        address = f"{path.absolute().as_uri()}?mode=ro"
        if not _size(_wal(path)):
            return _open(f"{address}&immutable=1")
        try:
            connection = _open(address)
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF != sqlite3.SQLITE_CANTOPEN:
                raise
            # The file beside it that says what is in -wal is gone, and cannot be made here: what was written last is missing.
            return _open(f"{address}&immutable=1")
        return connection

    def _set_up_statements(self, cursor: Any) -> list[str]:
        if self._path is not None:
            return ["PRAGMA busy_timeout = 500"]
        statements = super()._set_up_statements(cursor)
        return statements if self.is_sqlite else [*statements, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"]


def _open(address: str) -> sqlite3.Connection:
    # The pool may hand a connection to another thread than the one that made it.
    return sqlite3.connect(address, uri=True, check_same_thread=False)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _moment(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
