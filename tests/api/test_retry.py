"""One policy: what is sent again, after how long, and when it ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.api.retry import Retry, Tries, is_ambiguous
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    GHLError,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerError,
    Stopped,
    TransportError,
    Unauthorized,
)

BROKEN = ServerError("failed", status=502)
LIMITED = RateLimited("too many", status=429)
LOST = TransportError("broke", sent=True)
NEVER_SENT = TransportError("refused", sent=False)


def decide(error: GHLError, *, repeat_safe: bool = True, failed: int = 1, draw: float = 1.0, now: float = 0.0) -> float | None:
    return Retry(draw=lambda: draw).decide(error, Tries(0.0, failed=failed), now, repeat_safe=repeat_safe)


@given(draw=st.floats(0.0, 1.0, exclude_max=True), failed=st.integers(1, 5))
def test_the_jitter_is_full(draw: float, failed: int) -> None:
    retry = Retry(draw=lambda: draw)
    wait = retry.decide(BROKEN, Tries(0.0, failed=failed), 0.0, repeat_safe=True)
    assert wait == draw * min(retry.longest, retry.first * 2 ** (failed - 1))
    assert wait is not None
    assert 0.0 <= wait <= retry.longest


def test_waits_grow_to_the_longest() -> None:
    retry = Retry(draw=lambda: 1.0, max_failures=10)
    waits = [retry.decide(BROKEN, Tries(0.0, failed=failed), 0.0, repeat_safe=True) for failed in range(1, 9)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0]


def test_failures_are_bounded_in_count() -> None:
    assert decide(BROKEN, failed=5) is not None
    assert decide(BROKEN, failed=6) is None


def test_everything_is_bounded_in_time() -> None:
    assert decide(BROKEN, now=299.9) is not None
    assert decide(BROKEN, now=300.0) is None
    assert decide(LIMITED, now=1799.9) is not None
    assert decide(LIMITED, now=1800.0) is None


def test_a_429_is_sent_again_at_once_as_the_limit_makes_it_wait() -> None:
    assert decide(LIMITED, failed=0) == 0.0
    assert decide(LIMITED, failed=0, repeat_safe=False) == 0.0


def test_429s_are_bounded_in_count() -> None:
    retry = Retry()
    assert retry.decide(LIMITED, Tries(0.0, limited=179), 1.0, repeat_safe=True) == 0.0
    assert retry.decide(LIMITED, Tries(0.0, limited=180), 1.0, repeat_safe=True) is None


@pytest.mark.parametrize("error", [BROKEN, LOST])
def test_what_may_have_taken_effect_is_repeated_only_where_that_is_safe(error: GHLError) -> None:
    assert is_ambiguous(error)
    assert decide(error, repeat_safe=False) is None
    assert decide(error, repeat_safe=True) is not None


def test_what_was_never_sent_is_sent_again_whatever_it_is() -> None:
    assert not is_ambiguous(NEVER_SENT)
    assert decide(NEVER_SENT, repeat_safe=False) == 0.5


@pytest.mark.parametrize(
    "error",
    [Unauthorized("no"), RequestRejected("no"), QuotaExhausted("spent"), BudgetSpent("spent"), Stopped("stop")],
    ids=lambda error: type(error).__name__,
)
def test_a_definite_no_is_final(error: GHLError) -> None:
    assert decide(error) is None


def test_tries_tell_failures_429s_and_open_ends_apart() -> None:
    tries = Tries(0.0)
    for error in (BROKEN, LIMITED, LOST, NEVER_SENT, LIMITED):
        tries.note(error)
    assert (tries.failed, tries.limited, tries.unanswered) == (3, 2, 2)
