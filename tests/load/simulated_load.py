"""Whole loads in simulated time: thousands of rows run in a moment, and no test waits."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from relation_specs import relation_spec
from simulated_highlevel import KEY, LOCATION, TOKEN, SimulatedServer

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.destinations import Destinations, ResultsSink
from airflow_provider_ghl.load.results.progress import Progress
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = ["COLUMNS", "Load", "SimulatedWorkers", "as_destinations", "load_pairs", "make_client"]

COLUMNS = Columns("first_record_id", "second_record_id")
_TURNS_WITHOUT_TIME = 100_000


class SimulatedWorkers:
    """``Workers`` in simulated time. A request takes effect, and its answer arrives, at a simulated moment.

    ``wait`` moves the clock to the next answer, or by its whole timeout.
    """

    def __init__(self, server: SimulatedServer) -> None:
        self._server = server
        self._clock = server.clock
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = count()
        self._done: list[tuple[Any, Any]] = []
        self._idle_turns = 0
        self.in_flight = 0
        self.most_in_flight = 0
        self.is_closed = False
        #: Seconds by which each wait is too long, as on a busy machine.
        self.overslept = 0.0

    def at(self, moment: float, action: Callable[[], None]) -> None:
        """Let something happen at a moment, such as a stop."""
        heapq.heappush(self._events, (moment, next(self._numbers), action))

    def submit(self, key: Any, function: Callable[[], Any]) -> None:
        sent_at = self._clock.now
        latency = self._server.next_latency()
        fault = self._server.drawn_fault
        finish = sent_at + latency
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)

        def reach() -> None:
            self._server.is_carried, self._server.carried_fault = True, fault
            try:
                attempt = replace(function(), answered_at=finish)
            finally:
                self._server.is_carried = False
            self.at(finish, lambda: self._done.append((key, attempt)))

        self.at(sent_at + latency * self._server.counts_at, reach)

    def wait(self, seconds: float) -> list[tuple[Any, Any]]:
        until = self._clock.now + seconds
        while self._events and self._events[0][0] <= until and not (self._done and self._events[0][0] > self._clock.now):
            moment, _, action = heapq.heappop(self._events)
            self._move_to(moment)
            action()
        self._idle_turns = 0 if self._done or seconds > 0.0 else self._idle_turns + 1
        assert self._idle_turns < _TURNS_WITHOUT_TIME, "a loop in which nothing happens"
        if not self._done:
            self._move_to(until)
        self._clock.sleep(self.overslept)
        done, self._done = self._done, []
        self.in_flight -= len(done)
        return done

    def close(self) -> None:
        self.is_closed = True

    def _move_to(self, moment: float) -> None:
        self._clock.sleep(max(0.0, moment - self._clock.now))


def make_client(server: SimulatedServer, *, stop: Stop | None = None, seed: int = 0, **more: Any) -> Client:
    """A real client, but with simulated time, chance and transport."""
    draw = random.Random(seed).random
    return Client(
        BearerToken(TOKEN),
        location_id=LOCATION,
        transport=server,
        clock=server.clock,
        retry=Retry(draw=draw),
        stop=stop,
        **more,
    )


def as_destinations(sink: ResultsSink | None) -> Destinations:
    """One destination, or none."""
    return Destinations([] if sink is None else [sink])


@dataclass
class Load:
    """A finished load: its verdict, and what was observed."""

    verdict: Verdict
    server: SimulatedServer
    workers: SimulatedWorkers
    client: Client
    seconds: float

    @property
    def summary(self) -> dict[str, Any]:
        return self.verdict.summary

    @property
    def results(self) -> list[dict[str, Any]]:
        """The results in input order; the verdict has failures first."""
        return sorted(self.verdict.results, key=lambda result: int(result["row"]))

    @property
    def outcomes(self) -> list[str]:
        return [result["outcome"] for result in self.results]


def load_pairs(
    rows: Sequence[Any] | Iterator[Batch],
    server: SimulatedServer,
    *,
    stop: Stop | None = None,
    prepare: Callable[[SimulatedWorkers], None] | None = None,
    results_file: ResultsSink | None = None,
    progress: Progress | None = None,
    deliver: Callable[[Verdict], None] | None = None,
    tolerance: int | float = 0,
    batch_size: int = 1000,
    seed: int = 0,
    ledger: Ledger | None = None,
    load_id: str = "load",
    **spec: Any,
) -> Load:
    """Run a whole load.

    :param rows: pairs, or an iterator of batches.
    """
    client = make_client(server, stop=stop, seed=seed)
    workers = SimulatedWorkers(server)
    if prepare is not None:
        prepare(workers)
    batches = from_data(rows, COLUMNS, batch_size) if isinstance(rows, Sequence) else rows
    by = {} if "association_id" in spec else {"association_key": KEY}
    settings: dict[str, Any] = {"keep_results": 10_000_000, "columns": COLUMNS, "batch_size": batch_size} | by | spec
    began = server.clock.now
    verdict = run(
        relation_spec(load_id=load_id, location_id=LOCATION, tolerance=Tolerance(tolerance), **settings),
        Ports(
            batches=batches,
            client=client,
            workers=workers,
            results=as_destinations(results_file),
            progress=progress,
            ledger=ledger,
            deliver=deliver,
        ),
    )
    return Load(verdict, server, workers, client, server.clock.now - began)
