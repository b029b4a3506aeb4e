"""Agencies: who owns which location, where an app is installed, and what an agency's token gets."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import Talker

from airflow_provider_ghl.sandbox import Application, Sandbox, State
from airflow_provider_ghl.sandbox.agencies import DEFAULT_COMPANY
from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency, sub_account
from airflow_provider_ghl.sandbox.oauth import OAUTH_SCOPES
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


class Agency:
    """An agency with an app in some of its locations."""

    def __init__(self, sandbox: Sandbox, locations: int = 3, **options: Any):
        self.sandbox = sandbox
        self.app: Application = sandbox.add_app(**options)
        self.id = sandbox.add_company()
        self.locations = [sandbox.state.add_location(company_id=self.id) for _ in range(locations)]
        for location_id in self.locations[:-1]:
            sandbox.install(self.app, location_id)
        self.token: str = sandbox.issue(self.app, company_id=self.id)["access_token"]

    def talk(self, token: str = "", version: str = "2021-07-28") -> Talker:
        return Talker(self.sandbox, token=token or self.token, version=version)

    def list(self, version: str = "2021-07-28", **changes: Any) -> Any:
        path = "/oauth/installed-locations" if version == "v3" else "/oauth/installedLocations"
        params = {"companyId": self.id, "appId": self.app.app_id, **changes}
        with self.talk(version=version) as talker:
            answer = talker.send("GET", path, params={name: value for name, value in params.items() if value is not None})
            return answer.json() | {"status": answer.status_code}


@pytest.fixture
def agency(ghl_sandbox: Sandbox) -> Agency:
    return Agency(ghl_sandbox)


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def status_and_message(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["message"]


@pytest.mark.parametrize(
    ("version", "path", "name"),
    [("2021-07-28", "/oauth/locationToken", "access_token"), ("v3", "/oauth/location-token", "accessToken")],
)
def test_a_minted_token_is_of_its_location_only(agency: Agency, version: str, path: str, name: str) -> None:
    first, second, _ = agency.locations
    with agency.talk(version=version) as talker:
        answer = talker.mint(agency.id, first, path)
        body = answer.json()
    assert (answer.status_code, body["locationId"], body["userType"]) == (201, first, "Location")
    assert set(body["scope"].split()) == ALL_SCOPES | OAUTH_SCOPES
    with agency.talk(body[name], version) as talker:
        assert talker.get("/associations/", locationId=first).status_code == 200
        refused = talker.get("/associations/", locationId=second)
        assert status_and_message(refused) == (403, "The token does not have access to this location.")


def test_a_minted_token_has_the_scopes_of_agencies_beside_those_of_the_app(ghl_sandbox: Sandbox) -> None:
    agency = Agency(ghl_sandbox, scopes={"associations.readonly", "oauth.write"})
    with agency.talk() as talker:
        scope = talker.mint(agency.id, agency.locations[0]).json()["scope"]
    assert scope == "associations.readonly oauth.readonly oauth.write"


def test_a_minted_pair_can_be_refreshed(agency: Agency) -> None:
    with agency.talk() as talker:
        minted = talker.mint(agency.id, agency.locations[0]).json()
        renewed = talker.refresh(agency.app, minted["refresh_token"]).json()
    assert (renewed["locationId"], renewed["companyId"]) == (agency.locations[0], agency.id)


def test_why_a_token_is_not_minted(agency: Agency) -> None:
    sandbox = agency.sandbox
    with agency.talk() as talker:
        for location_id, refused in (
            (agency.locations[-1], (403, "The app is not installed on this location")),
            (sandbox.location_id, (403, "The token does not have access to this location.")),
            ("nowhere", (400, "Location not found")),
        ):
            assert status_and_message(talker.mint(agency.id, location_id)) == refused
        other = talker.mint(sandbox.add_company(), agency.locations[0])
        assert status_and_message(other) == (403, "The token does not have access to this company.")
        empty = talker.mint(agency.id, "")
        assert (empty.status_code, empty.json()["message"]) == (422, ["locationId should not be empty"])


def test_an_agencys_token_is_no_sub_accounts_token_and_the_other_way_round(agency: Agency) -> None:
    sandbox, here = agency.sandbox, agency.locations[0]
    not_allowed = "This authClass type is not allowed to access this scope."
    with agency.talk() as talker:
        status, message = status_and_message(talker.get("/associations/", locationId=here))
        assert (status, message.startswith(not_allowed)) == (401, True)
    with agency.talk(sandbox.issue(agency.app, location_id=here)["access_token"]) as talker:
        status, message = status_and_message(talker.mint(agency.id, here))
        assert (status, message.startswith(not_allowed)) == (401, True)
    with agency.talk(sandbox.add_token(location_id=here)) as talker:
        assert status_and_message(talker.mint(agency.id, here)) == (403, "Forbidden resource")
    with agency.talk(sandbox.token) as talker:
        assert status_and_message(talker.mint(agency.id, here)) == (401, "The token is not authorized for this scope.")
    with agency.talk("wrong") as talker:
        assert status_and_message(talker.mint(agency.id, here)) == (401, "Invalid token: access token is invalid")


@pytest.mark.parametrize("scope", sorted(OAUTH_SCOPES))
def test_agencys_endpoints_need_their_scopes(ghl_sandbox: Sandbox, scope: str) -> None:
    agency = Agency(ghl_sandbox, scopes=ALL_SCOPES | (OAUTH_SCOPES - {scope}))
    with agency.talk() as talker:
        minted = talker.mint(agency.id, agency.locations[0]).status_code
    assert (minted, agency.list()["status"]) == ((201, 401) if scope == "oauth.readonly" else (401, 200))


def test_each_endpoint_is_of_its_version(agency: Agency) -> None:
    with agency.talk(version="v3") as talker:
        for method, path in (("POST", "/oauth/locationToken"), ("GET", "/oauth/installedLocations?x=1")):
            answer = talker.send(method, path)
            assert answer.status_code == 400
            assert answer.json()["message"].startswith(f"Endpoint {path} not available in API version v3.")
    with agency.talk() as talker:
        for method, path in (("POST", "/oauth/location-token"), ("GET", "/oauth/installed-locations")):
            assert status_and_message(talker.send(method, path)) == (404, f"Cannot {method} {path}")


def test_locations_are_listed_with_where_the_app_is(agency: Agency) -> None:
    listed = agency.list()
    assert [(item["_id"], item["isInstalled"]) for item in listed["locations"]] == [
        (location_id, location_id != agency.locations[-1]) for location_id in agency.locations
    ]
    assert [item["_id"] for item in agency.list(isInstalled="true")["locations"]] == agency.locations[:-1]
    assert [item["_id"] for item in agency.list(isInstalled="false")["locations"]] == agency.locations[-1:]
    assert agency.list(isInstalled="true")["count"] == 3, "all of the agency's"
    assert [item["_id"] for item in agency.list(locationId=agency.locations[1])["locations"]] == agency.locations[1:2]


def test_the_list_has_pages(ghl_sandbox: Sandbox) -> None:
    agency = Agency(ghl_sandbox, locations=131)
    assert len(agency.list()["locations"]) == 20
    assert len(agency.list(limit="500")["locations"]) == 100
    pages = [agency.list(isInstalled="true", skip=str(skip), limit="50")["locations"] for skip in (0, 50, 100, 150)]
    assert [len(page) for page in pages] == [50, 50, 30, 0]
    assert [item["_id"] for page in pages for item in page] == agency.locations[:-1]
    assert agency.list(skip="-1")["message"] == ["skip must be a number string"]


def test_the_list_of_the_third_version_has_tokens_for_its_pages(ghl_sandbox: Sandbox) -> None:
    agency = Agency(ghl_sandbox, locations=131)
    found: list[str] = []
    token: str | None = None
    sizes = []
    while True:
        page = agency.list("v3", isInstalled="true", pageSize="60", pageToken=token)
        found += [item["_id"] for item in page["items"]]
        sizes.append(page["pagination"]["currentPageSize"])
        token = page["pagination"]["nextPageToken"]
        assert page["pagination"]["hasNextPage"] == (token is not None)
        assert page["pagination"]["hasPrevPage"] == (len(sizes) > 1)
        assert page["pagination"]["totalRecords"] == 130
        if token is None:
            break
    assert (found, sizes) == (agency.locations[:-1], [60, 60, 10])
    assert len(agency.list("v3")["items"]) == 20


@pytest.mark.parametrize(
    "wrong",
    [
        {"pageSize": "0"},
        {"pageSize": "101"},
        {"pageSize": "x"},
        {"pageToken": "%"},
        {"pageToken": "e"},
        {"pageToken": encoded("{}")},
        {"pageToken": encoded("[]")},
        {"pageToken": encoded('{"skip":-1}')},
        {"pageToken": encoded('{"skip":"1"}')},
    ],
)
def test_pages_that_are_none(agency: Agency, wrong: dict[str, str]) -> None:
    answer = agency.list("v3", **wrong)
    assert (answer["status"], answer["error"]["code"]) == (400, "INVALID_ARGUMENT")


@pytest.mark.parametrize("version", ["2021-07-28", "v3"])
def test_lists_that_are_refused(agency: Agency, version: str) -> None:
    assert agency.list(version, companyId=None)["message"] == ["companyId should not be empty"]
    assert agency.list(version, appId=None)["message"] == ["appId should not be empty"]
    assert agency.list(version, companyId="other")["status"] == 403
    answer = agency.list(version, appId="other")
    if version == "v3":
        assert (answer["status"], answer["error"]["message"]) == (404, "The requested App 'other' was not found.")
    else:
        assert (answer["status"], answer["message"]) == (400, "App not found")


@pytest.mark.parametrize("ghl_sandbox", [{"limit": 2, "interval": 60.0}], indirect=True)
def test_an_agencys_requests_count_against_the_agency(agency: Agency) -> None:
    location_id = agency.locations[0]
    with agency.talk() as talker:
        tokens = [talker.mint(agency.id, location_id).json()["access_token"] for _ in range(2)]
        assert talker.mint(agency.id, location_id).status_code == 429
        agency.sandbox.set_limit(3, agency.id)
        assert talker.mint(agency.id, location_id).status_code == 201
    assert agency.list(locationId=location_id)["status"] == 429
    with agency.talk(tokens[0]) as talker:
        statuses = [talker.get("/associations/", locationId=location_id).status_code for _ in range(3)]
    assert statuses == [200, 200, 429], "the location has a window of its own"


def test_uninstalling_ends_the_apps_tokens_there_and_nothing_else(agency: Agency) -> None:
    sandbox, (first, second, _) = agency.sandbox, agency.locations
    private = sandbox.add_token(location_id=first)
    with agency.talk() as talker:
        gone, stays = (talker.mint(agency.id, location_id).json() for location_id in (first, second))
        other = sandbox.issue(sandbox.add_app(), location_id=first)["access_token"]
        sandbox.uninstall(agency.app, first)
        assert talker.mint(agency.id, first).json()["message"] == "The app is not installed on this location"
        assert talker.refresh(agency.app, gone["refresh_token"]).status_code == 400
    for token, location_id, status in (
        (gone["access_token"], first, 401),
        (stays["access_token"], second, 200),
        (private, first, 200),
        (other, first, 200),
    ):
        with agency.talk(token) as talker:
            assert talker.get("/associations/", locationId=location_id).status_code == status


def test_a_location_that_moved_is_another_agencys(agency: Agency) -> None:
    sandbox, moved = agency.sandbox, agency.locations[0]
    private = sandbox.add_token(location_id=moved)
    with agency.talk() as talker:
        minted = talker.mint(agency.id, moved).json()
        sandbox.move_location(moved, sandbox.add_company("other"))
        refused = talker.mint(agency.id, moved)
        assert status_and_message(refused) == (403, "The token does not have access to this location.")
    assert [item["_id"] for item in agency.list()["locations"]] == agency.locations[1:]
    for token, status in ((minted["access_token"], 401), (private, 200)):
        with agency.talk(token) as talker:
            assert talker.get("/associations/", locationId=moved).status_code == status
    assert not sandbox.state.agencies.is_installed(agency.app.app_id, moved)
    assert sandbox.state.agencies.locations("other") == [moved]
    sandbox.install(agency.app, moved)
    with agency.talk() as talker:
        assert talker.refresh(agency.app, minted["refresh_token"]).status_code == 400, "of the agency that had it"
        assert talker.mint(agency.id, moved).status_code == 403


def test_what_there_is_not_is_said(ghl_sandbox: Sandbox) -> None:
    app = ghl_sandbox.add_app()
    nowhere: tuple[Callable[[], object], ...] = (
        lambda: ghl_sandbox.install(app, "nowhere"),
        lambda: ghl_sandbox.move_location("nowhere", DEFAULT_COMPANY),
        lambda: ghl_sandbox.issue(app, location_id="nowhere"),
    )
    nobody: tuple[Callable[[], object], ...] = (
        lambda: ghl_sandbox.state.add_location(company_id="nobody"),
        lambda: ghl_sandbox.move_location(ghl_sandbox.location_id, "nobody"),
        lambda: ghl_sandbox.authorize(app, company_id="nobody"),
    )
    for wrong in nowhere:
        with pytest.raises(ValueError, match="no location 'nowhere'"):
            wrong()
    for wrong in nobody:
        with pytest.raises(ValueError, match="no company 'nobody'"):
            wrong()
    with pytest.raises(ValueError, match="either a company or a location"):
        ghl_sandbox.issue(app)


def test_a_state_file_remembers_agencies(tmp_path: Path) -> None:
    path = tmp_path / "state"
    with Sandbox(state_path=path) as sandbox:
        agency = Agency(sandbox)
        sandbox.uninstall(agency.app, agency.locations[1])
        sandbox.move_location(agency.locations[2], DEFAULT_COMPANY)
        sandbox.install(agency.app, agency.locations[0])
        secrets = (agency.app.client_secret, agency.token)
    assert not any(secret in path.read_text() for secret in secrets)
    state = State(path)
    assert state.agencies.companies() == [DEFAULT_COMPANY, agency.id]
    assert state.agencies.locations(agency.id) == agency.locations[:2]
    assert state.agencies.owner(agency.locations[2]) == DEFAULT_COMPANY
    assert [state.agencies.is_installed(agency.app.app_id, location_id) for location_id in agency.locations] == [
        True,
        False,
        False,
    ]
    state.close()


def test_a_state_file_from_before_there_were_agencies_is_read(tmp_path: Path) -> None:
    path = tmp_path / "state"
    path.write_text('{"ghl_sandbox":1}\n["location","here"]\n')
    state = State(path)
    assert (state.location_id, state.agencies.owner("here")) == ("here", DEFAULT_COMPANY)
    state.close()


def test_the_connection_is_one_that_airflow_reads(agency: Agency) -> None:
    connection = json.loads(agency.sandbox.connection_json_for_agency(agency.app, agency.id))
    extra = connection.pop("extra")
    assert connection == {"conn_type": "ghl", "host": agency.sandbox.url}
    with agency.talk() as talker:
        renewed = talker.refresh(agency.app, extra.pop("refresh_token")).json()
    assert (renewed["userType"], renewed["companyId"]) == ("Company", agency.id)
    assert extra == {
        "client_id": agency.app.client_id,
        "client_secret": agency.app.client_secret,
        "company_id": agency.id,
    }


def test_the_fixed_agencys_tokens_outlive_a_restart(tmp_path: Path) -> None:
    said = []
    refresh_token = ""
    for _ in range(2):
        with Sandbox(state_path=tmp_path / "state", refresh_grace=0.0) as sandbox:
            agency = FixedAgency.of(sandbox, 2)
            connection = json.loads(agency.connection_json)
            said.append(connection["extra"])
            refresh_token = refresh_token or connection["extra"]["refresh_token"]
            with Talker(sandbox, token=None) as talker:
                for _ in range(3):
                    answer = talker.refresh(agency.app, refresh_token)
                    assert answer.status_code == 200
                    spent, refresh_token = refresh_token, answer.json()["refresh_token"]
                assert talker.refresh(agency.app, spent).status_code == 400
                assert talker.refresh(agency.app, "another-1").status_code == 400
            assert sandbox.state.agencies.locations(AGENCY) == [sub_account(1), sub_account(2)]
            sandbox.uninstall(agency.app, sub_account(2))
            assert sandbox.state.agencies.is_installed(agency.app.app_id, sub_account(1))
    assert said[0] == said[1]
    with Sandbox(state_path=tmp_path / "state") as sandbox:
        agency = FixedAgency.of(sandbox, 2)
        assert not sandbox.state.agencies.is_installed(agency.app.app_id, sub_account(2)), "as it was left"
    assert {len(AGENCY), len(sub_account(1)), len(sub_account(9999))} == {20}
