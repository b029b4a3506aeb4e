"""A load that is stopped: it sends nothing more, ends in time, and every row that was read has one outcome."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, count, repeat
from typing import Any

import pytest
from simulated_highlevel import SimulatedServer
from simulated_load import COLUMNS, Load, SimulatedWorkers, load_pairs
from simulated_time import FakeClock, spread_around

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.load.columns import Batch
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.rows import from_data

#: Seconds from the stop to the end of ``run``.
IN_TIME = 2.5


class Source:
    """Yields batches of new pairs, and counts those that are read after the stop."""

    def __init__(self, rows: int, batch_size: int, stop: Stop) -> None:
        pairs = [(f"student{n}", f"teacher{n}") for n in range(rows)]
        self._batches = from_data(pairs, COLUMNS, batch_size)
        self._stop = stop
        self.read = 0
        self.read_after_stop = 0

    def __iter__(self) -> Iterator[Batch]:
        return self

    def __next__(self) -> Batch:
        self.read_after_stop += self._stop.is_set
        batch = next(self._batches)
        self.read += len(batch)
        return batch


def stopped_load(after: float, *, hang_from: int = 10_000_000, counts_at: float = 0.0) -> tuple[Load, Source, float]:
    """Run a load and stop it this many seconds after its begin. Returns the load, and the seconds from the stop to the end."""
    stop, clock = Stop(), FakeClock()
    source = Source(1000, 50, stop)
    server = SimulatedServer(
        clock,
        latencies=spread_around(0.3, 0.3, 3),
        counts_at=counts_at,
        faults={n: "hang_before" for n in range(hang_from, hang_from + 500)},
    )
    began = clock.now
    load = load_pairs(iter(source), server, stop=stop, prepare=lambda workers: workers.at(began + after, stop.set))
    return load, source, clock.now - began - after


@pytest.mark.parametrize("after", [0.4, 0.61, 0.75, 3.3, 10.5, 20.9, 35.0])
def test_answers_in_flight_are_waited_for(after: float) -> None:
    load, source, seconds = stopped_load(after)
    server = load.server
    assert seconds <= IN_TIME
    assert source.read_after_stop == 0
    assert max(server.sent_at) <= 1000.0 + after + 0.5
    assert load.summary["rows"] == source.read == load.summary["created"] + load.summary["not_attempted"]
    assert load.summary["created"] == len(server.relations)
    assert load.verdict.end is End.RETRYABLE
    assert load.verdict.message.startswith("The load was told to stop.")
    assert load.summary["stopped_by"] is None


@pytest.mark.parametrize("after", [0.7, 1.0, 5.0, 9.99])
def test_answers_that_do_not_come_are_not_waited_for(after: float) -> None:
    load, source, seconds = stopped_load(after, hang_from=30)
    assert seconds <= IN_TIME
    assert source.read_after_stop == 0
    assert load.summary["failed"] > 0
    assert load.summary["created"] + load.summary["failed"] + load.summary["not_attempted"] == source.read
    failed = [result for result in load.results if result["outcome"] == "failed"]
    assert {result["reason"] for result in failed} == {"told to stop before HighLevel gave a definite answer"}
    assert all(result["requests"] >= 1 for result in failed)
    assert load.summary["requests"] == load.server.requests == 1 + sum(row["requests"] for row in load.results)


def test_an_answer_in_flight_does_not_delay_the_end() -> None:
    stop, clock = Stop(), FakeClock()
    latencies = chain([0.3] * 21, [0.6], repeat(0.3))
    server = SimulatedServer(clock, latencies=latencies, faults={n: "hang_after" for n in range(22, 200)})
    load = load_pairs(
        [(f"s{n}", f"t{n}") for n in range(200)],
        server,
        stop=stop,
        prepare=lambda workers: workers.at(1_000.65, stop.set),
    )
    assert clock.now - 1_000.65 <= IN_TIME
    assert (load.summary["created"], load.summary["failed"]) == (21, 78)


@pytest.mark.parametrize("kind", ["503_before", "limited", "hang_before", None])
def test_a_machine_that_stalls_loses_no_row(kind: str | None) -> None:
    stop, clock = Stop(), FakeClock()
    faults = {n: kind for n in range(30, 130) if kind}
    server = SimulatedServer(clock, latencies=spread_around(1.0, 0.0, 1), faults=faults)

    def prepare(workers: SimulatedWorkers) -> None:
        workers.at(clock.now + 2.1, stop.set)
        workers.at(clock.now + 2.9, lambda: setattr(workers, "overslept", 5.0))

    load = load_pairs([(f"s{n}", f"t{n}") for n in range(200)], server, stop=stop, prepare=prepare)
    assert load.summary["rows"] == 200
    assert load.summary["created"] + load.summary["failed"] + load.summary["not_attempted"] == 200
    assert load.verdict.end is End.RETRYABLE


def test_nothing_is_sent_after_a_stop() -> None:
    stop, clock = Stop(), FakeClock()
    server = SimulatedServer(clock)
    moment: list[int] = []

    def set_it() -> None:
        stop.set()
        moment.append(server.requests)

    def prepare(workers: SimulatedWorkers) -> None:
        workers.at(clock.now + 0.9, set_it)

    load_pairs([(f"s{n}", f"t{n}") for n in range(500)], server, stop=stop, prepare=prepare)
    assert moment == [server.requests]


def test_a_stop_while_the_source_is_read_sends_nothing_more() -> None:
    stop, server = Stop(), SimulatedServer(FakeClock())

    def batches() -> Iterator[Batch]:
        for batch in from_data([(f"s{n}", f"t{n}") for n in range(60)], COLUMNS, 20):
            if batch.start == 40:
                stop.set()
            yield batch

    load = load_pairs(batches(), server, stop=stop)
    assert server.requests == 41
    assert (load.summary["rows"], load.summary["created"], load.summary["not_attempted"]) == (60, 40, 20)


def test_a_stop_before_the_first_request_sends_none() -> None:
    stop, server = Stop(), SimulatedServer(FakeClock())
    source = Source(100, 10, stop)
    stop.set()
    load = load_pairs(iter(source), server, stop=stop)
    assert (server.requests, source.read, load.summary["rows"]) == (0, 0, 0)
    assert load.verdict.end is End.RETRYABLE


def test_a_stop_while_the_first_batch_is_read_sends_none() -> None:
    stop, server = Stop(), SimulatedServer(FakeClock())

    def batches() -> Iterator[Batch]:
        for batch in from_data([("s", "t")], COLUMNS, 20):
            stop.set()
            yield batch

    load = load_pairs(batches(), server, stop=stop)
    assert (server.requests, load.outcomes) == (0, ["not_attempted"])


def test_rows_read_ahead_for_min_rows_all_have_an_outcome() -> None:
    stop, server = Stop(), SimulatedServer(FakeClock())

    def batches() -> Iterator[Batch]:
        for batch in from_data([(f"s{n}", f"t{n}") for n in range(60)], COLUMNS, 20):
            if batch.start == 20:
                stop.set()
            yield batch

    load = load_pairs(batches(), server, stop=stop, min_rows=50)
    assert server.requests == 0
    assert load.summary["rows"] == load.summary["not_attempted"] == 40
    assert load.verdict.end is End.RETRYABLE
    assert load.verdict.message.startswith("The load was told to stop.")


def test_a_stop_while_the_association_is_waited_for() -> None:
    stop, clock = Stop(), FakeClock()
    server = SimulatedServer(clock, faults={n: "limited" for n in range(30)})
    server.latencies = stopping_after(stop, 2)
    load = load_pairs([("s", "t")], server, stop=stop)
    assert (load.verdict.end, load.outcomes) == (End.RETRYABLE, ["not_attempted"])
    assert load.verdict.message.startswith("The load was told to stop.")


def stopping_after(stop: Stop, requests: int) -> Iterator[float]:
    """Yields latencies, and sets the stop after this many."""
    for _ in range(requests - 1):
        yield 0.3
    stop.set()
    while True:
        yield 0.3


def test_rows_that_highlevel_surely_did_not_take_are_not_attempted() -> None:
    stop, clock = Stop(), FakeClock()
    server = SimulatedServer(clock, faults={n: "limited" for n in range(1, 100)})
    load = load_pairs(
        [(f"s{n}", f"t{n}") for n in range(50)],
        server,
        stop=stop,
        prepare=lambda workers: workers.at(clock.now + 5.0, stop.set),
    )
    assert load.summary["not_attempted"] == 50
    assert sum(result["requests"] for result in load.results) == 20


def test_an_outage_does_not_use_up_the_input() -> None:
    stop, clock = Stop(), FakeClock()
    server = SimulatedServer(clock, limit=25, faults={n: "503_before" for n in range(1, 1000)})
    load = load_pairs(
        [(f"s{n}", f"t{n}") for n in range(500)],
        server,
        stop=stop,
        abort_after=200,
        prepare=lambda workers: workers.at(clock.now + 290.0, stop.set),
    )
    assert server.requests > 25 + 15
    assert sum(result["requests"] > 0 for result in load.results) <= 50


def test_a_stop_that_comes_with_the_last_answer_has_stopped_nothing() -> None:
    stop = Stop()

    def stop_after_the_last_was_sent(workers: SimulatedWorkers) -> None:
        submit, numbers = workers.submit, count(1)

        def submitting(key: Any, function: Callable[[], Any]) -> None:
            submit(key, function)
            if next(numbers) == 2:  # the first request reads the association
                workers.at(server.clock.now + 0.2, stop.set)

        workers.submit = submitting  # type: ignore[method-assign]

    server = SimulatedServer(FakeClock(), latencies=spread_around(0.3, 0.0, 1))
    load = load_pairs([("student", "teacher")], server, stop=stop, prepare=stop_after_the_last_was_sent)
    assert stop.is_set
    assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 1)
