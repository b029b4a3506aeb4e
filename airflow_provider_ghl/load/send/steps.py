"""The steps of one location. Its rows are planned, read where that is cheaper, claimed and sent, chunk by chunk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.columns import Chunk, Numbers
from airflow_provider_ghl.load.kind import GroupRead, ReadResult, Result, RowHandler, Target, TargetResult
from airflow_provider_ghl.load.ledger.memory import Memories, Memory
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.plan.difference import Difference
from airflow_provider_ghl.load.plan.partition import Partition
from airflow_provider_ghl.load.plan.planner import Planner
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.send.claim import Claims
from airflow_provider_ghl.load.send.in_flight import GiveUp, NeedRows, Send, Step, WaitUntil
from airflow_provider_ghl.load.send.journal import Journal, LocationJournal
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec

__all__ = ["LocationSteps"]


#: Known rows that may be loaded for each of several locations: there may be hundreds of locations.
_FEW_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class _TargetState:
    """What a location has once its target is known. Where nothing is to be sent, ``journal`` and ``claims`` are ``None``."""

    handler: RowHandler
    journal: LocationJournal | None = None
    claims: Claims | None = None


class LocationSteps:
    """The steps of one location: a :class:`~airflow_provider_ghl.load.send.location.StepSource`.

    A failure of the ledger goes to the journal and ends the steps.

    :param memories: what the ledger knows, by location and target.
    :param announce: called for each chunk before its first request, with the most requests that it may take.
    """

    def __init__(
        self,
        spec: LoadSpec,
        results: LocationResults,
        report: Report,
        journal: Journal,
        partition: Partition,
        memories: Memories,
        clock: Clock,
        announce: Callable[[Chunk, int], None],
    ) -> None:
        self._spec = spec
        self._results = results
        self._report = report
        self._journal = journal
        self._partition = partition
        self._memories = memories
        self._clock = clock
        self._announce = announce
        self._at_target: _TargetState | None = None
        self._planner = Planner(Difference(None), report, journal.keep)
        self._queue: deque[Chunk] = deque()
        self._chunk: Chunk | None = None
        self._reads: dict[int, tuple[Chunk, GroupRead]] = {}
        self._skip_reason: str | None = None
        self._is_first = True
        self._steps = self._all()
        #: Whether it waits for more rows of the source.
        self.needs_rows = True
        #: How many requests its rows would take, where nothing is sent.
        self.price = 0

    @property
    def has_target(self) -> bool:
        """See :class:`StepSource`."""
        return self._at_target is not None

    @property
    def warnings(self) -> list[str]:
        """See :class:`StepSource`."""
        return self._at_target.handler.warnings if self._at_target is not None else []

    def __iter__(self) -> Iterator[Step]:
        return self

    def __next__(self) -> Step:
        try:
            return next(self._steps)
        except LedgerError as error:
            self._journal.fail(error)
            raise StopIteration from error

    def feed(self, chunk: Chunk) -> None:
        """See :class:`StepSource`."""
        self.needs_rows = False
        if self._skip_reason is None:
            self._queue.append(chunk)
            return
        self._identify(chunk)
        try:
            self._planner.plan(chunk)
        except LedgerError as error:
            self._journal.fail(error)
        self._planner.skip(chunk, self._skip_reason)

    def take_result(self, send: Send, result: Result) -> None:
        """See :class:`StepSource`."""
        if isinstance(result, TargetResult):
            if result.target is not None:
                self._begin(result.target)
        elif isinstance(result, ReadResult):
            self._take_reading(send, result)
        else:
            row = self._report.decide(send.row, result)
            if self._at_target is not None and self._at_target.journal is not None:
                self._at_target.journal.settle(send, result, row)

    def skip_rest(self, reason: str) -> None:
        """See :class:`StepSource`."""
        if self._skip_reason is not None:
            return
        self._skip_reason = reason
        if self._at_target is not None and self._at_target.claims is not None:
            self._at_target.claims.skip_rest(reason)
        if self._chunk is not None:
            self._planner.skip(self._chunk, reason)
        while self._queue:
            self.feed(self._queue.popleft())

    def _all(self) -> Iterator[Step]:
        find = self._spec.kind.find_target(self._results.location_id or "")
        yield Send(-1, (), find)
        while self._at_target is None:
            yield self._for_answers()
        there = self._at_target
        while True:
            if self._queue:
                self._chunk = self._queue.popleft()
                yield from self._load(self._chunk, there)
                self._chunk = None  # frees the values of the batch, which all its locations share
                yield WaitUntil(self._clock.monotonic())
            elif there.claims is not None and there.claims.has_held:
                yield from there.claims.send_held()
            elif self._partition.is_read:
                return
            else:
                self.needs_rows = True
                yield NeedRows()

    def _identify(self, chunk: Chunk) -> None:
        """Put the columns in HighLevel's order, and compute the rows' identities."""
        if self._at_target is not None:
            chunk.values = self._at_target.handler.as_stored(chunk.values)
        usable = chunk.todo
        chunk.high[usable], chunk.low[usable] = self._memories.identity(chunk.rows(usable))

    def _load(self, chunk: Chunk, there: _TargetState) -> Iterator[Step]:
        self._identify(chunk)
        self._planner.plan(chunk)
        if self._is_first:
            self._is_first = False
            if objection := there.handler.objection(chunk):
                yield GiveUp(ConfigurationError(objection))
                return
        if there.journal is None or there.claims is None:
            self._planner.refuse(chunk, there.handler.refusals(chunk))
            self.price += len(chunk.todo) + there.handler.count_reads(chunk, self._readable(chunk))
            self._planner.skip(chunk, "planned only")
            return
        reads = there.handler.count_reads(chunk, self._readable(chunk))
        self._announce(chunk, len(chunk.todo) + reads)
        if reads:
            yield from self._read(chunk, there.handler, there.journal)
        self._planner.refuse(chunk, there.handler.refusals(chunk))
        yield from there.claims.send(chunk)

    def _begin(self, target: Target) -> None:
        """Set up planning and claims for the target that was found."""
        spec, journal = self._spec, self._journal
        self._results.target_id = target.id
        try:
            memory = self._memories.open(target.location_id, target.id)
        except LedgerError as error:
            journal.fail(error)
            return
        self._planner = Planner(self._difference(memory), self._report, journal.keep)
        handler = spec.kind.handler(target, memory)
        location_journal = journal.open_location(memory)
        if location_journal is None:
            self._at_target = _TargetState(handler)
            return
        claims = Claims(location_journal, self._report, journal, self._clock, spec.batch_size, handler)
        self._at_target = _TargetState(handler, location_journal, claims)

    def _difference(self, memory: Memory) -> Difference:
        if self._spec.has_several_locations:
            return Difference(memory, always=_FEW_KNOWN)
        return Difference(memory, self._partition.expected_rows())

    def _readable(self, chunk: Chunk) -> Numbers:
        """Offsets of the rows that may be settled by reading."""
        match self._spec.diff_against:
            case DiffAgainst.HIGHLEVEL:
                return chunk.todo
            case DiffAgainst.LEDGER:
                is_stale = np.isin(chunk.knowledge[chunk.todo], (Knowledge.STALE, Knowledge.OURS_STALE))
                return chunk.todo[np.flatnonzero(is_stale)]
        return chunk.todo[:0]

    def _read(self, chunk: Chunk, handler: RowHandler, location_journal: LocationJournal) -> Iterator[Step]:
        """Read from HighLevel where that is cheaper than sending. Rows that are there are removed from ``todo``."""
        self._journal.commit()  # so that later forgetting affects only what is read from here on
        location_journal.begin_reading()
        for read in handler.reads(chunk, self._readable(chunk)):
            row = chunk.start + read.offsets[0]
            self._reads[row] = chunk, read
            yield Send(row, (), read.conversation)
        while self._reads:
            yield self._for_answers()
        # The reads may have returned rows of other groups as well.
        self._journal.commit()
        self._planner.look_again(chunk)

    def _take_reading(self, send: Send, result: ReadResult) -> None:
        if self._at_target is None or self._at_target.journal is None:
            return
        chunk, read = self._reads.pop(send.row)
        there = self._at_target.handler.stored_ids(chunk, read, result)
        requests = result.requests
        for offset, made_id in there.items():
            self._decide_read(chunk, offset, made_id, requests)
            requests = 0  # count them once, for the first row
        self._at_target.journal.learn(result.stored)
        chunk.todo = np.setdiff1d(chunk.todo, np.array(list(there), dtype=np.int64), assume_unique=True)

    def _decide_read(self, chunk: Chunk, offset: int, made_id: str | None, requests: int) -> None:
        is_ours = chunk.knowledge[offset] in (Knowledge.OURS_SENT, Knowledge.OURS_STALE)
        outcome, evidence = (Outcome.CREATED, Evidence.PRESUMED) if is_ours else (Outcome.ALREADY_EXISTS, Evidence.READ)
        result = self._report.decide(chunk.start + offset, RowResult(outcome, evidence, made_id, requests=requests))
        self._journal.keep([result])

    def _for_answers(self) -> WaitUntil:
        return WaitUntil(self._clock.monotonic() + LONGEST_WAIT)
