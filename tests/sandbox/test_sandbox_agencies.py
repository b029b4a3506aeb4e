"""Agencies: who owns which location, where an app is installed, and what an agency's token gets."""

from __future__ import annotations

import base64

import pytest
from sandbox_agency import Agency, status_and_message

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.oauth import OAUTH_SCOPES
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("version", "path", "name"),
    [("2021-07-28", "/oauth/locationToken", "access_token"), ("v3", "/oauth/location-token", "accessToken")],
)
def test_a_minted_token_is_of_its_location_only(agency: Agency, version: str, path: str, name: str) -> None:
    first, second, _ = agency.locations
    with agency.talk(version=version) as client:
        answer = client.mint(agency.id, first, path)
        body = answer.json()
    assert (answer.status_code, body["locationId"], body["userType"]) == (201, first, "Location")
    assert set(body["scope"].split()) == ALL_SCOPES | OAUTH_SCOPES
    with agency.talk(body[name], version) as client:
        assert client.get("/associations/", locationId=first).status_code == 200
        refused = client.get("/associations/", locationId=second)
        assert status_and_message(refused) == (403, "The token does not have access to this location.")


def test_a_minted_token_has_the_scopes_of_agencies_beside_those_of_the_app(ghl_sandbox: Sandbox) -> None:
    agency = Agency(ghl_sandbox, scopes={"associations.readonly", "oauth.write"})
    with agency.talk() as client:
        scope = client.mint(agency.id, agency.locations[0]).json()["scope"]
    assert scope == "associations.readonly oauth.readonly oauth.write"


def test_a_minted_pair_can_be_refreshed(agency: Agency) -> None:
    with agency.talk() as client:
        minted = client.mint(agency.id, agency.locations[0]).json()
        renewed = client.refresh(agency.app, minted["refresh_token"]).json()
    assert (renewed["locationId"], renewed["companyId"]) == (agency.locations[0], agency.id)


def test_why_a_token_is_not_minted(agency: Agency) -> None:
    sandbox = agency.sandbox
    with agency.talk() as client:
        for location_id, refused in (
            (agency.locations[-1], (403, "The app is not installed on this location")),
            (sandbox.location_id, (403, "The token does not have access to this location.")),
            ("nowhere", (400, "Location not found")),
        ):
            assert status_and_message(client.mint(agency.id, location_id)) == refused
        other = client.mint(sandbox.add_company(), agency.locations[0])
        assert status_and_message(other) == (403, "The token does not have access to this company.")
        empty = client.mint(agency.id, "")
        assert (empty.status_code, empty.json()["message"]) == (422, ["locationId should not be empty"])


def test_an_agencys_token_is_no_sub_accounts_token_and_the_other_way_round(agency: Agency) -> None:
    sandbox, here = agency.sandbox, agency.locations[0]
    not_allowed = "This authClass type is not allowed to access this scope."
    with agency.talk() as client:
        status, message = status_and_message(client.get("/associations/", locationId=here))
        assert (status, message.startswith(not_allowed)) == (401, True)
    with agency.talk(sandbox.issue(agency.app, location_id=here)["access_token"]) as client:
        status, message = status_and_message(client.mint(agency.id, here))
        assert (status, message.startswith(not_allowed)) == (401, True)
    with agency.talk(sandbox.add_token(location_id=here)) as client:
        assert status_and_message(client.mint(agency.id, here)) == (403, "Forbidden resource")
    with agency.talk("wrong") as client:
        assert status_and_message(client.mint(agency.id, here)) == (401, "Invalid token: access token is invalid")


@pytest.mark.parametrize("ghl_sandbox", [{"any_location": True}], indirect=True)
def test_a_token_of_every_location_is_no_agencys(agency: Agency) -> None:
    with agency.talk(agency.sandbox.token) as client:
        answer = client.mint(agency.id, agency.locations[0])
        assert status_and_message(answer) == (401, "The token is not authorized for this scope.")


@pytest.mark.parametrize("scope", sorted(OAUTH_SCOPES))
def test_agencys_endpoints_need_their_scopes(ghl_sandbox: Sandbox, scope: str) -> None:
    agency = Agency(ghl_sandbox, scopes=ALL_SCOPES | (OAUTH_SCOPES - {scope}))
    with agency.talk() as client:
        minted = client.mint(agency.id, agency.locations[0]).status_code
    assert (minted, agency.list()["status"]) == ((201, 401) if scope == "oauth.readonly" else (401, 200))


def test_each_endpoint_is_of_its_version(agency: Agency) -> None:
    with agency.talk(version="v3") as client:
        for method, path in (("POST", "/oauth/locationToken"), ("GET", "/oauth/installedLocations?x=1")):
            answer = client.send(method, path)
            assert answer.status_code == 400
            assert answer.json()["message"].startswith(f"Endpoint {path} not available in API version v3.")
    with agency.talk() as client:
        for method, path in (("POST", "/oauth/location-token"), ("GET", "/oauth/installed-locations")):
            assert status_and_message(client.send(method, path)) == (404, f"Cannot {method} {path}")


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
    with agency.talk() as client:
        tokens = [client.mint(agency.id, location_id).json()["access_token"] for _ in range(2)]
        assert client.mint(agency.id, location_id).status_code == 429
        agency.sandbox.set_limit(3, agency.id)
        assert client.mint(agency.id, location_id).status_code == 201
    assert agency.list(locationId=location_id)["status"] == 429
    with agency.talk(tokens[0]) as client:
        statuses = [client.get("/associations/", locationId=location_id).status_code for _ in range(3)]
    assert statuses == [200, 200, 429], "the location has a window of its own"
