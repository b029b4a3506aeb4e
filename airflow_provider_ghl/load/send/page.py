"""A bookkeeper's page: what a load has to say to its ledger of one location's association."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from airflow_provider_ghl.load.columns import Codes, Numbers
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Notes
from airflow_provider_ghl.load.ledger.pairs import keys_of
from airflow_provider_ghl.load.plan.difference import Chunk, Memory
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult, names
from airflow_provider_ghl.load.send.in_flight import ToSend
from airflow_provider_ghl.relations.reading import Found

__all__ = ["Page"]


class Page:
    """Takes in what is learned; a :class:`~airflow_provider_ghl.load.send.journal.Bookkeeper` writes it.

    :param memory: what of the ledger is about the association.
    :param count: called for each answer.
    """

    def __init__(self, memory: Memory, attempt: Attempt, count: Callable[[], None]) -> None:
        self._memory = memory
        self._attempt = attempt
        self._count = count
        self._forgets: int | None = None
        self.notes = Notes()
        #: Claims that are over without an answer: key, and whether the pair may have been sent.
        self.given_back: list[tuple[bytes, bool]] = []

    @property
    def target_id(self) -> int:
        """The association's number in the ledger."""
        return self._memory.target_id

    def turn(self) -> None:
        """Begin anew: what stood here is written."""
        self.notes = Notes(forgets=self._forgets)

    def claim(self, chunk: Chunk, offsets: Numbers) -> Codes:
        """A :class:`~airflow_provider_ghl.load.ledger.notes.Claim` for each of the rows.

        :raises LedgerError: the ledger could not be written.
        """
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
        notes = self.notes
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
                self.given_back.append((sent.key, True))
        notes.results.append(told)
        self._count()

    def begin_reading(self) -> None:
        """To be called before what :meth:`learn` takes in is read: what is forgotten meanwhile is not learned.

        :raises LedgerError: the ledger cannot be read.
        """
        self._forgets = self.notes.forgets = self._memory.ledger.forgets()

    def learn(self, found: Iterable[Found]) -> None:
        """Take in relations that were read."""
        relations = list(found)
        if not relations:
            return
        first = np.array([relation.first for relation in relations], dtype=object)
        second = np.array([relation.second for relation in relations], dtype=object)
        keys = keys_of(*self._memory.ledger.identity(first, second))
        self.notes.learned.extend(
            (key, relation.first, relation.second, relation.relation_id) for key, relation in zip(keys, relations, strict=True)
        )
        self._count()

    def give_back(self, unsent: Iterable[ToSend]) -> None:
        """Take in that claimed rows are not sent after all."""
        self.given_back.extend((sent.key, sent.is_again) for sent in unsent)

    def _note_missing(self, sent: ToSend, reason: str) -> None:
        for record, missing in ((sent.first, self.notes.missing_first), (sent.second, self.notes.missing_second)):
            if names(reason, record):
                missing.add(record)
