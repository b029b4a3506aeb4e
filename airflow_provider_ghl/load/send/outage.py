"""Detects that HighLevel does not answer a location. Its rows wait meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import timedelta

from airflow_provider_ghl.load.results.outcomes import StoppedBy
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.results.time_span import time_span

__all__ = ["Outage"]

#: This many rows without a clear answer, and no answer in between, are an outage. HighLevel may always fail at fewer.
_ROWS = 3
#: Seconds between two probes. Half of the pause is random, and the pause doubles from probe to probe.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 20.0
#: Shorter silences may come from a few failing rows that happen to be tried together.
_LONG = 5.0


class Outage:
    """Whether a location has an outage, and when to send the next probe: one request at a time, each for another row.

    :param timeout: how long an outage may last.
    :param draw: returns a random number from [0, 1).
    """

    def __init__(self, timeout: timedelta, draw: Callable[[], float]) -> None:
        self._timeout = timeout
        self._draw = draw
        self._failed: set[tuple[int, float]] = set()
        self._silent_since = math.inf
        self._on_since = math.inf
        self._is_given_up = False
        self._pause = _FIRST_PAUSE
        #: When the next probe may go out (clock seconds).
        self.probe_at = -math.inf

    @property
    def is_on(self) -> bool:
        """Whether there is an outage."""
        return self._on_since < math.inf

    def seconds(self, now: float) -> float:
        """Seconds since the first request without a clear answer; 0 once there was an answer."""
        return max(0.0, now - self._silent_since)

    def give_up(self) -> None:
        """Detect no more outages: from now on each row fails after its own retries."""
        self._is_given_up = True
        self._clear()

    def note_silence(self, row: int, sent_at: float, now: float) -> Stoppage | None:
        """Note that a row's request got no clear answer. Returns why to stop, where the outage has lasted too long.

        :param row: below 0 where the request is about no row. Rows wait for it, so that each of its tries counts.
        """
        if self._is_given_up:
            return None
        self._failed.add((row, sent_at if row < 0 else 0.0))
        self._silent_since = min(self._silent_since, sent_at)
        if self.is_on and sent_at >= self._on_since:  # that was a probe
            self._pause = min(2.0 * self._pause, _LONGEST_PAUSE)
            self._plan_probe(now)
        elif not self.is_on and len(self._failed) >= _ROWS:
            self._on_since = now
            self._plan_probe(now)
        if not self.is_on or self.seconds(now) < self._timeout.total_seconds():
            return None
        text = f"no answer from HighLevel for {time_span(self.seconds(now))}"
        return Stoppage(StoppedBy.ABORT, text=text, is_outage=True)

    def note_answer(self, now: float) -> bool:
        """Note an answer. Returns whether it ended an outage that was long enough to use up rows' tries."""
        was_long = self.is_on and self.seconds(now) >= _LONG
        self._clear()
        return was_long

    def _clear(self) -> None:
        self._failed.clear()
        self._silent_since = self._on_since = math.inf
        self._pause, self.probe_at = _FIRST_PAUSE, -math.inf

    def _plan_probe(self, now: float) -> None:
        self.probe_at = now + self._pause * (1.0 - 0.5 * self._draw())
