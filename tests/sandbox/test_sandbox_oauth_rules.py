"""The rules of tokens, where time is a number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.sandbox import Refused, State
from airflow_provider_ghl.sandbox.agencies import DEFAULT_COMPANY
from airflow_provider_ghl.sandbox.grants import Grant, Grants
from airflow_provider_ghl.sandbox.oauth import OAUTH_SCOPES, OAuth, Pair

LIFETIME, GRACE = 100.0, 30.0


class Server:
    """The rules with a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.state = State(location_id="here")
        self.grants = Grants(lambda: self.now)
        self.oauth = OAuth(self.state.agencies, self.grants, LIFETIME, GRACE)
        self.app = self.oauth.add_app(None, None, OAUTH_SCOPES)

    def issue(self, location_id: str | None = "here") -> Pair:
        company_id = DEFAULT_COMPANY if location_id is None else None
        return self.oauth.issue(self.oauth.holder(self.app, company_id, location_id))

    def refresh(self, refresh_token: str) -> Pair | None:
        try:
            return self.oauth.refresh(self.app.client_id, self.app.client_secret, refresh_token)
        except Refused as refused:
            if refused.name != "refresh_token_invalid":
                raise
            return None


@given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from([0.0, 1.0, 29.0, 30.0, 31.0, 99.0, 101.0])), max_size=30))
def test_a_refresh_token_has_one_successor_and_only_for_the_grace(steps: list[tuple[int, float]]) -> None:
    server = Server()
    pairs = [server.issue()]
    first_used: dict[str, tuple[float, Pair]] = {}
    for back, seconds in steps:
        server.now += seconds
        asked = pairs[-1 - back % len(pairs)].refresh_token
        answered = server.refresh(asked)
        used = first_used.get(asked)
        if used is None:
            assert answered is not None
            assert answered.ends == server.now + LIFETIME
            first_used[asked] = server.now, answered
            pairs.append(answered)
        else:
            assert answered == (used[1] if server.now - used[0] <= GRACE else None)
        for pair in pairs:
            assert (server.grants.find(pair.access_token) is not None) == (server.now < pair.ends)
    assert len({pair.refresh_token for pair in pairs}) == len({pair.access_token for pair in pairs}) == len(pairs)


def test_what_is_left_of_a_token_is_said_in_whole_seconds_where_it_can_be() -> None:
    server = Server()
    pair = server.issue()
    assert (server.oauth.expires_in(pair), type(server.oauth.expires_in(pair))) == (100, int)
    server.now = 99.75
    assert server.oauth.expires_in(pair) == 0.25
    server.now = 200.0
    assert server.oauth.expires_in(pair) == 0


def test_whom_a_token_is_of() -> None:
    server = Server()
    company, location = (server.grants.find(server.issue(location_id).access_token) for location_id in (None, "here"))
    client_id = server.app.client_id
    assert company == Grant(OAUTH_SCOPES, None, DEFAULT_COMPANY, client_id, LIFETIME)
    assert location == Grant(OAUTH_SCOPES, "here", None, client_id, LIFETIME)


def test_a_private_token_has_no_end_and_keeps_its_place_when_its_scopes_change() -> None:
    server = Server()
    server.grants.put("pit", Grant(frozenset(), "here"))
    server.now = 1e12
    server.grants.set_scopes("pit", OAUTH_SCOPES)
    assert server.grants.find("pit") == Grant(OAUTH_SCOPES, "here")
    with pytest.raises(KeyError):
        server.grants.set_scopes("unknown", OAUTH_SCOPES)


def test_a_kept_chain_takes_any_token_of_it_once() -> None:
    server = Server()
    holder = server.oauth.holder(server.app, DEFAULT_COMPANY, None)
    assert server.oauth.keep(holder, "kept") == "kept-0"
    seventh = server.refresh("kept-7")
    assert seventh is not None
    assert seventh.refresh_token == "kept-8"
    server.now = GRACE + 1
    assert server.refresh("kept-7") is None
    assert server.refresh("kept-8") is not None
    assert [server.refresh(wrong) for wrong in ("kept-x", "kept", "other-1", "-1", "")] == [None] * 5
    server.oauth.revoke("kept-0")
    assert server.refresh("kept-1") is None


def test_no_secret_is_in_a_repr() -> None:
    server = Server()
    pair = server.issue()
    shown = f"{pair!r} {server.app!r}"
    assert not any(secret in shown for secret in (pair.access_token, pair.refresh_token, server.app.client_secret))


def test_a_minted_token_needs_the_agency_that_owns_the_location_now() -> None:
    server = Server()
    agency = server.grants.find(server.issue(None).access_token)
    assert agency is not None
    server.oauth.holder(server.app, None, "here")
    assert server.oauth.mint(agency, DEFAULT_COMPANY, "here").holder.location_id == "here"
    other = server.state.agencies.add_company()
    server.state.agencies.move("here", other)
    for company_id, location_id, name in (
        (DEFAULT_COMPANY, "here", "location_of_another_agency"),
        (other, "here", "wrong_company"),
        (DEFAULT_COMPANY, "nowhere", "location_not_found"),
    ):
        with pytest.raises(Refused) as raised:
            server.oauth.mint(agency, company_id, location_id)
        assert raised.value.name == name
