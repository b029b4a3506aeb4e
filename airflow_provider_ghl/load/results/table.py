"""The results table: every row's result in a table of the user's database, in one transaction at the load's end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pandas as pd
import sqlalchemy as sa
from sqlalchemy.schema import CreateTable

from airflow_provider_ghl.exceptions import ConfigurationError, ResultsError
from airflow_provider_ghl.load.ledger.failures import Failure
from airflow_provider_ghl.load.results.spool import Spool
from airflow_provider_ghl.load.results.table_form import LOAD_ID, WRITTEN_AT, column_of, define_table, split_name
from airflow_provider_ghl.load.results.warehouse import Session, Warehouse

__all__ = ["ResultsTable"]

_NO_ROW = sa.text("1 = 0")


class ResultsTable:
    """Results that wait in a temporary file until ``commit``, which has them take the place of the load's earlier ones.

    So a load stands in the table once, however many attempts it takes, and no transaction is open while it sends. The table is
    made where it is missing.

    :param name: ``table``, ``schema.table`` or ``catalog.schema.table``.
    :param fields: the fields of the results.
    :param now: the wall clock.
    :raises ConfigurationError: the table cannot be made, or cannot take the results; the message says why.
    :raises ResultsError: the database is away, or others hold locks.
    """

    summary_field = "results_table"

    def __init__(
        self, name: str, warehouse: Warehouse, fields: Sequence[str], load_id: str, now: Callable[[], datetime]
    ) -> None:
        self.where = name
        self.title = f"the results table {name}"
        self._warehouse = warehouse
        self._table = define_table(split_name(name), fields, warehouse.dialect)
        self._names = [column.name for column in self._table.columns]
        self._columns = [column_of(field) for field in fields]
        self._load_id = load_id
        self._now = now
        #: Whether the results are in the table.
        self.is_published = False
        self._prepare()
        self._lock = self._working_lock()
        self._spool = Spool(fields)

    def append(self, frame: pd.DataFrame) -> None:
        """Add results: a frame with the columns ``fields``."""
        self._spool.append(frame)

    def commit(self) -> None:
        """Write the results, all of them or none.

        :raises ResultsError: they could not be written. The message holds no value of a row.
        """
        if (error := self._try(self._replace)) is not None:
            raise ResultsError(error.text)
        self.is_published = True
        self.discard()

    def discard(self) -> None:
        """Remove the temporary file. May be called at any time, and more than once."""
        self._spool.close()

    def _replace(self, session: Session) -> None:
        if self._lock is not None:
            session.run(self._lock)
        session.run(sa.delete(self._table).where(self._table.c[LOAD_ID] == self._load_id))
        for rows in self._rows():
            session.insert(self._table, rows)

    def _rows(self) -> Iterator[list[dict[str, Any]]]:
        written_at = self._warehouse.moment(self._now().replace(microsecond=0))
        same = {LOAD_ID: self._load_id, WRITTEN_AT: written_at}
        for columns in self._spool.chunks():
            yield [{**same, **dict(zip(self._columns, row, strict=True))} for row in zip(*columns, strict=True)]

    def _prepare(self) -> None:
        """Find the table, or make it, and see that it takes results, before a load begins."""
        if (error := self._try(lambda session: None)) is not None:
            raise ResultsError(f"{self.title}: its database cannot be reached ({error.text})")
        if (unread := self._try(self._check_columns)) is None:
            self._check_writing()
            return
        create = CreateTable(self._table)
        unmade = self._try(lambda session: session.run(create))
        # Another task may have made it meanwhile.
        if self._try(self._check_columns) is not None:
            error = unmade or unread
            kind = ResultsError if error.is_away or error.is_lock else ConfigurationError
            raise kind(f"{self.title} cannot be read ({unread.text}), and cannot be made ({error.text})")
        self._check_writing()

    def _check_columns(self, session: Session) -> None:
        """:raises ConfigurationError: the table lacks columns."""
        query: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(self._table).where(_NO_ROW)
        there = {name.casefold() for name in session.columns(query)}
        if missing := [name for name in self._names if name.casefold() not in there]:
            columns = "the column" if len(missing) == 1 else "the columns"
            raise ConfigurationError(
                f"{self.title} lacks {columns} {', '.join(missing)}: add what is missing, or name another table, which is made"
            )

    def _check_writing(self) -> None:
        """Insert and delete nothing, which shows whether it is allowed and whether the columns can hold the values."""
        error = self._try(self._write_nothing)
        if error is None:
            return
        unfit = [name for name in self._names if self._try(partial(self._insert_nothing, [name])) is not None]
        which = f" in {', '.join(unfit)}" if 0 < len(unfit) < len(self._names) else ""
        kind = ResultsError if error.is_away or error.is_lock else ConfigurationError
        raise kind(f"{self.title} cannot take the results{which} ({error.text})")

    def _write_nothing(self, session: Session) -> None:
        self._insert_nothing(self._names, session)
        session.run(sa.delete(self._table).where(_NO_ROW))

    def _insert_nothing(self, names: Sequence[str], session: Session) -> None:
        columns = [self._table.c[name] for name in names]
        values = [sa.cast(sa.null(), column.type) for column in columns] if self._warehouse.has_types else columns
        session.run(sa.insert(self._table).from_select(names, sa.select(*values).select_from(self._table).where(_NO_ROW)))

    def _working_lock(self) -> sa.Executable | None:
        """What keeps two attempts of one load from writing at the same time, where rows alone do not: each would see none of
        the other's rows to delete.
        """
        if self._warehouse.dialect.name != "postgresql":
            return None
        digest = hashlib.blake2b(f"{self.where} {self._load_id}".encode(), digest_size=8).digest()
        lock = sa.select(sa.func.pg_advisory_xact_lock(int.from_bytes(digest, signed=True)))
        return lock if self._try(lambda session: session.run(lock)) is None else None  # relatives of PostgreSQL have none

    def _try(self, action: Callable[[Session], None]) -> Failure | None:
        """Run a transaction. Returns why it failed, if it did, without values.

        :raises ConfigurationError: the action did.
        """
        try:
            with self._warehouse.begin() as session:
                action(session)
        except ConfigurationError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a driver may raise; its text may hold values
            return Failure.from_error(error)
        return None
