"""A :class:`Limit` that is alone: as fast as HighLevel allows, and never a 429. All in simulated time."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from itertools import cycle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_time import spread_around
from simulation import Location, Task, run
from soak import LONGER

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.exceptions import QuotaExhausted

#: Share of the limit, by latency in seconds (± 30 %).
TARGETS = {0.3: 0.97, 1.0: 0.94}
WINDOW = RateHeaders(limit=100, remaining=99, interval=10.0)


def opened(limit: Limit, rate: RateHeaders = WINDOW, at: float = 0.0) -> None:
    """The first request and its answer."""
    assert limit.reserve(at) == 0.0
    limit.learn(at, at + 0.1, rate)


def taken_at_once(limit: Limit, now: float) -> int:
    count = 0
    while limit.reserve(now) == 0.0:
        count += 1
    return count


@pytest.mark.parametrize("counts_at", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("window", ["sliding", "fixed"])
@pytest.mark.parametrize("allowed", [100, 25])
@pytest.mark.parametrize("latency", list(TARGETS))
def test_alone_it_is_fast_and_never_refused(latency: float, allowed: int, window: str, counts_at: float) -> None:
    for seed in range(3):
        latencies = spread_around(latency, 0.3, random.Random(seed))
        location = Location(latencies, limit=allowed, window=window, counts_at=counts_at)
        task = Task(Limit(), 1000)
        run(location, [task])
        ideal = (math.ceil(1000 / allowed) - 1) * 10.0
        assert len(task.account.done) == 1000
        assert location.refused == 0, f"seed {seed}"
        share = ideal / task.account.seconds()
        assert share >= TARGETS[latency], f"seed {seed}: {share:.4f} of the limit"


@given(
    latencies=st.lists(st.floats(0.005, 4.0), min_size=1, max_size=16),
    counts_at=st.floats(0.0, 1.0),
    window=st.sampled_from(["sliding", "fixed"]),
    allowed=st.integers(1, 40),
)
@settings(max_examples=60 * LONGER)
def test_alone_it_is_never_refused(latencies: list[float], counts_at: float, window: str, allowed: int) -> None:
    """For latencies that come again: one that was never seen can be known to nobody."""
    location = Location(cycle(latencies), limit=allowed, window=window, counts_at=counts_at)
    task = Task(Limit(), allowed * 4 + 3)
    run(location, [task])
    assert location.refused == 0
    assert len(task.account.done) == task.requests


@given(latencies=st.lists(st.floats(0.005, 4.0), min_size=1, max_size=200), window=st.sampled_from(["sliding", "fixed"]))
@settings(max_examples=40 * LONGER)
def test_a_server_that_counts_at_arrival_never_refuses_it(latencies: list[float], window: str) -> None:
    """Whatever comes: what is not known yet is no part of the sum."""
    location = Location(cycle(latencies), limit=20, window=window, counts_at=0.0)
    run(location, [Task(Limit(), 200)])
    assert location.refused == 0


def test_a_sudden_fall_of_the_latency_costs_little() -> None:
    latencies = iter([1.0] * 300 + [0.1] * 700)
    location = Location(latencies, counts_at=1.0)
    task = Task(Limit(), 900)
    run(location, [task])
    assert len(task.account.done) == 900
    assert location.refused <= 10


def test_the_time_to_connect_is_not_taken_for_latency() -> None:
    limit = Limit()
    opened(limit, RateHeaders(limit=20, remaining=19, interval=10.0))
    for _ in range(19):
        assert limit.reserve(0.1) == 0.0
    for _ in range(19):
        limit.learn(0.1, 0.6, RateHeaders(limit=20, remaining=0, interval=10.0), connecting=0.4)
    # The first slot was answered at 0.1, the others at 0.6; each is free an interval later, less 0.1 s of latency.
    assert taken_at_once(limit, 10.49) == 1
    assert taken_at_once(limit, 10.51) == 19


def test_the_first_goes_alone_and_the_rest_of_the_burst_at_once() -> None:
    limit = Limit()
    assert limit.reserve(0.0) == 0.0
    assert 0.0 < limit.reserve(0.0) <= 0.5
    assert limit.reserve(0.2) > 0.0
    limit.learn(0.0, 0.3, WINDOW)
    assert taken_at_once(limit, 0.3) == 99


def test_a_first_request_that_got_no_answer_lets_the_next_go_alone() -> None:
    limit = Limit()
    limit.reserve(0.0)
    limit.learn(0.0, 10.0, None)
    assert taken_at_once(limit, 10.0) == 1


def test_without_headers_it_is_25_in_10_seconds() -> None:
    limit = Limit()
    assert (limit.advertised, limit.capacity, limit.interval) == (25, 25, 10.0)
    location = Location(spread_around(0.1, 0.0, random.Random(1)), limit=25, says_limits=False)
    task = Task(limit, 100)
    run(location, [task])
    assert location.refused == 0
    assert 30.0 <= task.account.seconds() <= 32.0


@pytest.mark.parametrize(("before", "after"), [(100, 25), (25, 100)])
def test_another_limit_is_followed(before: int, after: int) -> None:
    location = Location(spread_around(0.3, 0.3, random.Random(5)), limit=before)
    task = Task(Limit(), 800)

    def change(now: float) -> None:
        location.limit = after

    run(location, [task], also=[(25.0, change)])
    assert task.limit.capacity == after
    late = [moment for moment in task.account.done if 60.0 <= moment < 100.0]
    assert 0.9 * 4 * after <= len(late) <= 4 * after
    assert location.refused <= 50  # those in flight: none can know of the change before an answer says it


def test_a_429_blocks_all_for_one_interval_and_then_one_goes_alone() -> None:
    limit = Limit()
    opened(limit)
    assert limit.reserve(1.0) == 0.0
    limit.learn(1.0, 1.2, RateHeaders(limit=100, remaining=0, interval=10.0), limited=True)
    assert limit.reserve(1.2) == pytest.approx(10.0)
    assert limit.reserve(11.1) == pytest.approx(0.1)
    assert taken_at_once(limit, 11.2) == 1
    limit.learn(11.2, 11.4, WINDOW)
    assert taken_at_once(limit, 11.4) > 10


def test_an_answer_from_before_a_429_does_not_lift_the_block() -> None:
    limit = Limit()
    opened(limit)
    for moment in (1.0, 1.1):
        assert limit.reserve(moment) == 0.0
    limit.learn(1.1, 1.2, RateHeaders(limit=100, remaining=0, interval=10.0), limited=True)
    limit.learn(1.0, 1.3, WINDOW)
    assert limit.reserve(1.3) > 9.0
    assert taken_at_once(limit, 11.2) == 1


def test_every_429_lengthens_the_block() -> None:
    limit = Limit()
    opened(limit)
    for moment in (1.0, 1.1):
        limit.reserve(moment)
    for moment in (1.0, 1.1):
        limit.learn(moment, moment + 1.0, RateHeaders(limit=100, remaining=0, interval=10.0), limited=True)
    assert limit.reserve(2.2) == pytest.approx(9.9)


@pytest.mark.parametrize(("share", "most"), [(1.0, 100), (0.5, 50), (0.29, 29), (0.001, 1)])
def test_a_share_is_kept_to(share: float, most: int) -> None:
    limit = Limit(share=share)
    opened(limit)
    assert limit.capacity == most
    assert taken_at_once(limit, 0.2) == most - 1


def test_what_was_used_of_late() -> None:
    limit = Limit()
    opened(limit)
    limit.reserve(5.0)
    assert limit.used_recently(5.0) == 2
    assert limit.used_recently(10.2) == 1  # the first is out, the second still in flight


def test_a_server_without_a_limit_is_not_held_back() -> None:
    location = Location(spread_around(0.01, 0.3, random.Random(4)), limit=10**9)
    task = Task(Limit(), 5000, most_in_flight=50)
    run(location, [task])
    assert task.account.seconds() <= 1.5


def day(left: int, resets_in: float | None = 600.0) -> RateHeaders:
    return RateHeaders(
        limit=100, remaining=50, interval=10.0, daily_limit=1000, daily_remaining=left, daily_resets_in=resets_in
    )


def test_a_spent_day_says_when_it_ends_and_ends_then() -> None:
    limit = Limit()
    opened(limit, day(0))
    assert (limit.daily_limit, limit.daily_left) == (1000, 0)
    with pytest.raises(QuotaExhausted) as caught:
        limit.reserve(50.1)
    assert caught.value.resets_in == pytest.approx(550.0)
    assert limit.reserve(600.2) == 0.0


def test_a_spent_day_without_an_end_is_asked_again_after_a_minute() -> None:
    limit = Limit()
    opened(limit, day(0, None))
    with pytest.raises(QuotaExhausted):
        limit.reserve(59.0)
    assert limit.reserve(61.0) == 0.0


def test_the_daily_reserve_is_left_to_others() -> None:
    limit = Limit(daily_reserve=10)
    opened(limit, day(13))
    assert taken_at_once(limit, 1.0) == 3  # what is in flight is counted too
    for left in (12, 11, 10):
        limit.learn(1.0, 1.2, day(left))
    with pytest.raises(QuotaExhausted, match="10 of them reserved"):
        limit.reserve(1.3)


def test_the_day_is_used_to_its_last_request() -> None:
    location = Location(spread_around(0.2, 0.3, random.Random(2)), daily_limit=150)
    task = Task(Limit(), 200)
    with pytest.raises(QuotaExhausted):
        run(location, [task])
    assert location.used_of_day == 150
    assert location.refused == 0


def test_a_limit_that_is_smaller_than_was_taken_for_true() -> None:
    """Several are in flight before the headers say that there is but one slot."""
    limit = Limit()
    one = RateHeaders(limit=1, remaining=0, interval=10.0)
    assert limit.reserve(0.0) == 0.0
    limit.learn(0.0, 0.1, RateHeaders(limit=3, remaining=2, interval=10.0))
    assert [limit.reserve(0.2), limit.reserve(0.2)] == [0.0, 0.0]
    limit.learn(0.2, 0.3, one)
    limit.learn(0.2, 0.3, one)
    assert 9.0 < limit.reserve(0.4) <= 10.1


@pytest.mark.parametrize("resets_in", [None, 3600.0])
def test_a_spent_day_says_when_it_resets_if_highlevel_did(resets_in: float | None) -> None:
    limit = Limit()
    opened(
        limit, RateHeaders(limit=100, remaining=99, interval=10.0, daily_limit=10, daily_remaining=0, daily_resets_in=resets_in)
    )
    with pytest.raises(QuotaExhausted) as raised:
        limit.reserve(2.0)
    assert raised.value.resets_in == (None if resets_in is None else pytest.approx(3600.0, abs=3.0))


def test_after_a_spent_day_one_request_looks_whether_it_is_over() -> None:
    limit = Limit()
    spent = RateHeaders(limit=100, remaining=99, interval=10.0, daily_limit=200, daily_remaining=0, daily_resets_in=60.0)
    assert limit.reserve(0.0) == 0.0
    limit.learn(0.0, 0.3, spent)
    with pytest.raises(QuotaExhausted):
        limit.reserve(1.0)
    assert limit.reserve(60.4) == 0.0
    assert limit.reserve(60.5) > 0.0, "the others wait for its answer"
    limit.learn(60.4, 60.7, replace(spent, daily_remaining=199))
    assert [limit.reserve(60.8 + at / 100) for at in range(10)] == [0.0] * 10
