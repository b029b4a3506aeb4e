"""One load, from its rows to its verdict. :func:`run` reads top to bottom as the flow in the README."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.exceptions import GHLError, LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.patience import Patience
from airflow_provider_ghl.load.plan.difference import Chunk, Memory
from airflow_provider_ghl.load.plan.partition import Planner
from airflow_provider_ghl.load.plan.price import estimate
from airflow_provider_ghl.load.results.ending import Ending, LaneEnd
from airflow_provider_ghl.load.results.outcomes import Outcome
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import RowIdentity
from airflow_provider_ghl.load.results.verdict import Verdict, judge
from airflow_provider_ghl.load.send.dispatch import Dispatch
from airflow_provider_ghl.load.send.journal import Bookkeeper
from airflow_provider_ghl.load.send.location import Lane, told
from airflow_provider_ghl.load.send.steps import Common, Work
from airflow_provider_ghl.load.send.workers import ThreadWorkers
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec, Ports
from airflow_provider_ghl.relations.association import Target
from airflow_provider_ghl.relations.read_back import requests_for

__all__ = ["run"]


#: How long the ledger keeps what a load did, row by row.
_KEPT = timedelta(days=90)
#: Requests that each of several locations may have in flight until one of its rows has succeeded.
_CAUTIOUS = 3
#: What stands for the location of a load that is about several.
SEVERAL = "several"


def run(spec: LoadSpec, ports: Ports) -> Verdict:
    """Make HighLevel hold the relations that the rows name.

    :raises ConfigurationError: what can be known to be wrong before any request. All other ends are told by the verdict.
    """
    return _Load(spec, ports).run()


class _Load:
    """The state of one :func:`run`."""

    def __init__(self, spec: LoadSpec, ports: Ports) -> None:
        self._spec = spec
        self._client = ports.client
        self._workers = ports.workers or ThreadWorkers()
        self._progress = ports.progress
        self._file = ports.results_file
        self._deliver = ports.deliver
        self._ledger = ports.ledger or Ledger.in_memory()
        self._ledger.end_waits_when(lambda: ports.client.stop.is_set)
        self._attempt: Attempt | None = None
        self._began = ports.client.clock.monotonic()
        self._ending = Ending(draw=ports.client.retry.draw)
        self._budget = Budget(spec.max_requests)
        self._is_published = False
        self._works: list[Work] = []
        nowhere = [RowIdentity(None, spec.association_id, spec.try_number)] if spec.columns.location else []
        self._report = Report(nowhere, spec.keep_results, self._file)
        self._planner = Planner(
            spec, iter(ports.batches), self._report, ports.client.stop, self._ledger.identity, self._open_lane
        )
        self._common = Common(
            spec=spec,
            report=self._report,
            clock=ports.client.clock,
            book=None,
            recall=self._recall,
            may_read_on=lambda: self._planner.wants_more,
            is_read=lambda: self._planner.is_read,
            expected=self._planner.expected_rows,
            announce=self._announce,
        )

    def run(self) -> Verdict:
        """See :func:`run`."""
        try:
            self._ending.too_few = not self._planner.has_enough()
            if not self._ending.too_few and not self._client.stop.is_set:
                try:
                    self._try()
                except LedgerError as error:
                    self._ending.broken_by = error
            self._leave_rest()
            return self._conclude()
        except BaseException:
            self._note_end("retryable", "broken off", {})
            raise
        finally:
            self._workers.close()
            if self._file is not None:
                self._file.discard()

    def _open_lane(self, location_id: str, place: int) -> Lane:
        work = Work(self._common, location_id, place)
        self._works.append(work)
        several = self._spec.columns.location is not None
        return Lane(location_id, work, self._spec.abort_after, _CAUTIOUS if several else self._spec.abort_after)

    def _try(self) -> None:
        """All that needs HighLevel or the ledger.

        :raises LedgerError: it cannot be read or written. Nothing more was sent then.
        """
        if not self._spec.plan_only:
            attempt = self._begin()
            self._common.book = Bookkeeper(self._ledger, attempt, self._budget, self._client.clock)
            self._planner.tell = self._common.book.tell
        dispatch = Dispatch(self._client, self._workers, self._budget, self._spec.abort_after, self._planner)
        for settled in dispatch.run():
            for lane, sent, result in settled:
                lane.rows.take(sent, result)
            if self._common.book is not None:
                self._common.book.tick()
            if self._failure is not None:
                dispatch.halt()
            if self._budget.spent > len(self._works):  # before that associations are read
                self._tick()
        for lane in self._planner.lanes:
            lane.why = lane.why or dispatch.why
        self._leave_rest()
        if self._common.book is not None:
            self._common.book.commit()
        self._ending.stopped_by, self._ending.why = dispatch.stopped_by, dispatch.why
        self._take_in_lanes()
        if self._failure is not None:
            raise self._failure

    @property
    def _failure(self) -> LedgerError | None:
        return (self._common.book and self._common.book.failure) or self._common.failure

    def _leave_rest(self) -> None:
        """Account for the rows that were not reached."""
        for lane in self._planner.lanes:
            lane.rows.leave(lane.reason)
        self._planner.read_out()

    def _take_in_lanes(self) -> None:
        """How the locations' parts ended."""
        now = self._client.clock.monotonic()
        for work in self._works:
            self._ending.warnings.extend(work.warnings)
        if self._spec.plan_only:
            lanes = zip(self._planner.lanes, self._works, strict=True)
            prices = [(work.price + lane.requests, self._client.limit(lane.location_id)) for lane, work in lanes]
            self._ending.plan = estimate(prices)
        stops = [LaneEnd.of(lane, now) for lane in self._planner.lanes if lane.is_stopped]
        if self._spec.columns.location:
            self._ending.lanes = stops
        elif stops:
            self._ending.take_in(stops[0])

    def _begin(self) -> Attempt:
        spec = self._spec
        attempt = self._attempt = self._ledger.loads.begin(
            spec.load_id,
            try_number=spec.try_number,
            is_resumed=spec.is_resumed,
            location_id=spec.location_id or SEVERAL,
            association=spec.association_id or spec.association_key or "",
        )
        self._budget.carry_on(*attempt.spent_before)
        if spec.defer_timeout is not None:
            waited = attempt.began - attempt.deferred_since if attempt.deferred_since is not None else 0.0
            self._ending.patience = Patience(spec.defer_timeout, waited, spec.shortest_wait)
        return attempt

    def _recall(self, target: Target) -> Memory:
        """What is believed of the ledger: what this load has learned itself, and what is young enough."""
        ledger, spec, attempt = self._ledger, self._spec, self._attempt
        target_id = ledger.relations.target(self._client.host, target.location_id, target.association_id)
        max_age = spec.ledger_max_age.total_seconds() if spec.diff_against is DiffAgainst.LEDGER else None
        if attempt is None:
            now = ledger.time()
            return Memory(ledger, target_id, Freshness(now, now, max_age), None)
        # What others learned counts from this attempt's begin on: what they learned before it may be what somebody undid.
        number = attempt.load_number if attempt.has_earlier else None
        freshness = Freshness(attempt.began, attempt.began, max_age, number, attempt.chain_began)
        return Memory(ledger, target_id, freshness, number)

    def _announce(self, chunk: Chunk) -> None:
        """Before the first request of a single location's rows it is said what is ahead, where the size of the source is
        known.
        """
        spec, planner = self._spec, self._planner
        total = len(chunk.first) if planner.is_read else spec.total
        if chunk.start or spec.columns.location or spec.plan_only or not total or self._progress is None:
            return
        share = requests_for(chunk, spec.diff_against) / len(chunk.first)
        # What earlier attempts have spent was of another day.
        spent = self._budget.spent - (self._attempt.spent_before[0] if self._attempt is not None else 0)
        price = estimate([(spent + round(share * total), self._client.limit(spec.location_id))])
        self._progress.announce(total, price, is_exact=planner.is_read)

    def _tick(self) -> None:
        if self._progress is None or not self._progress.is_due:
            return
        limits = [self._client.limit(lane.location_id) for lane in self._planner.lanes if not lane.is_done]
        if limits:
            self._progress.tick(self._report.done, self._report.rows, self._budget.spent, limits)

    def _publish(self) -> None:
        """Make the results durable, before any red end."""
        error = self._report.file_error
        if self._file is not None and error is None:
            try:
                self._file.commit()
            except Exception as failed:  # noqa: BLE001 - whatever a destination may raise
                error = failed
        self._is_published = self._file is not None and error is None
        if error is not None and self._ending.broken_by is None:
            self._ending.broken_by = GHLError(f"the results file could not be written ({type(error).__name__})")
            self._ending.broken_by.__cause__ = error

    def _conclude(self) -> Verdict:
        self._publish()
        verdict = self._judge()
        if self._deliver is not None:
            self._deliver(verdict)
        if self._attempt is None:
            return verdict
        is_deferred = verdict.wait is not None
        if error := self._note_end(str(verdict.end), verdict.message, verdict.summary, verdict.is_green, is_deferred):
            verdict.warnings.append(f"how the load ended could not be noted: {error}")
        return verdict

    def _note_end(
        self, end: str, message: str, counts: dict[str, Any], is_well: bool = False, is_deferred: bool = False
    ) -> LedgerError | None:
        """Tell the ledger that this attempt sends nothing more, and have it forget what loads did long ago."""
        if self._attempt is None:
            return None
        loads = self._ledger.loads
        try:
            loads.end(self._attempt, end=end, message=message, counts=counts, is_well=is_well, is_deferred=is_deferred)
            loads.prune(self._ledger.time() - _KEPT.total_seconds())
        except LedgerError as error:
            return error
        return None

    def _judge(self) -> Verdict:
        ending = self._ending
        ending.broken_by = ending.broken_by or self._planner.broken_by
        counts = self._report.counts()
        # A stop that came when everything was done has stopped nothing.
        is_done = self._planner.was_read_to_its_end and not counts[Outcome.NOT_ATTEMPTED] and not counts[Outcome.FAILED]
        ending.was_told_to_stop = self._client.stop.is_set and not is_done
        ending.at = self._client.clock.utc_now()
        summary: dict[str, Any] = {
            "load_id": self._spec.load_id,
            "rows": self._report.rows,
            **counts,
            "stopped_by": self._ending.said_stopped_by,
            "requests": self._budget.spent,
            "retries": self._budget.retries,
            "rate_limited": self._budget.rate_limited,
            "seconds": round(self._client.clock.monotonic() - self._began, 3),
            "daily_remaining": self._daily_left(),
            "results_path": self._spec.results_path if self._is_published else None,
        }
        if self._spec.columns.location:
            summary["locations"] = self._account_of_locations()
        if ending.plan is not None:
            summary["plan"] = ending.plan.as_dict()
        return judge(self._report, ending, summary, self._spec.tolerance, self._spec.min_rows)

    def _daily_left(self) -> int | None:
        """Requests that are left of the day, where fewest are."""
        left = [self._client.limit(lane.location_id).daily_left for lane in self._planner.lanes]
        return min((one for one in left if one is not None), default=None)

    def _account_of_locations(self) -> dict[str, dict[str, Any]]:
        """A line for each location that the rows name."""
        return {
            lane.location_id: {
                **{str(outcome): 0 for outcome in Outcome},
                **self._report.counts_of(place),
                "requests": lane.requests,
                "daily_remaining": self._client.limit(lane.location_id).daily_left,
                "stopped_by": str(lane.stopped_by) if lane.stopped_by else None,
                "reason": told(lane.why) if lane.is_stopped else None,
            }
            for place, lane in enumerate(self._planner.lanes, start=1)
        }
