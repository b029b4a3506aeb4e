"""Decides rows without a request: those refused, repeated, or known to exist."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.columns import Chunk, Numbers, Words
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.ledger.pairs import is_among
from airflow_provider_ghl.load.plan.difference import Difference
from airflow_provider_ghl.load.results.report import Report

__all__ = ["Planner"]

T = TypeVar("T")


class Planner:
    """Decides the outcomes of rows that need no request. The others stay in their chunk's ``todo``.

    :param keep: takes the results that the ledger keeps.
    """

    def __init__(self, difference: Difference, report: Report, keep: Callable[[list[dict[str, Any]]], None]) -> None:
        self._difference = difference
        self._report = report
        self._keep = keep
        self._failure: LedgerError | None = None

    def plan(self, chunk: Chunk) -> None:
        """Decide the rows of a new chunk.

        :raises LedgerError: the ledger cannot be read. The chunk is planned even so, without the ledger's knowledge.
        """
        report, start = self._report, chunk.start
        self.decide_problems(chunk)
        self._or_without_ledger(lambda: self._difference.plan(chunk))
        report.decide_repeats(start, chunk.repeats, chunk.earlier[chunk.repeats])
        learned = self._or_without_ledger(lambda: self._difference.look_again(chunk))
        self._decide(chunk, np.concatenate((chunk.known, learned)))
        self._raise_failure()

    def decide_problems(self, chunk: Chunk) -> None:
        """Decide the rows that were refused so far."""
        self._keep(self._report.decide_invalid(chunk.start, chunk.problems))
        chunk.problems = {}

    def decide_unresolved(self, chunk: Chunk, problems: dict[int, str]) -> None:
        """Decide rows whose keys name no record, or several. They must not be in ``todo``.

        :param problems: the reasons, by offset.
        """
        self._keep(self._report.decide_unresolved(chunk.start, problems))

    def named(self) -> Words:
        """The high words of the identities of all rows so far, in any order."""
        return self._difference.named()

    def look_again(self, chunk: Chunk) -> None:
        """Ask the ledger again about the rows in ``todo``: other loads, or reads of this one, may have found some to exist.

        :raises LedgerError: the ledger cannot be read.
        """
        self._decide(chunk, self._difference.look_again(chunk))
        self._raise_failure()

    def refuse(self, chunk: Chunk, problems: dict[int, str]) -> None:
        """Remove rows that cannot be sent from ``todo``.

        :param problems: the reasons, by offset.
        """
        if problems:
            self._keep(self._report.decide_invalid(chunk.start, problems))
            chunk.todo = np.setdiff1d(chunk.todo, list(problems), assume_unique=True)

    def keep_to(self, chunk: Chunk, allowed: Words, reason: str) -> None:
        """Mark the rows in ``todo`` as not attempted whose identity is not among the allowed ones.

        :param allowed: high words, ascending.
        """
        is_allowed = is_among(chunk.high[chunk.todo], allowed)
        self._report.decide_not_attempted(chunk.start, chunk.todo[np.flatnonzero(~is_allowed)], reason)
        chunk.todo = chunk.todo[np.flatnonzero(is_allowed)]

    def skip(self, chunk: Chunk, reason: str) -> None:
        """Mark the rows in ``todo`` as not attempted."""
        self._report.decide_not_attempted(chunk.start, chunk.todo, reason)
        chunk.todo = chunk.todo[:0]

    def _decide(self, chunk: Chunk, known: Numbers) -> None:
        knowledge = chunk.knowledge[known]
        ours = known[knowledge == Knowledge.OURS]
        ids = self._or_without_ledger(lambda: self._difference.highlevel_ids(chunk, ours))
        # Each attempt keeps the results of all rows that its load has created.
        self._keep(self._report.decide_known(chunk.start, known, knowledge, ids))

    def _or_without_ledger(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except LedgerError as error:
            self._failure = error
            self._difference.forget()
            return ask()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
