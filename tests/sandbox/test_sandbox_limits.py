"""Windows and days are pure: time is a number here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.sandbox.limits import UNLIMITED, Day, FixedWindow, Limits, SlidingWindow, Window

GAPS = st.lists(st.floats(0, 4, allow_nan=False), min_size=1, max_size=200)


def limits(window: type[SlidingWindow] | type[FixedWindow], limit: int | None, daily: int | None = None) -> Limits:
    return Limits(lambda: window(limit, 10.0), 10.0, lambda: Day(daily, 1000.0, 50.0))


def admitted_times(made: Limits, gaps: list[float]) -> list[float]:
    now, times = 0.0, []
    for gap in gaps:
        now += gap
        if made.admit("L", now).admitted:
            times.append(now)
    return times


@given(GAPS, st.integers(1, 10))
def test_sliding_window_never_admits_more_than_the_limit_in_any_interval(gaps: list[float], limit: int) -> None:
    times = admitted_times(limits(SlidingWindow, limit), gaps)
    assert all(later - earlier >= 10 for earlier, later in zip(times, times[limit:], strict=False))


@given(GAPS, st.integers(1, 10))
def test_sliding_window_refuses_only_when_the_limit_is_taken(gaps: list[float], limit: int) -> None:
    made, times, now = limits(SlidingWindow, limit), list[float](), 0.0
    for gap in gaps:
        now += gap
        rate = made.admit("L", now)
        in_interval = sum(1 for time in times if time > now - 10)
        assert rate.admitted == (in_interval < limit)
        if rate.admitted:
            times.append(now)
        assert rate.remaining == limit - sum(1 for time in times if time > now - 10)


def test_sliding_window_frees_a_slot_one_interval_after_it_was_taken() -> None:
    made = limits(SlidingWindow, 2)
    assert [made.admit("L", now).admitted for now in (0.0, 4.0, 9.9, 10.0, 10.1, 14.0)] == [
        True,
        True,
        False,
        True,
        False,
        True,
    ]


def test_fixed_window_begins_with_the_first_request_and_empties_at_once() -> None:
    made = limits(FixedWindow, 2)
    times = (5.0, 14.0, 14.9, 15.0, 15.0, 24.9, 40.0)
    assert [made.admit("L", now).admitted for now in times] == [True, True, False, True, True, False, True]


@pytest.mark.parametrize("window", [SlidingWindow(3, 10.0), FixedWindow(3, 10.0)])
def test_requests_of_others_take_slots_even_beyond_the_limit(window: Window) -> None:
    window.count(0.0, 5)
    assert window.used(1.0) == 5
    assert window.used(10.0) == 0


def test_refused_requests_are_counted_neither_in_the_window_nor_in_the_day() -> None:
    made = limits(FixedWindow, 1, daily=10)
    made.admit("L", 0.0)
    refused = [made.admit("L", 1.0) for _ in range(5)]
    assert {(rate.admitted, rate.remaining, rate.daily_remaining, rate.day_spent) for rate in refused} == {(False, 0, 9, False)}


def test_day_says_when_it_ends_and_starts_anew_again_and_again() -> None:
    made = limits(SlidingWindow, None, daily=2)
    assert [made.admit("L", now).admitted for now in (900.0, 910.0)] == [True, True]
    spent = made.admit("L", 990.0)
    assert (spent.admitted, spent.day_spent, spent.daily_remaining, spent.daily_resets_in) == (False, True, 0, 10.0)
    assert spent.headers()["x-ratelimit-daily-reset"] == "10000"
    assert made.admit("L", 1000.0).daily_resets_in == 50.0
    assert made.admit("L", 1175.0).daily_resets_in == 25.0


def test_last_request_of_the_day_is_answered_with_none_left() -> None:
    rate = limits(SlidingWindow, 5, daily=1).admit("L", 0.0)
    assert (rate.admitted, rate.daily_remaining) == (True, 0)


def test_each_location_has_its_own_window_and_day() -> None:
    made = limits(SlidingWindow, 1, daily=1)
    assert made.admit("L", 0.0).admitted
    assert made.admit("M", 0.0).admitted
    assert not made.admit("L", 0.0).admitted


def test_limit_may_change_while_it_runs_for_locations_that_are_there_and_those_to_come() -> None:
    made = limits(SlidingWindow, 1)
    made.admit("L", 0.0)
    made.set_limit(3)
    assert [made.admit("L", 1.0).admitted for _ in range(3)] == [True, True, False]
    assert made.admit("M", 1.0).limit == 3


def test_one_location_may_have_a_limit_of_its_own_until_all_get_another() -> None:
    made = limits(SlidingWindow, 1)
    made.admit("L", 0.0)
    made.set_limit(5, "L")
    made.set_limit(7, "M")
    assert [made.admit(name, 1.0).limit for name in ("L", "M", "N")] == [5, 7, 1]
    made.set_limit(2)
    assert [made.admit(name, 2.0).limit for name in ("L", "M", "N", "O")] == [2, 2, 2, 2]
    made.set_limit(5, "P")
    made.set_limit(2)
    assert made.admit("P", 2.0).limit == 2


def test_without_limits_the_headers_say_big_numbers() -> None:
    headers = limits(SlidingWindow, None).admit("L", 0.0).headers()
    assert headers == {
        "x-ratelimit-max": str(UNLIMITED),
        "x-ratelimit-remaining": str(UNLIMITED),
        "x-ratelimit-interval-milliseconds": "10000",
        "x-ratelimit-limit-daily": str(UNLIMITED),
        "x-ratelimit-daily-remaining": str(UNLIMITED),
        "x-ratelimit-daily-reset": "1000000",
    }
