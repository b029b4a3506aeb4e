"""While HighLevel does not answer a location, its rows wait."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

from airflow_provider_ghl.load.results.outcomes import StoppedBy
from airflow_provider_ghl.load.results.stoppage import Stoppage

__all__ = ["Outage"]

#: Rows without a clear answer, and none with one between, from which on it is an outage. Fewer may be rows that HighLevel fails
#: at whenever they come.
_ROWS = 3
#: Seconds between two probes: half of it is drawn, and it doubles from probe to probe.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 20.0
#: Seconds without an answer that some rows may make by themselves, if they happen to be tried together.
_LONG = 5.0


class Outage:
    """Tells that nothing gets through, and when to send the next probe: one request at a time, of another row each time.

    :param timeout: how long an outage may last.
    :param draw: a number from [0, 1).
    """

    def __init__(self, timeout: timedelta, draw: Callable[[], float]) -> None:
        self._timeout = timeout
        self._draw = draw
        self._failed: set[int] = set()
        self._silent_since = math.inf
        self._on_since = math.inf
        self._is_given_up = False
        self._pause = _FIRST_PAUSE
        #: When the next probe may go out (clock seconds).
        self.probe_at = -math.inf

    @property
    def is_on(self) -> bool:
        """Whether it is one."""
        return self._on_since < math.inf

    def seconds(self, now: float) -> float:
        """For how long nothing has got through."""
        return max(0.0, now - self._silent_since)

    def give_up(self) -> None:
        """From now on rows fail by themselves."""
        self._is_given_up = True
        self._clear()

    def note_silence(self, row: int, sent_at: float, now: float) -> Stoppage | None:
        """Take in that a row's request got no clear answer; why to stop, if it is time to."""
        if self._is_given_up:
            return None
        self._failed.add(row)
        self._silent_since = min(self._silent_since, sent_at)
        if self.is_on and sent_at >= self._on_since:  # that was a probe
            self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)
            self._plan_probe(now)
        elif not self.is_on and len(self._failed) >= _ROWS:
            self._on_since = now
            self._plan_probe(now)
        if not self.is_on or self.seconds(now) < self._timeout.total_seconds():
            return None
        text = f"no answer from HighLevel for {timedelta(seconds=round(self.seconds(now)))}"
        return Stoppage(StoppedBy.ABORT, text=text, is_outage=True)

    def note_answer(self, now: float) -> bool:
        """Take in that something got through; whether that ended an outage that cost rows their tries."""
        was_long = self.is_on and self.seconds(now) >= _LONG
        self._clear()
        return was_long

    def _clear(self) -> None:
        self._failed.clear()
        self._silent_since = self._on_since = math.inf
        self._pause, self.probe_at = _FIRST_PAUSE, -math.inf

    def _plan_probe(self, now: float) -> None:
        self.probe_at = now + self._pause * (1.0 - 0.5 * self._draw())
