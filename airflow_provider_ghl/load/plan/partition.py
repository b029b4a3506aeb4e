"""Reads batches from the source, validates them, and divides them into chunks, one for each location."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import numpy as np
import pandas

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Chunk, Numbers, Valid
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.spec import LoadSpec

__all__ = ["Partition", "PartitionedBatch"]

#: How many rows are measured to estimate the length of all.
_SAMPLE = 100
#: How many locations a load may have. More of them mean a wrong column.
_MOST_LOCATIONS = 5_000
#: Rows in memory for a single location: from the first without an outcome to the last that was read.
_HELD = 50_000


class PartitionedBatch(NamedTuple):
    """A batch that was read: its rows by location, and the results of the rows without a location."""

    chunks: list[tuple[LocationResults, Chunk]]
    refused: list[dict[str, Any]]


class Partition:
    """Reads the source once, from its first row to its last, and divides its rows by location."""

    def __init__(
        self,
        spec: LoadSpec,
        batches: Iterator[Batch],
        report: Report,
        stop: Stop,
    ) -> None:
        self._spec = spec
        self._kind = spec.kind
        self._batches = batches
        self._report = report
        self._stop = stop
        self._ahead: deque[Batch] = deque()
        self._locations: dict[str, LocationResults] = {}
        #: The results of the rows without a location, where there may be such rows.
        self._no_location = report.open_location(None, self._kind.target_id) if spec.has_several_locations else None
        if not spec.has_several_locations:
            self._open(spec.location_id or "")
        #: How many rows the largest batch has had so far.
        self.largest = 0
        self._expected = 0
        #: The error that ended reading the source; ``None`` for none.
        self.broken_by: Exception | None = None
        self.is_complete = False

    @property
    def locations(self) -> list[LocationResults]:
        """The locations that the source has named so far, in that order."""
        return list(self._locations.values())

    @property
    def has_room(self) -> bool:
        """Whether more rows may be read into memory, where those before them wait for their outcomes."""
        if self._spec.has_several_locations:
            return self._report.waiting < self._spec.rows_ahead
        return self._report.waiting <= max(_HELD, 2 * self.largest)

    def expected_rows(self) -> int:
        """About how many rows the source has, too many rather than too few; 0 where there is no way to know."""
        self._expected = self._expected or self._estimate_rows()
        return self._expected

    def _estimate_rows(self) -> int:
        if self._spec.total is not None or not self._spec.source_bytes or not self._ahead:
            return self._spec.total or 0
        columns = self._ahead[0].cells[: len(self._kind.columns.values)]
        width = sum(len(str(value)) + 1 for column in columns for value in column[:_SAMPLE]) / len(columns[0][:_SAMPLE])
        return int(self._spec.source_bytes / width)

    def has_enough(self) -> bool:
        """Whether the source has ``min_rows`` rows, and at least one. Call this first.

        Reads that many rows and one batch more, which shows whether the source ends there.

        :raises ConfigurationError: the source cannot be read at all, for example because a column is missing.
        """
        least = max(self._spec.min_rows, 1)
        rows = 0
        while (batch := self._next()) is not None:
            self._ahead.append(batch)
            rows += len(batch)
            if rows - len(batch) >= least:
                break
        if not self._ahead and isinstance(self.broken_by, ConfigurationError):
            raise self.broken_by
        return rows >= least

    @property
    def is_read(self) -> bool:
        """Whether no batch is left."""
        return not self._ahead and (self.is_complete or self.broken_by is not None or self._stop.is_set)

    def read_on(self) -> PartitionedBatch:
        """Read another batch."""
        batch = self._ahead.popleft() if self._ahead else self._next()
        return self._take_in(batch) if batch is not None else PartitionedBatch([], [])

    def close(self) -> None:
        """Let go of the source: nothing more is read."""
        if isinstance(self._batches, Generator):
            with suppress(Exception):  # what was read is read
                self._batches.close()

    def _next(self) -> Batch | None:
        """The next batch; ``None`` after the last one, after a stop, and after an error of the source.

        An error ends the reading and not the load: the rows read before are sent, and the operator raises the error afterwards.
        """
        if self._stop.is_set or self.broken_by is not None:
            return None
        try:
            batch = next(self._batches, None)
        except Exception as error:  # noqa: BLE001 - a database driver's own errors
            self.broken_by = error  # a broken source is not read again
            return None
        self.is_complete = batch is None
        return batch

    def _take_in(self, batch: Batch) -> PartitionedBatch:
        valid = self._kind.validate(batch)
        numbers = self._numbers(valid)
        size = len(valid)
        self.largest = max(self.largest, size)
        self._report.begin(batch.start, valid.values, batch.row_keys(self._kind.columns), numbers, valid.keys)
        usable = np.flatnonzero(valid.usable)
        shared = Chunk(
            batch.start,
            valid.values,
            high=np.zeros(size, dtype=np.uint64),
            low=np.zeros(size, dtype=np.uint64),
            earlier=np.full(size, -1, dtype=np.int64),
            knowledge=np.zeros(size, dtype=np.uint8),
            todo=usable,
            keys=valid.keys,
            as_read=valid.values,
            is_remembered=tuple(np.zeros(size, dtype=np.bool_) for _ in valid.keys),
        )
        if self._no_location is None:
            shared.problems = valid.problems
            return PartitionedBatch([(location, shared) for location in self._locations.values()], [])
        return self._divide(shared, valid, numbers, self._no_location)

    def _divide(self, shared: Chunk, valid: Valid, numbers: Numbers, no_location: LocationResults) -> PartitionedBatch:
        """Make a chunk for each location, and refuse the rows without a location."""
        problems: dict[int, dict[int, str]] = {}
        for at, reason in valid.problems.items():
            problems.setdefault(int(numbers[at]), {})[at] = reason
        refused = self._report.decide_invalid(shared.start, problems.pop(no_location.number, {}))
        if not numbers.size:
            return PartitionedBatch([], refused)
        order = np.argsort(numbers, kind="stable")
        borders = np.flatnonzero(np.diff(numbers[order])) + 1
        usable = valid.usable
        chunks = []
        for offsets in np.split(order, borders):
            location = self._report.locations[numbers[offsets[0]]]
            if location is not no_location:
                todo = offsets[usable[offsets]]
                chunks.append((location, dataclasses.replace(shared, todo=todo, problems=problems.get(location.number, {}))))
        return PartitionedBatch(chunks, refused)

    def _numbers(self, valid: Valid) -> Numbers:
        """For each row, the number of its location."""
        if valid.locations is None or self._no_location is None:
            (location,) = self._locations.values()
            return np.full(len(valid), location.number, dtype=np.int64)
        codes, names = pandas.factorize(valid.locations)
        locations = [self._open(name) for name in names]
        numbers = np.array([(location or self._no_location).number for location in locations], dtype=np.int64)[codes]
        if len(self._locations) >= _MOST_LOCATIONS:
            self._refuse_more(valid, np.flatnonzero(numbers == self._no_location.number))
        return numbers

    def _open(self, location_id: str) -> LocationResults | None:
        """The results of a location, added on first use; ``None`` for an empty id, and for a location beyond the limit."""
        if location_id and location_id not in self._locations and len(self._locations) < _MOST_LOCATIONS:
            self._locations[location_id] = self._report.open_location(location_id, self._kind.target_id)
        return self._locations.get(location_id)

    def _refuse_more(self, valid: Valid, offsets: Numbers) -> None:
        column = self._kind.columns.location
        reason = f"column '{column}' names more than {_MOST_LOCATIONS:,} locations: is it the right one?"
        for at in offsets.tolist():
            valid.problems.setdefault(at, reason)
