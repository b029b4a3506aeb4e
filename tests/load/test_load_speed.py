"""A whole load reaches the advertised limit in simulated time, and never exceeds it."""

from __future__ import annotations

import math

import pytest
from simulated_highlevel import SimulatedServer
from simulated_load import Load, load_pairs
from simulated_time import FakeClock, spread_around
from soak import LONGER

SEEDS = range(LONGER)


def paced_load(pairs: int, latency: float, limit: int, window: str, counts_at: float, seed: int) -> tuple[Load, float]:
    """Load new pairs. Returns the load, and its speed as a share of the ideal, in which every window is full."""
    server = SimulatedServer(
        FakeClock(), limit=limit, window=window, counts_at=counts_at, latencies=spread_around(latency, 0.3, seed)
    )
    load = load_pairs([(f"student{n}", f"teacher{n}") for n in range(pairs)], server)
    ideal = (math.ceil(load.summary["requests"] / limit) - 1) * server.interval
    return load, ideal / (server.write_times[-1] - server.write_times[0])


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("counts_at", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("window", ["sliding", "fixed"])
@pytest.mark.parametrize(("latency", "limit", "target"), [(0.3, 100, 0.97), (1.0, 100, 0.94), (0.3, 25, 0.97), (1.0, 25, 0.94)])
def test_a_load_alone_reaches_the_limit_and_is_never_refused(
    latency: float, limit: int, target: float, window: str, counts_at: float, seed: int
) -> None:
    load, share = paced_load(1000, latency, limit, window, counts_at, seed)
    assert load.summary["created"] == 1000
    assert (load.server.limited, load.summary["rate_limited"], load.summary["retries"]) == (0, 0, 0)
    assert share >= target


@pytest.mark.parametrize(("latency", "target"), [(0.3, 0.97), (1.0, 0.94)])
def test_windows_that_come_out_even(latency: float, target: float) -> None:
    """With the read of the association, 999 rows take 1,000 requests: the last window is full."""
    load, share = paced_load(999, latency, 100, "sliding", 0.0, 1)
    assert load.summary["requests"] == 1000
    assert share >= target


def test_the_first_burst_goes_out_at_once_when_a_row_has_succeeded() -> None:
    load, _ = paced_load(1000, 0.3, 100, "sliding", 0.0, 1)
    began = load.server.sent_at[0]
    assert sum(moment < began + 2.0 for moment in load.server.sent_at) == 100


def test_a_429_makes_all_wait_and_loses_no_row() -> None:
    server = SimulatedServer(FakeClock(), faults={n: "limited" for n in range(30, 40)})
    load = load_pairs([(f"student{n}", f"teacher{n}") for n in range(300)], server)
    assert load.summary["created"] == 300
    assert load.summary["rate_limited"] == 10
    assert load.summary["retries"] == 0
    assert load.summary["requests"] == 311
    gaps = [later - earlier for earlier, later in zip(server.sent_at, server.sent_at[1:], strict=False)]
    assert max(gaps) >= 0.7 * server.interval


def test_few_failures_do_not_slow_the_others_down() -> None:
    failing = frozenset(f"student{n}" for n in range(0, 1000, 50))
    server = SimulatedServer(FakeClock(), failing=failing)
    load = load_pairs([(f"student{n}", f"teacher{n}") for n in range(1000)], server, abort_after=100)
    assert (load.summary["created"], load.summary["failed"]) == (980, 20)
    assert server.write_times[-1] - server.sent_at[0] <= math.ceil(load.summary["requests"] / 100) * 10.0 + 10.0


def test_a_hanging_row_does_not_hold_the_others() -> None:
    server = SimulatedServer(FakeClock(), faults={5: "hang_before"})
    load = load_pairs([(f"student{n}", f"teacher{n}") for n in range(200)], server)
    assert load.summary["created"] == 200
    assert sorted(server.write_times)[-2] < server.sent_at[0] + 21.0
