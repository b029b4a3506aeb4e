"""Signs of life of a command that reads many rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from types import TracebackType
from typing import Self, TextIO

from airflow_provider_ghl.load.columns import Batch
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.time_span import time_span

__all__ = ["Progress"]

#: Seconds until the first sign, and between two others.
_ON_TERMINAL, _ELSEWHERE = (0.5, 0.5), (5.0, 10.0)


class Progress:
    """Shows how many rows were read so far, from a thread of its own.

    On a terminal one line is written again and again, and removed at the end. Elsewhere there are lines, and none before five
    seconds have passed. A context manager.

    :param stream: such as stderr.
    :param wait: waits so many seconds, and returns whether the work has ended; for tests.
    :param clock: seconds of a monotonic clock.
    """

    def __init__(
        self, stream: TextIO, wait: Callable[[float], bool] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._ended = threading.Event()
        self._wait = wait or self._ended.wait
        self._clock = clock
        self._began = clock()
        self._rows = 0
        self._width = 0
        self._thread = threading.Thread(target=self.show_until_ended, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def watch(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """Pass batches on, and count their rows."""
        for batch in batches:
            self._rows += len(batch)
            yield batch

    def show_until_ended(self) -> None:
        """What the thread does."""
        first, others = _ON_TERMINAL if self._is_terminal else _ELSEWHERE
        for pause in chain((first,), repeat(others)):
            if self._wait(pause):
                break
            self._show(f"Planning: {counted(self._rows, 'row')} read, {time_span(self._clock() - self._began)} …")
        if self._is_terminal and self._width:
            self._stream.write(f"\r{' ' * self._width}\r")
            self._stream.flush()

    def _show(self, text: str) -> None:
        if self._is_terminal:
            self._stream.write(f"\r{text.ljust(self._width)}")
            self._width = max(self._width, len(text))
        else:
            self._stream.write(f"{text}\n")
        self._stream.flush()
