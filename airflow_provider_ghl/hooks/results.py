"""Finds where results go: a file, local or in a storage, and a table of a SQL database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks.settings import get_connection
from airflow_provider_ghl.hooks.sources import engine_of, new_engine, sql_hook, storage
from airflow_provider_ghl.load.results.destinations import ResultsSink
from airflow_provider_ghl.load.results.file import ResultsFile, local_results_file
from airflow_provider_ghl.load.results.table import ResultsTable
from airflow_provider_ghl.load.results.warehouse import DriverWarehouse, EngineWarehouse, Warehouse

__all__ = ["ResultsPlaces", "must_be_another_file", "results_file"]

#: How placeholders look, by one of them.
_PARAMSTYLES = {"?": "qmark", "%s": "format"}


@dataclass(frozen=True, slots=True)
class ResultsPlaces:
    """Where the results of a load are wanted.

    :param path: of the results file; ``None`` for no file.
    :param table: the name of the results table; ``None`` for no table.
    :param conn_id: the connection of the table; without a table, that of the file.
    """

    path: str | None
    table: str | None
    conn_id: str | None

    @property
    def path_conn_id(self) -> str | None:
        """The connection of the file. Beside a table, the file's URL names its own."""
        return self.conn_id if self.table is None else None

    def open(self, fields: Sequence[str], load_id: str, now: Callable[[], datetime]) -> list[ResultsSink]:
        """Open both, the file first. A table is made where it is missing.

        :param fields: the fields of the results.
        :param load_id: what the table's rows of this load are known by.
        :param now: the wall clock.
        :raises ConfigurationError: a connection is missing or of the wrong kind, or the results cannot be written there.
        :raises ResultsError: the table's database is away.
        """
        sinks: list[ResultsSink] = []
        with ExitStack() as opened:
            if self.path is not None:
                sinks.append(results_file(self.path, self.path_conn_id, fields))
                opened.callback(sinks[-1].discard)
            if self.table is not None:
                sinks.append(ResultsTable(self.table, self._warehouse(), fields, load_id, now))
            opened.pop_all()
        return sinks

    def _warehouse(self) -> Warehouse:
        if self.conn_id is None:
            raise ConfigurationError("results_table needs results_conn_id, the Airflow connection of its database")
        connection = get_connection(self.conn_id)
        try:
            hook = sql_hook(connection)
        except ConfigurationError as error:
            raise ConfigurationError(
                f"results_conn_id is the connection of results_table, and {error} Where results_path needs a connection too, "
                "its URL names it: s3://conn_id@bucket/results.csv"
            ) from error
        if engine_of(hook) is None:
            return _by_driver(hook, self.conn_id)
        return EngineWarehouse(partial(new_engine, hook))


def _by_driver(hook: Any, conn_id: str) -> DriverWarehouse:
    placeholder = getattr(hook, "placeholder", None)
    if placeholder not in _PARAMSTYLES:
        raise ConfigurationError(
            f"connection {conn_id!r} has no SQLAlchemy engine, and its placeholder is {placeholder!r}, not one of "
            f"{', '.join(_PARAMSTYLES)}: results_table cannot be written through it"
        )

    def connect() -> Any:
        connection = hook.get_conn()
        if getattr(hook, "supports_autocommit", False):
            hook.set_autocommit(connection, False)
        return connection

    return DriverWarehouse(connect, _PARAMSTYLES[placeholder])


def results_file(path: str, conn_id: str | None, fields: Sequence[str]) -> ResultsFile:
    """The file for the results, local or at any URL that ``ObjectStoragePath`` writes. It appears whole or not at all.

    :param fields: the columns.
    """
    if conn_id is None and "://" not in path:
        return local_results_file(path, fields)
    target = storage(path, conn_id)
    if target.protocol == "file":
        return local_results_file(target.path, fields, where=path)
    # Object stores show a file when its upload is complete.
    return ResultsFile(path, fields, lambda finished: target.fs.put_file(str(finished), target.path), where=path)


def must_be_another_file(path: str, conn_id: str | None, source: str, source_conn_id: str | None) -> None:
    """Refuse to write the results over their own source.

    :raises ConfigurationError: both are the same file.
    """
    if _is_same(_place(path, conn_id), _place(source, source_conn_id)):
        raise ConfigurationError("results_path names the same file as path: the results would take the place of the rows")


def _place(path: str, conn_id: str | None) -> Any:
    """A local path, or the file in its storage."""
    if conn_id is None and "://" not in path:
        return Path(path)
    found = storage(path, conn_id)
    return Path(found.path) if found.protocol == "file" else found


def _is_same(one: Any, other: Any) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        with suppress(OSError, ValueError):  # a file that is not there is an error when it is opened
            return one.samefile(other)
        return False
    # Two connections may lead to the same bucket, so that the connections are not compared.
    return type(one) is type(other) and type(one.fs) is type(other.fs) and one.path == other.path
