"""Tokens that a person puts into the connection, or gets by logging in, and those that are stored."""

from __future__ import annotations

import pytest
from simulated_oauth import OAuthServer
from simulated_time import FakeClock
from token_fakes import Store, oauth_of, refreshed, stored

from airflow_provider_ghl.api.oauth import App
from airflow_provider_ghl.exceptions import ConfigurationError, Unauthorized

DAY = 86_399.0


def test_a_pasted_access_token_is_used_until_it_is_refused(server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")
    token = refreshed(server, store, pasted["refresh_token"], pasted["access_token"])
    header = token.header(None)
    assert header == f"Bearer {pasted['access_token']}"
    assert token.renew(None, header)
    assert server.is_good(token.header(None))
    assert token.header(None) != header
    assert len(server.grants()) == 1


def test_a_pasted_access_token_alone_cannot_be_renewed(server: OAuthServer, store: Store) -> None:
    token = refreshed(server, store, None, "Bearer pasted-access")
    assert token.header(None) == "Bearer pasted-access"
    assert not token.renew(None, "Bearer pasted-access")
    assert token.header(None) == "Bearer pasted-access"
    assert server.calls == []


def test_without_any_token_it_says_how_to_get_one(server: OAuthServer, store: Store) -> None:
    with pytest.raises(ConfigurationError, match="run `airflow ghl login`"):
        refreshed(server, store).header(None)


@pytest.mark.parametrize("name", ["refresh", "access"])
def test_what_is_no_token_is_refused_without_being_shown(server: OAuthServer, store: Store, name: str) -> None:
    with pytest.raises(ConfigurationError, match="paste it again") as caught:
        refreshed(server, store, **{name: "two words"})
    assert "two words" not in str(caught.value)


def test_a_freshly_pasted_token_wins(server: OAuthServer, store: Store) -> None:
    old = refreshed(server, store, server.new_pair("loc-1")["refresh_token"]).header(None)
    pasted = server.new_pair("loc-1")["refresh_token"]
    token = refreshed(server, store, pasted)
    assert token.header(None) != old
    spent = {(call.form or {})["refresh_token"] for call in server.grants()}
    assert pasted in spent
    assert refreshed(server, store, pasted).header(None) == token.header(None)  # and is what is stored now


def test_a_process_with_the_old_connection_leaves_the_new_pair_alone(
    clock: FakeClock, server: OAuthServer, store: Store
) -> None:
    old = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    old.header(None)
    new = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    new.header(None)
    text = store.text
    clock.now += DAY - 100.0
    assert server.is_good(old.header(None))  # it goes on with its own
    assert store.text == text
    assert server.refused == 0


def test_another_app_does_not_believe_what_is_stored(server: OAuthServer, store: Store) -> None:
    store.write(stored("a", "r", 2e6, None, None))
    assert refreshed(server, store).header(None) == "Bearer a"
    server.app = App("another-app", "x")
    with pytest.raises(ConfigurationError, match="no token yet"):
        refreshed(server, store).header(None)


def test_logging_in_replaces_what_is_there(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    running = refreshed(server, store, pasted)
    running.header(None)
    oauth = oauth_of(server)
    person = refreshed(server, store, pasted, oauth=oauth)
    pair = oauth.exchange(server.new_code("loc-1"))
    person.adopt(pair)
    assert person.header(None) == pair.header
    assert refreshed(server, store, pasted).header(None) == pair.header
    clock.now += DAY - 200.0
    running.header(None)  # takes the new one up, and refreshes that
    spent = [(call.form or {})["refresh_token"] for call in server.grants()]
    assert spent == [pasted, pair.refresh_token]


def test_logging_in_helps_at_once_after_a_refusal(server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")["refresh_token"]
    server.revoke(pasted)
    oauth = oauth_of(server)
    token = refreshed(server, store, pasted, oauth=oauth)
    with pytest.raises(Unauthorized):
        token.header(None)
    pair = oauth.exchange(server.new_code("loc-1"))
    token.adopt(pair)
    assert token.header(None) == pair.header


def test_logging_in_wins_over_whatever_number_is_stored(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    """Clocks of other machines may be wrong by years."""
    store.write(stored("access", "refresh", clock.now + DAY, None, None, generation=2_000_000_000))
    running = refreshed(server, store)
    running.header(None)
    oauth = oauth_of(server)
    pair = oauth.exchange(server.new_code("loc-1"))
    refreshed(server, store, oauth=oauth).adopt(pair)
    clock.now += DAY - 100.0
    running.header(None)
    assert [(call.form or {})["refresh_token"] for call in server.grants()] == [pair.refresh_token]


def test_logging_in_helps_after_the_stored_pair_was_deleted(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    running = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    for _ in range(3):
        running.header(None)
        clock.now += DAY
    store.text = None
    oauth = oauth_of(server)
    pasted = (server.grants()[0].form or {})["refresh_token"]
    pair = oauth.exchange(server.new_code("loc-1"))
    refreshed(server, store, pasted, oauth=oauth).adopt(pair)
    assert running.header(None) == pair.header


def test_what_a_person_deletes_stays_deleted(server: OAuthServer, store: Store) -> None:
    token = refreshed(server, store, server.new_pair("loc-1")["refresh_token"])
    token.header(None)
    store.text = None
    token.peek()
    assert store.text is None


def test_a_peek_spends_nothing(clock: FakeClock, server: OAuthServer, store: Store) -> None:
    pasted = server.new_pair("loc-1")
    assert refreshed(server, store).peek() is None
    assert refreshed(server, store, pasted["refresh_token"]).peek() is None
    found = refreshed(server, store, pasted["refresh_token"], pasted["access_token"]).peek()
    assert found is not None
    assert found.access_token == pasted["access_token"]
    token = refreshed(server, store, pasted["refresh_token"])
    header = token.header(None)
    found = refreshed(server, store, pasted["refresh_token"]).peek()
    assert found is not None
    assert found.header == header
    clock.now += DAY
    assert refreshed(server, store, pasted["refresh_token"]).peek() is None
    assert len(server.grants()) == 1
