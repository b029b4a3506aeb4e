"""The queue of locations, by the time at which each is due."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import count

from airflow_provider_ghl.load.send.location import Location

__all__ = ["LocationQueue"]


class LocationQueue:
    """Each location is queued once, or not at all: then an answer or new rows will queue it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Location]] = []
        self._numbers = count()

    def push(self, location: Location, due_at: float) -> None:
        """Queue a location for that moment (clock seconds). An earlier due time stays; infinity queues nothing."""
        if due_at == math.inf or (location.queued_for is not None and location.queued_for <= due_at):
            return
        location.queued_for = due_at
        heapq.heappush(self._heap, (due_at, next(self._numbers), location))

    def pop(self, now: float) -> Location | None:
        """Remove and return the location that is due first; ``None`` where none is due."""
        while self._heap and self._heap[0][0] <= now:
            due_at, _, location = heapq.heappop(self._heap)
            if location.queued_for == due_at:
                location.queued_for = None
                return location
        return None

    def seconds_to_next(self, now: float) -> float:
        """Seconds until a location is due; infinity where none is queued."""
        while self._heap and self._heap[0][2].queued_for != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] - now if self._heap else math.inf

    def locations(self) -> Iterator[Location]:
        """The queued locations, in any order; some may come more than once."""
        return (location for due_at, _, location in self._heap if location.queued_for == due_at)
