"""Time, and the flag that ends every wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime

__all__ = ["LONGEST_WAIT", "Clock", "Stop"]

#: Seconds. No single wait is longer, so that a stop is noticed in time (Airflow sends SIGKILL 5 s after ``on_kill``).
LONGEST_WAIT = 0.5


class Clock:
    """The machine's time. Tests pass one of their own."""

    def monotonic(self) -> float:
        """Seconds, for windows and waits."""
        return time.monotonic()

    def utc_now(self) -> datetime:
        """The wall clock, for stamps."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Stop:
    """A flag that ends every wait, at once or from a moment on.

    It is a plain attribute and no ``threading.Event``: ``on_kill`` sets it inside a signal handler. If the interrupted thread
    held the lock of an event, setting that event would hang for ever.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or Clock()
        self._was_set = False
        self._at = float("inf")

    @property
    def is_set(self) -> bool:
        """Whether all waits have to end."""
        return self._was_set or (self._at != float("inf") and self._clock.monotonic() >= self._at)

    def set(self) -> None:
        """End all waits, now and later."""
        self._was_set = True

    def set_at(self, moment: float) -> None:
        """End all waits from a moment on, so that Airflow's ``execution_timeout`` does not strike first.

        :param moment: in seconds of the clock.
        """
        self._at = moment
