"""Writes a load's claims and results to the ledger: claims before requests go out, results within two seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.columns import Chunk, Codes, Numbers
from airflow_provider_ghl.load.kind import StoredRow
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.memory import Memory
from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes
from airflow_provider_ghl.load.ledger.pairs import keys_from_words, words_from_keys
from airflow_provider_ghl.load.ledger.spending import Spending
from airflow_provider_ghl.load.reasons import mentions
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult
from airflow_provider_ghl.load.send.in_flight import Send

__all__ = ["Journal", "LocationJournal"]


#: The most that is lost when the process is killed: this many answers, or those of this many seconds.
_MOST_ANSWERS = 100
_LONGEST = 2.0
#: Seconds without another write after which a heartbeat is written.
_BEAT = 10.0
#: Results of rows without a request that are written at once.
_MOST_RESULTS = 5_000


class LocationJournal:
    """Collects the results of one location's rows until the :class:`Journal` writes them.

    :param count: called for each answer.
    """

    def __init__(self, memory: Memory, attempt: Attempt, count: Callable[[], None]) -> None:
        self._memory = memory
        self._attempt = attempt
        self._count = count
        self._times_forgotten: int | None = None
        self.notes = Notes()
        #: Claims that are over without an answer: key, and whether the row may have been sent.
        self.given_back: list[tuple[bytes, bool]] = []

    @property
    def target_id(self) -> int:
        """The target's number in the ledger."""
        return self._memory.target_id

    def reset(self) -> None:
        """Start an empty collection, once the notes are written."""
        self.notes = Notes(times_forgotten=self._times_forgotten)

    def release(self) -> None:
        """Release in the ledger the claims that were given back.

        :raises LedgerError: the ledger could not be written.
        """
        again = np.array([may_be_sent for _, may_be_sent in self.given_back], dtype=np.bool_)
        words = words_from_keys(b"".join(key for key, _ in self.given_back))
        self._memory.release(self._attempt, *words, again)
        self.given_back.clear()

    def claim(self, chunk: Chunk, offsets: Numbers) -> Codes:
        """Claim rows. Returns a :class:`~airflow_provider_ghl.load.ledger.notes.ClaimResult` for each.

        :raises LedgerError: the ledger could not be written.
        """
        return self._memory.claim(self._attempt, chunk.high[offsets], chunk.low[offsets], chunk.rows(offsets))

    def settle(self, send: Send, result: RowResult, row: dict[str, Any]) -> None:
        """Note the result of a row that was claimed.

        :param row: the result with all its fields, as in the XCom.
        """
        notes = self.notes
        match result.outcome:
            case Outcome.CREATED | Outcome.ALREADY_EXISTS:
                notes.there.append((send.key, result.made_id, result.outcome is Outcome.CREATED))
            case Outcome.REJECTED if result.stops is not None:
                # A refused token is no evidence about the row: keep what the ledger knew of it.
                self.give_back([send])
            case Outcome.REJECTED:
                notes.refused.append(send.key)
                if result.is_missing:
                    self._note_missing(send, result.reason or "")
            case Outcome.NOT_ATTEMPTED:
                self.give_back([send])
                return
            case Outcome.FAILED:
                # Note for the next attempt that the row may have been sent. Other loads may send it now; otherwise two loads
                # could wait for each other, each for a row that the other no longer sends.
                self.given_back.append((send.key, True))
        notes.results.append(row)
        self._count()

    def note_gone(self, send: Send, reason: str) -> None:
        """Note that a record of a row that was claimed is not there. The row has no result yet."""
        self.notes.refused.append(send.key)
        self._note_missing(send, reason)
        self._count()

    def begin_reading(self) -> None:
        """Call this before reading what is passed to :meth:`learn`: what the ledger forgets meanwhile is not learned.

        :raises LedgerError: the ledger cannot be read.
        """
        self._times_forgotten = self.notes.times_forgotten = self._memory.ledger.times_forgotten()

    def learn(self, stored: Sequence[StoredRow]) -> None:
        """Note what was read from HighLevel."""
        if not stored:
            return
        columns = [np.array([*column, None], dtype=object)[:-1] for column in zip(*(one.values for one in stored), strict=True)]
        keys = keys_from_words(*self._memory.ledger.identity(columns))
        self.notes.learned.extend((key, one.values, one.id) for key, one in zip(keys, stored, strict=True))
        self._count()

    def give_back(self, unsent: Iterable[Send]) -> None:
        """Note that claimed rows are not sent after all. Other loads may wait for them."""
        self.given_back.extend((send.key, send.is_again) for send in unsent)
        self._count()

    def _note_missing(self, send: Send, reason: str) -> None:
        for value, missing in zip(send.values, self.notes.missing, strict=True):
            if mentions(reason, value):
                missing.add(value)


