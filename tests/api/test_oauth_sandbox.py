"""OAuth against the sandbox, over sockets: both forms, agencies, and many that share one refresh token."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from token_fakes import Store

from airflow_provider_ghl.api.agency_tokens import AgencyTokens
from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.authorization import Authorization, BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.oauth import App, OAuth, token_client
from airflow_provider_ghl.api.refreshed_token import RefreshedToken
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.exceptions import GHLError, Unauthorized
from airflow_provider_ghl.sandbox import Sandbox

VERSIONS = ("2021-07-28", "v3")


class Agency:
    """An agency in a sandbox with an app, and what a connection to it is made of."""

    def __init__(self, sandbox: Sandbox, version: str) -> None:
        self.sandbox = sandbox
        self.version = version
        self.company = sandbox.add_company()
        self.app = sandbox.add_app()
        self.store = Store()
        self.clients: list[Client] = []

    def location(self, *, is_installed: bool = True, company: str | None = None) -> str:
        location_id = self.sandbox.state.add_location(company_id=company or self.company)
        if is_installed:
            self.sandbox.install(self.app, location_id)
        return location_id

    def oauth(self) -> OAuth:
        client = token_client(self.sandbox.url, api_version=self.version)
        self.clients.append(client)
        return OAuth(client, App(self.app.client_id, self.app.client_secret), self.version)

    def refreshed(self, refresh_token: str | None = None, store: Store | None = None) -> RefreshedToken:
        return RefreshedToken(self.oauth(), store or self.store, pasted_refresh_token=refresh_token)

    def tokens(self) -> AgencyTokens:
        refresh_token = self.sandbox.issue(self.app, company_id=self.company)["refresh_token"]
        return AgencyTokens(self.refreshed(refresh_token), self.oauth(), self.company)

    def client(self, authorization: Authorization) -> Client:
        client = Client(authorization, host=self.sandbox.url, api_version=self.version, retry=Retry(first=0.0))
        self.clients.append(client)
        return client


@pytest.fixture(params=VERSIONS)
def agency(request: pytest.FixtureRequest) -> Iterator[Agency]:
    with Sandbox(seed=7, limit=None, daily_limit=None) as sandbox:
        made = Agency(sandbox, request.param)
        yield made
        for client in made.clients:
            client.close()


def list_associations(client: Client, location_id: str) -> object:
    return Associations(client, location_id).first_page()


def test_a_code_becomes_a_pair_that_lasts(agency: Agency) -> None:
    location_id = agency.location()
    pair = agency.oauth().exchange(agency.sandbox.authorize(agency.app, location_id=location_id))
    assert (pair.user_type, pair.location_id, pair.lifetime) == ("Location", location_id, 86_399)
    token = agency.refreshed()
    token.adopt(pair)
    client = agency.client(agency.refreshed())
    list_associations(client, location_id)
    agency.sandbox.expire(pair.access_token)
    list_associations(client, location_id)
    kept = agency.store.read()
    assert kept is not None
    assert kept.pair.refresh_token != pair.refresh_token


def test_an_agency_reaches_its_locations(agency: Agency) -> None:
    locations = [agency.location() for _ in range(3)]
    client = agency.client(agency.tokens())
    for location_id in locations * 2:
        list_associations(client, location_id)
    assert agency.sandbox.stats()["by_route"]["POST /oauth/token"] == 1
    mint = "POST /oauth/location-token" if agency.version == "v3" else "POST /oauth/locationToken"
    assert agency.sandbox.stats()["by_route"][mint] == 3


def test_locations_are_listed(agency: Agency) -> None:
    with_app = {agency.location() for _ in range(230)}
    for _ in range(30):
        agency.location(is_installed=False)
    agency.location(company=agency.sandbox.add_company())
    found = agency.tokens().list_locations()
    assert len(found) == 230
    assert {location["location_id"] for location in found} == with_app


def refusal_of(use: Callable[[], object]) -> Unauthorized:
    with pytest.raises(Unauthorized) as caught:
        use()
    return caught.value


def test_locations_that_are_not_the_agencys_say_why(agency: Agency) -> None:
    other = agency.sandbox.add_company()
    good = agency.location()
    client = agency.client(agency.tokens())
    moved = agency.location()
    list_associations(client, moved)
    agency.sandbox.move_location(moved, other)
    wrong = [agency.location(is_installed=False), agency.location(company=other), "Zz9NoSuchLocation00x", moved]
    for location_id in wrong:
        error = refusal_of(partial(list_associations, client, location_id))
        assert error.kind == "location"
        assert location_id in error.explain()
        assert "that the app is installed in it" in error.explain()
    list_associations(client, good)


def test_a_token_of_one_location_is_no_agencys(agency: Agency) -> None:
    oauth = agency.oauth()
    for token in (agency.sandbox.add_token(), agency.sandbox.issue(agency.app, location_id=agency.location())["access_token"]):
        tokens = AgencyTokens(BearerToken(token), oauth, agency.company)
        for use in (partial(tokens.header, "x"), tokens.list_locations):
            assert "only an agency's OAuth token" in refusal_of(use).explain()


def test_an_agency_token_does_not_reach_a_locations_data(agency: Agency) -> None:
    token = agency.sandbox.issue(agency.app, company_id=agency.company)["access_token"]
    error = refusal_of(lambda: list_associations(agency.client(BearerToken(token)), agency.location()))
    assert error.kind == "route"


def test_nothing_is_told(agency: Agency, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    location_id = agency.location()
    pair = agency.sandbox.issue(agency.app, location_id=location_id)
    token = agency.refreshed(pair["refresh_token"])
    client = agency.client(token)
    list_associations(client, location_id)
    secrets = [pair["access_token"], pair["refresh_token"], agency.app.client_secret, token.header(None)[7:]]
    agency.sandbox.uninstall(agency.app, location_id)
    said = []
    uses: list[Callable[[], object]] = [
        partial(list_associations, client, location_id),
        partial(Relations(client, location_id).delete, "r1"),
        partial(agency.oauth().exchange, secrets[1]),
        partial(OAuth(agency.oauth().client, App(agency.app.client_id, secrets[0]), agency.version).refresh, secrets[1]),
    ]
    for use in uses:
        try:
            use()
        except GHLError as error:
            said += [
                *traceback.format_exception(error),
                repr(vars(error)),
                error.explain() if hasattr(error, "explain") else "",
            ]
    text = "".join(said)
    assert text.count("run `airflow ghl login`") >= 1
    for secret in secrets:
        assert secret not in text
        assert secret not in caplog.text


@pytest.mark.parametrize("version", VERSIONS)
def test_processes_that_share_a_refresh_token_are_never_refused(version: str) -> None:
    """Each with a session and a memory of its own, for some lifetimes of the token; the store is shared."""
    with Sandbox(seed=7, limit=None, daily_limit=None, token_lifetime=1.0) as sandbox:
        agency = Agency(sandbox, version)
        location_id = agency.location()
        pasted = sandbox.issue(agency.app, location_id=location_id)["refresh_token"]

        def live(_: int) -> int:
            client, sent = agency.client(agency.refreshed(pasted)), 0
            while (stored := agency.store.read()) is None or stored.generation < 4:
                list_associations(client, location_id)
                sent += 1
            return sent

        with ThreadPoolExecutor(8) as pool:
            sent = list(pool.map(live, range(8)))
        for client in agency.clients:
            client.close()
        stats = sandbox.stats()
    assert min(sent) > 0
    assert stats["refused_refreshes"] == 0


def test_two_hundred_locations_at_once(agency: Agency) -> None:
    locations = [agency.location() for _ in range(200)]
    client = agency.client(agency.tokens())
    with ThreadPoolExecutor(100) as pool:
        list(pool.map(partial(list_associations, client), locations * 3))
    by_route = agency.sandbox.stats()["by_route"]
    assert by_route["POST /oauth/token"] == 1
    assert sum(count for route, count in by_route.items() if "ocation" in route and "oauth" in route) == 200
