"""The base of operators that read a table and write a result for each row."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.base import GHLOperator, given, one_of
from airflow_provider_ghl.operators.rows_argument import Rows, RowsArgument

if TYPE_CHECKING:
    from airflow_provider_ghl.load.columns import Batch, Columns
    from airflow_provider_ghl.load.results.destinations import ResultsSink
    from airflow_provider_ghl.load.source.text_format import TextFormat

__all__ = ["TableOperator", "path_as_text", "templatable"]

#: How many times larger a compressed file with ids is when unpacked.
_PACKED = 2


class TableOperator(GHLOperator):
    """An operator with a source of rows and a destination for results. Its subclasses define the arguments."""

    rows: Any
    sql: str | None
    source_conn_id: str | None
    parameters: Sequence[Any] | Mapping[str, Any] | None
    path: Any
    path_conn_id: str | None
    text_format: TextFormat
    results_path: Any
    results_table: str | None
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
        "results_table",
        "results_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - Airflow's own convention

    def read_batches(self, columns: Columns, at_once: int) -> Iterator[Batch]:
        """The rows of the source, in batches.

        :param at_once: how many rows a batch has at most.
        :raises ConfigurationError: no source or several were given; ``sql`` was given without its connection; ``separator`` or
            ``encoding`` was given without ``path``.
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
        """How many rows there are; ``None`` where that is not known before they are read."""
        from airflow_provider_ghl.load.source.rows import count_rows

        return count_rows(self._data()) if self.rows is not None else None

    def estimate_rows(self) -> int | None:
        """About how many rows a local file has; ``None`` where that is not known."""
        from airflow_provider_ghl.hooks.sources import estimate_rows

        path = path_as_text(self.path)
        return None if path is None else estimate_rows(path, given(self.path_conn_id))

    def source_bytes(self) -> int | None:
        """The size of the file in bytes, uncompressed; ``None`` where it is not known."""
        from airflow_provider_ghl.hooks.sources import file_size

        path = path_as_text(self.path)
        size = file_size(path, given(self.path_conn_id)) if path is not None else None
        return size * _PACKED if size is not None and path is not None and path.endswith((".gz", ".parquet")) else size

    def open_results(self, fields: Sequence[str], load_id: str, now: Callable[[], datetime]) -> list[ResultsSink]:
        """The destinations for every row's result.

        :raises ConfigurationError: one of them cannot take the results, or would replace the source.
        :raises ResultsError: the database of ``results_table`` is away.
        """
        from airflow_provider_ghl.hooks.results import ResultsPlaces, must_be_another_file

        places = ResultsPlaces(path_as_text(self.results_path), given(self.results_table), given(self.results_conn_id))
        if places.path is not None and (source := path_as_text(self.path)):
            must_be_another_file(places.path, places.path_conn_id, source, given(self.path_conn_id))
        return places.open(fields, load_id, now)

    def _data(self) -> Any:
        data = self.rows.value if isinstance(self.rows, Rows | RowsArgument) else self.rows
        if isinstance(data, Iterator):
            raise ConfigurationError(
                f"rows is a {type(data).__name__}, which can be read only once, so that another try would find no rows: "
                "give a list, a DataFrame or an upstream task"
            )
        return data


def templatable(path: Any) -> Any:
    """A path for a template field. A ``Path`` becomes text, because Airflow renders templates only in text."""
    return str(path) if isinstance(path, os.PathLike) else path


def path_as_text(path: Any) -> str | None:
    """A path of any type as text; ``None`` where none was given."""
    return None if given(path) is None else str(path)
