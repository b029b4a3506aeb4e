"""One load, from its rows to its verdict. :func:`run` reads top to bottom as the flow in the README."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    GHLError,
    QuotaExhausted,
    RequestRejected,
    Stopped,
    Unauthorized,
)
from airflow_provider_ghl.load.dispatch import Dispatch, ToSend
from airflow_provider_ghl.load.outcomes import Outcome, StoppedBy
from airflow_provider_ghl.load.progress import Progress
from airflow_provider_ghl.load.relate import relate
from airflow_provider_ghl.load.report import Report, RowIdentity
from airflow_provider_ghl.load.results_file import ResultsFile
from airflow_provider_ghl.load.rows import Batch, Columns
from airflow_provider_ghl.load.seen import Seen
from airflow_provider_ghl.load.target import Target, resolve
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.load.validate import validate
from airflow_provider_ghl.load.verdict import Ending, Verdict, judge
from airflow_provider_ghl.load.workers import ThreadWorkers, Workers

__all__ = ["LoadSpec", "Ports", "run"]

_NOT_REACHED = "the load stopped before it"
#: Rows that may be held until a row before them has its verdict.
_MOST_WAITING = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """What a load is to do. Exactly one of ``association_id`` and ``association_key`` is given.

    :raises ConfigurationError: it is not, or a number is too small to mean anything.
    """

    load_id: str
    location_id: str
    columns: Columns
    association_id: str | None = None
    association_key: str | None = None
    min_rows: int = 0
    tolerance: Tolerance = field(default_factory=lambda: Tolerance(0))
    abort_after: int = 20
    max_requests: int | None = None
    keep_results: int = 1000
    try_number: int = 1
    #: Where the results file will be, for the summary.
    results_path: str | None = None

    def __post_init__(self) -> None:
        if bool(self.association_id) == bool(self.association_key):
            raise ConfigurationError("give exactly one of association_id and association_key")
        for name, least in (("abort_after", 1), ("min_rows", 0), ("max_requests", 0), ("keep_results", 0)):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ConfigurationError(f"{name} must be a whole number, {least} or more, not {value!r}")


@dataclass(slots=True)
class _Planned:
    """A batch whose rows are decided, except those that need requests."""

    start: int
    first: list[str]
    second: list[str]
    #: Offsets of the rows that need requests, and how many of them were taken.
    offsets: np.ndarray[Any, np.dtype[np.int64]]
    taken: int = 0


@dataclass(slots=True, kw_only=True)
class Ports:
    """What a load works with: its rows, HighLevel, where results go."""

    batches: Iterator[Batch]
    client: Client
    workers: Workers | None = None
    progress: Progress | None = None
    results_file: ResultsFile | None = None


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
        self._batches = iter(ports.batches)
        self._held: deque[Batch] = deque()
        self._budget = Budget(spec.max_requests)
        self._seen = Seen()
        self._began = ports.client.clock.monotonic()
        self._ending = Ending()
        self._plan = self._plan_batches()
        self._current: _Planned | None = None
        self._was_read_to_its_end = False
        self._is_published = False
        self._report = Report(
            RowIdentity(spec.location_id, spec.association_id, spec.try_number), spec.keep_results, self._file
        )

    def run(self) -> Verdict:
        """See :func:`run`."""
        try:
            self._hold_back()
            if not self._ending.too_few and not self._client.stop.is_set:
                self._relate()
            self._account_for_the_rest()
            return self._judge()
        finally:
            self._workers.close()
            if self._file is not None:
                self._file.discard()

    def _hold_back(self) -> None:
        """Read the first batch (bad columns show before any request), and as many more as ``min_rows`` asks for.

        :raises ConfigurationError: the source has no rows that could be accounted for.
        """
        least = max(self._spec.min_rows, 1)
        rows = 0
        while rows < least and (batch := self._next_batch()) is not None:
            self._held.append(batch)
            rows += len(batch.frame)
        self._ending.too_few = rows < least
        if not self._held and isinstance(self._ending.broken_by, ConfigurationError):
            raise self._ending.broken_by

    def _relate(self) -> None:
        target = self._find_target()
        if target is None:
            return
        self._report.identity = RowIdentity(target.location_id, target.association_id, self._spec.try_number)
        dispatch = Dispatch(self._client, self._workers, self._budget, self._spec.abort_after)
        for settled in dispatch.run(self._work(target)):
            for row, result in settled:
                self._report.decide(row, result)
            self._tick()
        self._ending.stopped_by, self._ending.why = dispatch.stopped_by, dispatch.why

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

    def _work(self, target: Target) -> Iterator[ToSend | float]:
        """The rows that need requests, and after each batch a look at the answers.

        Rows behind one that has no verdict yet wait for it, since results come in input order: when they are many, it is
        waited for before more are read.
        """
        for planned in self._plan:
            self._current = planned
            for offset in planned.offsets.tolist():
                planned.taken += 1
                first, second = planned.first[offset], planned.second[offset]
                conversation = relate(target.location_id, target.association_id, first, second)
                yield ToSend(planned.start + offset, first, second, conversation)
            yield 0.0
            while self._report.waiting > max(_MOST_WAITING, 2 * len(planned.first)):
                yield LONGEST_WAIT

    def _account_for_the_rest(self) -> None:
        """Rows that can be read but were not reached: each of them gets its outcome too."""
        while (planned := self._current or next(self._plan, None)) is not None:
            self._report.decide_not_attempted(planned.start, planned.offsets[planned.taken :], _NOT_REACHED)
            self._current = None

    def _plan_batches(self) -> Iterator[_Planned]:
        while (batch := self._held.popleft() if self._held else self._next_batch()) is not None:
            yield self._take_in(batch)

    def _next_batch(self) -> Batch | None:
        """The next of the source, unless told to stop. What breaks the source ends the reading, not the load: rows read before
        it are settled, and the operator raises the error when that is done.
        """
        if self._client.stop.is_set:
            return None
        try:
            batch = next(self._batches, None)
            self._was_read_to_its_end = batch is None
            return batch
        except Exception as error:  # noqa: BLE001 - a database driver's own errors
            self._ending.broken_by = self._ending.broken_by or error
            self._batches = iter(())  # whatever broke is not asked again
            return None

    def _take_in(self, batch: Batch) -> _Planned:
        """Decide what is known without a request."""
        valid = validate(batch, self._spec.columns)
        usable = valid.usable
        earlier = self._seen.first_rows(valid.first, valid.second, batch.start, usable)
        keys = batch.frame["row_key"].tolist() if self._spec.columns.row_key else None
        self._report.begin(batch.start, valid.first, valid.second, keys)
        self._report.decide_invalid(batch.start, valid.problems)
        self._report.decide_repeats(batch.start, earlier)
        unsettled = np.flatnonzero(usable & (earlier < 0))
        return _Planned(batch.start, valid.first.tolist(), valid.second.tolist(), unsettled)

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

    def _judge(self) -> Verdict:
        self._publish()
        counts = self._report.counts()
        # A stop that came when everything was done has stopped nothing.
        is_done = self._was_read_to_its_end and not counts[Outcome.NOT_ATTEMPTED] and not counts[Outcome.FAILED]
        self._ending.was_told_to_stop = self._client.stop.is_set and not is_done
        self._ending.at = self._client.clock.utc_now()
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
        return judge(self._report, self._ending, summary, self._spec.tolerance, self._spec.min_rows)


#: Why the association could not be read, where that ends a load: ``None`` when told to stop.
_STOPPED_BY: dict[type[GHLError], StoppedBy | None] = {
    Stopped: None,
    ConfigurationError: StoppedBy.ABORT,
    RequestRejected: StoppedBy.ABORT,
    Unauthorized: StoppedBy.TOKEN,
    QuotaExhausted: StoppedBy.QUOTA,
    BudgetSpent: StoppedBy.MAX_REQUESTS,
}
