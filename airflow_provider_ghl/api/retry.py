"""When to send a request again: a bounded number of times, for a bounded time, with full jitter."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from airflow_provider_ghl.exceptions import GHLError, RateLimited, ServerError, TransportError, Unauthorized

__all__ = ["Retry", "Tries", "is_ambiguous"]


@dataclass(slots=True)
class Tries:
    """The tries of one request so far."""

    #: Clock seconds of the first try.
    since: float
    #: Tries that ended in a failure of the network or the server.
    failed: int = 0
    #: Tries that were answered 429.
    limited: int = 0
    #: Tries after which a write may have taken effect or not.
    unanswered: int = 0
    #: Tries whose token was refused and renewed, since the last one whose token was not.
    renewed: int = 0

    def note(self, error: GHLError) -> None:
        """Count a try that ended in ``error``."""
        if isinstance(error, Unauthorized) and error.is_renewed:
            self.renewed += 1
            return
        if isinstance(error, RateLimited):
            self.limited += 1
            self.renewed = 0
            return
        self.failed += 1
        if is_ambiguous(error):
            self.unanswered += 1


@dataclass(frozen=True)
class Retry:
    """The policy. HighLevel sends no ``Retry-After`` (observed), so the waits are ours.

    ``max_seconds`` bounds the time from the first try to the *start* of the last one, which then takes as long as it takes.
    """

    max_failures: int = 6
    max_seconds: float = 300.0
    #: The wait after a 429 is up to ``limits``. A location that others use fully may refuse requests for minutes before there
    #: is room; beyond these bounds it is given up.
    max_limited: int = 180
    max_limited_seconds: float = 1800.0
    #: Seconds: the n-th wait is drawn from [0, min(longest, first × 2^(n-1))].
    first: float = 0.5
    longest: float = 20.0
    draw: Callable[[], float] = random.random

    def decide(self, error: GHLError, tries: Tries, now: float, *, repeat_safe: bool) -> float | None:
        """Seconds to wait before the next try; ``None``: give up.

        :param tries: with ``error`` counted already.
        :param repeat_safe: whether the request may be sent again when it is not known whether it took effect.
        """
        if isinstance(error, RateLimited):
            is_hopeless = tries.limited >= self.max_limited or now - tries.since >= self.max_limited_seconds
            return None if is_hopeless else 0.0
        if isinstance(error, Unauthorized) and error.is_renewed:
            return 0.0 if tries.renewed <= 1 else None
        if now - tries.since >= self.max_seconds:
            return None
        if not isinstance(error, ServerError | TransportError) or tries.failed >= self.max_failures:
            return None
        if is_ambiguous(error) and not repeat_safe:
            return None
        return self.wait_after(tries.failed)

    def wait_after(self, failures: int) -> float:
        """Seconds to wait after the n-th failure in a row."""
        return self.draw() * min(self.longest, self.first * 2.0 ** min(failures - 1, 64))


def is_ambiguous(error: GHLError) -> bool:
    """Whether a write that ended so may have taken effect."""
    return isinstance(error, ServerError) or (isinstance(error, TransportError) and error.sent)
