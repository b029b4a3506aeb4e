"""Many threads and one token: one of them refreshes it, the others wait, until they are told to stop."""

from __future__ import annotations

import threading

import pytest
from simulated_oauth import OAuthServer, lost
from simulated_time import FakeClock
from token_fakes import BusyClock, Store, oauth_of, refreshed
from waits import TOO_LONG

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import GHLError, Stopped, TransportError, Unauthorized

DAY = 86_399.0


def test_a_stop_ends_the_waits_but_not_what_was_sent(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    stop = Stop()
    pasted = server.new_pair("loc-1")["refresh_token"]
    token = refreshed(server, store, pasted, oauth=oauth_of(server, stop=stop))
    server.arriving = lambda call: stop.set()
    assert server.is_good(token.header(None))
    assert store.writes == 1
    clock.now += DAY
    with pytest.raises(Stopped):
        token.header(None)
    assert len(server.grants()) == 1


def test_who_finds_the_token_renewed_when_its_turn_comes_renews_nothing(server: OAuthServer, store: Store) -> None:
    clock = BusyClock(1_000_000.0)
    server.clock = clock
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    token.header(None)
    clock.now += DAY - 100.0
    clock.meanwhile = lambda: token.header(None)  # between the look at the time and the turn
    assert server.is_good(token.header(None))
    assert len(server.grants()) == 2


def test_hundreds_of_threads_share_one_refresh(server: OAuthServer, store: Store) -> None:
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    gate, headers = threading.Barrier(201), []
    held = threading.Event()

    def arriving(call: Call) -> None:
        held.wait(TOO_LONG)

    def use() -> None:
        gate.wait()
        headers.append(token.header(None))

    server.arriving = arriving
    threads = [threading.Thread(target=use) for _ in range(200)]
    for thread in threads:
        thread.start()
    gate.wait()
    held.set()
    for thread in threads:
        thread.join(TOO_LONG)
    assert (len(headers), len(set(headers)), len(server.grants())) == (200, 1, 1)


@pytest.mark.parametrize("fault", ["refused", "lost"])
def test_hundreds_of_threads_share_one_failure(clock: FakeClock, server: OAuthServer, store: Store, fault: str) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    token = refreshed(server, store, pasted)
    if fault == "refused":
        server.revoke(pasted)
    errors: list[GHLError] = []
    held, waiting = threading.Event(), threading.Semaphore(0)

    def arriving(call: Call) -> None:
        held.wait(TOO_LONG)
        if fault == "lost":
            lost(call)

    def use() -> None:
        waiting.release()
        try:
            token.header(None)
        except GHLError as error:
            errors.append(error)

    server.arriving = arriving
    threads = [threading.Thread(target=use) for _ in range(50)]
    for thread in threads:
        thread.start()
    for _ in threads:
        waiting.acquire()
    held.set()
    for thread in threads:
        thread.join(TOO_LONG)
    kind = Unauthorized if fault == "refused" else TransportError
    assert [type(error) for error in errors] == [kind] * 50
    assert len({id(error) for error in errors}) == 50  # none is shared: each thread writes its own story into it
    if fault == "refused":
        assert len(server.grants()) == 1


def test_a_stop_ends_the_wait_for_another_threads_refresh(server: OAuthServer, store: Store) -> None:
    stop, held, has_come = Stop(), threading.Event(), threading.Event()
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"], oauth=oauth_of(server, stop=stop))
    errors: list[BaseException] = []

    def arriving(call: Call) -> None:
        has_come.set()
        held.wait(TOO_LONG)

    def use() -> None:
        try:
            token.header(None)
        except Stopped as error:
            errors.append(error)

    server.arriving = arriving
    leader = threading.Thread(target=use)
    leader.start()
    has_come.wait(TOO_LONG)
    others = [threading.Thread(target=use) for _ in range(5)]
    for thread in others:
        thread.start()
    stop.set()
    for thread in others:
        thread.join(TOO_LONG)
    ended = [thread.is_alive() for thread in others]
    held.set()
    leader.join(TOO_LONG)
    assert ended == [False] * 5
    assert len(errors) == 5
    assert store.writes == 1
