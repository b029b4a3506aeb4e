"""A whole table of record pairs becomes relations."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

from airflow_provider_ghl.load.patience import SHORTEST_WAIT
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.operators.base import GHLOperator, choice, duration, flag, number_or_none, whole_number
from airflow_provider_ghl.operators.errors import error_of, translated
from airflow_provider_ghl.operators.load import ports_of, spec_of
from airflow_provider_ghl.operators.rows_argument import RowsArgument
from airflow_provider_ghl.operators.table import templatable
from airflow_provider_ghl.operators.task import note_ledger

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_ghl.load.results.verdict import Verdict

__all__ = ["BulkCreateRelationsOperator"]

#: Seconds of an ``execution_timeout`` that are left for writing down results.
_MOST_KEPT_BACK = 5.0
_TRIGGER_GRACE, _LONGEST_TIMEOUT = timedelta(hours=1), timedelta(days=3650)  # a date that any database holds


class BulkCreateRelationsOperator(GHLOperator):
    """Makes HighLevel hold the relations that a table of record pairs names, with a verdict for every row.

    Returns the load's summary: ``load_id``, ``rows``, a count for every outcome, ``stopped_by``, ``requests``, ``retries``,
    ``rate_limited``, ``seconds``, ``daily_remaining``, ``results_path``, ``results_cut``. Pushes the XCom ``results``: a dict
    for every row, up to ``xcom_results_limit``, those that need attention before the others. Both are pushed before the task
    fails, and neither with ``do_xcom_push=False``. With an ``execution_timeout`` the load ends up to 5 s before it, red and
    retryable, so that they are pushed then too.

    With ``location_column`` the rows may be of any number of sub-accounts, which are loaded side by side, each at its own
    limits. The summary then has ``locations``: by id a count for every outcome, ``requests`` (of this attempt),
    ``stopped_by``, ``daily_remaining``, ``reason``. One that is stopped does not hold up the others; the task ends red then.

    Exactly one source (``rows``, ``sql``, ``path``) and exactly one of ``association_id`` and ``association_key``.

    :param location_column: column of the row's sub-account (templated), instead of the connection's and of ``location_id``.
    :param association_id: the association's id (templated).
    :param association_key: its key, looked up in each sub-account (templated).
    :param rows: list of dicts, list of pairs, DataFrame, or an XComArg of these; no generator, which another try would find
        empty. Data, never evaluated as a template.
    :param sql: a query, or a ``.sql`` file of one (templated). It needs ``source_conn_id``.
    :param source_conn_id: the SQL connection that ``sql`` is for (templated).
    :param parameters: the parameters of ``sql`` (templated), in the style of the database's driver.
    :param path: a CSV, TSV, JSON Lines or Parquet file, the first three also ``.gz`` (templated): local, or any URL that
        ``ObjectStoragePath`` opens.
    :param path_conn_id: the connection that ``path`` is opened with (templated).
    :param first_record_column: column of the association's first records (templated).
    :param second_record_column: column of its second records (templated).
    :param row_key_column: column of your own row id, carried into every result (templated).
    :param batch_size: rows that are claimed in the ledger together, before their requests go out.
    :param min_rows: fewer rows than that are red before anything is sent.
    :param diff_against: what is asked which relations are there, before any is sent. ``ledger``: what HighLevel confirmed to
        earlier loads. ``highlevel``: HighLevel itself, by pages of 100 where that is cheaper than sending. ``none``: every row
        is sent, and HighLevel says which ones were there. What an earlier attempt of this load learned is never asked again.
    :param ledger_max_age: what HighLevel has not confirmed for so long is looked up again, spread evenly over the days.
    :param failure_tolerance: rows (int) or share of rows (float in [0, 1)) that may fail before the task is red.
    :param abort_after: the same refusal so many times with no success between stops the load; until the first success, so
        many requests are in flight at most.
    :param max_per_first: relations of the association that one first record may have. Rows beyond that, counted over the input
        and what is known to be there, are ``invalid``, where HighLevel would refuse them for a request each.
    :param max_per_second: the same for second records.
    :param max_requests: every request counts: reads and retries too. When they are spent the task is green with a warning, and
        the other rows are ``not_attempted``.
    :param plan_only: count the rows and price them; nothing is written to HighLevel. The summary has ``plan``: ``requests`` (at
        most), ``seconds`` at the current limit, ``left_today``, ``share_of_today``, ``days``.
    :param results_path: where every row's result is written, in input order, as ``.csv``, ``.jsonl`` or ``.parquet``; there
        whole or not at all (templated). Local, or any URL that ``ObjectStoragePath`` writes.
    :param results_conn_id: the connection that ``results_path`` is written with (templated).
    :param xcom_results_limit: rows in the ``results`` XCom.
    :param deferrable: where the day's quota is spent, free the slot, wait in the triggerer for the reset and go on.
    :param defer_timeout: how long to wait so in all; what would take longer is red and retryable at once.
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
        "location_column",
        "results_path",
        "results_conn_id",
    )
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers = {"sql": "sql", "parameters": "json"}  # noqa: RUF012 - Airflow's own convention
    #: How long a wait for quota takes at least.
    shortest_wait = SHORTEST_WAIT

    def __init__(
        self,
        *,
        location_column: str | None = None,
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
        diff_against: str = "ledger",
        ledger_max_age: timedelta = timedelta(days=30),
        failure_tolerance: int | float = 0,
        abort_after: int = 20,
        max_per_first: int | None = None,
        max_per_second: int | None = None,
        max_requests: int | None = None,
        plan_only: bool = False,
        results_path: str | os.PathLike[str] | None = None,
        results_conn_id: str | None = None,
        xcom_results_limit: int = 1000,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        defer_timeout: timedelta = timedelta(days=7),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.location_column = location_column
        self.association_id = association_id
        self.association_key = association_key
        self.rows = None if rows is None else RowsArgument(rows)
        self.sql = sql
        self.source_conn_id = source_conn_id
        self.parameters = parameters
        self.path = templatable(path)
        self.path_conn_id = path_conn_id
        self.first_record_column = first_record_column
        self.second_record_column = second_record_column
        self.row_key_column = row_key_column
        self.batch_size = whole_number("batch_size", batch_size, least=1)
        self.min_rows = whole_number("min_rows", min_rows, least=0)
        self.diff_against = choice("diff_against", diff_against, "ledger", "highlevel", "none")
        self.ledger_max_age = duration("ledger_max_age", ledger_max_age)
        self.tolerance = Tolerance(failure_tolerance)
        self.abort_after = whole_number("abort_after", abort_after, least=1)
        self.max_per_first = number_or_none("max_per_first", max_per_first, least=1)
        self.max_per_second = number_or_none("max_per_second", max_per_second, least=1)
        self.max_requests = number_or_none("max_requests", max_requests, least=1)
        self.plan_only = flag("plan_only", plan_only)
        self.results_path = templatable(results_path)
        self.results_conn_id = results_conn_id
        self.xcom_results_limit = whole_number("xcom_results_limit", xcom_results_limit, least=0)
        self.deferrable = flag("deferrable", deferrable)
        self.defer_timeout = duration("defer_timeout", defer_timeout)

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the load; push what became of it; return the summary, wait for quota, or raise."""
        return self._load(context, is_resumed=False)

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Go on after a wait for quota: all rows are read again, and what is known to be there is not sent."""
        self.log.info("The day's requests should be back: going on.")
        return self._load(context, is_resumed=True)

    def _load(self, context: Context, *, is_resumed: bool) -> dict[str, Any]:
        with translated():
            from airflow_provider_ghl.load.loader import run

            self._end_before_timeout()
            with closing(self.hook.ledger) as ledger:
                for warning in [*self.hook.ledger_warnings(), *([] if self.plan_only else note_ledger(context, ledger))]:
                    self.log.warning("%s", warning)
                spec = spec_of(self, context.get("ti"), is_resumed=is_resumed)
                verdict = run(spec, ports_of(self, ledger, partial(self._push, context)))
        return self._conclude(verdict, pushes=self._ti(context) is not None)

    def _end_before_timeout(self) -> None:
        """Airflow's timeout strikes anywhere, and the results would be lost."""
        if self.execution_timeout is None:
            return
        left = self.execution_timeout.total_seconds()
        left -= min(_MOST_KEPT_BACK, left / 2)
        self.hook.stop.set_at(self.hook.get_conn().clock.monotonic() + left)

    def _ti(self, context: Context) -> Any:
        """What takes XComs, if any are to be pushed."""
        return context.get("ti") if self.do_xcom_push else None

    def _push(self, context: Context, verdict: Verdict) -> None:
        if (ti := self._ti(context)) is None:
            return
        ti.xcom_push(key="results", value=verdict.results)
        if not verdict.is_green:
            # Airflow pushes what execute returns, which a failing task never does.
            ti.xcom_push(key="return_value", value=verdict.summary)

    def _conclude(self, verdict: Verdict, *, pushes: bool) -> dict[str, Any]:
        for warning in verdict.warnings:
            self.log.warning(warning)
        if verdict.is_green:
            self.log.info("%s", f"{verdict.message} {self._where(verdict, pushes)}".strip())
            return verdict.summary
        if verdict.wait is not None:
            self._wait(verdict.message, verdict.wait)
        raise error_of(verdict, self._where(verdict, pushes), was_stopped=self.hook.stop.is_set)

    def _wait(self, why: str, seconds: float) -> None:
        """Free the slot, and come back when there is quota again."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        self.log.info("%s Waiting in the triggerer until %s UTC.", why, moment.strftime("%Y-%m-%d %H:%M:%S"))
        # The load judges defer_timeout; this one is for a triggerer that does not come back.
        timeout = min(self.defer_timeout, _LONGEST_TIMEOUT) + _TRIGGER_GRACE
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume", timeout=timeout)

    def _where(self, verdict: Verdict, pushes: bool) -> str:
        """Where to read on."""
        from airflow_provider_ghl.load.results.outcomes import FAILURES, Outcome

        told = []
        if not verdict.is_green and self.hook.stop.is_set and self.execution_timeout is not None:
            told.append(f"A load ends before its execution_timeout={self.execution_timeout}, to keep its results.")
        if path := verdict.summary["results_path"]:
            told.append(f"Every row's result is in {path}.")
        elif pushes and self.xcom_results_limit and any(verdict.summary[o] for o in (*FAILURES, Outcome.NOT_ATTEMPTED)):
            told.append("The rows that need attention are in this task's XCom 'results'.")
        return " ".join(told)