class Journal:
    """Writes what the locations of one attempt have noted, all of them in one transaction.

    Any part of a load reports a ledger failure here (:meth:`fail`); the load reads it from ``failure``. After a failure
    nothing is written.

    :param attempt: ``None`` where nothing is to be sent: then nothing is written.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt | None, budget: Budget, clock: Clock) -> None:
        #: The first failure of the ledger.
        self.failure: LedgerError | None = None
        #: The attempt that owns the claims.
        self.attempt = attempt
        self._ledger = ledger
        self._budget = budget
        self._clock = clock
        self._locations: list[LocationJournal] = []
        self._keys: dict[int, KeyNotes] = {}
        self._results: list[dict[str, Any]] = []
        self._answers = 0
        self._since: float | None = None
        self._written_at = clock.monotonic()

    def fail(self, error: LedgerError) -> None:
        """Note that the ledger failed. The first failure is kept."""
        self.failure = self.failure or error

    def open_location(self, memory: Memory) -> LocationJournal | None:
        """A journal for the location and target of this memory; ``None`` where nothing is to be sent."""
        if self.attempt is None:
            return None
        location = LocationJournal(memory, self.attempt, self._count)
        self._locations.append(location)
        return location

    def key_notes(self, lookup_id: int) -> KeyNotes:
        """Where to note what becomes of a look-up's keys. They are written with all else."""
        if self._since is None:
            self._since = self._clock.monotonic()
        return self._keys.setdefault(lookup_id, KeyNotes())

    def keep(self, results: list[dict[str, Any]]) -> None:
        """Note results of rows for which no request was sent."""
        if self.attempt is not None:
            self._results.extend(results)

    def tick(self) -> None:
        """Write, if a write is due."""
        now = self._clock.monotonic()
        is_due = self._since is not None and now - self._since >= _LONGEST
        if is_due or self._answers >= _MOST_ANSWERS or len(self._results) >= _MOST_RESULTS:
            self.commit()
        elif now - self._written_at >= _BEAT:
            self._try(self._beat)

    def commit(self) -> None:
        """Write everything that was noted."""
        self._try(self._write)

    def commit_keys(self) -> None:
        """Write everything, if anything was noted of keys: only then does the ledger know less than it is told."""
        if self._keys:
            self.commit()

    def note_spending(self, host: str, spendings: Sequence[Spending], location_ids: Sequence[str]) -> None:
        """Write what was sent to locations. See :meth:`~airflow_provider_ghl.load.ledger.loads.LedgerLoads.note_spending`."""
        self._try(lambda attempt: self._ledger.loads.note_spending(attempt, host, spendings, location_ids))

    def _count(self) -> None:
        self._answers += 1
        if self._since is None:
            self._since = self._clock.monotonic()

    def _try(self, write: Callable[[Attempt], None]) -> None:
        if self.failure is not None or self.attempt is None:
            return
        try:
            write(self.attempt)
        except LedgerError as error:
            self.fail(error)

    def _write(self, attempt: Attempt) -> None:
        locations = [location for location in self._locations if location.notes.results or location.notes.names_rows]
        totals = Notes(results=self._results)
        totals.requests, totals.retries, totals.rate_limited = self._totals(attempt)
        notes = {location.target_id: location.notes for location in locations} | {None: totals}
        self._ledger.write_all(attempt, notes, self._keys)
        self._written_at = self._clock.monotonic()
        self._keys = {}
        self._results, self._answers, self._since = [], 0, None
        for location in locations:
            location.reset()
        for location in [location for location in self._locations if location.given_back]:
            location.release()

    def _beat(self, attempt: Attempt) -> None:
        self._ledger.loads.beat(attempt, *self._totals(attempt))
        self._written_at = self._clock.monotonic()

    def _totals(self, attempt: Attempt) -> tuple[int, int, int]:
        before, budget = attempt.spent_before, self._budget
        return budget.spent - before[0], budget.retries - before[1], budget.rate_limited - before[2]
