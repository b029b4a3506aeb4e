"""``Client.request`` when something happens that nobody asked for."""

from __future__ import annotations

import threading

import pytest
from api_fakes import LOCATION, TOKEN, FakeTransport, answer, client_of, refusal
from simulated_time import FakeClock
from waits import TOO_LONG

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, RequestRejected, Stopped, TransportError

READ = Call("GET", "/x", "/x", LOCATION, repeat_safe=True)
WRITE = Call("POST", "/x", "/x", LOCATION, json={"a": 1})


def test_a_stop_is_heard_while_an_answer_is_waited_for() -> None:
    stop, end = Stop(), threading.Event()

    def hang(call: Call) -> RawAnswer:
        stop.set()
        end.wait(TOO_LONG)
        return answer({})

    try:
        with pytest.raises(Stopped, match="before HighLevel answered"):
            client_of(FakeTransport(hang), FakeClock(), stop=stop).request(READ)
    finally:
        end.set()


def test_nothing_is_sent_when_told_to_stop_before() -> None:
    stop, transport = Stop(), FakeTransport(answer({}))
    stop.set()
    with pytest.raises(Stopped):
        client_of(transport, FakeClock(), stop=stop).request(READ)
    assert transport.calls == []


def test_an_unforeseen_error_is_that_requests_and_frees_its_slot() -> None:
    transport = FakeTransport(ZeroDivisionError("somebody's data"), answer({"id": "1"}))
    client = client_of(transport, FakeClock())
    with pytest.raises(GHLError, match="unforeseen ZeroDivisionError") as caught:
        client.request(READ)
    assert "data" not in str(caught.value)
    assert client.request(READ).data == {"id": "1"}


def test_a_text_that_cannot_be_sent_is_a_mistake_of_the_caller() -> None:
    client = Client(BearerToken(TOKEN), location_id=LOCATION, host="http://127.0.0.1:9", clock=FakeClock())
    with pytest.raises(ConfigurationError, match="no text that can be sent"):
        client.request(Call("GET", "/contacts/", "/contacts/", LOCATION, {"query": "\ud83d"}))


def test_a_token_that_highlevel_repeats_is_taken_out() -> None:
    client = client_of(FakeTransport(refusal(400, f"token {TOKEN} is bad")), FakeClock())
    with pytest.raises(RequestRejected) as caught:
        client.request(READ)
    assert TOKEN not in str(caught.value) + repr(caught.value.args)
    assert caught.value.message == "token *** is bad"


def test_an_answer_that_never_ends_is_given_up() -> None:
    clock, end = FakeClock(), threading.Event()

    def drip(call: Call) -> RawAnswer:
        clock.now += 1000.0
        end.wait(TOO_LONG)
        return answer({})

    try:
        with pytest.raises(TransportError, match="no whole answer within 90 s"):
            client_of(FakeTransport(drip), clock).request(WRITE)
    finally:
        end.set()


def test_a_stop_may_be_set_for_a_moment_to_come() -> None:
    clock = FakeClock()
    stop = Stop(clock)
    stop.set_at(1010.0)
    assert not stop.is_set
    clock.now = 1010.0
    assert stop.is_set
