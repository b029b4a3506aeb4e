"""The rate headers, also when they are nonsense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.sandbox.limits import UNLIMITED, Day, Limits, SlidingWindow

SEEN = {
    "X-RateLimit-Max": "25",
    "X-RateLimit-Remaining": "24",
    "X-RateLimit-Interval-Milliseconds": "10000",
    "X-RateLimit-Limit-Daily": "10000",
    "X-RateLimit-Daily-Remaining": "9998",
    "X-RateLimit-Daily-Reset": "86343000",
}
NAMES = [name.lower() for name in SEEN]


def test_all_headers_are_read_and_milliseconds_become_seconds() -> None:
    assert RateHeaders.from_headers(CaseInsensitiveDict(SEEN)) == RateHeaders(25, 24, 10.0, 10_000, 9_998, 86_343.0)


def test_no_headers_say_nothing() -> None:
    assert RateHeaders.from_headers({}) == RateHeaders()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("x-ratelimit-max", "0"),
        ("x-ratelimit-max", "-1"),
        ("x-ratelimit-max", "many"),
        ("x-ratelimit-remaining", "-1"),
        ("x-ratelimit-interval-milliseconds", "0"),
        ("x-ratelimit-limit-daily", ""),
        ("x-ratelimit-daily-remaining", "1.5"),
        ("x-ratelimit-daily-reset", "-1"),
        ("x-ratelimit-daily-reset", "1793232000000"),
        *((name, "9" * 100) for name in NAMES),
        *((name, "9" * 5_000) for name in NAMES),
    ],
)
def test_nonsense_is_ignored(name: str, value: str) -> None:
    assert RateHeaders.from_headers({name: value}) == RateHeaders()


def test_only_zero_is_a_spent_day() -> None:
    assert RateHeaders(daily_remaining=0).day_is_spent
    assert not RateHeaders(daily_remaining=1).day_is_spent
    assert not RateHeaders().day_is_spent


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=12) | st.integers().map(str)))
def test_no_header_breaks_it(headers: dict[str, str]) -> None:
    rate = RateHeaders.from_headers(headers)
    assert rate.limit is None or 1 <= rate.limit <= 1_000_000_000
    assert rate.interval is None or 0.0 < rate.interval <= 3_600.0


def test_a_sandbox_without_limits_is_believed() -> None:
    limits = Limits(lambda: SlidingWindow(None, 10.0), 10.0, lambda: Day(None, 86_400.0, 86_400.0))
    rate = RateHeaders.from_headers(limits.admit("location", 0.0).headers())
    assert rate.limit == rate.remaining == rate.daily_limit == rate.daily_remaining == UNLIMITED
