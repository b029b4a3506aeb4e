"""Transactions: how they begin on SQLite and PostgreSQL, when they are run again, and what their errors become."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.ledger.failures import Failure
from airflow_provider_ghl.load.ledger.sqlite_file import SqliteFile
from airflow_provider_ghl.load.ledger.waits import LONGEST_OUTAGE, Outage, Waits

__all__ = ["Database"]

T = TypeVar("T")

#: The database's own waiting for locks, in milliseconds: Python sees neither a signal nor a stop before it ends.
_LOCK_TIMEOUT = 500
#: Seconds after which PostgreSQL ends a transaction in which nothing happens, so that a peer that died in one does not hold its
#: locks until TCP notices.
_IDLE_TIMEOUT = 60
#: Any number, as long as it is always the same.
_ADVISORY_LOCK = 0x67686C00
_TURNS: WeakKeyDictionary[sa.Pool, contextlib.AbstractContextManager[Any]] = WeakKeyDictionary()
_READ, _WRITE, _ALONE = "BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"


class Database:
    """An engine of the ledger's own, and what is the same for all transactions.

    Whatever the database or its driver raise becomes :class:`LedgerError`, without the original error in its chain: that one
    quotes statements and values. Other exceptions pass, and leave the transaction rolled back.

    :param engine: for SQLite or PostgreSQL. Its connections are set up for the ledger, so nobody else should use it.
    :param database_time: the moment by the database's clock, in unix seconds; ``None`` asks the database.
    :param clock: what waits are measured by.
    :param longest_outage: seconds in a row for which a server that is away is waited for: one that refuses connections, has too
        many of them, starts up or shuts down, or has lost ours.
    :raises ConfigurationError: another kind of database.
    """

    def __init__(
        self,
        engine: sa.Engine,
        database_time: Callable[[sa.Connection], float] | None = None,
        clock: Clock | None = None,
        longest_outage: float = LONGEST_OUTAGE,
    ) -> None:
        self.is_sqlite = engine.dialect.name == "sqlite"
        if not self.is_sqlite and engine.dialect.name != "postgresql":
            raise ConfigurationError(f"a ledger is SQLite or PostgreSQL, and no {engine.dialect.name} database")
        self.where = _where(engine.url)
        self.now = database_time or self.server_time
        # Claims are settled by what others have committed, which a stricter default of the server would hide.
        self._engine = engine if self.is_sqlite else engine.execution_options(isolation_level="READ COMMITTED")
        self._clock = clock or Clock()
        self._outage = Outage(self.where, longest_outage)
        self._file = _file(engine.url, self.where)
        self._is_told_to_stop: Callable[[], bool] = lambda: False
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, UnicodeError, *_driver_errors(engine))
        # Such a pool has one connection for all threads.
        is_shared = isinstance(engine.pool, StaticPool)
        self._turn = _TURNS.setdefault(engine.pool, threading.RLock()) if is_shared else contextlib.nullcontext()

    @staticmethod
    def server_time(connection: sa.Connection) -> float:
        """Unix seconds by the database's clock. SQLite has none but this machine's."""
        if connection.dialect.name == "sqlite":
            return Clock().utc_now().timestamp()
        now: float = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one()
        return now

    @property
    def file(self) -> Path | None:
        """The SQLite file; ``None`` for all else."""
        return None if self._file is None else self._file.path

    @property
    def warnings(self) -> list[str]:
        """What a user should know of how it went."""
        return [] if self._file is None else self._file.warnings

    def end_waits_when(self, is_told_to_stop: Callable[[], bool]) -> None:
        """Wait no longer than a moment once this is true, for locks or for the server. Every operation is tried once.

        :param is_told_to_stop: any thread may ask it.
        """
        self._is_told_to_stop = is_told_to_stop

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run it in a transaction that only reads. It may be run more than once."""
        return self._run(work, _READ)

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run it in a transaction that writes.

        It may be run more than once. A run before the last one has left no trace, unless the server was lost in its commit:
        whether that took effect, nobody knows. So the work must do no harm when it is done twice.
        """
        return self._run(work, _WRITE)

    def alone(self, work: Callable[[sa.Connection], T]) -> T:
        """As :meth:`write`, while no other process does so: for changes of the tables."""
        return self._run(work, _ALONE)

    def close(self) -> None:
        """Let go of all connections."""
        with contextlib.suppress(*self._errors):
            self._engine.dispose()
        if self._file is not None:
            self._file.close()

    def _run(self, work: Callable[[sa.Connection], T], begin: str) -> T:
        waits = Waits(self._clock, self._outage, self._is_told_to_stop)
        while True:
            waits.begin_try()
            # Raised outside of the handler, so that no traceback shows the original error with its values.
            outcome = self._try(work, begin)
            if not isinstance(outcome, Failure):
                self._outage.end(self._clock.monotonic())
                return outcome
            pause = waits.after(outcome)
            if pause is None:
                verb = "read" if begin is _READ else "written"
                raise LedgerError(f"the ledger {self.where} cannot be {verb}: {outcome.text}")
            self._clock.sleep(pause)

    def _try(self, work: Callable[[sa.Connection], T], begin: str) -> T | Failure:
        if self._file is not None:
            self._file.check(self._engine)
        try:
            with self._turn, self._engine.connect() as connection:
                self._set_up(connection)
                with connection.begin():
                    self._begin(connection, begin)
                    return work(connection)
        except self._errors as error:
            return Failure.from_error(error)

    def _begin(self, connection: sa.Connection, begin: str) -> None:
        if self.is_sqlite:
            connection.exec_driver_sql(begin)
        elif begin is _ALONE:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")

    def _set_up(self, connection: sa.Connection) -> None:
        """What holds for a connection as long as it lives."""
        if "ghl_ledger" in connection.info:
            return
        raw: Any = connection.connection
        if self.is_sqlite:
            # Else the driver begins transactions of its own, as readers, which fail when they want to write.
            raw.dbapi_connection.isolation_level = None
        cursor = raw.cursor()
        for statement in self._set_up_statements(cursor):
            cursor.execute(statement)
        cursor.close()
        raw.commit()
        connection.info["ghl_ledger"] = True

    def _set_up_statements(self, cursor: Any) -> list[str]:
        if not self.is_sqlite:
            return [
                f"SELECT set_config('lock_timeout', '{_LOCK_TIMEOUT}ms', false), "
                f"set_config('idle_in_transaction_session_timeout', '{_IDLE_TIMEOUT}s', false)"
            ]
        cursor.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT}")
        statements = ["PRAGMA synchronous = NORMAL"]
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        return statements if mode in ("wal", "memory") else [*statements, "PRAGMA journal_mode = WAL"]


def _driver_errors(engine: sa.Engine) -> tuple[type[Exception], ...]:
    error = getattr(engine.dialect.dbapi, "Error", None)
    return (error,) if error else ()


def _file(url: sa.URL, where: str) -> SqliteFile | None:
    return SqliteFile(Path(str(url.database)), where) if url.get_backend_name() == "sqlite" and _is_path(url) else None


def _is_path(url: sa.URL) -> bool:
    return bool(url.database) and url.database != ":memory:" and not str(url.database).startswith("file:")


def _where(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        return f"sqlite:///{Path(str(url.database)).absolute() if _is_path(url) else url.database or ''}"
    host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{host}{port}/{url.database or ''}"
