"""Databases with results tables: an engine of SQLite and of PostgreSQL, and a driver without an engine."""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from airflow_provider_ghl.load.results.table import ResultsTable
from airflow_provider_ghl.load.results.warehouse import DriverWarehouse, EngineWarehouse, Warehouse
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

__all__ = ["KINDS", "NOW", "Place", "a_place", "results"]

KINDS = ("sqlite", "postgresql", "driver")
NOW = datetime(2031, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def results(outcomes: Sequence[str], first_row: int = 0, **values: Any) -> pd.DataFrame:
    """Results as a report writes them, one for each of the outcomes."""
    nothing: dict[str, Any] = dict.fromkeys(RESULT_FIELDS)
    rows = [
        {**nothing, "row": first_row + at, "outcome": outcome, "requests": 1, "try_number": 1, **values}
        for at, outcome in enumerate(outcomes)
    ]
    return pd.DataFrame(rows, columns=list(RESULT_FIELDS), dtype=object)


class Place:
    """A database, and how a test looks at it.

    :param schema: where tables of the test are.
    """

    def __init__(self, kind: str, url: str, schema: str) -> None:
        self.kind = kind
        self.url = url
        self.schema = schema
        #: Of the database's transactions; ``None``: its default.
        self.isolation_level: str | None = None
        self._opened: list[ResultsTable] = []

    def name(self, table: str = "results") -> str:
        """The name of a table, with its schema."""
        return f"{self.schema}.{table}"

    def warehouse(self) -> Warehouse:
        """The database as a results table gets it."""
        if self.kind == "driver":
            path = str(sa.make_url(self.url).database)
            return DriverWarehouse(lambda: sqlite3.connect(path), "qmark")
        isolation = {} if self.isolation_level is None else {"isolation_level": self.isolation_level}
        return EngineWarehouse(lambda: sa.create_engine(self.url, hide_parameters=True, **isolation))

    def table(self, load_id: str = "a load", table: str = "results", fields: Sequence[str] = RESULT_FIELDS) -> ResultsTable:
        """The results table of a load."""
        self._opened.append(ResultsTable(self.name(table), self.warehouse(), fields, load_id, lambda: NOW))
        return self._opened[-1]

    def write(self, outcomes: Sequence[str], load_id: str = "a load", **values: Any) -> None:
        """Write results as a load does."""
        table = self.table(load_id)
        table.append(results(outcomes, **values))
        table.commit()

    def close(self) -> None:
        """Discard what was not written."""
        for table in self._opened:
            table.discard()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Run a query; ``{}`` in it is the results table."""
        with self._connection() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(sql.format(self.name()))]

    def tell(self, sql: str) -> None:
        """Run a statement; ``{}`` in it is the results table."""
        with self._connection() as connection:
            connection.exec_driver_sql(sql.format(self.name()))

    def outcomes(self, load_id: str = "a load") -> list[str]:
        """A load's outcomes by row."""
        return [row[0] for row in self.ask(f"SELECT outcome FROM {{}} WHERE load_id = '{load_id}' ORDER BY source_row")]

    @contextlib.contextmanager
    def _connection(self) -> Iterator[sa.Connection]:
        engine = sa.create_engine(self.url)
        try:
            with engine.begin() as connection:
                yield connection
        finally:
            engine.dispose()


@contextlib.contextmanager
def a_place(kind: str, folder: Path, server: str | None) -> Iterator[Place]:
    """A database of the test's own, or a schema of its own.

    :param server: the URL of a PostgreSQL server, where one is needed.
    """
    if server is None:
        with contextlib.closing(Place(kind, f"sqlite:///{folder / 'warehouse.db'}", "main")) as place:
            yield place
        return
    place = Place(kind, server, f"results_{secrets.token_hex(4)}")
    place.tell(f"CREATE SCHEMA {place.schema}")
    schema = place.schema
    with contextlib.closing(place):
        yield place
    place.tell(f"DROP SCHEMA {schema} CASCADE")
