"""Locations' tokens that are minted with an agency's."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from api_fakes import FakeTransport, answer, refusal
from simulated_oauth import APP, COMPANY, OAuthServer, lost
from simulated_time import FakeClock
from token_fakes import BusyClock, Store, agency

from airflow_provider_ghl.api.agency_tokens import AgencyTokens
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.oauth import OAuth, token_client
from airflow_provider_ghl.exceptions import ConfigurationError, TransportError, Unauthorized

DAY = 86_399.0


@pytest.mark.parametrize("version", ["2021-07-28", "v3"])
def test_each_location_has_a_token_of_its_own(server: OAuthServer, version: str) -> None:
    tokens = agency(server, version=version)
    headers = [tokens.header(location_id) for location_id in ("loc-1", "loc-2", "loc-1")]
    assert headers[0] == headers[2] != headers[1]
    assert all(map(server.is_good, headers))
    assert server.minted == ["loc-1", "loc-2"]
    assert len(server.grants()) == 1


@pytest.mark.parametrize("location_id", [None, ""])
def test_an_agency_must_be_told_the_location(server: OAuthServer, location_id: str | None) -> None:
    tokens = agency(server)
    with pytest.raises(ConfigurationError, match="give location_id"):
        tokens.header(location_id)
    assert not tokens.renew(location_id, "Bearer x")
    assert server.calls == []


def test_a_minted_token_is_replaced_shortly_before_its_end(clock: FakeClock, server: OAuthServer) -> None:
    tokens = agency(server)
    header = tokens.header("loc-1")
    clock.now += DAY - 301.0
    assert tokens.header("loc-1") == header
    clock.now += 2.0
    assert tokens.header("loc-1") != header
    assert server.minted == ["loc-1", "loc-1"]


def test_a_refused_token_is_replaced_once_for_all(server: OAuthServer) -> None:
    tokens = agency(server)
    header = tokens.header("loc-1")
    assert tokens.renew("loc-1", header)
    assert tokens.renew("loc-1", header)
    assert tokens.header("loc-1") != header
    assert server.minted == ["loc-1", "loc-1"]


def test_an_expired_agency_token_is_refreshed_on_the_way(server: OAuthServer) -> None:
    tokens = agency(server)
    tokens.header("loc-1")
    company = server.calls[-1][1]["Authorization"]
    server.expire(company.removeprefix("Bearer "))
    assert server.is_good(tokens.header("loc-2"))
    assert len(server.grants()) == 2
    assert server.calls[-1][1]["Authorization"] != company


def test_a_location_without_the_app_is_refused_in_plain_words_and_once(clock: FakeClock, server: OAuthServer) -> None:
    tokens = agency(server)
    for _ in range(3):
        with pytest.raises(Unauthorized) as caught:
            tokens.header("loc-9")
        assert caught.value.kind == "location"
        assert caught.value.explain() == (
            "HighLevel gives no token for the location loc-9: check that it belongs to the agency, that the app is installed "
            "in it, and its id (403: The app is not installed on this location)"
        )
    assert len([call for call, _ in server.calls if call.location_id == COMPANY]) == 1
    assert server.is_good(tokens.header("loc-1"))
    server.installed.add("loc-9")
    clock.now += 60.0
    assert server.is_good(tokens.header("loc-9"))


def test_a_401_for_one_location_does_not_pass_for_the_agencys(server: OAuthServer) -> None:
    """Nobody knows what HighLevel answers for a foreign location: a 401 with a new token is about the location."""
    transport = FakeTransport(refusal(401, "Unauthorized"))
    company = FakeCompany()
    tokens = AgencyTokens(company, oauth_of_transport(transport), COMPANY)
    with pytest.raises(Unauthorized, match="no token for the location loc-7") as caught:
        tokens.header("loc-7")
    assert caught.value.kind == "location"
    assert (company.renewed, len(transport.calls)) == (1, 2)


def test_an_agency_token_that_cannot_be_refreshed_says_so() -> None:
    tokens = AgencyTokens(
        BearerToken("agency"),
        oauth_of_transport(FakeTransport(refusal(401, "Invalid token: access token is invalid"))),
        COMPANY,
    )
    with pytest.raises(Unauthorized, match="does not accept the agency's token: it has expired or was revoked") as caught:
        tokens.header("loc-1")
    assert caught.value.kind == "token"
    assert "client_secret" in caught.value.explain()


def test_a_dead_refresh_token_of_the_agency_is_the_agencys_problem(server: OAuthServer) -> None:
    tokens = agency(server)
    tokens.header("loc-1")
    company = server.calls[-1][1]["Authorization"].removeprefix("Bearer ")
    server.expire(company)
    server.revoke(company.replace("access", "refresh"))
    with pytest.raises(Unauthorized, match="run `airflow ghl login`") as caught:
        tokens.header("loc-2")
    assert caught.value.kind == "token"
    assert server.is_good(tokens.header("loc-1"))  # minted before: it lasts


def test_an_outage_of_the_mint_passes(clock: FakeClock, server: OAuthServer) -> None:
    tokens = agency(server)
    tokens.header("loc-1")
    server.arriving = lost
    with pytest.raises(TransportError):
        tokens.header("loc-2")
    server.arriving = lambda call: None
    clock.now += 30.0
    assert server.is_good(tokens.header("loc-2"))


def test_the_agencys_calls_count_under_its_own_limit(server: OAuthServer) -> None:
    tokens = agency(server)
    tokens.header("loc-1")
    assert [call.location_id for call, _ in server.calls] == ["/oauth/token", COMPANY]


def test_the_list_is_the_agencys(server: OAuthServer) -> None:
    page = {"locations": [{"_id": "loc-1", "name": "x"}], "count": 1}
    transport = FakeTransport(refusal(401, "Invalid token"), answer(page), answer({"locations": []}))
    company = FakeCompany()
    tokens = AgencyTokens(company, oauth_of_transport(transport), COMPANY)
    assert tokens.list_locations() == [{"_id": "loc-1", "name": "x", "location_id": "loc-1"}]
    assert [headers["Authorization"] for headers in transport.headers] == ["Bearer c-0", "Bearer c-1", "Bearer c-1"]


def test_one_mint_at_a_time_for_each_location(server: OAuthServer) -> None:
    server.installed = {f"loc-{number}" for number in range(20)}
    tokens = agency(server)
    under_way: dict[str, int] = {}
    most: list[int] = []
    lock = threading.Lock()

    def count(call: Call, by: int) -> None:
        location_id = (call.form or {}).get("locationId", "")
        with lock:
            under_way[location_id] = under_way.get(location_id, 0) + by
            most.append(under_way[location_id])

    server.arriving = lambda call: count(call, 1)
    server.leaving = lambda call: count(call, -1)
    asked = [f"loc-{number % 20}" for number in range(400)]
    with ThreadPoolExecutor(200) as pool:
        headers = list(pool.map(tokens.header, asked))
    assert len(set(headers)) == 20
    assert sorted(server.minted) == sorted(server.installed)
    assert max(most) == 1


def test_who_finds_the_token_minted_when_its_turn_comes_mints_nothing(server: OAuthServer) -> None:
    clock = BusyClock(1_000_000.0)
    server.clock = clock
    tokens = agency(server)
    tokens.header("loc-1")
    clock.now += DAY - 100.0
    clock.meanwhile = lambda: tokens.header("loc-1")  # between the look at the time and the turn
    assert server.is_good(tokens.header("loc-1"))
    assert server.minted == ["loc-1", "loc-1"]


def test_nothing_shows_a_token(server: OAuthServer) -> None:
    tokens = agency(server, Store())
    header = tokens.header("loc-1")
    assert header.removeprefix("Bearer ") not in repr(tokens)


class FakeCompany:
    """An agency's token; each renewal gives the next."""

    def __init__(self) -> None:
        self.renewed = 0

    def header(self, location_id: str | None) -> str:
        return f"Bearer c-{self.renewed}"

    def renew(self, location_id: str | None, header: str) -> bool:
        self.renewed += 1
        return True


def oauth_of_transport(transport: FakeTransport) -> OAuth:
    return OAuth(token_client(transport=transport, clock=FakeClock()), APP, "2021-07-28")
