"""What went wrong with apps and agencies, as somebody who reads the README expects it to go."""

from __future__ import annotations

import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from agencies import Agency, kept
from cli_runs import run_command
from connecting import Connect
from racing import wait_until
from running import TaskInstance, fail

from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.load.columns import Columns
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.loader import run as load_of
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec
from airflow_provider_ghl.operators.errors import GHLQuotaSpent, GHLTokenRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.relations.kind import RelationRows
from airflow_provider_ghl.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]
REDIRECT = "https://example.com/callback"
BATCH = 20


@pytest.fixture
def locations(agency: Agency) -> list[str]:
    """Two with the app, one without, all with an association."""
    all_of_them = [*agency.installed, agency.without_app]
    for location_id in all_of_them:
        agency.sandbox.state.add_association("attended", "contact", "custom_objects.event", "A", "E", location_id=location_id)
    return all_of_them


def load(locations: list[str], rows: int) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(
        task_id="load",
        ghl_conn_id="ghl_agency",
        association_key="attended",
        location_column="location",
        rows=[
            {"location": location, "first_record_id": f"c{row}", "second_record_id": "e"}
            for row in range(rows)
            for location in locations
        ],
    )


def log_in(capsys: Capture, agency: Agency, conn_id: str, **whose: Any) -> Any:
    code = agency.sandbox.authorize(agency.app, **whose)
    return run_command(capsys, "login", "--conn-id", conn_id, "--redirect-uri", REDIRECT, "--code", code)


def test_the_test_button_uses_the_tokens_of_its_own_connection(agency: Agency, connect: Connect, capsys: Capture) -> None:
    """Two connections of one app, each logged in, have the same fingerprint."""
    for number, location_id in enumerate(agency.installed):
        connect(**{f"ghl_{number}": agency.connection(company_id=None, refresh_token=None, location_id=location_id)})
        assert log_in(capsys, agency, f"ghl_{number}", location_id=location_id).status == 0
    for number, location_id in enumerate(agency.installed):
        assert GHLHook(f"ghl_{number}").test_connection() == (True, f"HighLevel accepts the token for location {location_id}")


def test_an_agencys_tokens_do_not_replace_those_of_a_location(agency: Agency, connect: Connect, capsys: Capture) -> None:
    location_id = agency.installed[0]
    connect(ghl_one=agency.connection(company_id=None, refresh_token=None, location_id=location_id))
    assert log_in(capsys, agency, "ghl_one", location_id=location_id).status == 0
    assert log_in(capsys, agency, "ghl_one", company_id=agency.company_id).status != 0
    assert kept("ghl_one")["location_id"] == location_id


def test_a_pasted_text_that_is_no_url_is_told_so(agency: Agency, capsys: Capture) -> None:
    said = run_command(
        capsys, "login", "--conn-id", "ghl_agency", "--redirect-uri", REDIRECT, "--code", "http://[callback?code=1"
    )
    assert said.status == 2
    assert "no code" in said.err


def test_the_reason_of_a_location_is_whole(agency: Agency, locations: list[str], ledger: Path) -> None:
    """It ends with what HighLevel says, which tells the three things to check apart."""
    ti = TaskInstance()
    fail(load(locations, 2), GHLTokenRefused, ti)
    reason = ti.xcoms["return_value"]["locations"][agency.without_app]["reason"]
    assert reason.endswith("The app is not installed on this location)")


def test_a_location_that_was_stopped_has_all_its_counts(agency: Agency, locations: list[str], ledger: Path) -> None:
    ti = TaskInstance()
    fail(load(locations, 2), GHLTokenRefused, ti)
    assert {line.get("created") for line in ti.xcoms["return_value"]["locations"].values()} == {2, 0}


@pytest.mark.parametrize(
    "sandbox", [{"limit": 40, "interval": 2.0, "latency": 0.05, "token_lifetime": 2.0, "refresh_grace": 0.0}], indirect=True
)
def test_rows_that_were_never_sent_are_not_rejected(agency: Agency, locations: list[str], ledger: Path) -> None:
    """The refresh token is revoked in mid-load: HighLevel says no to a refresh, and hears of no row any more."""
    sandbox = agency.sandbox

    def revoke() -> None:
        wait_until("a relation", lambda: sandbox.state.count_all() > 0)
        sandbox.revoke(kept()["refresh_token"])

    thread = threading.Thread(target=revoke)
    thread.start()
    ti = TaskInstance()
    message = fail(load(agency.installed, 100), GHLTokenRefused, ti)
    thread.join()
    summary = ti.xcoms["return_value"]
    sent = agency.count("POST /associations/relations")
    assert summary["created"] == sent > 0  # every row that was sent was created
    assert (summary["rejected"], summary["requests"]) == (0, sent + len(agency.installed))
    assert "(<id>:" not in message  # for "(400:"


@pytest.mark.parametrize("sandbox", [{"limit": None, "daily_limit": 1000}], indirect=True)
def test_whose_day_is_spent_is_said(agency: Agency, locations: list[str], ledger: Path) -> None:
    """The agency's, and not the locations', which have all of theirs."""
    agency.sandbox.spend_daily(1000, agency.company_id)
    message = fail(load(agency.installed, 2), GHLQuotaSpent)
    assert "agency" in message or agency.company_id in message


def test_what_is_read_in_parts_is_read_whole(sandbox: Sandbox, connect: Connect) -> None:
    """A record whose rows are in two batches, as those of a location where a large table is cut; all of them are there."""
    connect(ghl_default=sandbox.connection_json)
    key = sandbox.state.add_association("attended", "contact", "custom_objects.event", "A", "E")
    rows = [{"first": f"c{row}", "second": "e"} for row in range(200)]
    for row in rows:
        sandbox.state.add_relation(key, row["first"], row["second"])
    columns = Columns("first", "second")
    spec = LoadSpec(
        load_id="one",
        kind=RelationRows(columns=columns, association_key="attended"),
        location_id=sandbox.location_id,
        diff_against=DiffAgainst.HIGHLEVEL,
    )
    with closing(GHLHook("ghl_default").get_conn()) as client:
        summary = load_of(
            spec, Ports(batches=from_data(rows, columns, BATCH), client=client, ledger=Ledger.in_memory())
        ).summary
    assert summary["already_exists"] == len(rows)
    assert sandbox.stats()["by_route"].get("POST /associations/relations", 0) == 0
