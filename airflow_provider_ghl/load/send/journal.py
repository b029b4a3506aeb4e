"""What a load tells its ledger, and when: claims before requests go out, answers within two seconds after they came."""

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
from airflow_provider_ghl.load.ledger.notes import Notes
from airflow_provider_ghl.load.ledger.pairs import keys_from_words, words_from_keys
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult, mentions
from airflow_provider_ghl.load.send.in_flight import Send

__all__ = ["Journal", "LocationJournal"]


#: What is lost at most when the process is killed: so many answers, or those of so many seconds.
_MOST_ANSWERS = 100
_LONGEST = 2.0
#: Seconds after which a sign of life is due, where nothing else is written.
_BEAT = 10.0
#: Other rows of results that are written at once.
_MOST_RESULTS = 5_000


class LocationJournal:
    """What is noted of one location's rows until it is written.

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
        """Begin anew: what stood here is written."""
        self.notes = Notes(times_forgotten=self._times_forgotten)

    def release(self) -> None:
        """Give back in the ledger what was given back here.

        :raises LedgerError: the ledger could not be written.
        """
        again = np.array([may_be_sent for _, may_be_sent in self.given_back], dtype=np.bool_)
        words = words_from_keys(b"".join(key for key, _ in self.given_back))
        self._memory.release(self._attempt, *words, again)
        self.given_back.clear()

    def claim(self, chunk: Chunk, offsets: Numbers) -> Codes:
        """A :class:`~airflow_provider_ghl.load.ledger.notes.ClaimResult` for each of the rows.

        :raises LedgerError: the ledger could not be written.
        """
        return self._memory.claim(self._attempt, chunk.high[offsets], chunk.low[offsets], chunk.rows(offsets))

    def settle(self, send: Send, result: RowResult, row: dict[str, Any]) -> None:
        """Take in what became of a row that was claimed.

        :param row: its result as the XCom has it.
        """
        notes = self.notes
        match result.outcome:
            case Outcome.CREATED | Outcome.ALREADY_EXISTS:
                notes.there.append((send.key, result.made_id, result.outcome is Outcome.CREATED))
            case Outcome.REJECTED if result.stops is not None:
                # A refused token says nothing of the row: what was known of it stays.
                self.give_back([send])
            case Outcome.REJECTED:
                notes.refused.append(send.key)
                if result.is_missing:
                    self._note_missing(send, result.reason or "")
            case Outcome.NOT_ATTEMPTED:
                self.give_back([send])
                return
            case Outcome.FAILED:
                # The next attempt knows that it may have been sent. Others may send it now: two loads would else wait for
                # each other, each for what the other does not send any more.
                self.given_back.append((send.key, True))
        notes.results.append(row)
        self._count()

    def begin_reading(self) -> None:
        """To be called before what :meth:`learn` takes in is read: what is forgotten meanwhile is not learned.

        :raises LedgerError: the ledger cannot be read.
        """
        self._times_forgotten = self.notes.times_forgotten = self._memory.ledger.times_forgotten()

    def learn(self, stored: Sequence[StoredRow]) -> None:
        """Take in what was read."""
        if not stored:
            return
        columns = [np.array([*column, None], dtype=object)[:-1] for column in zip(*(one.values for one in stored), strict=True)]
        keys = keys_from_words(*self._memory.ledger.identity(columns))
        self.notes.learned.extend((key, one.values, one.id) for key, one in zip(keys, stored, strict=True))
        self._count()

    def give_back(self, unsent: Iterable[Send]) -> None:
        """Take in that claimed rows are not sent after all."""
        self.given_back.extend((send.key, send.is_again) for send in unsent)

    def _note_missing(self, send: Send, reason: str) -> None:
        for value, missing in zip(send.values, self.notes.missing, strict=True):
            if mentions(reason, value):
                missing.add(value)


class Journal:
    """Writes for one attempt what its locations have taken in, all of them together.

    Where the ledger fails, everybody who finds out says so here (:meth:`fail`), and whoever runs the load asks ``failure``.
    From then on nothing is written.

    :param attempt: ``None``: nothing is to be sent, and nothing is written.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt | None, budget: Budget, clock: Clock) -> None:
        #: The first failure of the ledger.
        self.failure: LedgerError | None = None
        #: The attempt that claims are made for.
        self.attempt = attempt
        self._ledger = ledger
        self._budget = budget
        self._clock = clock
        self._locations: list[LocationJournal] = []
        self._results: list[dict[str, Any]] = []
        self._answers = 0
        self._since: float | None = None
        self._written_at = clock.monotonic()

    def fail(self, error: LedgerError) -> None:
        """Take in that the ledger failed."""
        self.failure = self.failure or error

    def open_location(self, memory: Memory) -> LocationJournal | None:
        """A location for what this memory is about; ``None`` where nothing is to be sent."""
        if self.attempt is None:
            return None
        location = LocationJournal(memory, self.attempt, self._count)
        self._locations.append(location)
        return location

    def keep(self, results: list[dict[str, Any]]) -> None:
        """Take in results of rows that no request was sent for."""
        if self.attempt is not None:
            self._results.extend(results)

    def tick(self) -> None:
        """Write, if it is time to."""
        now = self._clock.monotonic()
        is_due = self._since is not None and now - self._since >= _LONGEST
        if is_due or self._answers >= _MOST_ANSWERS or len(self._results) >= _MOST_RESULTS:
            self.commit()
        elif now - self._written_at >= _BEAT:
            self._try(self._beat)

    def commit(self) -> None:
        """Write all that was taken in."""
        self._try(self._write)

    def _count(self) -> None:
        self._answers += 1
        if self._since is None:
            self._since = self._clock.monotonic()

    def _try(self, write: Callable[[Attempt], None]) -> None:
        if self.failure is not None or self.attempt is None:
            return
        try:
            write(self.attempt)
            self._written_at = self._clock.monotonic()
        except LedgerError as error:
            self.fail(error)

    def _write(self, attempt: Attempt) -> None:
        locations = [location for location in self._locations if location.notes.results or location.notes.names_rows]
        totals = Notes(results=self._results)
        totals.requests, totals.retries, totals.rate_limited = self._totals(attempt)
        self._ledger.write_all(attempt, {location.target_id: location.notes for location in locations} | {None: totals})
        self._results, self._answers, self._since = [], 0, None
        for location in locations:
            location.reset()
        for location in [location for location in self._locations if location.given_back]:
            location.release()

    def _beat(self, attempt: Attempt) -> None:
        self._ledger.loads.beat(attempt, *self._totals(attempt))

    def _totals(self, attempt: Attempt) -> tuple[int, int, int]:
        before, budget = attempt.spent_before, self._budget
        return budget.spent - before[0], budget.retries - before[1], budget.rate_limited - before[2]
