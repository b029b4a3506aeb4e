"""What the tests of ``api`` pass in for time and network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from simulated_time import FakeClock

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import TransportError

TOKEN = "pit-0f0e0d0c-1111-4222-8333-444455556666"
LOCATION = "Xk2v7QpLr9TfBz4NwHd1"
ROOMY = {"x-ratelimit-max": "1000", "x-ratelimit-remaining": "990", "x-ratelimit-interval-milliseconds": "10000"}


class FakeTransport:
    """Says its lines in turn, then the last one for ever. A line: an answer, an error, or what makes one of a call."""

    def __init__(self, *lines: RawAnswer | Exception | Callable[[Call], RawAnswer]) -> None:
        self._lines = list(lines)
        self.calls: list[Call] = []
        self.headers: list[Mapping[str, str]] = []
        self.is_closed = False

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        self.calls.append(call)
        self.headers.append(headers)
        line = self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]
        if isinstance(line, Exception):
            raise line
        return line(call) if callable(line) else line

    def close(self) -> None:
        self.is_closed = True


def answer(data: Any = None, status: int = 200, headers: Mapping[str, str] = ROOMY) -> RawAnswer:
    """JSON with headers that leave room."""
    return status, dict(headers), json.dumps(data).encode()


def refusal(status: int, message: str) -> RawAnswer:
    """A refusal as HighLevel words it."""
    return answer({"statusCode": status, "message": message, "traceId": "trace-1"}, status)


def lost(*, sent: bool = True) -> TransportError:
    """A request to which no answer came."""
    return TransportError("the connection broke (Test)", method="POST", path="/x", sent=sent)


def client_of(transport: FakeTransport, clock: FakeClock | None = None, **options: Any) -> Client:
    """A client in fake time, whose retries wait as long as they may."""
    options.setdefault("retry", Retry(draw=lambda: 1.0))
    options.setdefault("location_id", LOCATION)
    return Client(BearerToken(TOKEN), transport=transport, clock=clock or FakeClock(), **options)


def sent_by(transport: FakeTransport) -> list[tuple[str, str]]:
    """Method and path of each request."""
    return [(call.method, call.path) for call in transport.calls]


def stop_at(clock: FakeClock, moment: float) -> Stop:
    """A stop that is set at a moment."""
    stop = Stop()
    clock.alarms.append((moment, stop.set))
    return stop
