"""A location of HighLevel's in simulated time, and tasks that share it. Nothing here waits."""

from __future__ import annotations

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.api.rate_headers import RateHeaders

__all__ = ["Account", "Location", "Task", "run", "spread_around"]

#: Seconds, as in ``load.dispatch``: nothing waits longer without looking again.
LONGEST_WAIT = 0.5
DAY = 86_400.0


def spread_around(seconds: float, share: float, draw: random.Random) -> Iterator[float]:
    """Latencies, uniform in ``seconds`` × (1 ± ``share``)."""
    while True:
        yield seconds * draw.uniform(1.0 - share, 1.0 + share)


@dataclass
class Location:
    """Counts requests as HighLevel does; written apart from the sandbox, so that a mistake there is not made twice.

    ``counts_at`` is the part of a request's time after which it is counted: 0 at arrival, 1 at its answer.
    """

    latencies: Iterator[float]
    limit: int = 100
    interval: float = 10.0
    window: str = "sliding"
    counts_at: float = 0.0
    daily_limit: int | None = None
    says_limits: bool = True
    refused: int = 0
    used_of_day: int = 0
    _counted: deque[float] = field(default_factory=deque)
    _ends: float = float("-inf")

    def count(self, now: float) -> tuple[bool, RateHeaders | None]:
        """Whether a request is let through, and what its answer says of the limits."""
        used = self._used(now)
        day_left = self._day_left()
        let_through = used < self.limit and day_left != 0
        if let_through:
            self._counted.append(now)
            self.used_of_day += 1
            used += 1
        self.refused += not let_through
        return let_through, self._rate(now, used) if self.says_limits else RateHeaders()

    def _used(self, now: float) -> int:
        if self.window == "fixed":
            if now >= self._ends:
                self._ends = now + self.interval
                self._counted.clear()
        else:
            while self._counted and self._counted[0] <= now - self.interval:
                self._counted.popleft()
        return len(self._counted)

    def _day_left(self) -> int | None:
        return None if self.daily_limit is None else max(0, self.daily_limit - self.used_of_day)

    def _rate(self, now: float, used: int) -> RateHeaders:
        return RateHeaders(
            limit=self.limit,
            remaining=max(0, self.limit - used),
            interval=self.interval,
            daily_limit=self.daily_limit,
            daily_remaining=self._day_left(),
            daily_resets_in=None if self.daily_limit is None else DAY - now,
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
