"""The steps of one location. Its rows are planned, read where that is cheaper, claimed and sent, chunk by chunk."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, LedgerError
from airflow_provider_ghl.load.columns import Chunk, Words
from airflow_provider_ghl.load.keys.stage import KeyStage, open_key_stage
from airflow_provider_ghl.load.kind import (
    Conversation,
    GoneRecord,
    PartResult,
    ReadResult,
    Result,
    RowHandler,
    Target,
    TargetResult,
)
from airflow_provider_ghl.load.ledger.memory import Memories, Memory
from airflow_provider_ghl.load.plan.difference import Difference
from airflow_provider_ghl.load.plan.partition import Partition
from airflow_provider_ghl.load.plan.planner import Planner
from airflow_provider_ghl.load.plan.scope import MirroredLocation, Scope
from airflow_provider_ghl.load.results.outcomes import RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import stopped_by
from airflow_provider_ghl.load.send.claim import Claims
from airflow_provider_ghl.load.send.in_flight import GiveUp, NeedRows, Send, Step, WaitUntil
from airflow_provider_ghl.load.send.journal import Journal, LocationJournal
from airflow_provider_ghl.load.send.key_steps import KeySteps
from airflow_provider_ghl.load.send.reads import ReadSteps, readable
from airflow_provider_ghl.load.spec import LoadSpec, Owned

__all__ = ["LocationSteps"]


#: Known rows, and known keys of each column, that may be loaded for each of several locations: there may be hundreds.
_FEW_KNOWN = 100_000
#: Known keys of each column that may be loaded for a single location.
_MANY_KEYS = 2_000_000


@dataclass(frozen=True, slots=True)
class _TargetState:
    """What a location has once its target is known. Where nothing is to be sent, the last three are ``None``."""

    handler: RowHandler
    #: The target's number in the ledger.
    number: int
    scope: Scope
    keys: KeySteps | None = None
    journal: LocationJournal | None = None
    reads: ReadSteps | None = None
    claims: Claims | None = None


class LocationSteps:
    """The steps of one location: a :class:`~airflow_provider_ghl.load.send.location.StepSource`.

    A failure of the ledger goes to the journal and ends the steps.

    :param memories: what the ledger knows, by location and target.
    :param announce: called for each chunk before its first request, with the most requests that it may take.
    :param approved: the rows that may be sent, as ascending high words of their identities; ``None``: all.
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
        approved: Words | None = None,
    ) -> None:
        self._spec = spec
        self._results = results
        self._report = report
        self._journal = journal
        self._partition = partition
        self._memories = memories
        self._clock = clock
        self._announce = announce
        self._approved = approved
        self._at_target: _TargetState | None = None
        self._planner = Planner(Difference(None), report, journal.keep)
        self._queue: deque[Chunk] = deque()
        self._at_work: list[Chunk] = []
        #: The high words of rows that a plan would send.
        self._unsent: list[Words] = []
        #: Requests that were sent for rows before their records turned out to be gone, by row.
        self._spent: dict[int, int] = {}
        self._skip_reason: str | None = None
        self._is_first = True
        self._steps = self._all()
        #: Whether it waits for more rows of the source.
        self.needs_rows = True
        #: See :class:`StepSource`.
        self.has_sent_all = False
        #: How many requests its rows would take, where nothing is sent.
        self.price = 0

    @property
    def has_target(self) -> bool:
        """See :class:`StepSource`."""
        return self._at_target is not None

    @property
    def mirrored(self) -> MirroredLocation | None:
        """See :class:`StepSource`."""
        if (there := self._at_target) is None:
            return None
        unsent = np.concatenate([np.empty(0, dtype=np.uint64), *self._unsent])
        names = self._results.location_id or "", str(self._results.target_id)
        return MirroredLocation(*names, there.number, there.handler, there.scope, self._planner.named(), unsent)

    @property
    def looked_up(self) -> int:
        """See :class:`StepSource`."""
        return self._keys.looked_up if self._keys is not None else 0

    @property
    def lookup_requests(self) -> int:
        """See :class:`StepSource`."""
        return self._keys.requests if self._keys is not None else 0

    @property
    def _keys(self) -> KeySteps | None:
        return self._at_target.keys if self._at_target is not None else None

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
        if self._spec.kind.has_keys:  # which record they name is not known
            self._planner.decide_problems(chunk)
            self._planner.skip(chunk, self._skip_reason)
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
            if self._at_target is not None and self._at_target.reads is not None:
                self._at_target.reads.take(send, result)
        elif isinstance(result, PartResult):
            if self._keys is not None:
                self._keys.take_part(send, result)
        elif isinstance(result, GoneRecord):
            self._take_gone(send, result)
        elif isinstance(result, RowResult):
            self._take_row(send, result)

    def skip_rest(self, reason: str) -> None:
        """See :class:`StepSource`."""
        if self._skip_reason is not None:
            return
        self._skip_reason = reason
        if self._at_target is not None and self._at_target.claims is not None:
            self._at_target.claims.skip_rest(reason)
        for chunk in [*self._at_work, *(self._keys.take_all() if self._keys is not None else [])]:
            self._planner.skip(chunk, reason)
        while self._queue:
            self.feed(self._queue.popleft())

    def _all(self) -> Iterator[Step]:
        find = self._spec.kind.find_target(self._results.location_id or "")
        yield Send(-1, (), find)
        while self._at_target is None:
            yield self._for_answers()
        try:
            yield from self._load_all(self._at_target)
        except LedgerError:
            raise
        except GHLError as error:  # of a look-up
            yield GiveUp(error, stopped_by(error))

    def _load_all(self, there: _TargetState) -> Iterator[Step]:
        while True:
            if self._queue:
                yield from self._load([self._queue.popleft()], there)
            elif gone := self._take_gone_rows(there):
                yield from self._load_late(gone, there)
            elif there.claims is not None and there.claims.has_held:
                yield from there.claims.send_held()
            elif missing := self._take_missing_rows(there):
                yield from self._load_late(missing, there, is_last_look=True)
            elif self._partition.is_read and not (there.keys is not None and there.keys.has_late):
                return
            elif (wait := self._until_late(there)) is not None:
                yield wait
            else:
                self.needs_rows = True
                # Rows that come late may keep others out of memory: then no more are read before these are looked at.
                yield self._for_answers() if there.keys is not None and there.keys.has_late else NeedRows()

    def _load(self, chunks: list[Chunk], there: _TargetState, *, is_last_look: bool = False) -> Iterator[Step]:
        self._at_work = chunks
        while self._at_work:
            yield from self._load_chunk(self._at_work[0], there, is_last_look=is_last_look)
            del self._at_work[0]  # frees the values of the batch, which all its locations share
        yield WaitUntil(self._clock.monotonic())

    def _identify(self, chunk: Chunk) -> None:
        """Put the columns in HighLevel's order, and compute the rows' identities."""
        if self._at_target is not None:
            chunk.values = self._at_target.handler.as_stored(chunk.values)
        usable = chunk.todo
        chunk.high[usable], chunk.low[usable] = self._memories.identity(chunk.rows(usable))

    def _load_chunk(self, chunk: Chunk, there: _TargetState, *, is_last_look: bool) -> Iterator[Step]:
        rows = np.concatenate([chunk.todo, np.fromiter(chunk.problems, np.int64, len(chunk.problems))])
        if there.keys is not None:
            self._planner.decide_problems(chunk)
            self._journal.commit_keys()  # those that were found for earlier chunks
            yield from there.keys.resolve(chunk, self._planner, self._expected(), is_last_look=is_last_look)
        there.scope.add(chunk, rows)
        self._identify(chunk)
        self._planner.plan(chunk)
        if self._is_first:
            self._is_first = False
            if objection := there.handler.objection(chunk):
                yield GiveUp(ConfigurationError(objection))
                return
        offsets = readable(chunk, self._spec.diff_against)
        reads = there.handler.count_reads(chunk, offsets)
        if there.reads is None or there.claims is None:
            self._refuse(chunk, there)
            self.price += len(chunk.todo) + reads
            self._unsent.append(chunk.high[chunk.todo])
            self._planner.skip(chunk, "planned only")
            return
        self._announce(chunk, len(chunk.todo) + reads)
        if reads:
            yield from there.reads.read(chunk, offsets, self._planner)
        self._refuse(chunk, there)
        if self._approved is not None:
            self._planner.keep_to(chunk, self._approved, "it is not in the plan that was reviewed")
        yield from there.claims.send(chunk)

    def _refuse(self, chunk: Chunk, there: _TargetState) -> None:
        """Refuse the rows for which there is no room."""
        refusals = there.handler.refusals(chunk)
        there.scope.excuse(chunk, refusals)
        self._planner.refuse(chunk, refusals)

    def _expected(self) -> float:
        """About how many times as many rows will come as were read so far."""
        return max(1.0, self._partition.expected_rows() / max(self._report.rows, 1))

    @property
    def _is_at_end(self) -> bool:
        """Whether no more rows are read, or none before rows of these are decided."""
        return self._partition.is_read or not self._partition.has_room

    def _take_gone_rows(self, there: _TargetState) -> list[Chunk]:
        """Rows whose record is gone. Other loads may wait for what was claimed of them."""
        gone = there.keys.take_gone() if there.keys is not None else []
        for chunk in gone:
            there.handler.take_back(chunk)
        return gone

    def _take_missing_rows(self, there: _TargetState) -> list[Chunk]:
        """Rows whose keys had no record, and can be looked for once more."""
        return there.keys.take_missing(is_last=self._is_at_end) if there.keys is not None else []

    def _load_late(self, chunks: list[Chunk], there: _TargetState, *, is_last_look: bool = False) -> Iterator[Step]:
        self._at_work, self.has_sent_all = chunks, False
        if there.keys is not None and is_last_look:
            yield from there.keys.look_again(chunks)
        yield from self._load(chunks, there, is_last_look=is_last_look)

    def _until_late(self, there: _TargetState) -> WaitUntil | None:
        """A wait for rows that come late, where there is nothing else to do."""
        if there.keys is None or not self._is_at_end or not there.keys.has_late:
            return None
        seconds = there.keys.seconds_to_next_look(is_last=True)
        self.has_sent_all = seconds is None and self._partition.is_read
        return self._for_answers() if seconds is None else WaitUntil(self._clock.monotonic() + seconds)

    def _begin(self, target: Target) -> None:
        """Set up planning and claims for the target that was found."""
        spec, journal = self._spec, self._journal
        self._results.target_id = target.id
        try:
            memory = self._memories.open(target.location_id, target.id)
            stage = self._open_key_stage(target.location_id)
        except LedgerError as error:
            journal.fail(error)
            return
        self._planner = Planner(self._difference(memory), self._report, journal.keep)
        handler = spec.kind.handler(target, memory)
        location_journal = journal.open_location(memory)
        scope = self._open_scope()
        keys = KeySteps(stage, self._clock, has_second_looks=location_journal is not None) if stage is not None else None
        if location_journal is None:
            self._at_target = _TargetState(handler, memory.target_id, scope, keys)
            return

        def converse(chunk: Chunk, offset: int, is_again: bool) -> Conversation:
            conversation = handler.conversation(chunk.row(offset), is_again=is_again)
            return conversation if keys is None else keys.watch(chunk, offset, conversation)

        def put_off(chunk: Chunk, offset: int) -> bool:
            return keys is not None and keys.put_off(chunk, offset)

        claims = Claims(location_journal, self._report, journal, self._clock, spec.batch_size, converse, put_off)
        reads = ReadSteps(handler, self._report, journal, location_journal, keys, self._clock)
        self._at_target = _TargetState(handler, memory.target_id, scope, keys, location_journal, reads, claims)

    def _open_scope(self) -> Scope:
        mirror, identity = self._spec.mirror, self._memories.identity
        if mirror is None:
            return Scope.nothing()
        return Scope(mirror.parent, lambda ids: identity([ids])[0], keeps_ids=mirror.owned is Owned.ALL)

    def _open_key_stage(self, location_id: str) -> KeyStage | None:
        journal = self._journal
        key_notes = journal.key_notes if journal.attempt is not None else None
        most_loaded = _FEW_KNOWN if self._spec.has_several_locations else _MANY_KEYS
        return open_key_stage(self._spec.kind, location_id, self._memories, key_notes, most_loaded)

    def _difference(self, memory: Memory) -> Difference:
        if self._spec.has_several_locations:
            return Difference(memory, always=_FEW_KNOWN)
        return Difference(memory, self._partition.expected_rows())

    def _take_row(self, send: Send, result: RowResult) -> None:
        if spent := self._spent.pop(send.row, 0):
            result = replace(result, requests=result.requests + spent)
        row = self._report.decide(send.row, result)
        if self._at_target is not None and self._at_target.journal is not None:
            self._at_target.journal.settle(send, result, row)
        if self._keys is not None:
            self._keys.note_settled(send.row)

    def _take_gone(self, send: Send, result: GoneRecord) -> None:
        self._spent[send.row] = self._spent.get(send.row, 0) + result.requests
        if self._at_target is not None and self._at_target.journal is not None:
            self._at_target.journal.note_gone(send, result.reason)
        if self._keys is not None:
            self._keys.take_gone_record(result)

    def _for_answers(self) -> WaitUntil:
        return WaitUntil(self._clock.monotonic() + LONGEST_WAIT)
