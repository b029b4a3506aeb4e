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
from airflow_provider_ghl.load.results.file import ResultsFile
from airflow_provider_ghl.load.results.progress import Progress
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = ["COLUMNS", "Load", "SimulatedWorkers", "client_of", "load_pairs"]

COLUMNS = Columns("first_record_id", "second_record_id")
_TURNS_WITHOUT_TIME = 100_000


class SimulatedWorkers:
    """``Workers`` in simulated time: a request takes effect at its moment, and its answer comes out at its own.

    ``wait`` moves the clock to the next answer, or by as many seconds as it may.
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
        #: Seconds that each wait takes too long, as on a machine that is busy.
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


def client_of(server: SimulatedServer, *, stop: Stop | None = None, seed: int = 0, **more: Any) -> Client:
    """A client whose only unreal parts are time, chance and the wire."""
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


@dataclass
class Load:
    """A load that ran: what it said, and what was seen of it."""

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
        """By row; the verdict has those first that need attention."""
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
    results_file: ResultsFile | None = None,
    progress: Progress | None = None,
    tolerance: int | float = 0,
    batch_size: int = 1000,
    seed: int = 0,
    ledger: Ledger | None = None,
    load_id: str = "load",
    **spec: Any,
) -> Load:
    """Run a whole load. ``rows``: pairs, or an iterator of batches."""
    client = client_of(server, stop=stop, seed=seed)
    workers = SimulatedWorkers(server)
    if prepare is not None:
        prepare(workers)
    batches = from_data(rows, COLUMNS, batch_size) if isinstance(rows, Sequence) else rows
    by = {} if "association_id" in spec else {"association_key": KEY}
    settings: dict[str, Any] = {"keep_results": 10_000_000, "columns": COLUMNS, "batch_size": batch_size} | by | spec
    began = server.clock.now
    verdict = run(
        relation_spec(load_id=load_id, location_id=LOCATION, tolerance=Tolerance(tolerance), **settings),
        Ports(batches=batches, client=client, workers=workers, results_file=results_file, progress=progress, ledger=ledger),
    )
    return Load(verdict, server, workers, client, server.clock.now - began)
