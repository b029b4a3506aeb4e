"""Batches of rows in, chunks out: everything is decided of their rows that takes no request."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.batches import Batch
from airflow_provider_ghl.load.diff import Chunk, Diff, Memory
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.report import Report
from airflow_provider_ghl.load.spec import LoadSpec
from airflow_provider_ghl.load.validate import validate

__all__ = ["Planner"]

T = TypeVar("T")
#: Rows by whose length the others' is judged.
_SAMPLE = 100


class Planner:
    """Reads the source once, from its first row to its last, and tells the report."""

    def __init__(self, spec: LoadSpec, batches: Iterator[Batch], report: Report, stop: Stop) -> None:
        self._spec = spec
        self._batches = batches
        self._report = report
        self._stop = stop
        self._ahead: deque[Batch] = deque()
        self._diff = Diff(None)
        self._tell: Callable[[list[dict[str, Any]]], None] = lambda results: None
        #: What broke the source.
        self.broken_by: Exception | None = None
        #: The ledger's failure. From then on nothing is known of any row.
        self.failure: LedgerError | None = None
        self.was_read_to_its_end = False
        #: To be gone through once.
        self.chunks = self._plan()

    def remember(self, memory: Memory, tell: Callable[[list[dict[str, Any]]], None]) -> Diff:
        """Know from here on what the memory knows; ``tell`` takes the results of rows that cannot be sent."""
        self._diff, self._tell = Diff(memory, self._expected_rows()), tell
        return self._diff

    def _expected_rows(self) -> int:
        """About how many rows there are, rather too many than too few; 0 where nothing tells."""
        if self._spec.total is not None or not self._spec.source_bytes or not self._ahead:
            return self._spec.total or 0
        some = self._ahead[0].frame.head(_SAMPLE)
        width = sum(len(str(value)) + 1 for value in (*some["first"], *some["second"])) / len(some)
        return int(self._spec.source_bytes / width)

    def has_enough(self) -> bool:
        """Whether there are ``min_rows`` rows, and one at all. So many are read, and one batch more, which shows whether that
        was all.

        :raises ConfigurationError: the source has no rows that could be accounted for. Wrong columns show here.
        """
        least = max(self._spec.min_rows, 1)
        rows = 0
        while (batch := self._next()) is not None:
            self._ahead.append(batch)
            rows += len(batch.frame)
            if rows - len(batch.frame) >= least:
                break
        if not self._ahead and isinstance(self.broken_by, ConfigurationError):
            raise self.broken_by
        return rows >= least

    @property
    def is_read(self) -> bool:
        """Whether no batch is left."""
        return self.was_read_to_its_end and not self._ahead

    def _plan(self) -> Iterator[Chunk]:
        while (batch := self._ahead.popleft() if self._ahead else self._next()) is not None:
            yield self._take_in(batch)

    def _next(self) -> Batch | None:
        """The next of the source, unless told to stop. What breaks the source ends the reading, not the load: rows read before
        it are settled, and the operator raises the error when that is done.
        """
        if self._stop.is_set:
            return None
        try:
            batch = next(self._batches, None)
        except Exception as error:  # noqa: BLE001 - a database driver's own errors
            self.broken_by = self.broken_by or error
            self._batches = iter(())  # whatever broke is not asked again
            return None
        self.was_read_to_its_end = batch is None
        return batch

    def _take_in(self, batch: Batch) -> Chunk:
        valid = validate(batch, self._spec.columns)
        chunk = self._or_without_ledger(lambda: self._diff.plan(valid, batch.start))
        keys = batch.frame["row_key"].tolist() if self._spec.columns.row_key else None
        self._report.begin(batch.start, valid.first, valid.second, keys)
        self._tell(self._report.decide_invalid(batch.start, valid.problems))
        self._report.decide_repeats(batch.start, chunk.earlier)
        ids = self._or_without_ledger(lambda: self._relation_ids(chunk))
        # An attempt accounts for all that its load has made.
        self._tell(self._report.decide_known(batch.start, chunk.known, chunk.knowledge[chunk.known], ids))
        return chunk

    def _or_without_ledger(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except LedgerError as error:
            self.failure = self.failure or error
            self._diff.forget()
            return ask()

    def _relation_ids(self, chunk: Chunk) -> dict[int, str]:
        """Of relations that this load has made before."""
        return self._diff.relation_ids(chunk, chunk.known[chunk.knowledge[chunk.known] == Knowledge.OURS])
