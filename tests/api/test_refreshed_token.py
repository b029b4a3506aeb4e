"""When a token is refreshed, from what, and what is kept: one process after another."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from api_fakes import FakeTransport, answer
from simulated_oauth import APP, OAuthServer, lost
from simulated_time import FakeClock
from token_fakes import Store, oauth_of, refreshed

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.oauth import App, OAuth, token_client
from airflow_provider_ghl.api.refreshed_token import RefreshedToken
from airflow_provider_ghl.api.token_store import MemoryStore, TokenStore
from airflow_provider_ghl.exceptions import GHLError, TransportError, Unauthorized

DAY = 86_399.0


@pytest.mark.parametrize("version", ["2021-07-28", "v3"])
def test_the_first_header_spends_the_pasted_refresh_token(server: OAuthServer, store: Store, version: str) -> None:
    pasted = server.new_pair("loc-1")
    token = refreshed(server, store, pasted["refresh_token"], oauth=oauth_of(server, version))
    header = token.header(None)
    assert server.is_good(header)
    assert header == token.header("any") == token.header(None)
    assert len(server.grants()) == 1
    kept = store.read()
    assert kept is not None
    assert (kept.pair.header, kept.fingerprint, kept.pair.location_id) == (header, token.fingerprint, "loc-1")


def test_the_new_pair_is_kept_before_it_is_used(server: OAuthServer, store: Store) -> None:
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    store.fails_to = {"write"}
    with pytest.raises(GHLError, match="cannot be written"):
        token.header(None)
    store.fails_to = set()
    assert server.is_good(token.header(None))
    assert len(server.grants()) == 1  # what HighLevel had given was not asked for again
    assert store.writes == 1


def test_a_store_that_cannot_be_read_spends_nothing(server: OAuthServer, store: Store) -> None:
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    store.fails_to = {"read"}
    with pytest.raises(GHLError, match="cannot be read"):
        token.header(None)
    assert server.calls == []


def test_the_next_process_spends_nothing(server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    first = refreshed(server, store, pasted).header(None)
    assert refreshed(server, store, pasted).header(None) == first
    assert len(server.grants()) == 1


@pytest.mark.parametrize(("lifetime", "early"), [(DAY, 300.0), (600.0, 60.0), (5.0, 0.5)])
def test_it_is_refreshed_shortly_before_its_end(clock: FakeClock, lifetime: float, early: float) -> None:
    server, store = OAuthServer(clock, lifetime=lifetime), Store()
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    header = token.header(None)
    clock.now += lifetime - early - 0.1
    assert token.header(None) == header
    clock.now += 0.2
    assert token.header(None) != header
    assert len(server.grants()) == 2
    assert server.refused == 0


def test_where_another_process_has_refreshed_nothing_is_spent(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    mine, other = refreshed(server, store, pasted), refreshed(server, store, pasted)
    assert mine.header(None) == other.header(None)
    clock.now += DAY - 100.0
    header = other.header(None)
    clock.now += 50.0
    assert mine.header(None) == header
    assert len(server.grants()) == 2


def test_a_401_takes_what_another_process_has_stored(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    mine, other = refreshed(server, store, pasted), refreshed(server, store, pasted)
    header = mine.header(None)
    assert other.header(None) == header
    server.expire(header.removeprefix("Bearer "))
    assert other.renew(None, header)
    assert mine.renew(None, header)
    assert mine.header(None) == other.header(None) != header
    assert len(server.grants()) == 2


def test_a_late_401_renews_nothing(server: OAuthServer, store: Store) -> None:
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    header = token.header(None)
    assert token.renew(None, header)
    assert token.renew(None, header)  # of a request that was sent before
    assert len(server.grants()) == 2


def test_a_lost_answer_is_asked_for_again(server: OAuthServer, store: Store) -> None:
    answers: list[Callable[[Call], None]] = [lost, lost]
    server.leaving = lambda call: answers.pop()(call) if answers else None
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    assert server.is_good(token.header(None))
    assert (len(server.grants()), server.refused) == (3, 0)


def test_a_dead_refresh_token_says_what_to_do_and_is_tried_once(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    server.revoke(pasted)
    token = refreshed(server, store, pasted)
    for _ in range(3):
        with pytest.raises(Unauthorized) as caught:
            token.header(None)
        assert caught.value.kind == "token"
        assert "run `airflow ghl login` for the connection, or paste a fresh refresh_token into it" in caught.value.explain()
        assert pasted not in f"{caught.value} {caught.value.explain()} {caught.value!r} {vars(caught.value)}"
    assert server.refused == 1
    assert max(clock.sleeps) <= 0.5
    assert clock.now <= 1_000_000.0 + 3.0


def test_a_refusal_is_asked_about_again_after_a_while(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    """What HighLevel did not like may have been put right there."""
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    server.app, app = App(APP.client_id, "another"), server.app
    with pytest.raises(Unauthorized, match="client_secret"):
        token.header(None)
    server.app = app
    with pytest.raises(Unauthorized, match="client_secret"):
        token.header(None)
    clock.now += 60.0
    assert server.is_good(token.header(None))
    assert len(server.grants()) == 2


def test_a_refused_refresh_token_is_no_end_where_the_store_gets_another(
    clock: FakeClock, server: OAuthServer, store: Store
) -> None:
    """The other process was faster, and slow to store: its write comes a second after the refusal."""
    pasted = server.new_pair("loc-1")["refresh_token"]
    others = Store()
    other = refreshed(server, others, pasted)
    header = other.header(None)
    clock.now += 60.0

    def write() -> None:
        store.text = others.text

    clock.alarms.append((clock.now + 1.0, write))
    assert refreshed(server, store, pasted).header(None) == header
    assert server.refused == 1


def test_who_comes_late_gets_the_same_pair_and_goes_on_from_it(clock: FakeClock) -> None:
    """Within 30 s of a refresh, though the access token that it gave is over: the pair after it is got."""
    server = OAuthServer(clock, lifetime=5.0)
    pasted = server.new_pair("loc-1")["refresh_token"]
    refreshed(server, Store(), pasted).header(None)
    clock.now += 20.0
    assert server.is_good(refreshed(server, Store(), pasted).header(None))
    assert server.refused == 0


def test_an_outage_just_before_the_end_is_bridged_by_the_present_token(
    clock: FakeClock, server: OAuthServer, store: Store
) -> None:
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    header = token.header(None)
    clock.now += DAY - 250.0
    server.arriving = lost
    assert token.header(None) == header
    asked = len(server.calls)
    began = clock.now
    assert token.header(None) == header
    assert (len(server.calls), clock.now) == (asked, began)  # not with each request
    clock.now += 250.0
    with pytest.raises(TransportError):
        token.header(None)
    server.arriving = lambda call: None
    clock.now += 30.0
    assert token.header(None) != header


def test_a_slow_process_does_not_put_an_older_pair_into_the_store(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    slow, fast = refreshed(server, store, pasted), refreshed(server, store, pasted)

    def meanwhile(call: Call) -> None:
        server.leaving = lambda call: None
        header = fast.header(None)
        assert fast.renew(None, header)

    server.leaving = meanwhile
    header = slow.header(None)
    assert header == fast.header(None)
    newest = store.read()
    assert newest is not None
    assert (newest.generation, newest.pair.header) == (2, header)


def test_an_older_pair_in_the_store_is_not_gone_back_to(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    """Two may write at the same moment."""
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    header = token.header(None)
    older = store.text
    assert token.renew(None, header)
    store.text = older
    clock.now += DAY - 100.0
    assert server.is_good(token.header(None))
    assert server.refused == 0
    newest = store.read()
    assert newest is not None
    assert newest.generation == 3


def test_an_answer_without_a_refresh_token_leaves_the_old_one(clock: FakeClock, store: Store) -> None:
    transport = FakeTransport(answer({"access_token": "a-1"}), answer({"access_token": "a-2"}))
    oauth = OAuth(token_client(transport=transport, clock=clock), APP, "2021-07-28")
    token = RefreshedToken(oauth, store, pasted_refresh_token="r-0")
    assert token.header(None) == "Bearer a-1"
    clock.now += DAY
    assert token.header(None) == "Bearer a-2"
    assert [(call.form or {})["refresh_token"] for call in transport.calls] == ["r-0", "r-0"]


def test_a_store_in_memory_is_enough_for_one_process(clock: FakeClock, server: OAuthServer) -> None:
    memory: TokenStore = MemoryStore()
    token = refreshed(server, memory, server.new_pair("loc-1")["refresh_token"])
    for _ in range(3):
        assert server.is_good(token.header(None))
        clock.now += DAY
    assert (len(server.grants()), server.refused) == (3, 0)


@pytest.mark.parametrize("user_type", ["Company", "Location", None])
def test_the_kind_of_user_reaches_the_wire(server: OAuthServer, store: Store, user_type: str | None) -> None:
    refreshed(server, store, server.new_pair()["refresh_token"], user_type=user_type).header(None)
    assert (server.grants()[0].form or {}).get("user_type") == user_type
