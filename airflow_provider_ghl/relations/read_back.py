"""What is there is read from HighLevel, where that is cheaper than to send it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT
from airflow_provider_ghl.exceptions import Unauthorized
from airflow_provider_ghl.load.columns import Numbers
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.plan.difference import Chunk
from airflow_provider_ghl.load.plan.known import Known
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.send.in_flight import ToSend
from airflow_provider_ghl.load.send.journal import Bookkeeper
from airflow_provider_ghl.load.send.page import Page
from airflow_provider_ghl.load.spec import DiffAgainst
from airflow_provider_ghl.relations.association import Target
from airflow_provider_ghl.relations.reading import Group, Reading, Worth, groups_of, read_relations

__all__ = ["Reader", "requests_for"]


class Reader:
    """Reads for one location's rows. Methods raise ``LedgerError`` where the ledger cannot be read."""

    def __init__(
        self, target: Target, page: Page, known: Known, report: Report, book: Bookkeeper, diff_against: DiffAgainst
    ) -> None:
        self._target = target
        self._page = page
        self._known = known
        self._report = report
        self._book = book
        self._diff_against = diff_against
        self._wanted: dict[int, tuple[Chunk, dict[tuple[str, str], int]]] = {}
        self._worth = Worth()
        #: How much of a record's relations was read for earlier chunks; ``None``: all, so that what is not known is not there.
        self._read_to: dict[str, int | None] = {}
        #: What a user should know of it.
        self.warnings: list[str] = []

    def read(self, chunk: Chunk) -> Iterator[ToSend | float]:
        """Read from HighLevel what is cheaper to read than to send, and take what is there off what is to do."""
        asked = _to_read(chunk, self._diff_against)
        if not asked.size:
            return
        self._book.commit()  # what was learned before is not to be judged by what is forgotten from here on
        self._page.begin_reading()
        for group in groups_of(chunk.first[asked].tolist(), chunk.second[asked].tolist()):
            if self._worth(len(group.positions)) and self._read_to.get(group.record, 0) is not None:
                yield self._to_be_read(chunk, asked, group)
        while self._wanted:
            yield LONGEST_WAIT
        # Others' records may have been read along with these.
        self._book.commit()
        self._known.look_again(chunk)

    def _to_be_read(self, chunk: Chunk, asked: Numbers, group: Group) -> ToSend:
        offsets = asked[group.positions].tolist()
        wanted = {(chunk.first[at], chunk.second[at]): at for at in offsets}
        row = chunk.start + offsets[0]
        self._wanted[row] = chunk, wanted
        target, start = self._target, self._read_to.get(group.record) or 0
        conversation = read_relations(target.location_id, target.association_id, group.record, wanted, start)
        return ToSend(row, group.record, "", conversation)

    def take(self, sent: ToSend, reading: Reading) -> None:
        """What reading came to that :meth:`read` has asked for."""
        chunk, wanted = self._wanted.pop(sent.row)
        self._read_to[sent.first] = reading.read_to
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
        self._page.learn(reading.found)
        offsets = np.array([offset for offset, _ in there], dtype=np.int64)
        self._known.note_read(chunk, offsets)
        chunk.todo = np.setdiff1d(chunk.todo, offsets, assume_unique=True)

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
