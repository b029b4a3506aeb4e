"""Requests whose token must be got or renewed first: what the client, the retry policy and the limits make of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from api_fakes import FakeTransport, answer, refusal
from simulated_oauth import OAuthServer, lost
from simulated_time import FakeClock
from token_fakes import Store, agency, client_with, refreshed

from airflow_provider_ghl.api.authorization import BearerToken, NoToken
from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import LONGEST_ANSWER, Exchange
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.retry import Retry, Tries
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    GHLError,
    QuotaExhausted,
    RateLimited,
    ServerError,
    Stopped,
    TransportError,
    Unauthorized,
)

WRITE = Call("POST", "/x", "/x", "loc-1", json={"a": 1})
EXPIRED = "Invalid token: access token is invalid"


class Told:
    """An authorisation that does as it is told."""

    def __init__(self, *renewals: bool | GHLError, before: Callable[[], None] = lambda: None) -> None:
        self.renewals = list(renewals)
        self.asked: list[tuple[str | None, str]] = []
        self.before = before
        self.number = 0

    def header(self, location_id: str | None) -> str:
        self.before()
        return f"Bearer token-{self.number}"

    def renew(self, location_id: str | None, header: str) -> bool:
        self.asked.append((location_id, header))
        told = self.renewals.pop(0)
        if isinstance(told, GHLError):
            raise told
        self.number += told
        return told


def exchange_with(authorization: Any, *lines: Any, clock: FakeClock | None = None, **options: Any) -> Exchange:
    client = client_with(authorization, FakeTransport(*lines), clock or FakeClock(), **options)
    return client.send_once(WRITE, Budget().charge(), client.clock.monotonic())


def test_an_expired_token_is_renewed_and_the_request_sent_once_more() -> None:
    clock = FakeClock(1_000_000.0)
    server = OAuthServer(clock)
    client = client_with(refreshed(server, Store(), server.new_pair("loc-1")["refresh_token"]), server, clock)
    client.request(WRITE)
    server.expire(server.calls[-1][1]["Authorization"].removeprefix("Bearer "))
    budget = Budget()
    result = client.request(WRITE, budget)
    assert (result.status, result.unanswered_before) == (200, 0)
    assert (budget.spent, budget.retries) == (2, 1)
    assert [call.path for call, _ in server.calls] == ["/oauth/token", "/x", "/x", "/oauth/token", "/x"]


def test_a_minted_token_too() -> None:
    clock = FakeClock(1_000_000.0)
    server = OAuthServer(clock)
    client = client_with(agency(server), server, clock)
    client.request(WRITE)
    server.expire(server.calls[-1][1]["Authorization"].removeprefix("Bearer "))
    assert client.request(WRITE).status == 200
    assert server.minted == ["loc-1", "loc-1"]


def test_it_is_sent_once_more_and_not_for_ever() -> None:
    transport = FakeTransport(refusal(401, EXPIRED))
    told = Told(True, True, True)
    with pytest.raises(Unauthorized):
        client_with(told, transport, FakeClock()).request(WRITE)
    assert [headers["Authorization"] for headers in transport.headers] == ["Bearer token-0", "Bearer token-1"]
    assert told.asked == [("loc-1", "Bearer token-0"), ("loc-1", "Bearer token-1")]


def test_a_token_that_was_good_in_between_may_be_renewed_again() -> None:
    """Where tokens last for seconds and a location is busy."""
    limited = refusal(429, "Too Many Requests")
    transport = FakeTransport(refusal(401, EXPIRED), limited, refusal(401, EXPIRED), answer({}))
    assert client_with(Told(True, True), transport, FakeClock()).request(WRITE).status == 200


def test_a_token_that_cannot_be_renewed_is_refused() -> None:
    exchange = exchange_with(Told(False), refusal(401, EXPIRED))
    assert isinstance(exchange.result, Unauthorized)
    assert not exchange.result.is_renewed
    assert Retry().decide(exchange.result, Tries(0.0), 0.0, repeat_safe=True) is None


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "The token is not authorized for this scope."),
        (401, "This route is not yet supported by the IAM Service. Please update your IAM config."),
        (403, "The token does not have access to this location."),
        (403, "Forbidden resource"),
        (401, "E01 - Unauthorized request"),
        (401, "Command timed out"),
        (400, "no"),
    ],
)
def test_nothing_else_renews(status: int, message: str) -> None:
    told = Told(True)
    exchange_with(told, refusal(status, message))
    assert told.asked == []


def test_a_call_with_a_header_of_its_own_renews_nothing() -> None:
    told = Told(True)
    transport = FakeTransport(refusal(401, EXPIRED))
    client = client_with(told, transport, FakeClock())
    with pytest.raises(Unauthorized):
        client.request(Call("GET", "/x", "/x", authorization="Bearer its-own"))
    assert (told.asked, transport.headers[0]["Authorization"]) == ([], "Bearer its-own")


def test_why_a_token_was_not_renewed_takes_the_place_of_the_401() -> None:
    refused = Unauthorized("run `airflow ghl login`", status=400)
    assert exchange_with(Told(refused), refusal(401, EXPIRED)).result is refused


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


PASSING = [
    TransportError("the connection broke (Test)", method="POST", path="/oauth/token", sent=True),
    ServerError("Bad Gateway", method="POST", path="/oauth/token", status=502),
    RateLimited("Too Many Requests", method="POST", path="/oauth/token", status=429),
    GHLError("Airflow's Variable could not be read"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("when", ["before", "after a 401"])
def test_what_may_pass_leaves_no_doubt_about_the_request(error: GHLError, when: str) -> None:
    """A write that was not sent, or refused for its token, may be sent again, whatever its kind."""
    told = Told(before=failing(error)) if when == "before" else Told(error)
    clock = FakeClock()
    client = client_with(told, FakeTransport(refusal(401, EXPIRED)), clock)
    exchange = client.send_once(WRITE, Budget().charge(), clock.now)
    result = exchange.result
    assert isinstance(result, TransportError)
    assert (result.sent, result.method, result.path) == (False, "POST", "/x")
    assert str(error) in str(result)
    assert Retry().decide(result, Tries(0.0, failed=1), 0.0, repeat_safe=False) is not None


@pytest.mark.parametrize(
    "error",
    [
        Unauthorized("x"),
        ConfigurationError("the connection has no token yet"),
        QuotaExhausted("the agency's day"),
        Stopped("x"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_does_not_pass_is_the_requests_end(error: GHLError) -> None:
    assert exchange_with(Told(before=failing(error)), answer({})).result is error


def test_a_429_at_the_token_endpoint_is_not_the_locations() -> None:
    clock = FakeClock()
    server = OAuthServer(clock)
    token = refreshed(server, Store(), server.new_pair("loc-1")["refresh_token"])
    client = client_with(token, server, clock)
    client.request(WRITE)
    clock.now += 86_399.0
    limited: list[RawAnswer] = [refusal(429, "Too Many Requests")] * 3
    plain = server.send

    def send(call: Call, headers: Mapping[str, str]) -> RawAnswer:
        return limited.pop() if call.path == "/oauth/token" and limited else plain(call, headers)

    server.send = send  # type: ignore[method-assign]  # a server that is busy for a while
    budget = Budget()
    client.request(WRITE, budget)
    assert (budget.spent, budget.rate_limited, limited) == (1, 0, [])
    assert client.reserve(WRITE, clock.now) == 0.0


def test_the_time_to_get_a_token_is_no_latency() -> None:
    clock = FakeClock()
    exchange = exchange_with(Told(before=lambda: clock.sleep(3.0)), (200, {}, b"{}", 0.25), clock=clock)
    assert (exchange.connecting, exchange.answered_at - exchange.sent_at) == (3.25, 3.0)


def test_the_time_to_renew_one_is_none_either() -> None:
    clock = FakeClock()
    told = Told(True)
    plain = told.renew

    def renew(location_id: str | None, header: str) -> bool:
        clock.sleep(2.0)
        return plain(location_id, header)

    told.renew = renew  # type: ignore[method-assign]  # as long as a refresh takes
    assert exchange_with(told, refusal(401, EXPIRED), clock=clock).connecting == 2.0


def test_what_was_given_up_meanwhile_is_not_sent() -> None:
    clock = FakeClock()
    transport = FakeTransport(answer({}))
    client = client_with(Told(before=lambda: clock.sleep(LONGEST_ANSWER)), transport, clock)
    result = client.send_once(WRITE, Budget().charge(), clock.now).result
    assert isinstance(result, TransportError)
    assert (result.sent, transport.calls) == (False, [])


def test_a_stop_while_a_token_is_got_sends_nothing() -> None:
    clock, stop = FakeClock(), Stop()
    transport = FakeTransport(answer({}))

    def get() -> None:
        clock.sleep(1.0)
        stop.set()

    client = client_with(Told(before=get), transport, clock, stop=stop)
    assert isinstance(client.send_once(WRITE, Budget().charge(), clock.now).result, Stopped)
    assert transport.calls == []


def test_no_token_is_no_header() -> None:
    transport = FakeTransport(answer({}))
    client_with(NoToken(), transport, FakeClock()).request(WRITE)
    assert "Authorization" not in transport.headers[0]
    assert not NoToken().renew(None, "")
    assert not BearerToken("x").renew(None, "Bearer x")


@pytest.mark.parametrize("where", ["start", "cut"])
@pytest.mark.parametrize("version", ["2021-07-28", "v3"])
def test_a_message_that_repeats_secrets_is_shown_without_them(where: str, version: str) -> None:
    """Where it is cut, no part of a secret stays."""
    secrets = {
        "client_secret": "s" * 40,
        "clientSecret": "t" * 40,
        "refresh_token": "r" * 40,
        "refreshToken": "q" * 40,
        "code": "c" * 40,
    }
    filling = "x" * 180 if where == "cut" else ""
    for secret in (*secrets.values(), "a" * 40):
        transport = FakeTransport(refusal(400, f"{filling} {secret} is wrong"))
        client = client_with(NoToken(), transport, FakeClock(), api_version=version)
        call = Call("POST", "/oauth/token", "/oauth/token", form=secrets, authorization="Bearer " + "a" * 40)
        with pytest.raises(GHLError) as caught:
            client.request(call)
        assert secret[:5] not in f"{caught.value} {caught.value!r} {vars(caught.value)} {call!r}"
        assert "***" in str(caught.value)


def test_a_lost_connection_to_the_token_endpoint_is_tried_again_with_the_request() -> None:
    clock = FakeClock()
    server = OAuthServer(clock)
    token = refreshed(server, Store(), server.new_pair("loc-1")["refresh_token"])
    client = client_with(token, server, clock)
    server.arriving = lost

    def repair() -> None:
        server.arriving = lambda call: None

    # Within all tries of one renewal, however short the pauses are that are drawn between them.
    clock.alarms.append((clock.now + 8.0, repair))
    assert client.request(WRITE).status == 200
    assert clock.now >= 1008.0
