"""Reads SQL queries and files through Airflow connections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO, cast

from airflow.sdk import ObjectStoragePath
from airflow.sdk.exceptions import AirflowException

from airflow_provider_ghl.exceptions import ConfigurationError, SourceError
from airflow_provider_ghl.hooks.query_faults import name_fault
from airflow_provider_ghl.hooks.settings import get_connection
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.rows import from_file, from_records
from airflow_provider_ghl.load.source.text_format import TextFormat

__all__ = ["engine_of", "estimate_rows", "file_batches", "file_size", "new_engine", "sql_batches", "sql_hook", "storage"]

#: Rows that are fetched from a database at once.
_FETCH = 2000
#: Bytes of a file whose lines are counted, which takes a second at most; and bytes that are read at once.
_MOST_COUNTED, _BLOCK = 2 << 30, 1 << 20


def sql_batches(
    conn_id: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] | None, columns: Columns, batch_size: int
) -> Iterator[Batch]:
    """The rows of a query on any Airflow SQL connection, through a server-side cursor where the database has one.

    So the memory stays flat: ``get_df_by_chunks`` would keep the whole result in the client. The read transaction stays open
    while the load runs.

    :raises ConfigurationError: there is no such connection, or it is not one of a SQL database.
    :raises SourceError: the query is wrong, in the database's own words. Its other errors pass through.
    """
    return _query(sql_hook(get_connection(conn_id)), sql, parameters, columns, batch_size)


def _query(hook: Any, sql: str, parameters: Any, columns: Columns, batch_size: int) -> Iterator[Batch]:
    chunks = _through_engine(hook, sql, parameters) or _through_cursor(hook, sql, parameters)
    try:
        names = cast("list[str]", next(chunks))
    except Exception as error:
        if (fault := name_fault(error, sql)) is not None:
            raise SourceError(f"the query failed: {fault}") from error
        raise
    yield from from_records(names, chunks, columns, batch_size)


def file_batches(path: str, conn_id: str | None, columns: Columns, batch_size: int, text_format: TextFormat) -> Iterator[Batch]:
    """The rows of a file, local or at any URL that ``ObjectStoragePath`` opens."""
    if conn_id is None and "://" not in path:
        return from_file(lambda: Path(path).open("rb"), path, columns, batch_size, text_format)

    remote = storage(path, conn_id)
    return from_file(lambda: cast(BinaryIO, remote.open("rb")), path, columns, batch_size, text_format)


def file_size(path: str, conn_id: str | None) -> int | None:
    """The size of a file in bytes; ``None`` where it is not known, or there is no such file."""
    with suppress(Exception):  # storages fail in their own ways; opening the file says more
        if conn_id is None and "://" not in path:
            return Path(path).stat().st_size
        return int(storage(path, conn_id).stat().st_size)
    return None


def estimate_rows(path: str, conn_id: str | None) -> int | None:
    """About how many rows a file has; ``None`` where that takes more than a look at a local file, or it is not there."""
    if conn_id is not None or "://" in path:
        return None
    with suppress(Exception):  # whoever reads the file finds out what is wrong with it
        if path.lower().endswith(".parquet"):
            from pyarrow import parquet

            return int(parquet.read_metadata(path).num_rows)
        if not path.lower().endswith(".gz"):
            lines = _count_lines(Path(path))
            has_header = path.lower().endswith((".csv", ".tsv"))
            return lines - has_header if lines else lines
    return None


def _count_lines(path: Path) -> int | None:
    """Lines of text, as many as rows where no cell holds a line break; ``None`` where there are too many bytes to count."""
    if path.stat().st_size > _MOST_COUNTED:
        return None
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))


def storage(path: str, conn_id: str | None) -> Any:
    """The file at a URL. Its storage is found now, and not when it is first used, which may be after the load."""
    try:
        found = ObjectStoragePath(path, conn_id=conn_id)
        if found.conn_id is not None:
            get_connection(found.conn_id)  # some storages work without it, with other credentials
        _ = found.fs
    except ConfigurationError:
        raise
    except (ValueError, ImportError) as error:
        scheme = path.partition("://")[0]
        raise ConfigurationError(f"Airflow knows no storage for {scheme}://: is its provider installed?") from error
    return found


def sql_hook(connection: Any) -> Any:
    """The hook of an Airflow connection of a SQL database.

    :raises ConfigurationError: Airflow knows no such hook for it.
    """
    try:
        hook = connection.get_hook()
    except (AirflowException, AttributeError, ImportError):  # how Airflow says that it has no hook for the type
        hook = None
    # get_conn and run would not do: the hooks of many services have them too.
    if not hasattr(hook, "get_records"):
        what = f"connection {connection.conn_id!r} (type {connection.conn_type!r}) is not one of a SQL database"
        raise ConfigurationError(f"{what} that Airflow knows: is its provider installed?")
    return hook


def new_engine(hook: Any) -> Any:
    """A SQLAlchemy engine of a hook, which hides parameters in its errors. A hook that has none raises errors of any kind."""
    return hook.get_sqlalchemy_engine(engine_kwargs={"hide_parameters": True})


def engine_of(hook: Any) -> Any:
    """The same; ``None`` where the hook has none."""
    try:
        return new_engine(hook)
    except Exception:  # noqa: BLE001 - hooks say "no engine" in many ways: NotImplementedError, ImportError, their own
        return None


def _through_engine(hook: Any, sql: str, parameters: Any) -> Iterator[Any] | None:
    """Column names, then chunks of rows; ``None`` where the hook has no SQLAlchemy engine."""
    engine = engine_of(hook)
    return None if engine is None else _stream(engine, sql, parameters)


def _stream(engine: Any, sql: str, parameters: Any) -> Iterator[Any]:
    # Without parameters "%" in the query must stay what it is, for drivers whose placeholders begin with it.
    options = {"stream_results": True, "max_row_buffer": _FETCH, "no_parameters": not parameters}
    try:
        with engine.connect() as connection:
            given = tuple(parameters) if isinstance(parameters, list) else parameters
            result = connection.execution_options(**options).exec_driver_sql(sql, given or None)
            _must_have_rows(result.returns_rows)
            yield list(result.keys())
            yield from result.partitions(_FETCH)
    finally:
        engine.dispose()


def _through_cursor(hook: Any, sql: str, parameters: Any) -> Iterator[Any]:
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(sql, parameters) if parameters else cursor.execute(sql)
        _must_have_rows(cursor.description is not None)
        yield [column[0] for column in cursor.description]
        while rows := cursor.fetchmany(_FETCH):
            yield rows


def _must_have_rows(has_rows: bool) -> None:
    if not has_rows:
        raise ConfigurationError("the query returns no rows by its nature: it must be a SELECT of the record pairs")
