"""Whose turn it is: the one queue of due times, over all locations."""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator
from itertools import count

from airflow_provider_ghl.load.send.location import Location

__all__ = ["Turns"]


class Turns:
    """Each location has one turn to come, or none until something happens to it."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Location]] = []
        self._numbers = count()

    def give(self, location: Location, when: float) -> None:
        """Let it be its turn at that moment, or earlier if it was to be so before. Infinity gives none."""
        if when == math.inf or (location.turn is not None and location.turn <= when):
            return
        location.turn = when
        heapq.heappush(self._heap, (when, next(self._numbers), location))

    def take(self, now: float) -> Location | None:
        """Whose turn it is, if it is anybody's."""
        while self._heap and self._heap[0][0] <= now:
            when, _, location = heapq.heappop(self._heap)
            if location.turn == when:
                location.turn = None
                return location
        return None

    def until(self, now: float) -> float:
        """Seconds until it is somebody's turn."""
        while self._heap and self._heap[0][2].turn != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] - now if self._heap else math.inf

    def all(self) -> Iterator[Location]:
        """Whoever has a turn to come, some of them more than once."""
        return (location for when, _, location in self._heap if location.turn == when)
