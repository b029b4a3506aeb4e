"""One location's rows, chunk by chunk: planned, read where that is cheaper, claimed, sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.columns import Chunk, Numbers
from airflow_provider_ghl.load.kind import Found, Question, Reading, Result, RowHandler, Target
from airflow_provider_ghl.load.ledger.memory import Memories, Memory
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.plan.difference import Difference
from airflow_provider_ghl.load.plan.partition import Partition
from airflow_provider_ghl.load.plan.planner import Planner
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import Line
from airflow_provider_ghl.load.send.claim import Claims
from airflow_provider_ghl.load.send.in_flight import GiveUp, NeedRows, Send, Step, WaitUntil
from airflow_provider_ghl.load.send.journal import Journal, Page
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec

__all__ = ["Steps"]


#: Known rows of one of several locations that are loaded in any case: there may be hundreds of these.
_FEW_KNOWN = 100_000


@dataclass(frozen=True, slots=True)
class _AtTarget:
    """What there is once the target of the rows is known. ``page`` and ``claims``: ``None`` where nothing is to be sent."""

    handler: RowHandler
    page: Page | None = None
    claims: Claims | None = None


class Steps:
    """What one location does next; its :class:`~airflow_provider_ghl.load.send.location.Rows`.

    Ends where the ledger fails, and tells the journal.

    :param memories: what is believed of the ledger.
    :param announce: called for each chunk that was planned, with the requests that it takes at most, before the first of them.
    """

    def __init__(
        self,
        spec: LoadSpec,
        line: Line,
        report: Report,
        journal: Journal,
        partition: Partition,
        memories: Memories,
        clock: Clock,
        announce: Callable[[Chunk, int], None],
    ) -> None:
        self._spec = spec
        self._line = line
        self._report = report
        self._journal = journal
        self._partition = partition
        self._memories = memories
        self._clock = clock
        self._announce = announce
        self._at_target: _AtTarget | None = None
        self._planner = Planner(Difference(None), report, journal.keep)
        self._queue: deque[Chunk] = deque()
        self._chunk: Chunk | None = None
        self._asked: dict[int, tuple[Chunk, Question]] = {}
        self._left: str | None = None
        self._is_first = True
        self._steps = self._all()
        #: Whether it asked for more of the source.
        self.is_hungry = True
        #: Requests that its rows would take, where nothing is sent.
        self.price = 0

    @property
    def has_target(self) -> bool:
        """See :class:`Rows`."""
        return self._at_target is not None

    @property
    def warnings(self) -> list[str]:
        """What a user should know of how it went."""
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
        """See :class:`Rows`."""
        self.is_hungry = False
        if self._left is None:
            self._queue.append(chunk)
            return
        self._identify(chunk)
        try:
            self._planner.plan(chunk)
        except LedgerError as error:
            self._journal.fail(error)
        self._planner.leave(chunk, self._left)

    def take(self, send: Send, result: Result) -> None:
        """See :class:`Rows`."""
        if isinstance(result, Found):
            if result.target is not None:
                self._begin(result.target)
        elif isinstance(result, Reading):
            self._take_reading(send, result)
        else:
            words = self._report.decide(send.row, result)
            if self._at_target is not None and self._at_target.page is not None:
                self._at_target.page.settle(send, result, words)

    def leave(self, reason: str) -> None:
        """See :class:`Rows`."""
        if self._left is not None:
            return
        self._left = reason
        if self._at_target is not None and self._at_target.claims is not None:
            self._at_target.claims.leave(reason)
        if self._chunk is not None:
            self._planner.leave(self._chunk, reason)
        while self._queue:
            self.feed(self._queue.popleft())

    def _all(self) -> Iterator[Step]:
        find = self._spec.kind.find_target(self._line.location_id or "")
        yield Send(-1, (), find)
        while self._at_target is None:
            yield self._for_answers()
        there = self._at_target
        while True:
            if self._queue:
                self._chunk = self._queue.popleft()
                yield from self._load(self._chunk, there)
                self._chunk = None  # it holds the texts of all locations' rows that were read with these
                yield WaitUntil(self._clock.monotonic())
            elif there.claims is not None and there.claims.has_held:
                yield from there.claims.send_held()
            elif self._partition.is_read:
                return
            else:
                self.is_hungry = True
                yield NeedRows()

    def _identify(self, chunk: Chunk) -> None:
        """Have the rows in HighLevel's order, and by their identities."""
        if self._at_target is not None:
            chunk.values = self._at_target.handler.as_stored(chunk.values)
        usable = chunk.todo
        chunk.high[usable], chunk.low[usable] = self._memories.identity(chunk.rows(usable))

    def _load(self, chunk: Chunk, there: _AtTarget) -> Iterator[Step]:
        self._identify(chunk)
        self._planner.plan(chunk)
        if self._is_first:
            self._is_first = False
            if objection := there.handler.objection(chunk):
                yield GiveUp(ConfigurationError(objection))
                return
        if there.page is None or there.claims is None:
            self._planner.refuse(chunk, there.handler.surplus(chunk))
            self.price += len(chunk.todo) + there.handler.count_questions(chunk, self._readable(chunk))
            self._planner.leave(chunk, "planned only")
            return
        questions = there.handler.count_questions(chunk, self._readable(chunk))
        self._announce(chunk, len(chunk.todo) + questions)
        if questions:
            yield from self._read(chunk, there.handler, there.page)
        self._planner.refuse(chunk, there.handler.surplus(chunk))
        yield from there.claims.send(chunk)

    def _begin(self, target: Target) -> None:
        """The target is known, and with it what was learned of it before."""
        spec, journal = self._spec, self._journal
        self._line.target_id = target.id
        try:
            memory = self._memories.open(target.location_id, target.id)
        except LedgerError as error:
            journal.fail(error)
            return
        self._planner = Planner(self._difference(memory), self._report, journal.keep)
        handler = spec.kind.handler(target, memory)
        page = journal.open(memory)
        if page is None:
            self._at_target = _AtTarget(handler)
            return
        claims = Claims(page, self._report, journal, self._clock, spec.batch_size, handler)
        self._at_target = _AtTarget(handler, page, claims)

    def _difference(self, memory: Memory) -> Difference:
        if self._spec.is_about_several:
            return Difference(memory, always=_FEW_KNOWN)
        return Difference(memory, self._partition.expected_rows())

    def _readable(self, chunk: Chunk) -> Numbers:
        """Rows that may be looked up by reading."""
        match self._spec.diff_against:
            case DiffAgainst.HIGHLEVEL:
                return chunk.todo
            case DiffAgainst.LEDGER:
                is_stale = np.isin(chunk.knowledge[chunk.todo], (Knowledge.STALE, Knowledge.OURS_STALE))
                return chunk.todo[np.flatnonzero(is_stale)]
        return chunk.todo[:0]

    def _read(self, chunk: Chunk, handler: RowHandler, page: Page) -> Iterator[Step]:
        """Read from HighLevel what is cheaper to read than to send, and take what is there off what is to do."""
        self._journal.commit()  # what was learned before is not to be judged by what is forgotten from here on
        page.begin_reading()
        for question in handler.questions(chunk, self._readable(chunk)):
            row = chunk.start + question.offsets[0]
            self._asked[row] = chunk, question
            yield Send(row, (), question.conversation)
        while self._asked:
            yield self._for_answers()
        # Others' records may have been read along with these.
        self._journal.commit()
        self._planner.look_again(chunk)

    def _take_reading(self, send: Send, reading: Reading) -> None:
        if self._at_target is None or self._at_target.page is None:
            return
        chunk, question = self._asked.pop(send.row)
        there = self._at_target.handler.settled(chunk, question, reading)
        requests = reading.requests
        for offset, made_id in there.items():
            self._decide_read(chunk, offset, made_id, requests)
            requests = 0  # they were sent for the first of the rows
        self._at_target.page.learn(reading.seen)
        chunk.todo = np.setdiff1d(chunk.todo, np.array(list(there), dtype=np.int64), assume_unique=True)

    def _decide_read(self, chunk: Chunk, offset: int, made_id: str | None, requests: int) -> None:
        is_ours = chunk.knowledge[offset] in (Knowledge.OURS_SENT, Knowledge.OURS_STALE)
        outcome, evidence = (Outcome.CREATED, Evidence.PRESUMED) if is_ours else (Outcome.ALREADY_EXISTS, Evidence.READ)
        result = self._report.decide(chunk.start + offset, RowResult(outcome, evidence, made_id, requests=requests))
        self._journal.keep([result])

    def _for_answers(self) -> WaitUntil:
        return WaitUntil(self._clock.monotonic() + LONGEST_WAIT)
