"""How long a transaction is tried again: while others hold locks, and while the database's server is away."""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable

from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.load.ledger.failures import Failure

__all__ = ["LONGEST_LOCK", "LONGEST_OUTAGE", "Outage", "Waits"]

log = logging.getLogger(__name__)

#: Seconds for which a transaction waits for others' locks.
LONGEST_LOCK = 30.0
#: Seconds in a row for which a server that is away is waited for.
LONGEST_OUTAGE = 60.0
#: Both, from a stop on: Airflow sends SIGKILL 5 s after ``on_kill``.
_AFTER_STOP = 0.5
#: Seconds between two tries, at least and at most: two that wait for each other must not come back in step.
_PAUSES = 0.02, 0.06
#: While a server is away, pauses double up to this one: a server that starts up has better things to do.
_LONGEST_PAUSE = 0.25


class Outage:
    """Whether a database's server is away, and since when. One for all transactions of a database.

    The log says once that it is waited for, and once that it is back. What one new connection mends is not worth a line.

    :param where: names the database without user and password.
    :param longest: seconds in a row for which it is waited for.
    """

    def __init__(self, where: str, longest: float) -> None:
        self._where = where
        self._longest = longest
        self._since: float | None = None
        self._tries = 0

    def note(self, now: float, meaning: str) -> float:
        """Take in that it could not be reached; until when to wait for it (clock seconds).

        :param meaning: of the failure, without values.
        """
        if self._since is None:
            self._since = now
        self._tries += 1
        if self._tries == 2 and self._longest:
            log.warning(
                "The ledger %s cannot be reached (%s). Waiting for it, for up to %.0f s; nothing is sent meanwhile.",
                *(self._where, meaning, self._longest),
            )
        return self._since + self._longest

    def end(self, now: float) -> None:
        """Take in that it was reached."""
        if self._since is not None and self._tries > 1:
            log.info("The ledger %s is back after %.0f s.", self._where, now - self._since)
        self._since, self._tries = None, 0


class Waits:
    """The waits of one transaction, which is run again until it succeeds or nothing is left to wait for."""

    def __init__(self, clock: Clock, outage: Outage, is_told_to_stop: Callable[[], bool]) -> None:
        self._clock = clock
        self._outage = outage
        self._is_told_to_stop = is_told_to_stop
        self._stop_until = math.inf
        self._lock_until: float | None = None
        self._tries_away = 0

    def begin_try(self) -> None:
        """To be called before each try. Whoever is told to stop before the first one still has that one."""
        if self._stop_until == math.inf and self._is_told_to_stop():
            self._stop_until = self._clock.monotonic() + _AFTER_STOP

    def after(self, failure: Failure) -> float | None:
        """Seconds after which the transaction is worth another try; ``None`` where it has failed for good."""
        now = self._clock.monotonic()
        pause = random.uniform(*_PAUSES)
        if failure.is_away:
            until, self._lock_until = self._outage.note(now, failure.text), None
            pause = min(pause * 2**self._tries_away, _LONGEST_PAUSE)
            self._tries_away += 1
        elif failure.is_lock:
            if self._lock_until is None:
                self._lock_until = now + LONGEST_LOCK
            until = self._lock_until
        else:
            return None
        return pause if now + pause < min(until, self._stop_until) else None
