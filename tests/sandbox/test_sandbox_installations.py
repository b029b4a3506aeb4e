"""Where an app is installed, whose a location is, and what of it is remembered."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from sandbox_agency import Agency, status_and_message
from sandbox_client import HttpClient

from airflow_provider_ghl.sandbox import Sandbox, State
from airflow_provider_ghl.sandbox.agencies import DEFAULT_COMPANY
from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency, sub_account

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


def test_uninstalling_ends_the_apps_tokens_there_and_nothing_else(agency: Agency) -> None:
    sandbox, (first, second, _) = agency.sandbox, agency.locations
    private = sandbox.add_token(location_id=first)
    with agency.talk() as client:
        gone, stays = (client.mint(agency.id, location_id).json() for location_id in (first, second))
        other = sandbox.issue(sandbox.add_app(), location_id=first)["access_token"]
        sandbox.uninstall(agency.app, first)
        assert client.mint(agency.id, first).json()["message"] == "The app is not installed on this location"
        assert client.refresh(agency.app, gone["refresh_token"]).status_code == 400
    for token, location_id, status in (
        (gone["access_token"], first, 401),
        (stays["access_token"], second, 200),
        (private, first, 200),
        (other, first, 200),
    ):
        with agency.talk(token) as client:
            assert client.get("/associations/", locationId=location_id).status_code == status


def test_a_location_that_moved_is_another_agencys(agency: Agency) -> None:
    sandbox, moved = agency.sandbox, agency.locations[0]
    private = sandbox.add_token(location_id=moved)
    with agency.talk() as client:
        minted = client.mint(agency.id, moved).json()
        sandbox.move_location(moved, sandbox.add_company("other"))
        refused = client.mint(agency.id, moved)
        assert status_and_message(refused) == (403, "The token does not have access to this location.")
    assert [item["_id"] for item in agency.list()["locations"]] == agency.locations[1:]
    for token, status in ((minted["access_token"], 401), (private, 200)):
        with agency.talk(token) as client:
            assert client.get("/associations/", locationId=moved).status_code == status
    assert not sandbox.state.agencies.is_installed(agency.app.app_id, moved)
    assert sandbox.state.agencies.locations("other") == [moved]
    sandbox.install(agency.app, moved)
    with agency.talk() as client:
        assert client.refresh(agency.app, minted["refresh_token"]).status_code == 400, "of the agency that had it"
        assert client.mint(agency.id, moved).status_code == 403


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
    with agency.talk() as client:
        renewed = client.refresh(agency.app, extra.pop("refresh_token")).json()
    assert (renewed["userType"], renewed["companyId"]) == ("Company", agency.id)
    assert extra == {
        "client_id": agency.app.client_id,
        "client_secret": agency.app.client_secret,
        "company_id": agency.id,
    }


def test_the_fixed_agencys_tokens_outlive_a_restart(tmp_path: Path) -> None:
    extras = []
    refresh_token = ""
    for _ in range(2):
        with Sandbox(state_path=tmp_path / "state", refresh_grace=0.0) as sandbox:
            agency = FixedAgency.of(sandbox, 2)
            connection = json.loads(agency.connection_json)
            extras.append(connection["extra"])
            refresh_token = refresh_token or connection["extra"]["refresh_token"]
            with HttpClient(sandbox, token=None) as client:
                for _ in range(3):
                    answer = client.refresh(agency.app, refresh_token)
                    assert answer.status_code == 200
                    spent, refresh_token = refresh_token, answer.json()["refresh_token"]
                assert client.refresh(agency.app, spent).status_code == 400
                assert client.refresh(agency.app, "another-1").status_code == 400
            assert sandbox.state.agencies.locations(AGENCY) == [sub_account(1), sub_account(2)]
            sandbox.uninstall(agency.app, sub_account(2))
            assert sandbox.state.agencies.is_installed(agency.app.app_id, sub_account(1))
    assert extras[0] == extras[1]
    with Sandbox(state_path=tmp_path / "state") as sandbox:
        agency = FixedAgency.of(sandbox, 2)
        assert not sandbox.state.agencies.is_installed(agency.app.app_id, sub_account(2)), "as it was left"
    assert {len(AGENCY), len(sub_account(1)), len(sub_account(9999))} == {20}
