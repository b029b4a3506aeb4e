"""Batches of rows in, chunks of each location's rows out: what takes no memory is decided of them."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Numbers
from airflow_provider_ghl.load.plan.difference import Chunk
from airflow_provider_ghl.load.plan.duplicates import Identity
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.row_results import RowIdentity
from airflow_provider_ghl.load.send.location import Lane
from airflow_provider_ghl.load.source.batches import Batch
from airflow_provider_ghl.load.spec import LoadSpec
from airflow_provider_ghl.relations.validation import Valid, validate

__all__ = ["Planner"]

#: Rows by whose length the others' is judged.
_SAMPLE = 100
#: Rows of a single location that are held, from the first that has no outcome yet to the last that was read.
_HELD = 50_000
#: Locations that one load may be about. More of them are a wrong column.
_MOST_LOCATIONS = 5_000


class Planner:
    """Reads the source once, from its first row to its last, and gives each location its rows.

    :param open_lane: makes the lane of a location; its position among the report's identities is given as well.
    """

    def __init__(
        self,
        spec: LoadSpec,
        batches: Iterator[Batch],
        report: Report,
        stop: Stop,
        identity: Identity,
        open_lane: Callable[[str, int], Lane],
    ) -> None:
        self._spec = spec
        self._batches = batches
        self._report = report
        self._stop = stop
        self._identity = identity
        self._open_lane = open_lane
        self._ahead: deque[Batch] = deque()
        self._places: dict[str, int] = {}
        self._largest = 0
        #: Takes the results of rows that are of no location.
        self.tell: Callable[[list[dict[str, Any]]], None] = lambda results: None
        #: One for each location that came up, in that order.
        self.lanes: list[Lane] = []
        #: What broke the source.
        self.broken_by: Exception | None = None
        self.was_read_to_its_end = False

    def expected_rows(self) -> int:
        """About how many rows there are, rather too many than too few; 0 where nothing tells."""
        if self._spec.total is not None or not self._spec.source_bytes or not self._ahead:
            return self._spec.total or 0
        some = self._ahead[0].frame.head(_SAMPLE)
        width = sum(len(str(value)) + 1 for value in (*some["first"], *some["second"])) / len(some)
        return int(self._spec.source_bytes / width)

    def has_enough(self) -> bool:
        """Whether there are ``min_rows`` rows, and one at all; to be asked first. So many are read, and one batch more, which
        shows whether that was all.

        :raises ConfigurationError: the source has no rows that could be accounted for. Wrong columns show here.
        """
        self._open(self._spec.location_id or "")
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
        return not self._ahead and (self.was_read_to_its_end or self.broken_by is not None or self._stop.is_set)

    @property
    def wants_more(self) -> bool:
        """Whether it is time to read on: a single location reads when it has sent all, several read ahead."""
        if self.is_read:
            return False
        if self._spec.columns.location:
            return self._report.waiting < self._spec.rows_ahead
        is_idle = self.lanes[0].is_stopped or self.lanes[0].rows.is_hungry
        return is_idle and self._report.waiting <= max(_HELD, 2 * self._largest)

    def read_on(self) -> list[Lane]:
        """Read a batch more. Lanes that may have something to send now: those that got rows, at the end all."""
        batch = self._ahead.popleft() if self._ahead else self._next()
        fed = self._take_in(batch) if batch is not None else []
        return [lane for lane in self.lanes if not lane.is_done] if self.is_read else fed

    def read_out(self) -> None:
        """Read what is left, none of which is sent."""
        while not self.is_read:
            for lane in self.read_on():
                lane.rows.leave(lane.reason)

    def _next(self) -> Batch | None:
        """The next of the source, unless told to stop. What breaks the source ends the reading, not the load: rows read before
        it are settled, and the operator raises the error when that is done.
        """
        if self._stop.is_set or self.broken_by is not None:
            return None
        try:
            batch = next(self._batches, None)
        except Exception as error:  # noqa: BLE001 - a database driver's own errors
            self.broken_by = error  # and whatever broke is not asked again
            return None
        self.was_read_to_its_end = batch is None
        return batch

    def _take_in(self, batch: Batch) -> list[Lane]:
        valid = validate(batch, self._spec.columns)
        places = self._places_of(valid)
        size = len(valid.first)
        self._largest = max(self._largest, size)
        keys = batch.frame["row_key"].tolist() if self._spec.columns.row_key else None
        self._report.begin(batch.start, valid.first, valid.second, keys, places)
        homeless = {at: why for at, why in valid.problems.items() if places is not None and not places[at]}
        self.tell(self._report.decide_invalid(batch.start, homeless))
        usable = np.flatnonzero(valid.usable)
        shared = Chunk(
            batch.start,
            valid.first,
            valid.second,
            np.zeros(size, dtype=np.uint64),
            np.zeros(size, dtype=np.uint64),
            np.full(size, -1, dtype=np.int64),
            np.zeros(size, dtype=np.uint8),
            usable,
        )
        shared.high[usable], shared.low[usable] = self._identity(valid.first[usable], valid.second[usable])
        if places is None:
            shared.problems = valid.problems
            return self._feed({0: shared})
        return self._feed(dict(_by_place(shared, valid, places)))

    def _feed(self, chunks: dict[int, Chunk]) -> list[Lane]:
        fed = [(self.lanes[at], chunk) for at, chunk in chunks.items()]
        for lane, chunk in fed:
            lane.rows.feed(chunk)
        return [lane for lane, _ in fed]

    def _places_of(self, valid: Valid) -> Numbers | None:
        """By row, the position of its location among the report's identities, where 0 is for rows of none."""
        if valid.locations is None:
            return None
        codes, names = pandas.factorize(valid.locations)
        places = np.array([self._open(name) for name in names], dtype=np.int64)[codes]
        if len(self._places) >= _MOST_LOCATIONS:
            self._refuse_more(valid, places)
        return places

    def _open(self, location_id: str) -> int:
        """The location's position among the report's identities; its lane is opened where it came up first."""
        if not location_id:
            return 0
        if location_id not in self._places and len(self._places) < _MOST_LOCATIONS:
            place = self._places[location_id] = len(self._report.identities)
            self._report.identities.append(RowIdentity(location_id, self._spec.association_id, self._spec.try_number))
            self.lanes.append(self._open_lane(location_id, place))
        return self._places.get(location_id, 0)

    def _refuse_more(self, valid: Valid, places: Numbers) -> None:
        reason = f"column '{self._spec.columns.location}' names more than {_MOST_LOCATIONS:,} locations: is it the right one?"
        for at in np.flatnonzero(places == 0).tolist():
            valid.problems.setdefault(at, reason)


def _by_place(shared: Chunk, valid: Valid, places: Numbers) -> Iterator[tuple[int, Chunk]]:
    """The chunks of the lanes that have rows, by the lanes' positions."""
    problems: dict[int, dict[int, str]] = {}
    for at, reason in valid.problems.items():
        problems.setdefault(int(places[at]), {})[at] = reason
    if not places.size:
        return
    order = np.argsort(places, kind="stable")
    borders = np.flatnonzero(np.diff(places[order])) + 1
    usable = valid.usable
    for offsets in np.split(order, borders):
        place = int(places[offsets[0]])
        if place:
            todo = offsets[usable[offsets]]
            yield place - 1, dataclasses.replace(shared, todo=todo, problems=problems.get(place, {}))
