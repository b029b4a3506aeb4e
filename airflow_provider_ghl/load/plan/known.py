"""What can be said of a location's rows without a request: refused, repeated, known to be there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.columns import Numbers
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.plan.difference import Chunk, Diff
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.source.batches import Columns
from airflow_provider_ghl.relations.cardinality import Cardinality

__all__ = ["Known"]

T = TypeVar("T")
_WAS_THERE = (Knowledge.STALE, Knowledge.OURS_STALE)


class Known:
    """Tells the report, and the ledger what it keeps of such rows.

    :param cardinality: how many relations its records may have. :param columns: as the source names them.
    :param tell: takes the results of rows that no request is sent for.
    :param fail: takes the ledger's failures. From then on nothing is known of any row, but for repeats.
    """

    def __init__(
        self,
        diff: Diff,
        cardinality: Cardinality,
        columns: Columns,
        report: Report,
        tell: Callable[[list[dict[str, Any]]], None],
        fail: Callable[[LedgerError], None],
    ) -> None:
        self._diff = diff
        self._cardinality = cardinality
        self._names = columns.first, columns.second
        self._report = report
        self._tell = tell
        self._fail = fail

    def plan(self, chunk: Chunk) -> None:
        """Decide of a new chunk's rows."""
        report, start = self._report, chunk.start
        self._tell(report.decide_invalid(start, chunk.problems))
        self._or_without_ledger(lambda: self._diff.plan(chunk))
        report.decide_repeats(start, chunk.repeats, chunk.earlier[chunk.repeats])
        learned = self._or_without_ledger(lambda: self._diff.look_again(chunk))
        self._decide(chunk, np.concatenate((chunk.known, learned)))

    def look_again(self, chunk: Chunk) -> None:
        """Others may have learned something of the rows that are still to do, or they were read along with another's.

        :raises LedgerError: the ledger cannot be read.
        """
        self._decide(chunk, self._diff.look_again(chunk))

    def refuse_surplus(self, chunk: Chunk) -> None:
        """Take off those that are one relation too many for a record.

        :raises LedgerError: the ledger cannot be read.
        """
        was_there = np.isin(chunk.knowledge[chunk.todo], _WAS_THERE)
        # Pairs that were there, and are only to be looked up again, have their room, whatever stands before them.
        self._surplus(chunk, chunk.todo[np.flatnonzero(was_there)])
        new = chunk.todo[np.flatnonzero(~was_there)]
        refused = self._surplus(chunk, new)
        if refused:
            problems = {int(new[at]): reason for at, reason in refused.items()}
            self._tell(self._report.decide_invalid(chunk.start, problems))
            chunk.todo = np.setdiff1d(chunk.todo, list(problems), assume_unique=True)

    def note_read(self, chunk: Chunk, offsets: Numbers) -> None:
        """Take in rows of which HighLevel says that they are there."""
        self._cardinality.note_there(chunk.first[offsets], chunk.second[offsets])

    def _surplus(self, chunk: Chunk, offsets: Numbers) -> dict[int, str]:
        first, second = chunk.first[offsets], chunk.second[offsets]
        return self._cardinality.refuse(first, second, self._diff.count_there, self._names)

    def _decide(self, chunk: Chunk, known: Numbers) -> None:
        knowledge = chunk.knowledge[known]
        ids = self._or_without_ledger(lambda: self._diff.relation_ids(chunk, known[knowledge == Knowledge.OURS]))
        # An attempt accounts for all that its load has made.
        self._tell(self._report.decide_known(chunk.start, known, knowledge, ids))

    def _or_without_ledger(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except LedgerError as error:
            self._fail(error)
            self._diff.forget()
            return ask()
