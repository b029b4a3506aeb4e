"""One operator, many sub-accounts: of an agency, by a column of the table."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from agencies import Agency
from airflow.sdk.exceptions import TaskDeferred
from connecting import Connect
from running import fail, run

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLTokenRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

COLUMNS = {"location_column": "sub_account", "first_record_column": "student", "second_record_column": "teacher"}


def bulk(**given: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(
        **{"task_id": "relate_all", "ghl_conn_id": "ghl_agency", "association_key": "teaches", **COLUMNS, **given}
    )


def rows_of(*locations: str, each: int = 3) -> list[dict[str, Any]]:
    return [{"sub_account": one, "student": f"s{n}", "teacher": "t"} for n in range(each) for one in locations]


@pytest.fixture
def associations(agency: Agency) -> dict[str, str]:
    """By location, where the app is installed."""
    state = agency.sandbox.state
    return {
        one: state.add_association("teaches", "contact", "custom_objects.teacher", "Student", "Teacher", location_id=one)
        for one in agency.installed
    }


def test_each_row_goes_to_its_own_sub_account(agency: Agency, associations: dict[str, str], ledger: Path) -> None:
    operator = bulk(rows=rows_of(*associations))
    summary = run(operator)
    assert summary["created"] == 6
    assert summary["stopped_by"] is None
    assert {name: (line["created"], line["requests"]) for name, line in summary["locations"].items()} == {
        name: (3, 4) for name in associations
    }
    for name, association in associations.items():
        assert agency.sandbox.state.count_relations(association, name) == 3
    again = run(bulk(rows=rows_of(*associations, each=4)))
    assert (again["already_exists"], again["created"], again["requests"]) == (6, 2, 2 + 2)


def test_results_say_where_each_row_went(agency: Agency, associations: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    run(bulk(rows=rows_of(*associations, each=1), results_path=path))
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["location_id"], line["association_id"]) for line in lines] == list(associations.items())


def test_a_sub_account_without_the_app_does_not_hold_up_the_others(agency: Agency, associations: dict[str, str]) -> None:
    message = fail(bulk(rows=rows_of(*associations, agency.without_app, "nowhere")), GHLTokenRefused)
    assert message.startswith("2 of 4 locations were stopped: ")
    assert agency.without_app in message
    assert "nowhere" in message
    assert "6 created, 6 not_attempted" in message
    for name, association in associations.items():
        assert agency.sandbox.state.count_relations(association, name) == 3


def test_a_dead_refresh_token_stops_all(agency: Agency, associations: dict[str, str]) -> None:
    agency.sandbox.revoke(agency.refresh_token)
    message = fail(bulk(rows=rows_of(*associations)), GHLTokenRefused)
    assert "airflow ghl login" in message
    assert agency.refresh_token not in message
    assert agency.sandbox.state.count_all() == 0


def test_an_association_that_one_lacks(agency: Agency, associations: dict[str, str]) -> None:
    lacking, other = agency.installed
    agency.sandbox.state.remove_association(associations[lacking], lacking)
    message = fail(bulk(rows=rows_of(lacking, other)), GHLMisconfigured)
    assert message.startswith(f"1 of 2 locations was stopped: {lacking}: no association of this location has the key 'teaches'")
    assert agency.sandbox.state.count_relations(associations[other], other) == 3


def test_it_waits_when_all_that_is_left_waits(agency: Agency, associations: dict[str, str]) -> None:
    spent, other = agency.installed
    agency.sandbox.spend_daily(200_000 - 2, spent)
    with pytest.raises(TaskDeferred) as deferred:
        run(bulk(rows=rows_of(spent, other), deferrable=True, defer_timeout=timedelta(days=2)))
    assert deferred.value.method_name == "resume"
    assert agency.sandbox.state.count_relations(associations[other], other) == 3
    assert agency.sandbox.state.count_relations(associations[spent], spent) == 1


def test_a_column_and_a_location_contradict_each_other(agency: Agency) -> None:
    message = fail(bulk(rows=rows_of("a"), location_id="a"), GHLMisconfigured)
    assert message == "give location_id or location_column, not both: the column names each row's sub-account"


def test_pairs_have_no_such_column(agency: Agency) -> None:
    message = fail(bulk(rows=[("a", "b")]), GHLMisconfigured)
    assert message == "pairs have no column 'sub_account': give dicts to have it"


def test_a_private_token_reaches_its_own_sub_account_only(sandbox: Sandbox, connect: Connect) -> None:
    own, other = sandbox.location_id, sandbox.state.add_location()
    for one in (own, other):
        sandbox.state.add_association("teaches", "contact", "custom_objects.teacher", "Student", "Teacher", location_id=one)
    connect(ghl_agency=sandbox.connection_json_for(own, sandbox.add_token()))
    message = fail(bulk(rows=rows_of(own, other)), GHLTokenRefused)
    assert message.startswith(f"1 of 2 locations was stopped: {other}: the token does not belong to this location")
    assert "3 created" in message


def test_records_have_so_many_relations(agency: Agency, associations: dict[str, str], ledger: Path) -> None:
    location = agency.installed[0]
    run(bulk(rows=rows_of(location, each=2)))
    operator = bulk(rows=rows_of(location, each=5), max_per_second=3, failure_tolerance=2)
    summary = run(operator)
    assert (summary["already_exists"], summary["created"], summary["invalid"]) == (2, 1, 2)
    assert summary["requests"] == 2


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "2"])
def test_such_numbers_are_judged_at_once(limit: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_per_first must be a whole number, 1 or more"):
        bulk(rows=[], max_per_first=limit)
