"""What is sent, chunk by chunk: read where that is cheaper, claimed batch by batch, set aside where another load has it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice, takewhile

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.exceptions import LedgerError, Unauthorized
from airflow_provider_ghl.load.arrays import Numbers
from airflow_provider_ghl.load.bookkeeper import Bookkeeper
from airflow_provider_ghl.load.diff import Chunk, Diff
from airflow_provider_ghl.load.dispatch import ToSend
from airflow_provider_ghl.load.ledger.notes import Claim, Knowledge
from airflow_provider_ghl.load.ledger.pairs import keys_of
from airflow_provider_ghl.load.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.reading import Group, Reading, Worth, groups_of, read_relations
from airflow_provider_ghl.load.relate import relate
from airflow_provider_ghl.load.report import Report
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec
from airflow_provider_ghl.load.target import Target

__all__ = ["NOT_REACHED", "Work", "requests_for"]


#: Rows that may be held until a row before them has its verdict.
_MOST_WAITING = 50_000
#: Seconds between two looks at rows that another load has claimed.
_LOOK_AGAIN = 1.0
#: Why a row was not attempted.
NOT_REACHED = "the load stopped before it"
_HELD = "another load was sending it when this one stopped"


class Work:
    """The rows that need requests, in the order in which they are sent; and those that wait for others.

    :param chunks: planned, one after the other.
    :param halt: called where the ledger fails: nothing more is to be sent then.
    """

    def __init__(
        self,
        spec: LoadSpec,
        target: Target,
        chunks: Iterator[Chunk],
        diff: Diff,
        book: Bookkeeper,
        report: Report,
        clock: Clock,
        halt: Callable[[], None],
    ) -> None:
        self._spec = spec
        self._target = target
        self._chunks = chunks
        self._diff = diff
        self._book = book
        self._report = report
        self._clock = clock
        self._halt = halt
        self._chunk: Chunk | None = None
        self._ready: deque[ToSend] = deque()
        self._held: deque[tuple[Chunk, int]] = deque()
        self._look_at = float("-inf")
        self._wanted: dict[int, tuple[Chunk, dict[tuple[str, str], int]]] = {}
        self._worth = Worth()
        #: What a user should know of it.
        self.warnings: list[str] = []

    def __iter__(self) -> Iterator[ToSend | float]:
        """What to send; numbers are seconds to look out for answers before asking for more. Ends where the ledger fails."""
        try:
            yield from self._all()
        except LedgerError as error:
            self._book.failure = self._book.failure or error
            self._halt()

    def take(self, sent: ToSend, result: RowResult | Reading) -> None:
        """What became of something that was sent."""
        if isinstance(result, RowResult):
            self._book.settle(sent, result, self._report.decide(sent.row, result))
        else:
            self._take_reading(*self._wanted.pop(sent.row), result)

    def leave(self) -> None:
        """Account for the rows of the current chunk that are not sent any more, and for those that waited for others."""
        self._book.give_back(self._ready)
        for sent in self._ready:
            self._report.decide(sent.row, RowResult(Outcome.NOT_ATTEMPTED, reason=NOT_REACHED))
        for chunk, offset in self._held:
            self._report.decide(chunk.start + offset, RowResult(Outcome.NOT_ATTEMPTED, reason=_HELD))
        self._ready.clear()
        self._held.clear()
        if self._chunk is not None:
            self._report.decide_not_attempted(self._chunk.start, self._chunk.todo, NOT_REACHED)
            self._chunk.todo = self._chunk.todo[:0]

    def _all(self) -> Iterator[ToSend | float]:
        for chunk in self._chunks:
            self._chunk = chunk
            yield from self._read(chunk)
            while chunk.todo.size:
                batch, rest = np.split(chunk.todo, [self._spec.batch_size])
                self._claim(chunk, batch)
                chunk.todo = rest
                yield from self._send_ready()
            yield 0.0
            while self._report.waiting > max(_MOST_WAITING, 2 * len(chunk.first)):
                yield from self._send_held()
        while self._held:
            yield from self._send_held()

    def _send_ready(self) -> Iterator[ToSend]:
        while self._ready:
            yield self._ready.popleft()

    def _send_held(self) -> Iterator[ToSend | float]:
        """Look again at the rows that waited longest for another load; what is free now is ours."""
        now = self._clock.monotonic()
        if self._held and now >= self._look_at:
            free = self._claim_held()
            self._look_at = now if free else now + _LOOK_AGAIN  # where it moves on, so may we
            yield from self._send_ready()
        yield LONGEST_WAIT

    def _claim_held(self) -> bool:
        """Whether any of a batch of them is not held any more."""
        chunk = self._held[0][0]
        # Up to the first of another chunk, since behind it there may be more of this one, that were held when looked at last.
        ahead = takewhile(lambda held: held[0] is chunk, islice(self._held, self._spec.batch_size))
        batch = [offset for _, offset in ahead]
        others = len(self._held) - len(batch)
        self._claim(chunk, np.array(batch, dtype=np.int64))
        for _ in batch:
            self._held.popleft()
        return len(self._held) - others < len(batch)

    def _claim(self, chunk: Chunk, offsets: Numbers) -> None:
        codes = self._book.claim(chunk, offsets)
        keys = keys_of(chunk.high[offsets], chunk.low[offsets])
        for offset, key, code in zip(offsets.tolist(), keys, codes.tolist(), strict=True):
            if code == Claim.HELD:
                self._held.append((chunk, offset))
            elif code in (Claim.THERE, Claim.OURS):
                outcome = Outcome.CREATED if code == Claim.OURS else Outcome.ALREADY_EXISTS
                told = self._report.decide(chunk.start + offset, RowResult(outcome, Evidence.LEDGER))
                self._book.tell([told] if code == Claim.OURS else [])
            else:
                self._ready.append(self._to_send(chunk, offset, key, is_again=code == Claim.AGAIN))

    def _to_send(self, chunk: Chunk, offset: int, key: bytes, *, is_again: bool) -> ToSend:
        first, second = chunk.first[offset], chunk.second[offset]
        conversation = relate(self._target.location_id, self._target.association_id, first, second, is_again=is_again)
        return ToSend(chunk.start + offset, first, second, conversation, key, is_again)

    def _read(self, chunk: Chunk) -> Iterator[ToSend | float]:
        """Read from HighLevel what is cheaper to read than to send, and take what is there off what is to do."""
        asked = _to_read(chunk, self._spec.diff_against)
        if not asked.size:
            return
        self._book.commit()  # what was learned before is not to be judged by what is forgotten from here on
        self._book.begin_reading()
        for group in groups_of(chunk.first[asked].tolist(), chunk.second[asked].tolist()):
            if self._worth(len(group.positions)):
                yield self._to_be_read(chunk, asked, group)
        while self._wanted:
            yield LONGEST_WAIT
        # Others' records may have been read along with these.
        self._book.commit()
        known = self._diff.look_again(chunk)
        ids = self._diff.relation_ids(chunk, known[chunk.knowledge[known] == Knowledge.OURS])
        self._book.tell(self._report.decide_known(chunk.start, known, chunk.knowledge[known], ids))

    def _to_be_read(self, chunk: Chunk, asked: Numbers, group: Group) -> ToSend:
        offsets = asked[group.positions].tolist()
        wanted = {(chunk.first[at], chunk.second[at]): at for at in offsets}
        row = chunk.start + offsets[0]
        self._wanted[row] = chunk, wanted
        conversation = read_relations(self._target.location_id, self._target.association_id, group.record, wanted)
        return ToSend(row, group.record, "", conversation)

    def _take_reading(self, chunk: Chunk, wanted: dict[tuple[str, str], int], reading: Reading) -> None:
        ids = {(found.first, found.second): found.relation_id for found in reading.found}
        there = [(wanted.pop(pair), ids[pair]) for pair in list(wanted) if pair in ids]
        if reading.error is None:
            self._worth.note(len(there) + len(wanted), len(there))
        elif isinstance(reading.error, Unauthorized) and self._worth.is_allowed:
            self._worth.is_allowed = False
            self.warnings.append(f"What is there could not be read, so that all rows are sent: {reading.error.explain()}")
        requests = reading.requests
        for offset, relation_id in there:
            self._decide_read(chunk, offset, relation_id, requests)
            requests = 0  # they were sent for the first of the rows
        self._book.learn(reading.found)
        chunk.todo = np.setdiff1d(chunk.todo, [offset for offset, _ in there], assume_unique=True)

    def _decide_read(self, chunk: Chunk, offset: int, relation_id: str | None, requests: int) -> None:
        is_ours = chunk.knowledge[offset] in (Knowledge.AGAIN, Knowledge.OURS_STALE)
        outcome, evidence = (Outcome.CREATED, Evidence.PRESUMED) if is_ours else (Outcome.ALREADY_EXISTS, Evidence.READ)
        told = self._report.decide(chunk.start + offset, RowResult(outcome, evidence, relation_id, requests=requests))
        self._book.tell([told])


def requests_for(chunk: Chunk, diff_against: DiffAgainst) -> int:
    """Requests that a chunk takes at most: one for each row to do, and one for each record to read."""
    asked = _to_read(chunk, diff_against)
    return len(chunk.todo) + len(groups_of(chunk.first[asked].tolist(), chunk.second[asked].tolist()))


def _to_read(chunk: Chunk, diff_against: DiffAgainst) -> Numbers:
    """Which rows may be looked up by reading."""
    if diff_against is DiffAgainst.HIGHLEVEL:
        return chunk.todo
    if diff_against is DiffAgainst.LEDGER:
        is_stale = np.isin(chunk.knowledge[chunk.todo], (Knowledge.STALE, Knowledge.OURS_STALE))
        return chunk.todo[np.flatnonzero(is_stale)]
    return chunk.todo[:0]
