"""What an operator has that reads a table and accounts for its rows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.base import GHLOperator, given, one_of
from airflow_provider_ghl.operators.rows_argument import Rows, RowsArgument

if TYPE_CHECKING:
    from airflow_provider_ghl.load.columns import Batch, Columns
    from airflow_provider_ghl.load.results.file import ResultsFile
    from airflow_provider_ghl.load.source.text_format import TextFormat

__all__ = ["TableOperator", "path_as_text", "templatable"]

#: How many times larger ids are when they are unpacked.
_PACKED = 2


class TableOperator(GHLOperator):
    """An operator with a source of rows and a place for their results. Its arguments are those of the operators below it."""

    rows: Any
    sql: str | None
    source_conn_id: str | None
    parameters: Sequence[Any] | Mapping[str, Any] | None
    path: Any
    path_conn_id: str | None
    text_format: TextFormat
    results_path: Any
    results_conn_id: str | None

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "rows",
        "sql",
        "source_conn_id",
        "parameters",
        "path",
        "path_conn_id",
        "row_key_column",
        "location_column",
        "results_path",
        "results_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - Airflow's own convention

    def read_batches(self, columns: Columns, at_once: int) -> Iterator[Batch]:
        """Its rows, at most ``at_once`` of them in a batch.

        :raises ConfigurationError: none of its sources was given, or several; ``sql`` without its connection; ``separator`` or
            ``encoding`` without ``path``.
        """
        from airflow_provider_ghl.hooks.sources import file_batches, sql_batches
        from airflow_provider_ghl.load.source.rows import from_data

        source = one_of(rows=self.rows, sql=self.sql, path=self.path)
        if source != "path" and (names := self.text_format.given):
            is_or_are, it_or_them = ("is", "it") if len(names) == 1 else ("are", "them")
            raise ConfigurationError(f"{' and '.join(names)} {is_or_are} for path= alone: leave {it_or_them} out")
        if source == "rows":
            return from_data(self._data(), columns, at_once)
        if source == "path":
            return file_batches(str(self.path), given(self.path_conn_id), columns, at_once, self.text_format)
        conn_id = given(self.source_conn_id)
        if conn_id is None:
            raise ConfigurationError("sql needs source_conn_id, the Airflow connection of the database")
        return sql_batches(conn_id, str(self.sql), self.parameters, columns, at_once)

    def count_rows(self) -> int | None:
        """How many rows there are, where that can be told before they are read."""
        from airflow_provider_ghl.load.source.rows import count_rows

        return count_rows(self._data()) if self.rows is not None else None

    def estimate_rows(self) -> int | None:
        """About how many rows a file has, where a look at it can tell."""
        from airflow_provider_ghl.hooks.sources import estimate_rows

        path = path_as_text(self.path)
        return None if path is None else estimate_rows(path, given(self.path_conn_id))

    def source_bytes(self) -> int | None:
        """How large the file is, where that can be told."""
        from airflow_provider_ghl.hooks.sources import file_size

        path = path_as_text(self.path)
        size = file_size(path, given(self.path_conn_id)) if path is not None else None
        return size * _PACKED if size is not None and path is not None and path.endswith((".gz", ".parquet")) else size

    def results_file(self, fields: Sequence[str]) -> ResultsFile | None:
        """Where every row's result goes.

        :raises ConfigurationError: it would replace the source.
        """
        from airflow_provider_ghl.hooks.sources import must_be_another_file, results_file

        path, conn_id = path_as_text(self.results_path), given(self.results_conn_id)
        if path is None:
            return None
        if source := path_as_text(self.path):
            must_be_another_file(path, conn_id, source, given(self.path_conn_id))
        return results_file(path, conn_id, fields)

    def _data(self) -> Any:
        data = self.rows.value if isinstance(self.rows, Rows | RowsArgument) else self.rows
        if isinstance(data, Iterator):
            raise ConfigurationError(
                f"rows is a {type(data).__name__}, which can be read only once, so that another try would find no rows: "
                "give a list, a DataFrame or an upstream task"
            )
        return data


def templatable(path: Any) -> Any:
    """A path as a template field: Airflow finds templates in text only, so a ``Path`` becomes text."""
    return str(path) if isinstance(path, os.PathLike) else path


def path_as_text(path: Any) -> str | None:
    """A path of any type as text; ``None`` where none was given."""
    return None if given(path) is None else str(path)
