"""``Client.request``: the one blocking loop, in fake time."""

from __future__ import annotations

from typing import Any

import pytest
from api_fakes import LOCATION, ROOMY, TOKEN, FakeTransport, answer, client_of, lost, refusal, stop_at
from simulated_time import FakeClock

from airflow_provider_ghl import __version__
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.api.versions import read_version
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    QuotaExhausted,
    RateLimited,
    RequestRejected,
    ServerError,
    Stopped,
    TransportError,
)

READ = Call("GET", "/x", "/x", LOCATION, repeat_safe=True)
WRITE = Call("POST", "/x", "/x", LOCATION, json={"a": 1})
TIRED = {**ROOMY, "x-ratelimit-max": "10", "x-ratelimit-remaining": "9"}


def test_an_answer_is_returned() -> None:
    client = client_of(FakeTransport(answer({"id": "1"}, 201)))
    result = client.request(READ)
    assert (result.status, result.data, result.unanswered_before) == (201, {"id": "1"}, 0)


def test_failures_are_sent_again_after_growing_waits() -> None:
    clock = FakeClock()
    transport = FakeTransport(refusal(500, "x"), lost(), refusal(503, "x"), answer({}))
    budget = Budget()
    result = client_of(transport, clock).request(READ, budget)
    assert clock.now == pytest.approx(1000.0 + 0.5 + 1.0 + 2.0)
    assert (budget.spent, budget.retries, budget.rate_limited) == (4, 3, 0)
    assert result.unanswered_before == 3


def test_it_gives_up_with_the_last_error() -> None:
    transport = FakeTransport(refusal(502, "x"))
    with pytest.raises(ServerError) as caught:
        client_of(transport).request(READ)
    assert len(transport.calls) == 6
    assert caught.value.unanswered_before == 5


def test_it_gives_up_when_the_time_is_over() -> None:
    clock = FakeClock()
    transport = FakeTransport(lost())
    with pytest.raises(TransportError):
        client_of(transport, clock, retry=Retry(max_failures=100, max_seconds=30.0, draw=lambda: 1.0)).request(READ)
    assert clock.now <= 1000.0 + 30.0 + 20.0


def test_a_write_that_may_have_taken_effect_is_not_sent_again() -> None:
    transport = FakeTransport(lost(), answer({}))
    with pytest.raises(TransportError):
        client_of(transport).request(WRITE)
    assert len(transport.calls) == 1


def test_a_write_that_was_never_sent_is_sent_again() -> None:
    transport = FakeTransport(lost(sent=False), answer({}))
    assert client_of(transport).request(WRITE).unanswered_before == 0
    assert len(transport.calls) == 2


def test_a_refusal_is_not_sent_again() -> None:
    transport = FakeTransport(refusal(400, "no"))
    with pytest.raises(RequestRejected):
        client_of(transport).request(READ)
    assert len(transport.calls) == 1


def test_a_429_waits_for_the_interval_and_goes_on() -> None:
    clock = FakeClock()
    limited = (429, {**TIRED, "x-ratelimit-remaining": "0"}, b'{"statusCode":429,"message":"Too Many Requests"}')
    budget = Budget()
    client_of(FakeTransport(limited, answer({})), clock).request(WRITE, budget)
    assert clock.now == pytest.approx(1010.0)
    assert max(clock.sleeps) <= 0.5
    assert (budget.spent, budget.retries, budget.rate_limited) == (2, 0, 1)


def test_429s_without_end_end() -> None:
    clock = FakeClock()
    limited = (429, TIRED, b"{}")
    with pytest.raises(RateLimited):
        client_of(FakeTransport(limited), clock, retry=Retry(max_limited=3)).request(READ)
    assert clock.now == pytest.approx(1020.0)


def test_the_eleventh_of_ten_waits_for_the_first_slot() -> None:
    clock = FakeClock()
    client = client_of(FakeTransport(answer({}, headers=TIRED)), clock)
    for _ in range(11):
        client.request(READ)
    assert clock.now == pytest.approx(1010.0, abs=0.01)


def test_a_spent_day_is_an_error_that_says_when_it_ends() -> None:
    spent = {**ROOMY, "x-ratelimit-daily-remaining": "0", "x-ratelimit-daily-reset": "60000"}
    transport = FakeTransport((429, spent, b"{}"), answer({}))
    client = client_of(transport)
    for _ in range(2):
        with pytest.raises(QuotaExhausted) as caught:
            client.request(READ)
        assert caught.value.resets_in == pytest.approx(60.0)
    assert len(transport.calls) == 1  # the second was not sent


