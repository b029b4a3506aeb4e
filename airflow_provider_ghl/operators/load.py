"""The base of operators that run a load: it builds the spec and the ports, and turns the verdict into a result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.quota_wait import SHORTEST_WAIT
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.operators.asset_events import add_to_asset_events
from airflow_provider_ghl.operators.base import GHLOperator, given, required
from airflow_provider_ghl.operators.errors import error_for, translated_errors
from airflow_provider_ghl.operators.links import GHLLoadLink
from airflow_provider_ghl.operators.metrics import send_metrics
from airflow_provider_ghl.operators.page_address import see, task_page
from airflow_provider_ghl.operators.table import TableOperator
from airflow_provider_ghl.operators.task import load_id, note_ledger, series, try_number

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Context

    from airflow_provider_ghl.api.budget import Budget
    from airflow_provider_ghl.load.columns import Columns
    from airflow_provider_ghl.load.kind import RowKind
    from airflow_provider_ghl.load.ledger.ledger import Ledger
    from airflow_provider_ghl.load.ports import Ports
    from airflow_provider_ghl.load.results.destinations import Destinations
    from airflow_provider_ghl.load.results.verdict import Verdict
    from airflow_provider_ghl.load.spec import LoadSpec, MirrorSpec

__all__ = ["LoadOperator"]

#: Seconds of an ``execution_timeout`` that are kept for writing the results; and where a table gets them, too.
_MOST_KEPT_BACK, _MOST_KEPT_FOR_TABLE = 5.0, 60.0
_TRIGGER_GRACE, _LONGEST_TIMEOUT = timedelta(hours=1), timedelta(days=3650)  # a date that any database holds
#: How many rows are read at once. More where rows of one record, or of one location, should come together.
_AT_ONCE, _TOGETHER = 16_384, 131_072


class LoadOperator(TableOperator):
    """An operator that runs a load. Its subclasses define the arguments."""

    location_column: str | None
    row_key_column: str | None
    batch_size: int
    min_rows: int
    diff_against: str
    ledger_max_age: timedelta
    lookup_max_age: timedelta
    on_unresolved: str
    tolerance: Tolerance
    abort_after: int
    outage_timeout: timedelta
    max_requests: int | None
    plan_only: bool
    xcom_results_limit: int
    deferrable: bool
    defer_timeout: timedelta
    #: How long a wait for quota takes at least.
    shortest_wait = SHORTEST_WAIT
    operator_extra_links = (GHLLoadLink(), *GHLOperator.operator_extra_links)
    #: How the load ended, as far as this process knows: for callbacks and lineage.
    verdict: Verdict | None = None
    _target = ""

    def row_kind(self) -> RowKind:
        """The kind of its rows.

        :raises ConfigurationError: the operator's arguments contradict each other.
        """
        raise NotImplementedError

    def mirror(self) -> MirrorSpec | None:
        """What is to be deleted; ``None`` for nothing."""
        return None

    def columns(self, **values: str) -> Columns:
        """The columns to read from the source.

        :param values: the columns with the rows' values, by the argument that names each.
        """
        from airflow_provider_ghl.load.columns import Columns

        names = [required(name, column) for name, column in values.items()]
        return Columns(*names, row_key=given(self.row_key_column), location=given(self.location_column))

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the load and push its results. Return the summary, defer to wait for quota, or raise."""
        return self._conclude(self._load(context, is_resumed=False), context)

    def resume(self, context: Context, event: Any = None) -> dict[str, Any]:
        """Continue after a wait for quota. All rows are read again; rows that are known to exist are not sent."""
        self.log.info("The day's requests should be back: going on.")
        return self._conclude(self._load(context, is_resumed=True), context)

    def page(self, ti: Any) -> str:
        """The path of the load's page.

        :param ti: the task instance, or its key.
        """
        return task_page(ti, self.task_id)

    def only_location(self) -> str | None:
        """The sub-account of all rows; ``None`` where a column names each row's."""
        return self._single_location()

    def get_openlineage_facets_on_complete(self, task_instance: Any) -> OperatorLineage | None:
        """What OpenLineage tells of the load: the table or file, the association in each sub-account, and the counts."""
        from airflow_provider_ghl.operators.lineage import lineage_of

        return lineage_of(self, self._target, None if self.plan_only else self.verdict)

    def get_openlineage_facets_on_failure(self, task_instance: Any) -> OperatorLineage | None:
        """The same of a load that ended red: some of its rows may be there."""
        return self.get_openlineage_facets_on_complete(task_instance)

    def _load(self, context: Context, *, is_resumed: bool) -> Verdict:
        with translated_errors():
            from airflow_provider_ghl.api.budget import Budget
            from airflow_provider_ghl.load.loader import run
            from airflow_provider_ghl.load.results.destinations import Destinations

            self._end_before_timeout()
            with closing(self.hook.ledger) as ledger:
                for warning in [*self.hook.ledger_warnings(), *([] if self.plan_only else note_ledger(context, ledger))]:
                    self.log.warning("%s", warning)
                spec = self._spec(context.get("ti"), is_resumed=is_resumed)
                self._target = spec.kind.target_name
                clock = self.hook.get_conn().clock
                # First of all, so that a destination that cannot be written is found before any request.
                with Destinations(self.open_results(spec.kind.fields.all, spec.load_id, clock.utc_now)) as results:
                    budget = Budget(spec.max_requests)
                    if (failed := self._review(spec, ledger, budget)) is not None:
                        self._push(context, failed)
                        return failed
                    return run(spec, self._ports(spec, ledger, budget, partial(self._push, context), results))

    def _review(self, spec: LoadSpec, ledger: Ledger, budget: Budget) -> Verdict | None:
        """Before a plan is applied: see :func:`~airflow_provider_ghl.load.review.review`."""
        if spec.mirror is None or spec.mirror.apply_plan is None or spec.plan_only:
            return None
        from airflow_provider_ghl.load.review import review

        ports = self._ports(spec, ledger, budget, lambda verdict: None)
        ports.progress = None
        return review(spec, ports, ledger)

    def _end_before_timeout(self) -> None:
        """Stop the load before Airflow's timeout, which would interrupt it anywhere and lose the results."""
        if self.execution_timeout is None:
            return
        left = self.execution_timeout.total_seconds()
        left -= min(_MOST_KEPT_BACK if given(self.results_table) is None else _MOST_KEPT_FOR_TABLE, left / 2)
        self.hook.stop.set_at(self.hook.get_conn().clock.monotonic() + left)

    def _ti(self, context: Context) -> Any:
        """The task instance, where XComs are to be pushed; else ``None``."""
        return context.get("ti") if self.do_xcom_push else None

    def _push(self, context: Context, verdict: Verdict) -> None:
        if (ti := self._ti(context)) is None:
            return
        ti.xcom_push(key="results", value=verdict.results)
        if not verdict.is_green:
            # Airflow pushes the return value of execute, and a failing task returns none.
            ti.xcom_push(key="return_value", value=verdict.summary)

    def _conclude(self, verdict: Verdict, context: Context) -> dict[str, Any]:
        """Log what needs attention. Then return the summary, defer, or raise."""
        self.verdict = verdict
        send_metrics(verdict, context.get("ti"))
        where = self._where(verdict, pushes=self._ti(context) is not None)
        page = self._see(verdict, context)
        for warning in verdict.warnings:
            self.log.warning(warning)
        for line in verdict.attention if verdict.wait is None else ():
            self.log.log(logging.WARNING if verdict.is_green else logging.ERROR, "%s", line)
        if verdict.is_green:
            self.log.info("%s", f"{verdict.message} {where}".strip())
            if page and verdict.attention:
                self.log.info("%s", page)
            add_to_asset_events(context, self.outlets, verdict.summary, is_plan=self.plan_only)
            return verdict.summary
        if verdict.wait is not None:
            self._wait(verdict.message, verdict.wait)
        raise error_for(verdict, where, page)

    def _wait(self, why: str, seconds: float) -> None:
        """Defer the task until the quota is back."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = datetime.now(UTC) + timedelta(seconds=seconds)
        self.log.info("%s Waiting in the triggerer until %s UTC.", why, moment.strftime("%Y-%m-%d %H:%M:%S"))
        # The load itself checks defer_timeout. This timeout is for a triggerer that never fires.
        timeout = min(self.defer_timeout, _LONGEST_TIMEOUT) + _TRIGGER_GRACE
        self.defer(trigger=DateTimeTrigger(moment=moment), method_name="resume", timeout=timeout)

    def _see(self, verdict: Verdict, context: Context) -> str:
        """A line that names the load's page; empty where there is none, or its address is not known."""
        ti = context.get("ti")
        return see(self.page(ti)) if ti is not None and verdict.load_number is not None else ""

    def _where(self, verdict: Verdict, *, pushes: bool) -> str:
        """A text for the log on where to find the results."""
        from airflow_provider_ghl.load.results.outcomes import FAILURES, Outcome

        lines = []
        if not verdict.is_green and self.hook.stop.is_set and self.execution_timeout is not None:
            lines.append(f"A load ends before its execution_timeout={self.execution_timeout}, to keep its results.")
        path, table = verdict.summary["results_path"], verdict.summary.get("results_table")
        if places := [*([path] if path else []), *([f"the table {table}"] if table else [])]:
            lines.append(f"Every row's result is in {' and in '.join(places)}.")
        elif pushes and self.xcom_results_limit and any(verdict.summary[o] for o in (*FAILURES, Outcome.NOT_ATTEMPTED)):
            lines.append("The rows that need attention are in this task's XCom 'results'.")
        return " ".join(lines)

    def _spec(self, ti: Any, *, is_resumed: bool) -> LoadSpec:
        """The spec of the load.

        :param ti: the task instance, if there is one.
        """
        from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec

        return LoadSpec(
            load_id=load_id(ti, self.task_id),
            series=series(ti, self.task_id),
            kind=self.row_kind(),
            location_id=self._single_location(),
            batch_size=self.batch_size,
            min_rows=self.min_rows,
            diff_against=DiffAgainst(self.diff_against),
            ledger_max_age=self.ledger_max_age,
            lookup_max_age=self.lookup_max_age,
            fails_unresolved=self.on_unresolved == "fail",
            tolerance=self.tolerance,
            abort_after=self.abort_after,
            outage_timeout=self.outage_timeout,
            max_requests=self.max_requests,
            keep_results=self.xcom_results_limit,
            try_number=try_number(ti),
            is_resumed=is_resumed,
            plan_only=self.plan_only,
            mirror=self.mirror(),
            defer_timeout=self.defer_timeout if self.deferrable else None,
            shortest_wait=self.shortest_wait,
            total=self.count_rows(),
            about=self.estimate_rows(),
            source_bytes=self.source_bytes(),
        )

    def _ports(
        self,
        spec: LoadSpec,
        ledger: Ledger,
        budget: Budget,
        deliver: Callable[[Verdict], None],
        results: Destinations | None = None,
    ) -> Ports:
        """The ports of the load.

        :param budget: counts its requests.
        :param deliver: called with the verdict.
        :param results: where every row's result goes; ``None`` for nowhere.
        """
        from airflow_provider_ghl.load.ports import Ports
        from airflow_provider_ghl.load.results.progress import Progress

        client = self.hook.get_conn()
        at_once = _TOGETHER if self.diff_against == "highlevel" or spec.has_several_locations else _AT_ONCE
        return Ports(
            batches=self.read_batches(spec.kind.columns, at_once),
            client=client,
            ledger=ledger,
            budget=budget,
            progress=Progress(self.log.info, client.clock, spec.total, spec.about),
            results=results,
            deliver=deliver,
        )

    def _single_location(self) -> str | None:
        """The sub-account of all rows; ``None`` where a column names each row's."""
        if self.location_column is not None:
            required("location_column", self.location_column)
        if given(self.location_column) is None:
            return self.hook.location_id
        if given(self.location_id) is not None:
            raise ConfigurationError("give location_id or location_column, not both: the column names each row's sub-account")
        return None
