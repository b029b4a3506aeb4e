"""Transactions: how they begin on SQLite and PostgreSQL, when they are run again, and what their errors become."""

from __future__ import annotations

import contextlib
import random
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
from airflow_provider_ghl.load.ledger.failures import Failure, failure_of

__all__ = ["PATIENCE", "Database"]

T = TypeVar("T")

#: Seconds that a transaction waits for others, all in all.
PATIENCE = 30.0
#: The same from the moment on at which it was told to stop: Airflow sends SIGKILL 5 s after ``on_kill``.
_LAST_PATIENCE = 0.5
#: The database's own waiting, in milliseconds: Python sees neither a signal nor a stop before it ends.
_LOCK_TIMEOUT = 500
#: Between two tries, at least and at most: two that wait for each other must not come back in step.
_PAUSES = 0.02, 0.06
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
    :raises ConfigurationError: another kind of database.
    """

    def __init__(
        self,
        engine: sa.Engine,
        database_time: Callable[[sa.Connection], float] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.is_sqlite = engine.dialect.name == "sqlite"
        if not self.is_sqlite and engine.dialect.name != "postgresql":
            raise ConfigurationError(f"a ledger is SQLite or PostgreSQL, and no {engine.dialect.name} database")
        self.where = _where(engine.url)
        self.now = database_time or self.clock_of
        # Claims are settled by what others have committed, which a stricter default of the server would hide.
        self._engine = engine if self.is_sqlite else engine.execution_options(isolation_level="READ COMMITTED")
        self._clock = clock or Clock()
        self._is_told_to_stop: Callable[[], bool] = lambda: False
        self._errors: tuple[type[Exception], ...] = (SQLAlchemyError, UnicodeError, *_driver_errors(engine))
        # Such a pool has one connection for all threads.
        is_shared = isinstance(engine.pool, StaticPool)
        self._turn = _TURNS.setdefault(engine.pool, threading.RLock()) if is_shared else contextlib.nullcontext()

    @staticmethod
    def clock_of(connection: sa.Connection) -> float:
        """Unix seconds by the database's clock. SQLite has none but this machine's."""
        if connection.dialect.name == "sqlite":
            return Clock().utc_now().timestamp()
        now: float = connection.exec_driver_sql("SELECT extract(epoch FROM clock_timestamp())::float8").scalar_one()
        return now

    @property
    def file(self) -> Path | None:
        """The SQLite file; ``None`` for all else."""
        name = self._engine.url.database
        return Path(name) if self.is_sqlite and name and name != ":memory:" and not name.startswith("file:") else None

    def end_waits_when(self, is_told_to_stop: Callable[[], bool]) -> None:
        """Wait for others no longer than a moment once this is true; any thread may ask it. Every operation is tried once."""
        self._is_told_to_stop = is_told_to_stop

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """Run it in a transaction that only reads. It may be run more than once."""
        return self._run(work, _READ)

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Run it in a transaction that writes. It may be run more than once; all but the last time left no trace."""
        return self._run(work, _WRITE)

    def alone(self, work: Callable[[sa.Connection], T]) -> T:
        """As :meth:`write`, while no other process does so: for changes of the tables."""
        return self._run(work, _ALONE)

    def close(self) -> None:
        """Let go of all connections."""
        with contextlib.suppress(*self._errors):
            self._engine.dispose()

    def _run(self, work: Callable[[sa.Connection], T], begin: str) -> T:
        patient_until = self._clock.monotonic() + PATIENCE
        is_last_patience, may_reconnect = False, True
        while True:
            if not is_last_patience and self._is_told_to_stop():
                is_last_patience = True
                patient_until = min(patient_until, self._clock.monotonic() + _LAST_PATIENCE)
            # Raised outside of the handler, so that no traceback shows the original error with its values.
            outcome = self._tried(work, begin)
            if not isinstance(outcome, _Failed):
                return outcome
            pause = random.uniform(*_PAUSES)
            is_again = outcome.failure.may_pass and self._clock.monotonic() + pause < patient_until
            if outcome.is_undone and outcome.failure.is_lost and may_reconnect:
                may_reconnect, is_again = False, True
            if not is_again:
                verb = "read" if begin is _READ else "written"
                raise LedgerError(f"the ledger {self.where} cannot be {verb}: {outcome.failure.text}")
            self._clock.sleep(pause)

    def _tried(self, work: Callable[[sa.Connection], T], begin: str) -> T | _Failed:
        is_committing = False
        try:
            with self._turn, self._engine.connect() as connection:
                self._set_up(connection)
                with connection.begin():
                    self._begin(connection, begin)
                    answer = work(connection)
                    is_committing = begin is not _READ
                return answer
        except self._errors as error:
            # Whether a commit without an answer took effect, nobody knows.
            return _Failed(failure_of(error), is_undone=not is_committing)

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
            # A peer that died in its transaction must not hold its locks until TCP notices.
            return [
                f"SELECT set_config('lock_timeout', '{_LOCK_TIMEOUT}ms', false), "
                f"set_config('idle_in_transaction_session_timeout', '{2 * PATIENCE:.0f}s', false)"
            ]
        cursor.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT}")
        statements = ["PRAGMA synchronous = NORMAL"]
        (mode,) = cursor.execute("PRAGMA journal_mode").fetchone()
        return statements if mode in ("wal", "memory") else [*statements, "PRAGMA journal_mode = WAL"]


class _Failed:
    def __init__(self, failure: Failure, *, is_undone: bool) -> None:
        self.failure = failure
        self.is_undone = is_undone


def _driver_errors(engine: sa.Engine) -> tuple[type[Exception], ...]:
    error = getattr(engine.dialect.dbapi, "Error", None)
    return (error,) if error else ()


def _where(url: sa.URL) -> str:
    if url.get_backend_name() == "sqlite":
        is_path = url.database and url.database != ":memory:" and not url.database.startswith("file:")
        return f"sqlite:///{Path(str(url.database)).absolute() if is_path else url.database or ''}"
    host = f"[{url.host}]" if url.host and ":" in url.host else url.host or ""
    port = f":{url.port}" if url.port else ""
    return f"{url.get_backend_name()}://{host}{port}/{url.database or ''}"
