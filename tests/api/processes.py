"""Processes in simulated time: threads of which one runs at a time, and whose order a seed decides."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from waits import TOO_LONG

from airflow_provider_ghl.api.clock import Clock

__all__ = ["Processes", "World"]


class World(Clock):
    """A clock that stands still while anybody works: time passes where all wait."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now
        self._sleepers: list[tuple[float, int, threading.Event]] = []
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def monotonic(self) -> float:
        return self.now

    def utc_now(self) -> datetime:
        return datetime.fromtimestamp(self.now, UTC)

    def sleep(self, seconds: float) -> None:
        """Let others go on, and come back after so long."""
        mine = self._book(seconds)
        self.go_on()
        assert mine.wait(TOO_LONG), "the simulated world stands still"

    def _book(self, seconds: float) -> threading.Event:
        mine = threading.Event()
        with self._lock:
            heapq.heappush(self._sleepers, (self.now + seconds, next(self._numbers), mine))
        return mine

    def go_on(self) -> None:
        """The next one's turn, if anybody is left."""
        with self._lock:
            if not self._sleepers:
                return
            self.now, _, next_one = heapq.heappop(self._sleepers)
        next_one.set()


class Processes:
    """What runs in a world, side by side."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._threads: list[threading.Thread] = []
        self.errors: list[BaseException] = []

    def add(self, work: Callable[[], None], starts_in: float) -> None:
        """To be called before :meth:`run`."""
        mine = self._world._book(starts_in)
        self._threads.append(threading.Thread(target=self._live, args=(work, mine), daemon=True))

    def run(self) -> None:
        """Until all have come to their end. Raises what any of them raised."""
        for thread in self._threads:
            thread.start()
        self._world.go_on()
        for thread in self._threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def _live(self, work: Callable[[], None], mine: threading.Event) -> None:
        try:
            assert mine.wait(TOO_LONG), "the simulated world stands still"
            work()
        except BaseException as error:  # noqa: BLE001 - carried to the test
            self.errors.append(error)
        finally:
            self._world.go_on()
