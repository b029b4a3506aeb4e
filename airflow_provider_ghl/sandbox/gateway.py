"""What stands before the API: counts against the limits, takes its time, and loses some of the answers."""

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
from airflow_provider_ghl.sandbox.stats import Stats, StatsDict
from airflow_provider_ghl.sandbox.wire import Request

__all__ = ["CountAt", "Gateway", "Latency", "Line"]

CountAt = Literal["arrival", "answer"]
STATS_PATH = "/sandbox/stats"


class Line(Protocol):
    """The connection on which a request came. Exactly one of these ends the request."""

    def answer(self, status: int, headers: Iterable[tuple[str, str]], body: bytes, content_type: str) -> None:
        """Send an answer."""

    def reset(self) -> None:
        """Reset the TCP connection."""

    def hang(self) -> None:
        """Leave it without an answer."""


class Latency:
    """Draws the seconds between a request and its answer: uniform in ``seconds`` x (1 ± ``spread``)."""

    def __init__(self, seconds: float, spread: float, seed: int):
        if seconds < 0 or not 0 <= spread <= 1:
            raise ValueError("latency is at least 0 seconds, its spread a share from 0 to 1")
        self.seconds = seconds
        self.spread = spread
        self._random = random.Random(seed)

    def draw(self) -> float:
        """The next latency."""
        return self.seconds * self._random.uniform(1 - self.spread, 1 + self.spread) if self.seconds else 0.0


@dataclass(slots=True)
class Gateway:
    """Runs in the server's thread. ``clock`` and ``later`` (call back after so many seconds) are passed in."""

    app: App
    limits: Limits
    faults: Faults
    latency: Latency
    count_at: CountAt
    clock: Callable[[], float]
    stats: Stats

    def arrive(self, request: Request, line: Line, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Take in a request; ``line`` gets its answer, at once or later."""
        exchange = Exchange(request)
        if exchange.path == STATS_PATH:
            line.answer(200, (), json.dumps(self.account()).encode(), JSON)
            return
        self.stats.came(exchange.label)
        rate = self._admit(exchange) if self.count_at == "arrival" else None
        delay = self.latency.draw()
        if delay:
            later(delay, lambda: self._finish(exchange, rate, line))
        else:
            self._finish(exchange, rate, line)

    def account(self) -> StatsDict:
        """What came and was answered so far."""
        return self.stats.as_dict(self.app.state.count_all())

    def _admit(self, exchange: Exchange) -> Rate:
        return self.limits.admit(self.app.location_of(exchange), self.clock())

    def _finish(self, exchange: Exchange, rate: Rate | None, line: Line) -> None:
        rate = rate or self._admit(exchange)
        if not rate.admitted:
            self._send(reply("day_spent" if rate.day_spent else "too_many_requests"), rate, line)
            return
        request = exchange.request
        fault = self.faults.draw(request.method, request.target, request.body)
        if fault is None:
            self._send(self._carry_out(exchange), rate, line)
        else:
            self._strike(fault, exchange, rate, line)

    def _carry_out(self, exchange: Exchange) -> Reply:
        answer = self.app.answer(exchange)
        if answer.name == "relation_created":
            self.stats.wrote(self.clock())
        elif answer.name == "refresh_token_invalid":
            self.stats.refused_refresh()
        return answer

    def _strike(self, fault: Fault, exchange: Exchange, rate: Rate, line: Line) -> None:
        self.stats.struck(fault.kind)
        answer = self._carry_out(exchange) if fault.takes_effect else None
        if fault.kind in _UNANSWERED:
            self.stats.not_answered()
            _UNANSWERED[fault.kind](line)
        elif answer is not None and fault.kind == "truncated_json":
            self._send(replace(answer, body=answer.body[: len(answer.body) // 2]), rate, line)
        else:
            self._send(reply(_ANSWERED[fault.kind]), rate, line)

    def _send(self, answer: Reply, rate: Rate, line: Line) -> None:
        self.stats.answered(answer.status)
        line.answer(answer.status, (rate.headers() | answer.headers).items(), answer.body, answer.content_type)


_UNANSWERED: dict[FaultKind, Callable[[Line], None]] = {
    "reset_before": lambda line: line.reset(),
    "reset_after": lambda line: line.reset(),
    "hang": lambda line: line.hang(),
}
_ANSWERED: dict[FaultKind, str] = {
    "error_before": "server_error",
    "error_after": "server_error",
    "html_502": "bad_gateway",
    "timeout_401": "gateway_timeout_401",
}
