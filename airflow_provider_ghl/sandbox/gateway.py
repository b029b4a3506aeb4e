"""What stands between the network and the API: limits, latency, faults, and the counting of requests."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from airflow_provider_ghl.sandbox.answers import JSON, Reply, reply
from airflow_provider_ghl.sandbox.app import App
from airflow_provider_ghl.sandbox.exchange import Exchange
from airflow_provider_ghl.sandbox.faults import Fault, FaultKind, Faults
from airflow_provider_ghl.sandbox.limits import Limits, Rate
from airflow_provider_ghl.sandbox.searches import Searches
from airflow_provider_ghl.sandbox.stats import Stats, StatsDict
from airflow_provider_ghl.sandbox.wire import Request

__all__ = ["Connection", "CountAt", "Gateway", "Latency"]

CountAt = Literal["arrival", "answer"]
STATS_PATH = "/sandbox/stats"


class Connection(Protocol):
    """The connection that a request came on. A request ends with exactly one of these."""

    def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, content_type: str) -> None:
        """Send an answer."""

    def reset(self) -> None:
        """Reset the TCP connection."""

    def hang(self) -> None:
        """Never answer."""


class Latency:
    """The time from a request to its answer: uniformly distributed in ``seconds`` × (1 ± ``spread``)."""

    def __init__(self, seconds: float, spread: float, seed: int):
        if seconds < 0 or not 0 <= spread <= 1:
            raise ValueError("latency is at least 0 seconds, its spread a share from 0 to 1")
        self.seconds = seconds
        self.spread = spread
        self._random = random.Random(seed)

    def draw(self) -> float:
        """Seconds for the next request."""
        return self.seconds * self._random.uniform(1 - self.spread, 1 + self.spread) if self.seconds else 0.0


@dataclass(slots=True)
class Gateway:
    """Runs in the server's thread.

    :param clock: seconds of a monotonic clock.
    """

    app: App
    limits: Limits
    faults: Faults
    latency: Latency
    count_at: CountAt
    clock: Callable[[], float]
    stats: Stats
    searches: Searches

    def handle(self, request: Request, connection: Connection, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Handle a request; ``connection`` gets its answer, at once or later.

        :param later: calls a function after so many seconds.
        """
        exchange = Exchange(request)
        if exchange.path == STATS_PATH:
            connection.answer(200, (), json.dumps(self.statistics()).encode(), JSON)
            return
        self.stats.count_request(exchange.label)
        rate = self._admit(exchange) if self.count_at == "arrival" else None
        delay = self.latency.draw() + (self.searches.latency if exchange.is_search else 0.0)
        if delay:
            later(delay, lambda: self._finish(exchange, rate, connection))
        else:
            self._finish(exchange, rate, connection)

    def statistics(self) -> StatsDict:
        """Requests and answers so far."""
        return self.stats.as_dict(self.app.state.count_all())

    def _admit(self, exchange: Exchange) -> Rate:
        return self.limits.admit(self.app.limited_id(exchange), self.clock())

    def _finish(self, exchange: Exchange, rate: Rate | None, connection: Connection) -> None:
        rate = rate or self._admit(exchange)
        if not rate.admitted:
            self._send(reply("day_spent" if rate.day_spent else "too_many_requests"), rate, connection)
            return
        request = exchange.request
        fault = self.faults.draw(request.method, request.target, request.body)
        if fault is None:
            self._send(self._execute(exchange), rate, connection)
        else:
            self._strike(fault, exchange, rate, connection)

    def _execute(self, exchange: Exchange) -> Reply:
        answer = self.app.answer(exchange)
        if answer.name == "relation_created":
            self.stats.count_write(self.clock())
        elif answer.name == "refresh_token_invalid":
            self.stats.count_refused_refresh()
        return answer

    def _strike(self, fault: Fault, exchange: Exchange, rate: Rate, connection: Connection) -> None:
        self.stats.count_fault(fault.kind)
        answer = self._execute(exchange) if fault.takes_effect else None
        if fault.kind in _UNANSWERED:
            self.stats.count_unanswered()
            _UNANSWERED[fault.kind](connection)
        elif answer is not None and fault.kind == "truncated_json":
            self._send(replace(answer, body=answer.body[: len(answer.body) // 2]), rate, connection)
        else:
            self._send(reply(_ANSWERED[fault.kind]), rate, connection)

    def _send(self, answer: Reply, rate: Rate, connection: Connection) -> None:
        self.stats.count_answer(answer.status)
        connection.answer(answer.status, (rate.headers() | answer.headers).items(), answer.body, answer.content_type)


_UNANSWERED: dict[FaultKind, Callable[[Connection], None]] = {
    "reset_before": lambda connection: connection.reset(),
    "reset_after": lambda connection: connection.reset(),
    "hang": lambda connection: connection.hang(),
}
_ANSWERED: dict[FaultKind, str] = {
    "error_before": "server_error",
    "error_after": "server_error",
    "html_502": "bad_gateway",
    "timeout_401": "gateway_timeout_401",
}
