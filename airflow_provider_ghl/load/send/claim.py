"""Claims rows in the ledger before they are sent, batch by batch. Rows that another load has claimed are held back."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice, takewhile

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.load.columns import Chunk, Numbers
from airflow_provider_ghl.load.kind import Conversation
from airflow_provider_ghl.load.ledger.notes import ClaimResult
from airflow_provider_ghl.load.ledger.pairs import keys_from_words
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.send.in_flight import Send, WaitUntil
from airflow_provider_ghl.load.send.journal import Journal, LocationJournal

__all__ = ["Claims"]

#: Seconds between two attempts to claim rows that another load has claimed.
_LOOK_AGAIN = 1.0
_HELD = "another load was sending it when this one stopped"


class Claims:
    """Claims the rows of one location. Every method raises ``LedgerError`` where the ledger cannot be written.

    :param batch_size: how many rows are claimed together.
    :param converse: makes the conversation of the row at an offset of a chunk. The flag: whether an earlier attempt may have
        sent it.
    :param put_off: called with a row before it is sent: whether it is not to be sent after all. Who says so takes the row.
    """

    def __init__(
        self,
        location_journal: LocationJournal,
        report: Report,
        journal: Journal,
        clock: Clock,
        batch_size: int,
        converse: Callable[[Chunk, int, bool], Conversation],
        put_off: Callable[[Chunk, int], bool],
    ) -> None:
        self._location_journal = location_journal
        self._report = report
        self._journal = journal
        self._clock = clock
        self._batch_size = batch_size
        self._converse = converse
        self._put_off = put_off
        self._ready: deque[tuple[Chunk, int, Send]] = deque()
        self._held: deque[tuple[Chunk, int]] = deque()
        self._look_at = float("-inf")

    @property
    def has_held(self) -> bool:
        """Whether rows are held back because another load has claimed them."""
        return bool(self._held)

    def send(self, chunk: Chunk) -> Iterator[Send]:
        """Claim the chunk's remaining rows, and yield those that no other load has claimed."""
        while chunk.todo.size:
            batch, rest = np.split(chunk.todo, [self._batch_size])
            self._claim(chunk, batch)
            chunk.todo = rest
            yield from self._send_ready()

    def send_held(self) -> Iterator[Send | WaitUntil]:
        """Try again to claim the rows that were held back longest, and yield those that are free now."""
        now = self._clock.monotonic()
        if self._held and now >= self._look_at:
            is_any_free = self._claim_held()
            self._look_at = now if is_any_free else now + _LOOK_AGAIN  # the other load makes progress: look again at once
            yield from self._send_ready()
        yield WaitUntil(self._clock.monotonic() + LONGEST_WAIT)

    def skip_rest(self, reason: str) -> None:
        """Mark rows as not attempted: those that were claimed but not sent, and those that were held back."""
        unsent = [send for _, _, send in self._ready]
        self._location_journal.give_back(unsent)
        for send in unsent:
            self._report.decide(send.row, RowResult(Outcome.NOT_ATTEMPTED, reason=reason))
        for chunk, offset in self._held:
            self._report.decide(chunk.start + offset, RowResult(Outcome.NOT_ATTEMPTED, reason=_HELD))
        self._ready.clear()
        self._held.clear()

    def _claim_held(self) -> bool:
        """Try to claim a batch of the rows held back. Returns whether any of them is no longer held."""
        chunk = self._held[0][0]
        # Only rows of the first chunk, up to the first row of another one: a claim is for one chunk.
        ahead = takewhile(lambda held: held[0] is chunk, islice(self._held, self._batch_size))
        batch = [offset for _, offset in ahead]
        others = len(self._held) - len(batch)
        self._claim(chunk, np.array(batch, dtype=np.int64))
        for _ in batch:
            self._held.popleft()
        return len(self._held) - others < len(batch)

    def _claim(self, chunk: Chunk, offsets: Numbers) -> None:
        codes = self._location_journal.claim(chunk, offsets)
        keys = keys_from_words(chunk.high[offsets], chunk.low[offsets])
        for offset, key, code in zip(offsets.tolist(), keys, codes.tolist(), strict=True):
            if code == ClaimResult.HELD:
                self._held.append((chunk, offset))
            elif code in (ClaimResult.THERE, ClaimResult.OURS):
                outcome = Outcome.CREATED if code == ClaimResult.OURS else Outcome.ALREADY_EXISTS
                result = self._report.decide(chunk.start + offset, RowResult(outcome, Evidence.LEDGER))
                self._journal.keep([result] if code == ClaimResult.OURS else [])
            else:
                is_again = code == ClaimResult.AGAIN
                conversation = self._converse(chunk, offset, is_again)
                send = Send(chunk.start + offset, chunk.row(offset), conversation, key, is_again)
                self._ready.append((chunk, offset, send))

    def _send_ready(self) -> Iterator[Send]:
        while self._ready:
            chunk, offset, send = self._ready.popleft()
            if self._put_off(chunk, offset):
                self._location_journal.give_back([send])
            else:
                yield send
