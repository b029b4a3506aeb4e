"""HighLevel does not answer for a while: rows wait, and one request at a time notices when it answers again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from simulated_agency import SimulatedAgency, check_sums, load_rows, make_rows
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock, spread_around

from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End, StoppedBy
from airflow_provider_ghl.load.send.outage import Outage
from airflow_provider_ghl.load.spec import DiffAgainst

PAIRS = [(f"student{n:04d}", f"teacher{n:04d}") for n in range(300)]


def server_away(from_second: float, for_seconds: float, fault: str = "reset_before", **settings: Any) -> SimulatedServer:
    """A server that gives no answers for some seconds of the load."""
    server = SimulatedServer(FakeClock(), latencies=spread_around(0.3, 0.3, 1), **settings)
    began = server.clock.now

    def draw_fault() -> str | None:
        return fault if from_second <= server.clock.now - began < from_second + for_seconds else None

    server.draw_fault = draw_fault
    return server


def requests_between(server: SimulatedServer, first: float, last: float) -> int:
    return sum(first <= moment - 1_000.0 < last for moment in server.sent_at)


@pytest.mark.parametrize(
    "fault", ["never_sent", "reset_before", "reset_after", "503_before", "html_502_after", "gateway_401_after"]
)
@pytest.mark.parametrize("seconds", [20.0, 200.0])
def test_a_short_outage_costs_time_and_no_row(fault: str, seconds: float) -> None:
    server = server_away(12.0, seconds, fault, limit=10, interval=1.0)
    load = load_pairs(PAIRS, server)
    assert load.verdict.end is End.GREEN
    assert load.summary["created"] == 300
    assert set(server.relations) == set(PAIRS)
    assert max(server.creations.values()) == 1
    assert load.seconds <= 12.0 + seconds + 20.0 + 30.0
    # Those in flight, and then one at a time, with growing pauses.
    assert requests_between(server, 12.0, 12.0 + seconds) <= 10 + 8 + seconds / 10


def test_a_long_outage_is_red_and_worth_a_retry() -> None:
    server = server_away(12.0, 10_000.0)
    load = load_pairs(PAIRS, server)
    assert (load.verdict.end, load.verdict.failure) == (End.RETRYABLE, Failure.ROWS_FAILED)
    assert load.summary["stopped_by"] == StoppedBy.ABORT
    assert load.summary["failed"] <= 110
    assert load.summary["created"] + load.summary["failed"] + load.summary["not_attempted"] == 300
    assert 312.0 <= load.seconds <= 345.0
    assert load.verdict.message.startswith("The load was stopped: no answer from HighLevel for 5 min")


def test_the_timeout_is_the_users() -> None:
    load = load_pairs(PAIRS, server_away(12.0, 10_000.0), outage_timeout=timedelta(seconds=30))
    assert load.verdict.end is End.RETRYABLE
    assert 42.0 <= load.seconds <= 65.0


def test_an_outage_of_writes_alone_is_one() -> None:
    class Writeless(SimulatedServer):
        def _create(self, first: str, second: str) -> tuple[int, Any]:
            is_away = 12.0 <= self.clock.now - 1_000.0 < 60.0
            return (503, {"message": "Service Unavailable"}) if is_away else super()._create(first, second)

    load = load_pairs(PAIRS, Writeless(FakeClock()))
    assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 300)


@pytest.mark.parametrize("at", [0, 150, 290])
def test_rows_at_which_highlevel_always_fails_are_no_outage(at: int) -> None:
    poisoned = {PAIRS[at + n][0] for n in range(5)}
    server = SimulatedServer(FakeClock(), failing=frozenset(poisoned))
    load = load_pairs(PAIRS, server, tolerance=5, outage_timeout=timedelta(seconds=60))
    assert (load.verdict.end, load.summary["created"], load.summary["failed"]) == (End.GREEN, 295, 5)
    assert load.seconds <= 21.0 + 60.0 + 40.0


def test_two_such_rows_at_the_end_fail_by_themselves() -> None:
    server = SimulatedServer(FakeClock(), failing=frozenset({PAIRS[298][0], PAIRS[299][0]}))
    load = load_pairs(PAIRS, server, tolerance=2)
    assert (load.verdict.end, load.summary["failed"]) == (End.GREEN, 2)
    assert load.seconds <= 60.0


def test_a_location_with_an_outage_delays_no_other() -> None:
    agency = SimulatedAgency.build(["a", "b", "c"])
    silent = agency["b"]
    create = silent._create

    def failing(first: str, second: str) -> tuple[int, Any]:
        is_away = 5.0 <= agency.clock.now - 1_000.0 < 100.0
        return (503, {"message": "Service Unavailable"}) if is_away else create(first, second)

    silent._create = failing  # type: ignore[method-assign]
    load = load_rows(make_rows(["a", "b", "c"], 200, is_sorted=True), agency)
    check_sums(load, 600)
    assert all(load.summary["locations"][name]["created"] == 200 for name in "abc")
    assert agency.last_writes()["a"] <= 25.0
    assert agency.last_writes()["c"] <= 25.0
    assert agency.last_writes()["b"] > 100.0


def probes(outage: Outage, now: float, seconds: float) -> list[float]:
    """The times of probes, where each fails after a second."""
    sent: list[float] = []
    until = now + seconds
    while now < until:
        now = max(now, outage.probe_at)
        sent.append(now)
        outage.note_silence(0, now, now + 1.0)
        now += 1.0
    return sent


@pytest.mark.parametrize("draw", [lambda: 0.0, lambda: 1.0])
def test_probes_come_further_and_further_apart(draw: Callable[[], float]) -> None:
    outage = Outage(timedelta(hours=1), draw)
    for row in range(2):
        assert outage.note_silence(row, 0.0, 1.0) is None
        assert not outage.is_on
    outage.note_silence(2, 0.5, 1.0)
    assert outage.is_on
    sent = probes(outage, 1.0, 600.0)
    pauses = [later - earlier - 1.0 for earlier, later in pairwise(sent)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == 20.0 * (1.0 - 0.5 * draw())
    assert outage.note_answer(600.0)
    assert not outage.is_on


def test_requests_already_in_flight_are_no_probes() -> None:
    outage = Outage(timedelta(hours=1), lambda: 0.0)
    for row in range(100):
        outage.note_silence(row, 0.0, 1.0 + row / 100)
    assert outage.probe_at <= 2.1


def test_rows_that_fail_together_briefly_get_no_extra_tries() -> None:
    outage = Outage(timedelta(hours=1), lambda: 0.0)
    for row in range(3):
        outage.note_silence(row, 1.0, 1.3)
    assert outage.is_on
    assert not outage.note_answer(1.4)
    assert not outage.is_on


@pytest.mark.timeout(60)
def test_an_outage_while_rows_wait_for_something_else() -> None:
    """Ten records are read before any row is sent: there is no new row to send as a probe, and what failed is due again."""
    server = SimulatedServer(FakeClock(), limit=25)
    began = server.clock.now
    server.draw_fault = lambda: "503_before" if 0.2 <= server.clock.now - began < 40.0 else None
    pairs = [(f"s{n}", f"hub{n % 10}") for n in range(500)]
    server.add(*pairs[:450])
    load = load_pairs(pairs, server, diff_against=DiffAgainst.HIGHLEVEL)
    assert (load.verdict.end, load.summary["already_exists"], load.summary["created"]) == (End.GREEN, 450, 50)
    assert 40.0 <= load.seconds <= 110.0
