"""Whose turn it is: the one queue of due times, over all locations."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import count

from airflow_provider_ghl.load.send.location import Location

__all__ = ["LocationQueue"]


class LocationQueue:
    """Each location has one turn to come, or none until something happens to it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Location]] = []
        self._numbers = count()

    def push(self, location: Location, due_at: float) -> None:
        """Let it be its turn at that moment, or earlier if it was to be so before. Infinity gives none."""
        if due_at == math.inf or (location.queued_for is not None and location.queued_for <= due_at):
            return
        location.queued_for = due_at
        heapq.heappush(self._heap, (due_at, next(self._numbers), location))

    def pop(self, now: float) -> Location | None:
        """Whose turn it is, if it is anybody's."""
        while self._heap and self._heap[0][0] <= now:
            due_at, _, location = heapq.heappop(self._heap)
            if location.queued_for == due_at:
                location.queued_for = None
                return location
        return None

    def seconds_to_next(self, now: float) -> float:
        """Seconds until it is somebody's turn."""
        while self._heap and self._heap[0][2].queued_for != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] - now if self._heap else math.inf

    def locations(self) -> Iterator[Location]:
        """Whoever has a turn to come, some of them more than once."""
        return (location for due_at, _, location in self._heap if location.queued_for == due_at)
