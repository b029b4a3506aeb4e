"""Rows that are settled by reading what HighLevel has, where that is cheaper than sending them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.load.columns import Chunk, Numbers
from airflow_provider_ghl.load.kind import GroupRead, ReadResult, RowHandler
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.plan.planner import Planner
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.send.in_flight import Send, Step, WaitUntil
from airflow_provider_ghl.load.send.journal import Journal, LocationJournal
from airflow_provider_ghl.load.send.key_steps import KeySteps
from airflow_provider_ghl.load.spec import DiffAgainst

__all__ = ["ReadSteps", "readable"]


def readable(chunk: Chunk, diff_against: DiffAgainst) -> Numbers:
    """Offsets of the rows that may be settled by reading."""
    match diff_against:
        case DiffAgainst.HIGHLEVEL:
            return chunk.todo
        case DiffAgainst.LEDGER:
            is_stale = np.isin(chunk.knowledge[chunk.todo], (Knowledge.STALE, Knowledge.OURS_STALE))
            return chunk.todo[np.flatnonzero(is_stale)]
    return chunk.todo[:0]


class ReadSteps:
    """The reads of one location.

    :param location_journal: learns what was read.
    :param keys: hides what is read of rows with keys; ``None`` for rows without.
    """

    def __init__(
        self,
        handler: RowHandler,
        report: Report,
        journal: Journal,
        location_journal: LocationJournal,
        keys: KeySteps | None,
        clock: Clock,
    ) -> None:
        self._handler = handler
        self._report = report
        self._journal = journal
        self._location_journal = location_journal
        self._keys = keys
        self._clock = clock
        self._open: dict[int, tuple[Chunk, GroupRead]] = {}

    def read(self, chunk: Chunk, offsets: Numbers, planner: Planner) -> Iterator[Step]:
        """Read these rows of a chunk from HighLevel. Those that are there are removed from its ``todo``."""
        self._journal.commit()  # so that later forgetting affects only what is read from here on
        self._location_journal.begin_reading()
        for read in self._handler.reads(chunk, offsets):
            row, keys = chunk.start + read.offsets[0], self._keys
            self._open[row] = chunk, read
            yield Send(row, (), read.conversation if keys is None else keys.hide(chunk, read.offsets, read.conversation))
        while self._open:
            yield WaitUntil(self._clock.monotonic() + LONGEST_WAIT)
        # The reads may have returned rows of other groups as well.
        self._journal.commit()
        planner.look_again(chunk)

    def take(self, send: Send, result: ReadResult) -> None:
        """Take what a read returned."""
        chunk, read = self._open.pop(send.row)
        there = self._handler.stored_ids(chunk, read, result)
        requests = result.requests
        for offset, made_id in there.items():
            self._decide(chunk, offset, made_id, requests)
            requests = 0  # count them once, for the first row
        self._location_journal.learn(result.stored)
        chunk.todo = np.setdiff1d(chunk.todo, np.array(list(there), dtype=np.int64), assume_unique=True)

    def _decide(self, chunk: Chunk, offset: int, made_id: str | None, requests: int) -> None:
        is_ours = chunk.knowledge[offset] in (Knowledge.OURS_SENT, Knowledge.OURS_STALE)
        outcome, evidence = (Outcome.CREATED, Evidence.PRESUMED) if is_ours else (Outcome.ALREADY_EXISTS, Evidence.READ)
        result = self._report.decide(chunk.start + offset, RowResult(outcome, evidence, made_id, requests=requests))
        self._journal.keep([result])
