"""A whole table of record pairs becomes relations."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.operators.base import GHLOperator, choice, given, one_of, required, whole_number
from airflow_provider_ghl.operators.errors import error_of, translated
from airflow_provider_ghl.operators.rows_argument import Rows, RowsArgument

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.load.batches import Batch, Columns
    from airflow_provider_ghl.load.loader import LoadSpec, Ports
    from airflow_provider_ghl.load.results_file import ResultsFile
    from airflow_provider_ghl.load.verdict import Verdict

__all__ = ["BulkCreateRelationsOperator"]

#: Seconds of an ``execution_timeout`` that are left for writing down results.
_MOST_KEPT_BACK = 5.0


class BulkCreateRelationsOperator(GHLOperator):
    """Makes HighLevel hold the relations that a table of record pairs names, with a verdict for every row.

    Returns the load's summary: ``load_id``, ``rows``, a count for every outcome, ``stopped_by``, ``requests``, ``retries``,
    ``rate_limited``, ``seconds``, ``daily_remaining``, ``results_path``, ``results_cut``. Pushes the XCom ``results``: a dict
    for every row, up to ``xcom_results_limit``, those that need attention before the others. Both are pushed before the task
    fails, and neither with ``do_xcom_push=False``. With an ``execution_timeout`` the load ends up to 5 s before it, red and
    retryable, so that they are pushed then too.

    Exactly one source (``rows``, ``sql``, ``path``) and exactly one of ``association_id`` and ``association_key``.

    :param association_id: the association's id (templated).
    :param association_key: its key (templated).
    :param rows: list of dicts, list of pairs, DataFrame, or an XComArg of these; no generator, which another try would find
        empty. Data, never evaluated as a template.
    :param sql: a query, or a ``.sql`` file of one (templated), on the SQL connection
    :param source_conn_id: of this id (templated), with
    :param parameters: these parameters (templated), in the style of the database's driver.
    :param path: a CSV, TSV, JSON Lines or Parquet file, the first three also ``.gz`` (templated): local, or any URL that
        ``ObjectStoragePath`` opens with the connection
    :param path_conn_id: of this id (templated).
    :param first_record_column: column of the association's first records (templated).
    :param second_record_column: column of its second records (templated).
    :param row_key_column: column of your own row id, carried into every result (templated).
    :param batch_size: rows that are planned together.
    :param min_rows: fewer rows than that are red before anything is sent.
    :param diff_against: what is asked for relations that are there before sending; ``none``: every row is sent, and HighLevel
        says which ones were there.
    :param failure_tolerance: rows (int) or share of rows (float in [0, 1)) that may fail before the task is red.
    :param abort_after: the same refusal so many times with no success between stops the load; until the first success, so
        many requests are in flight at most.
    :param max_requests: every request counts: reads and retries too. When they are spent the task is green with a warning, and
        the other rows are ``not_attempted``.
    :param results_path: where every row's result is written, in input order, as ``.csv``, ``.jsonl`` or ``.parquet``; there
        whole or not at all (templated). Local, or any URL that ``ObjectStoragePath`` writes with the connection
    :param results_conn_id: of this id (templated).
    :param xcom_results_limit: rows in the ``results`` XCom.
    """

    template_fields: Sequence[str] = (
        *GHLOperator.template_fields,
        "association_id",
        "association_key",
        "rows",
        "sql",
        "source_conn_id",
        "parameters",
        "path",
        "path_conn_id",
        "first_record_column",
        "second_record_column",
        "row_key_column",
        "results_path",
        "results_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - Airflow's own convention

    def __init__(
        self,
        *,
        association_id: str | None = None,
        association_key: str | None = None,
        rows: Any = None,
        sql: str | None = None,
        source_conn_id: str | None = None,
        parameters: Sequence[Any] | Mapping[str, Any] | None = None,
        path: str | os.PathLike[str] | None = None,
        path_conn_id: str | None = None,
        first_record_column: str = "first_record_id",
        second_record_column: str = "second_record_id",
        row_key_column: str | None = None,
        batch_size: int = 1000,
        min_rows: int = 0,
        diff_against: str = "none",
        failure_tolerance: int | float = 0,
        abort_after: int = 20,
        max_requests: int | None = None,
        results_path: str | os.PathLike[str] | None = None,
        results_conn_id: str | None = None,
        xcom_results_limit: int = 1000,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.association_id = association_id
        self.association_key = association_key
        self.rows = None if rows is None else RowsArgument(rows)
        self.sql = sql
        self.source_conn_id = source_conn_id
        self.parameters = parameters
        self.path = _templatable(path)
        self.path_conn_id = path_conn_id
        self.first_record_column = first_record_column
        self.second_record_column = second_record_column
        self.row_key_column = row_key_column
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self.min_rows = whole_number("min_rows", min_rows, least=0)
        self.diff_against = choice("diff_against", diff_against, "none")
        self.tolerance = Tolerance(failure_tolerance)
        self.abort_after = whole_number("abort_after", abort_after, least=1)
        self.max_requests = None if max_requests is None else whole_number("max_requests", max_requests, least=1)
        self.results_path = _templatable(results_path)
        self.results_conn_id = results_conn_id
        self.xcom_results_limit = whole_number("xcom_results_limit", xcom_results_limit, least=0)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the load; push what became of it; return the summary or raise."""
        with translated():
            from airflow_provider_ghl.load.loader import run

            self._end_before_timeout()
            verdict = run(self._spec(context), self._ports())
        return self._conclude(context, verdict)

    def _end_before_timeout(self) -> None:
        """Airflow's timeout strikes anywhere, and the results would be lost."""
        if self.execution_timeout is None:
            return
        left = self.execution_timeout.total_seconds()
        left -= min(_MOST_KEPT_BACK, left / 2)
        self.hook.stop.set_at(self.hook.get_conn().clock.monotonic() + left)

    def _conclude(self, context: Context, verdict: Verdict) -> dict[str, Any]:
        for warning in verdict.warnings:
            self.log.warning(warning)
        ti = context.get("ti") if self.do_xcom_push else None
        pushes = ti is not None
        if ti is not None:
            ti.xcom_push(key="results", value=verdict.results)
        if verdict.is_green:
            self.log.info("%s", f"{verdict.message} {self._where(verdict, pushes)}".strip())
            return verdict.summary
        if ti is not None:
            # Airflow pushes what execute returns, which a failing task never does.
            ti.xcom_push(key="return_value", value=verdict.summary)
        raise error_of(verdict, self._where(verdict, pushes), was_stopped=self.hook.stop.is_set)

    def _where(self, verdict: Verdict, pushes: bool) -> str:
        """Where to read on."""
        from airflow_provider_ghl.load.outcomes import FAILURES, Outcome

        told = []
        if not verdict.is_green and self.hook.stop.is_set and self.execution_timeout is not None:
            told.append(f"A load ends before its execution_timeout={self.execution_timeout}, to keep its results.")
        if path := verdict.summary["results_path"]:
            told.append(f"Every row's result is in {path}.")
        elif pushes and self.xcom_results_limit and any(verdict.summary[o] for o in (*FAILURES, Outcome.NOT_ATTEMPTED)):
            told.append("The rows that need attention are in this task's XCom 'results'.")
        return " ".join(told)

    def _spec(self, context: Context) -> LoadSpec:
        from airflow_provider_ghl.load.loader import LoadSpec

        named = one_of(association_id=self.association_id, association_key=self.association_key)
        ti = context.get("ti")
        return LoadSpec(
            load_id=_load_id_of(ti, self.task_id),
            location_id=self.hook.location_id,
            columns=self._columns(),
            association_id=self.association_id if named == "association_id" else None,
            association_key=self.association_key if named == "association_key" else None,
            min_rows=self.min_rows,
            tolerance=self.tolerance,
            abort_after=self.abort_after,
            max_requests=self.max_requests,
            keep_results=self.xcom_results_limit,
            try_number=_whole(getattr(ti, "try_number", None), 1),
            results_path=_text(self.results_path),
        )

    def _ports(self) -> Ports:
        from airflow_provider_ghl.load.loader import Ports
        from airflow_provider_ghl.load.progress import Progress
        from airflow_provider_ghl.load.rows import count_of

        client = self.hook.get_conn()
        total = count_of(self._data()) if self.rows is not None else None
        return Ports(
            batches=self._batches(self._columns()),
            client=client,
            progress=Progress(self.log.info, client.clock, total),
            results_file=self._results_file(),
        )

    def _results_file(self) -> ResultsFile | None:
        from airflow_provider_ghl.hooks.sources import must_be_another_file, results_file

        path, conn_id = _text(self.results_path), given(self.results_conn_id)
        if path is None:
            return None
        if source := _text(self.path):
            must_be_another_file(path, conn_id, source, given(self.path_conn_id))
        return results_file(path, conn_id)

    def _batches(self, columns: Columns) -> Iterator[Batch]:
        from airflow_provider_ghl.hooks.sources import file_batches, sql_batches
        from airflow_provider_ghl.load.rows import from_data

        source = one_of(rows=self.rows, sql=self.sql, path=self.path)
        if source == "rows":
            return from_data(self._data(), columns, self.batch_size)
        if source == "path":
            return file_batches(str(self.path), given(self.path_conn_id), columns, self.batch_size)
        conn_id = given(self.source_conn_id)
        if conn_id is None:
            raise ConfigurationError("sql needs source_conn_id, the Airflow connection of the database")
        return sql_batches(conn_id, str(self.sql), self.parameters, columns, self.batch_size)

    def _columns(self) -> Columns:
        from airflow_provider_ghl.load.batches import Columns

        first = required("first_record_column", self.first_record_column)
        second = required("second_record_column", self.second_record_column)
        return Columns(first, second, given(self.row_key_column))

    def _data(self) -> Any:
        data = self.rows.value if isinstance(self.rows, Rows | RowsArgument) else self.rows
        if isinstance(data, Iterator):
            raise ConfigurationError(
                f"rows is a {type(data).__name__}, which can be read only once, so that another try would find no rows: "
                "give a list, a DataFrame or an upstream task"
            )
        return data


def _templatable(path: Any) -> Any:
    """As text where Airflow would not look for templates in it."""
    return str(path) if isinstance(path, os.PathLike) else path


def _text(path: Any) -> str | None:
    """A path that was given, of whatever type."""
    return None if given(path) is None else str(path)


def _load_id_of(ti: Any, task_id: str) -> str:
    """The same over all tries and deferrals of a task instance."""
    parts = (getattr(ti, "dag_id", ""), getattr(ti, "run_id", ""), task_id, getattr(ti, "map_index", -1))
    return "/".join(map(str, parts))


def _whole(value: Any, otherwise: int) -> int:
    """The value where it is a number."""
    return value if isinstance(value, int) else otherwise
