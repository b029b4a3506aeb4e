"""The threads that carry requests. As many as there are requests in flight, and no more than :func:`most_in_flight`."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["ThreadWorkers", "Workers", "most_in_flight"]

#: Requests in flight at once. A first burst sends a whole window (100) at once.
_FEW_LOCATIONS = 256
#: Each location has 10 a second (documented), which is 32 in flight where one takes 3.2 s. Beyond so many in all, a processor
#: is busier with threads than with requests.
_OF_A_LOCATION, _MOST = 32, 1024


def most_in_flight(locations: int) -> int:
    """Requests that may be in flight at once, for so many locations together."""
    return max(_FEW_LOCATIONS, min(_OF_A_LOCATION * locations, _MOST))


class Workers(Protocol):
    """The seam between ``dispatch`` and the world: tests pass one that lives in simulated time."""

    def submit(self, key: Any, function: Callable[[], Any]) -> None:
        """Call the function in a thread; its result comes out of :meth:`wait` with this key."""

    def wait(self, seconds: float) -> list[tuple[Any, Any]]:
        """What was done since, waiting at most so long for the first of it."""

    def close(self) -> None:
        """Let idle threads go."""


class ThreadWorkers:
    """Daemon threads, made as they are needed.

    No ``ThreadPoolExecutor``: the interpreter joins its threads at exit, and a request that hangs would hang the task with it.
    """

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[tuple[Any, Callable[[], Any]] | None] = queue.SimpleQueue()
        # No SimpleQueue: its get() never comes back when a signal's handler ends after the time is up (CPython 3.11).
        self._done: queue.Queue[tuple[Any, Any]] = queue.Queue()
        self._threads = 0
        self._busy = 0

    def submit(self, key: Any, function: Callable[[], Any]) -> None:
        """See :class:`Workers`."""
        self._busy += 1
        if self._busy > self._threads:
            self._threads += 1
            threading.Thread(target=self._carry, name=f"ghl-{self._threads}", daemon=True).start()
        self._todo.put((key, function))

    def wait(self, seconds: float) -> list[tuple[Any, Any]]:
        """See :class:`Workers`."""
        done: list[tuple[Any, Any]] = []
        try:
            done.append(self._done.get(timeout=max(seconds, 0.0)))
            while True:
                done.append(self._done.get_nowait())
        except queue.Empty:
            pass
        self._busy -= len(done)
        for _, result in done:
            if isinstance(result, BaseException):
                raise result  # a mistake in the program: nothing that a request can end in
        return done

    def close(self) -> None:
        """See :class:`Workers`."""
        for _ in range(self._threads):
            self._todo.put(None)
        self._threads = 0

    def _carry(self) -> None:
        while (item := self._todo.get()) is not None:
            key, function = item
            try:
                self._done.put((key, function()))
            except BaseException as error:  # noqa: BLE001 - carried to the main thread, which raises it
                self._done.put((key, error))
