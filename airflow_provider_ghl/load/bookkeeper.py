"""What a load tells its ledger, and when: claims before requests go out, answers within two seconds after they came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.arrays import Codes, Numbers
from airflow_provider_ghl.load.diff import Chunk, Memory
from airflow_provider_ghl.load.dispatch import ToSend
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Notes
from airflow_provider_ghl.load.ledger.pairs import keys_of, words_of
from airflow_provider_ghl.load.outcomes import Outcome, RowResult, names
from airflow_provider_ghl.load.reading import Found

__all__ = ["Bookkeeper"]


#: What is lost at most when the process is killed: so many answers, or those of so many seconds.
_MOST_ANSWERS = 100
_LONGEST = 2.0
#: Seconds after which a sign of life is due, where nothing else is written.
_BEAT = 10.0
#: Other rows of results that are written at once.
_MOST_RESULTS = 5_000


class Bookkeeper:
    """Writes for one attempt. After a first :class:`LedgerError` it writes nothing more, and says so in ``failure``.

    :param memory: what of the ledger is about this load's association.
    """

    def __init__(self, memory: Memory, attempt: Attempt, budget: Budget, clock: Clock) -> None:
        self.failure: LedgerError | None = None
        self._attempt = attempt
        self._memory = memory
        self._ledger = memory.ledger
        self._budget = budget
        self._clock = clock
        self._notes = Notes()
        self._forgets: int | None = None
        #: Claims that are over without an answer: key, and whether the pair may have been sent.
        self._given_back: list[tuple[bytes, bool]] = []
        self._answers = 0
        self._since: float | None = None
        self._written_at = clock.monotonic()

    def claim(self, chunk: Chunk, offsets: Numbers) -> Codes:
        """A :class:`~airflow_provider_ghl.load.ledger.notes.Claim` for each of the rows.

        :raises LedgerError: the ledger could not be written, or failed before.
        """
        if self.failure is not None:
            raise self.failure
        memory = self._memory
        return memory.ledger.relations.claim(
            self._attempt,
            memory.target_id,
            chunk.high[offsets],
            chunk.low[offsets],
            chunk.first[offsets].tolist(),
            chunk.second[offsets].tolist(),
            memory.freshness,
        )

    def settle(self, sent: ToSend, result: RowResult, told: dict[str, Any]) -> None:
        """Take in what became of a row that was claimed.

        :param told: its result as the XCom has it.
        """
        notes = self._notes
        match result.outcome:
            case Outcome.CREATED | Outcome.ALREADY_EXISTS:
                notes.there.append((sent.key, result.relation_id, result.outcome is Outcome.CREATED))
            case Outcome.REJECTED if result.stops is not None:
                # A refused token says nothing of the pair: what was known of it stays.
                self.give_back([sent])
            case Outcome.REJECTED:
                notes.refused.append(sent.key)
                if result.is_missing:
                    self._note_missing(sent, result.reason or "")
            case Outcome.NOT_ATTEMPTED:
                self.give_back([sent])
                return
            case Outcome.FAILED:
                # The next attempt knows that it may have been sent. Others may send it now: two loads would else wait for
                # each other, each for what the other does not send any more.
                self._given_back.append((sent.key, True))
        notes.results.append(told)
        self._count(1)

    def begin_reading(self) -> None:
        """To be called before what :meth:`learn` takes in is read: what is forgotten meanwhile is not learned.

        :raises LedgerError: the ledger cannot be read.
        """
        self._forgets = self._notes.forgets = self._ledger.forgets()

    def learn(self, found: Iterable[Found]) -> None:
        """Take in relations that were read."""
        relations = list(found)
        if not relations:
            return
        first = np.array([relation.first for relation in relations], dtype=object)
        second = np.array([relation.second for relation in relations], dtype=object)
        keys = keys_of(*self._ledger.identity(first, second))
        self._notes.learned.extend(
            (key, relation.first, relation.second, relation.relation_id) for key, relation in zip(keys, relations, strict=True)
        )
        self._count(1)

    def tell(self, results: list[dict[str, Any]]) -> None:
        """Take in results of rows that no request was sent for."""
        self._notes.results.extend(results)

    def give_back(self, unsent: Iterable[ToSend]) -> None:
        """Take in that claimed rows are not sent after all."""
        self._given_back.extend((sent.key, sent.is_again) for sent in unsent)

    def tick(self) -> None:
        """Write, if it is time to. Failures go to ``failure``."""
        now = self._clock.monotonic()
        is_due = self._since is not None and now - self._since >= _LONGEST
        if is_due or self._answers >= _MOST_ANSWERS or len(self._notes.results) >= _MOST_RESULTS:
            self.commit()
        elif now - self._written_at >= _BEAT:
            self._try(self._beat)

    def commit(self) -> None:
        """Write all that was taken in. Failures go to ``failure``."""
        self._try(self._write)

    def _note_missing(self, sent: ToSend, reason: str) -> None:
        for record, missing in ((sent.first, self._notes.missing_first), (sent.second, self._notes.missing_second)):
            if names(reason, record):
                missing.add(record)

    def _count(self, answers: int) -> None:
        self._answers += answers
        if self._since is None:
            self._since = self._clock.monotonic()

    def _try(self, write: Any) -> None:
        if self.failure is not None:
            return
        try:
            write()
            self._written_at = self._clock.monotonic()
        except LedgerError as error:
            self.failure = error

    def _write(self) -> None:
        notes, given_back = self._notes, self._given_back
        notes.requests, notes.retries, notes.rate_limited = self._totals()
        self._ledger.write(self._attempt, self._memory.target_id, notes)
        self._notes, self._answers, self._since = Notes(forgets=self._forgets), 0, None
        if given_back:
            again = np.array([may_be_sent for _, may_be_sent in given_back], dtype=np.bool_)
            words = words_of(b"".join(key for key, _ in given_back))
            self._ledger.relations.release(self._attempt, self._memory.target_id, *words, again)
            self._given_back = []

    def _beat(self) -> None:
        self._ledger.loads.beat(self._attempt, *self._totals())

    def _totals(self) -> tuple[int, int, int]:
        before = self._attempt.spent_before
        budget = self._budget
        return budget.spent - before[0], budget.retries - before[1], budget.rate_limited - before[2]
