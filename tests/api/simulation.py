"""A location's limits in simulated time, and tasks that share it. Nothing here waits."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from simulated_limits import SimulatedLimits

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.api.rate_headers import RateHeaders

__all__ = ["Account", "Location", "Task", "run"]

#: Seconds, as in ``load.dispatch``: nothing waits longer without looking again.
LONGEST_WAIT = 0.5


@dataclass
class Location(SimulatedLimits):
    """Says of each request whether it is let through.

    ``counts_at`` is the part of a request's time after which it is counted: 0 at arrival, 1 at its answer.
    """

    latencies: Iterator[float]
    counts_at: float = 0.0
    daily_limit: int | None = field(default=None, kw_only=True)
    says_limits: bool = True
    refused: int = 0

    def count(self, now: float) -> tuple[bool, RateHeaders | None]:
        """Whether a request is let through, and what its answer says of the limits."""
        let_through = self.admit(now)
        self.refused += not let_through
        return let_through, self._rate(now) if self.says_limits else RateHeaders()

    def _rate(self, now: float) -> RateHeaders:
        return RateHeaders(
            limit=self.limit,
            remaining=self.remaining,
            interval=self.interval,
            daily_limit=self.daily_limit,
            daily_remaining=self.day_left,
            daily_resets_in=None if self.daily_limit is None else self.day_resets_in(now),
        )


@dataclass
class Account:
    """What became of a task's requests. ``sent`` and ``done`` hold clock seconds, ``done`` those that were let through."""

    sent: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)

    def seconds(self) -> float:
        """From the first to the last write."""
        return max(self.done) - min(self.done)


@dataclass
class Task:
    """So many requests through one :class:`Limit`, from a moment on; it looks again at every answer, as ``dispatch`` does."""

    limit: Limit
    requests: int
    starts: float = 0.0
    most_in_flight: int = 256
    account: Account = field(default_factory=Account)
    left: int = field(init=False)
    in_flight: int = 0
    looks_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.left = self.requests


class _Simulation:
    def __init__(self, location: Location, tasks: list[Task]) -> None:
        self.location = location
        self._order = 0
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        for task in tasks:
            self.at(task.starts, self._look(task))

    def at(self, when: float, what: Callable[[float], None]) -> None:
        self._order += 1
        heapq.heappush(self._events, (when, self._order, what))

    def run(self, until: float) -> float:
        now = 0.0
        while self._events and self._events[0][0] <= until:
            now, _, what = heapq.heappop(self._events)
            what(now)
        return now

    def _look(self, task: Task) -> Callable[[float], None]:
        def look(now: float) -> None:
            if now >= task.looks_at:
                self._send_what_can_be(task, now)

        return look

    def _send_what_can_be(self, task: Task, now: float) -> None:
        task.looks_at = float("inf")
        while task.left and task.in_flight < task.most_in_flight:
            wait = task.limit.reserve(now)
            if wait > 0.0:
                task.looks_at = now + min(wait, LONGEST_WAIT)
                self.at(task.looks_at, self._look(task))
                return
            self._send(task, now)

    def _send(self, task: Task, now: float) -> None:
        task.left -= 1
        task.in_flight += 1
        task.account.sent.append(now)
        latency = next(self.location.latencies)
        self.at(now + latency * self.location.counts_at, lambda counted: self._count(task, now, counted, now + latency))

    def _count(self, task: Task, sent: float, counted: float, answered: float) -> None:
        let_through, rate = self.location.count(counted)
        self.at(answered, lambda _: self._answer(task, sent, answered, counted, let_through, rate))

    def _answer(
        self, task: Task, sent: float, answered: float, counted: float, let_through: bool, rate: RateHeaders | None
    ) -> None:
        task.in_flight -= 1
        task.limit.learn(sent, answered, rate, limited=not let_through)
        if let_through:
            task.account.done.append(counted)
        else:
            task.account.refused.append(counted)
            task.left += 1
        self._send_what_can_be(task, answered)


def run(
    location: Location,
    tasks: list[Task],
    *,
    until: float = 100_000.0,
    also: list[tuple[float, Callable[[float], None]]] | None = None,
) -> float:
    """Let it happen; ``also`` is what happens at given moments besides. The moment at which it ended."""
    simulation = _Simulation(location, tasks)
    for when, what in also or []:
        simulation.at(when, what)
    return simulation.run(until)
