"""The table of a bulk operator: which of its sources was given, and where its results go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.base import given, one_of, required
from airflow_provider_ghl.operators.rows_argument import Rows, RowsArgument

if TYPE_CHECKING:
    from airflow_provider_ghl.load.results.file import ResultsFile
    from airflow_provider_ghl.load.source.batches import Batch, Columns

__all__ = [
    "batches_of",
    "columns_of",
    "results_file_of",
    "rows_known_of",
    "source_bytes_of",
    "templatable",
    "text_of",
]

#: How many times as large ids are before they are packed.
_PACKED = 2


def columns_of(operator: Any) -> Columns:
    """The columns that it names."""
    from airflow_provider_ghl.load.source.batches import Columns

    first = required("first_record_column", operator.first_record_column)
    second = required("second_record_column", operator.second_record_column)
    return Columns(first, second, given(operator.row_key_column), given(operator.location_column))


def batches_of(operator: Any, columns: Columns, at_once: int) -> Iterator[Batch]:
    """Its rows, at most ``at_once`` of them in a batch.

    :raises ConfigurationError: none of its sources was given, or several, or one without its connection.
    """
    from airflow_provider_ghl.hooks.sources import file_batches, sql_batches
    from airflow_provider_ghl.load.source.rows import from_data

    source = one_of(rows=operator.rows, sql=operator.sql, path=operator.path)
    if source == "rows":
        return from_data(_data(operator), columns, at_once)
    if source == "path":
        return file_batches(str(operator.path), given(operator.path_conn_id), columns, at_once)
    conn_id = given(operator.source_conn_id)
    if conn_id is None:
        raise ConfigurationError("sql needs source_conn_id, the Airflow connection of the database")
    return sql_batches(conn_id, str(operator.sql), operator.parameters, columns, at_once)


def rows_known_of(operator: Any) -> int | None:
    """How many rows there are, where that can be told before they are read."""
    from airflow_provider_ghl.load.source.rows import count_of

    return count_of(_data(operator)) if operator.rows is not None else None


def source_bytes_of(operator: Any) -> int | None:
    """How large the file is, where that can be told."""
    from airflow_provider_ghl.hooks.sources import file_size

    path = text_of(operator.path)
    size = file_size(path, given(operator.path_conn_id)) if path is not None else None
    return size * _PACKED if size is not None and path is not None and path.endswith((".gz", ".parquet")) else size


def results_file_of(operator: Any) -> ResultsFile | None:
    """Where every row's result goes.

    :raises ConfigurationError: it would replace the source.
    """
    from airflow_provider_ghl.hooks.sources import must_be_another_file, results_file

    path, conn_id = text_of(operator.results_path), given(operator.results_conn_id)
    if path is None:
        return None
    if source := text_of(operator.path):
        must_be_another_file(path, conn_id, source, given(operator.path_conn_id))
    return results_file(path, conn_id)


def templatable(path: Any) -> Any:
    """As text where Airflow would not look for templates in it."""
    return str(path) if isinstance(path, os.PathLike) else path


def text_of(path: Any) -> str | None:
    """A path that was given, of whatever type."""
    return None if given(path) is None else str(path)


def _data(operator: Any) -> Any:
    data = operator.rows.value if isinstance(operator.rows, Rows | RowsArgument) else operator.rows
    if isinstance(data, Iterator):
        raise ConfigurationError(
            f"rows is a {type(data).__name__}, which can be read only once, so that another try would find no rows: "
            "give a list, a DataFrame or an upstream task"
        )
    return data
