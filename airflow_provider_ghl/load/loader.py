"""One load, from its rows to its verdict. :func:`run` reads top to bottom as the flow in the README."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    GHLError,
    LedgerError,
    QuotaExhausted,
    RequestRejected,
    Stopped,
    Unauthorized,
)
from airflow_provider_ghl.load.bookkeeper import Bookkeeper
from airflow_provider_ghl.load.deferral import Patience
from airflow_provider_ghl.load.diff import Chunk, Memory
from airflow_provider_ghl.load.dispatch import Dispatch
from airflow_provider_ghl.load.estimate import estimate
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.open_batch import RowIdentity
from airflow_provider_ghl.load.outcomes import Outcome, StoppedBy
from airflow_provider_ghl.load.planner import Planner
from airflow_provider_ghl.load.report import Report
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec, Ports
from airflow_provider_ghl.load.target import Target, resolve
from airflow_provider_ghl.load.verdict import Ending, Verdict, judge
from airflow_provider_ghl.load.work import NOT_REACHED, Work, requests_for
from airflow_provider_ghl.load.workers import ThreadWorkers

__all__ = ["run"]


#: How long the ledger keeps what a load did, row by row.
_KEPT = timedelta(days=90)


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
        identity = RowIdentity(spec.location_id, spec.association_id, spec.try_number)
        self._report = Report(identity, spec.keep_results, self._file)
        self._planner = Planner(spec, iter(ports.batches), self._report, ports.client.stop)

    def run(self) -> Verdict:
        """See :func:`run`."""
        try:
            self._ending.too_few = not self._planner.has_enough()
            if not self._ending.too_few and not self._client.stop.is_set:
                try:
                    self._try()
                except LedgerError as error:
                    self._ending.broken_by = error
            for chunk in self._planner.chunks:
                self._report.decide_not_attempted(chunk.start, chunk.todo, NOT_REACHED)
            return self._conclude()
        except BaseException:
            self._note_end("retryable", "broken off", {})
            raise
        finally:
            self._workers.close()
            if self._file is not None:
                self._file.discard()

    def _try(self) -> None:
        """All that needs HighLevel or the ledger.

        :raises LedgerError: it cannot be read or written. Nothing more was sent then.
        """
        spec = self._spec
        attempt = None if spec.plan_only else self._begin()
        target = self._find_target()
        if target is None:
            return
        self._report.identity = RowIdentity(target.location_id, target.association_id, spec.try_number)
        memory = self._memory_of(target, attempt)
        if attempt is None:
            self._planner.remember(memory, lambda results: None)
            self._price()
        else:
            self._relate(target, memory, Bookkeeper(memory, attempt, self._budget, self._client.clock))

    def _begin(self) -> Attempt:
        spec = self._spec
        attempt = self._attempt = self._ledger.loads.begin(
            spec.load_id,
            try_number=spec.try_number,
            is_resumed=spec.is_resumed,
            location_id=spec.location_id,
            association=spec.association_id or spec.association_key or "",
        )
        self._budget.carry_on(*attempt.spent_before)
        if spec.defer_timeout is not None:
            waited = attempt.began - attempt.deferred_since if attempt.deferred_since is not None else 0.0
            self._ending.patience = Patience(spec.defer_timeout, waited, spec.shortest_wait)
        return attempt

    def _find_target(self) -> Target | None:
        spec = self._spec
        try:
            return resolve(
                self._client,
                self._budget,
                spec.location_id,
                association_id=spec.association_id,
                association_key=spec.association_key,
            )
        except tuple(_STOPPED_BY) as error:
            self._ending.stopped_by = next(by for kind, by in _STOPPED_BY.items() if isinstance(error, kind))
            self._ending.why = error
        except GHLError as error:
            self._ending.broken_by = self._ending.broken_by or error
        return None

    def _memory_of(self, target: Target, attempt: Attempt | None) -> Memory:
        """What is believed of the ledger: what this load has learned itself, and what is young enough."""
        ledger, spec = self._ledger, self._spec
        target_id = ledger.relations.target(self._client.host, target.location_id, target.association_id)
        max_age = spec.ledger_max_age.total_seconds() if spec.diff_against is DiffAgainst.LEDGER else None
        if attempt is None:
            now = ledger.time()
            return Memory(ledger, target_id, Freshness(now, now, max_age), None)
        # What others learned counts from this attempt's begin on: what they learned before it may be what somebody undid.
        number = attempt.load_number if attempt.has_earlier else None
        freshness = Freshness(attempt.began, attempt.began, max_age, number, attempt.chain_began)
        return Memory(ledger, target_id, freshness, number)

    def _price(self) -> None:
        """Plan everything, and say what it would cost."""
        requests = self._budget.spent
        for chunk in self._planner.chunks:
            requests += requests_for(chunk, self._spec.diff_against)
            self._report.decide_not_attempted(chunk.start, chunk.todo, "planned only")
        self._ending.plan = estimate(requests, self._client.limit(self._spec.location_id))
        if self._planner.failure is not None:
            raise self._planner.failure

    def _relate(self, target: Target, memory: Memory, book: Bookkeeper) -> None:
        dispatch = Dispatch(self._client, self._workers, self._budget, self._spec.abort_after)
        diff = self._planner.remember(memory, book.tell)
        work = Work(self._spec, target, self._announced(book), diff, book, self._report, self._client.clock, dispatch.halt)
        for settled in dispatch.run(iter(work)):
            for sent, result in settled:
                work.take(sent, result)
            book.tick()
            if book.failure is not None:
                dispatch.halt()
            self._tick()
        work.leave()
        book.commit()
        self._ending.stopped_by, self._ending.why = dispatch.stopped_by, dispatch.why
        self._ending.warnings.extend(work.warnings)
        if book.failure is not None:
            raise book.failure

    def _announced(self, book: Bookkeeper) -> Iterator[Chunk]:
        """The chunks; before the first goes on its way it is said what is ahead, where the size of the source is known."""
        spec, planner = self._spec, self._planner
        for chunk in planner.chunks:
            total = len(chunk.first) if planner.is_read else spec.total
            if not chunk.start and total and self._progress is not None:
                share = requests_for(chunk, spec.diff_against) / len(chunk.first)
                # What earlier attempts have spent was of another day.
                spent = self._budget.spent - (self._attempt.spent_before[0] if self._attempt is not None else 0)
                price = estimate(spent + round(share * total), self._client.limit(spec.location_id))
                self._progress.announce(total, price, is_exact=planner.is_read)
            book.failure = book.failure or planner.failure
            yield chunk

    def _tick(self) -> None:
        if self._progress is not None:
            limit = self._client.limit(self._spec.location_id)
            self._progress.tick(self._report.done, self._report.rows, self._budget.spent, limit)

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
            "stopped_by": str(self._ending.stopped_by) if self._ending.stopped_by else None,
            "requests": self._budget.spent,
            "retries": self._budget.retries,
            "rate_limited": self._budget.rate_limited,
            "seconds": round(self._client.clock.monotonic() - self._began, 3),
            "daily_remaining": self._client.limit(self._spec.location_id).daily_left,
            "results_path": self._spec.results_path if self._is_published else None,
        }
        if ending.plan is not None:
            summary["plan"] = ending.plan.as_dict()
        return judge(self._report, ending, summary, self._spec.tolerance, self._spec.min_rows)


#: Why the association could not be read, where that ends a load: ``None`` when told to stop.
_STOPPED_BY: dict[type[GHLError], StoppedBy | None] = {
    Stopped: None,
    ConfigurationError: StoppedBy.ABORT,
    RequestRejected: StoppedBy.ABORT,
    Unauthorized: StoppedBy.TOKEN,
    QuotaExhausted: StoppedBy.QUOTA,
    BudgetSpent: StoppedBy.MAX_REQUESTS,
}
