"""Transactions on the database of a results table: through an SQLAlchemy engine, or else through its driver alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.engine.default import DefaultDialect

__all__ = ["DriverWarehouse", "EngineWarehouse", "Session", "Warehouse"]

Row = dict[str, Any]


class Session(Protocol):
    """Statements of one transaction. Errors are the driver's, or SQLAlchemy's around them."""

    def run(self, statement: sa.Executable) -> None:
        """Run a statement once."""

    def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        """Insert rows, of which there is at least one."""

    def columns(self, query: sa.Select[Any]) -> list[str]:
        """The names of a query's columns."""


class Warehouse(Protocol):
    """A database."""

    dialect: sa.Dialect
    #: Whether its types are known, so that they can be compared with those of a table.
    has_types: bool

    def begin(self) -> AbstractContextManager[Session]:
        """A transaction on a connection of its own, which is closed at its end. An exception rolls it back."""

    def moment(self, at: datetime) -> Any:
        """A moment in UTC, as a value for a column."""


class EngineWarehouse:
    """A database with an SQLAlchemy engine.

    :param make_engine: makes one for each transaction: hours pass between them, and a cloud's token is good for minutes.
    """

    has_types = True

    def __init__(self, make_engine: Callable[[], sa.Engine]) -> None:
        self._make_engine = make_engine
        self.dialect: sa.Dialect = make_engine().dialect

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """See :class:`Warehouse`."""
        engine = self._make_engine()
        if engine.dialect.name == "postgresql":
            # A stricter default would hide what others commit while a lock is waited for.
            engine = engine.execution_options(isolation_level="READ COMMITTED")
        try:
            with engine.begin() as connection:
                yield _EngineSession(connection)
        finally:
            engine.dispose()

    def moment(self, at: datetime) -> datetime:
        """See :class:`Warehouse`."""
        return at


class _EngineSession:
    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def run(self, statement: sa.Executable) -> None:
        self._connection.execute(statement)

    def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        self._connection.execute(sa.insert(table), rows)

    def columns(self, query: sa.Select[Any]) -> list[str]:
        return list(self._connection.execute(query).keys())


class DriverWarehouse:
    """A database whose driver alone is known. It gets plain SQL.

    :param connect: opens a connection of the driver's, which begins transactions by itself.
    :param paramstyle: how its placeholders look, in the words of PEP 249: ``qmark`` or ``format``.
    """

    has_types = False

    def __init__(self, connect: Callable[[], Any], paramstyle: str) -> None:
        self._connect = connect
        self.dialect: sa.Dialect = DefaultDialect(paramstyle=paramstyle)  # type: ignore[arg-type]

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """See :class:`Warehouse`."""
        with closing(self._connect()) as connection:
            try:
                with closing(connection.cursor()) as cursor:
                    yield _DriverSession(cursor, self.dialect)
                connection.commit()
            except BaseException:
                with suppress(Exception):  # a connection that is gone has rolled back
                    connection.rollback()
                raise

    def moment(self, at: datetime) -> str:
        """See :class:`Warehouse`. As text, since drivers take different types for it."""
        return at.strftime("%Y-%m-%d %H:%M:%S")


class _DriverSession:
    def __init__(self, cursor: Any, dialect: sa.Dialect) -> None:
        self._cursor = cursor
        self._dialect = dialect

    def run(self, statement: sa.Executable) -> None:
        compiled: Any = statement.compile(dialect=self._dialect)  # type: ignore[attr-defined]
        values = compiled.construct_params() if compiled.params else {}
        ordered = tuple(values[name] for name in compiled.positiontup) if values else ()
        self._cursor.execute(str(compiled), ordered) if ordered else self._cursor.execute(str(compiled))

    def insert(self, table: sa.Table, rows: Sequence[Row]) -> None:
        compiled: Any = sa.insert(table).compile(dialect=self._dialect, column_keys=list(rows[0]))
        self._cursor.executemany(str(compiled), [tuple(row[name] for name in compiled.positiontup) for row in rows])

    def columns(self, query: sa.Select[Any]) -> list[str]:
        self.run(query)
        # Some drivers put the table before it.
        return [column[0].rpartition(".")[2] for column in self._cursor.description]
