"""The threads that send requests: one for each request in flight, :func:`most_in_flight` at most."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ["ThreadWorkers", "Workers", "most_in_flight"]

#: Requests in flight for few locations. A first burst sends a whole window (100) at once.
_FEW_LOCATIONS = 256
#: A location may send 10 requests a second (documented), which is 32 in flight where each takes 3.2 s. With more than
#: ``_MOST`` in all, a processor is busier with threads than with requests.
_OF_A_LOCATION, _MOST = 32, 1024


def most_in_flight(locations: int) -> int:
    """How many requests may be in flight at once, over this many locations."""
    return max(_FEW_LOCATIONS, min(_OF_A_LOCATION * locations, _MOST))


class Workers(Protocol):
    """Runs functions in the background for ``dispatch``. Tests pass an implementation with simulated time."""

    def submit(self, key: Any, function: Callable[[], Any]) -> None:
        """Call the function in a thread; its result comes out of :meth:`wait` with this key."""

    def wait(self, seconds: float) -> list[tuple[Any, Any]]:
        """Keys and results of the functions that have ended. Waits this long at most for the first one."""

    def close(self) -> None:
        """End idle threads."""


class ThreadWorkers:
    """Daemon threads, started as they are needed.

    No ``ThreadPoolExecutor``: the interpreter joins its threads at exit, and a request that hangs would hang the task with it.
    """

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[tuple[Any, Callable[[], Any]] | None] = queue.SimpleQueue()
        # No SimpleQueue: its get() never returns when a signal handler ends after the timeout (CPython 3.11).
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
                raise result  # a bug: a request returns its errors and raises none
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
