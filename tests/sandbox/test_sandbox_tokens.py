"""Who may ask what: tokens, scopes, locations, versions."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sandbox_client import HttpClient, add_attends

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES, ROUTES

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


def test_tokens_that_are_not_accepted(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox, token="wrong") as client:
        assert client.get("/associations/").json()["message"] == "Invalid token: access token is invalid"
    with HttpClient(ghl_sandbox, token=None) as client:
        answer = client.get("/associations/")
        assert (answer.status_code, answer.json()["message"]) == (401, "E01 - Unauthorized request")


@pytest.mark.parametrize(
    ("version", "message"),
    [(None, "version header was not found."), ("2020-01-01", "version header is invalid"), ("V3", "version header is invalid")],
)
def test_versions_that_are_not_accepted(ghl_sandbox: Sandbox, version: str | None, message: str) -> None:
    with HttpClient(ghl_sandbox, version=version) as client:
        answer = client.get("/associations/")
        assert (answer.status_code, answer.json()["message"]) == (401, message)


def test_a_revoked_token_and_changed_scopes_are_felt_at_once(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox) as client:
        assert client.get("/associations/").status_code == 200
        ghl_sandbox.set_scopes(ghl_sandbox.token, {"associations.write"})
        answer = client.get("/associations/")
        assert (answer.status_code, answer.json()["message"]) == (401, "The token is not authorized for this scope.")
        ghl_sandbox.revoke(ghl_sandbox.token)
        assert client.get("/associations/").json()["message"] == "Invalid token: access token is invalid"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_endpoint_needs_its_scope_and_no_other(ghl_sandbox: Sandbox, route: object) -> None:
    method, path, scope = (getattr(route, name) for name in ("method", "path", "scope"))
    ghl_sandbox.set_scopes(ghl_sandbox.token, ALL_SCOPES - {scope})
    with HttpClient(ghl_sandbox) as client:
        refused = client.send(method, path, params={"locationId": ghl_sandbox.location_id}, json={})
        assert refused.json()["message"] == "The token is not authorized for this scope."
        ghl_sandbox.set_scopes(ghl_sandbox.token, {scope})
        assert client.send(method, path, params={"locationId": ghl_sandbox.location_id}, json={}).status_code != 401


def test_a_wrong_or_missing_location_is_forbidden(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox) as client:
        for params in ({"locationId": "elsewhere"}, {}):
            answer = client.send("GET", "/associations/relations/ann", params=params)
            assert (answer.status_code, answer.json()["message"]) == (403, "The token does not have access to this location.")


def test_a_token_opens_its_own_location_only(ghl_sandbox: Sandbox) -> None:
    other = ghl_sandbox.state.add_location()
    theirs = add_to(ghl_sandbox, other)
    with HttpClient(ghl_sandbox) as client:
        assert client.get("/associations/").status_code == 200
        for answer in (client.get("/associations/", locationId=other), client.search("/contacts/search", locationId=other)):
            assert (answer.status_code, answer.json()["message"]) == (403, "The token does not have access to this location.")
        assert client.send("GET", f"/locations/{other}/customFields").status_code == 403
        assert client.send("GET", f"/contacts/{theirs}").status_code == 400


@pytest.mark.parametrize("ghl_sandbox", [{"any_location": True}], indirect=True)
def test_a_token_may_open_every_location(ghl_sandbox: Sandbox) -> None:
    other = ghl_sandbox.state.add_location()
    theirs = add_to(ghl_sandbox, other)
    with HttpClient(ghl_sandbox) as client:
        assert client.get("/associations/", locationId=other).status_code == 200
        assert client.send("GET", f"/contacts/{theirs}").json()["contact"]["locationId"] == other
    assert json.loads(ghl_sandbox.connection_json_for(other))["password"] == ghl_sandbox.token


def test_the_connection_to_a_location_has_its_token_at_every_start(tmp_path: Path) -> None:
    def token_of(location: str) -> str:
        with Sandbox(state_path=tmp_path / "state", limit=None) as sandbox:
            other = sandbox.state.add_location(location)
            token = str(json.loads(sandbox.connection_json_for(other))["password"])
            assert json.loads(sandbox.connection_json_for(other))["password"] == token
            assert json.loads(sandbox.connection_json)["password"] == sandbox.token
            with HttpClient(sandbox, token=token) as client:
                assert client.get("/associations/", locationId=other).status_code == 200
                assert client.get("/associations/").status_code == 403
            return token

    assert token_of("a" * 20) == token_of("a" * 20)
    assert token_of("b" * 20) != token_of("a" * 20)


def add_to(sandbox: Sandbox, location_id: str) -> str:
    return sandbox.add("contact", location_id=location_id, email="ann@example.org")


def test_locations_share_nothing_and_a_locations_own_token_reaches_only_it(ghl_sandbox: Sandbox) -> None:
    state = ghl_sandbox.state
    other = state.add_location()
    attends = add_attends(ghl_sandbox)
    theirs = state.add_association("attends", "contact", "contact", "a", "b", location_id=other)
    token = ghl_sandbox.add_token(location_id=other)
    with HttpClient(ghl_sandbox, token=token) as client:
        assert client.get("/associations/").status_code == 403
        assert client.send("GET", f"/associations/{attends}").status_code == 400
        assert client.send("GET", f"/associations/{theirs}").json()["locationId"] == other
        assert client.relate(theirs, "ann", "bob", locationId=other).status_code == 201
        assert client.relate(attends, "ann", "bob", locationId=other).json()["message"] == "Association not found"
    assert state.pairs(theirs, location_id=other) == {("ann", "bob")}
    assert state.count_relations() == 0