@pytest.mark.parametrize(
    "line", [(429, TIRED, b"{}"), refusal(500, "x"), lost()], ids=["waits for a slot", "server error", "no answer"]
)
def test_a_stop_ends_every_wait_within_half_a_second(line: Any) -> None:
    clock = FakeClock()
    stop = stop_at(clock, 1000.01)
    transport = FakeTransport(line)
    with pytest.raises(Stopped):
        client_of(transport, clock, stop=stop, retry=Retry(first=60.0, longest=60.0, draw=lambda: 1.0)).request(READ)
    assert clock.now <= 1000.01 + 0.5
    assert len(transport.calls) == 1


def test_every_try_is_charged_and_none_is_sent_without() -> None:
    transport = FakeTransport(refusal(500, "x"))
    budget = Budget(3)
    with pytest.raises(BudgetSpent):
        client_of(transport).request(READ, budget)
    assert (len(transport.calls), budget.spent) == (3, 3)


def test_a_charge_sends_one_request() -> None:
    transport = FakeTransport(answer({}))
    client = client_of(transport)
    charge = Budget().charge()
    client.send_once(READ, charge, 0.0)
    with pytest.raises(RuntimeError):
        client.send_once(READ, charge, 0.0)
    assert len(transport.calls) == 1


def test_the_time_to_connect_is_handed_on() -> None:
    transport = FakeTransport((200, ROOMY, b"{}", 0.2))
    assert client_of(transport).send_once(READ, Budget().charge(), 0.0).connecting == 0.2


@pytest.mark.parametrize(
    ("text", "version"),
    [(None, "2021-07-28"), ("", "2021-07-28"), ("2021-07-28", "2021-07-28"), ("v3", "v3"), ("version-3", "v3"), (" v3 ", "v3")],
)
def test_versions(text: str | None, version: str) -> None:
    assert read_version(text) == version


@pytest.mark.parametrize("text", ["v2", "2023-02-21", "V3 beta"])
def test_an_unknown_version_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="2021-07-28, v3"):
        read_version(text)


@pytest.mark.parametrize(
    ("options", "header", "value"),
    [
        ({}, "Authorization", f"Bearer {TOKEN}"),
        ({}, "Version", "2021-07-28"),
        ({"api_version": "2021-07-28"}, "Version", "2021-07-28"),
        ({"api_version": "v3"}, "Version", "v3"),
        ({"api_version": "version-3"}, "Version", "v3"),
        ({}, "Accept", "application/json"),
        ({}, "User-Agent", f"airflow-provider-ghl/{__version__}"),
    ],
)
def test_options_reach_the_wire(options: dict[str, Any], header: str, value: str) -> None:
    transport = FakeTransport(answer({}))
    client_of(transport, **options).request(READ)
    assert transport.headers[0][header] == value
    assert "Location-Id" not in transport.headers[0]


def test_options_reach_the_limit() -> None:
    headers = {**TIRED, "x-ratelimit-daily-remaining": "5", "x-ratelimit-limit-daily": "100"}
    client = client_of(FakeTransport(answer({}, headers=headers)), quota_share=0.5, daily_reserve=5)
    client.request(READ)
    assert client.limit(LOCATION).capacity == 5
    with pytest.raises(QuotaExhausted, match="5 of them reserved"):
        client.request(READ)


@pytest.mark.parametrize("options", [{"quota_share": 0.0}, {"quota_share": 1.1}, {"daily_reserve": -1}, {"api_version": "v9"}])
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        client_of(FakeTransport(answer({})), **options)


def test_each_location_has_limits_of_its_own() -> None:
    client = client_of(FakeTransport(answer({}, headers=TIRED)))
    client.request(READ)
    assert client.limit(None) is client.limit(LOCATION)
    assert client.limit("another") is not client.limit(LOCATION)
    assert client.limit("another").advertised == 25


def test_the_host_is_the_transports() -> None:
    with pytest.raises(ConfigurationError, match="https"):
        Client(BearerToken(TOKEN), host="http://example.com")


def test_close_closes_the_transport() -> None:
    transport = FakeTransport(answer({}))
    client_of(transport).close()
    assert transport.is_closed


@pytest.mark.parametrize("token", ["", "  ", "Bearer ", None, "two words", "tökén", "line\nbreak"])
def test_what_is_no_token_is_refused_without_being_shown(token: str | None) -> None:
    with pytest.raises(ConfigurationError) as caught:
        BearerToken(token)
    assert not (token or "").strip() or "two words" not in str(caught.value)


def test_a_token_may_be_pasted_with_its_word() -> None:
    assert BearerToken(f" Bearer {TOKEN}\n").header(None) == f"Bearer {TOKEN}"
