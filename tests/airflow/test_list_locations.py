"""An agency's locations, and loads mapped over them, in real runs whose tokens expire all the time."""

from __future__ import annotations

import json
import logging

import pytest
from agencies import Agency, variables
from connecting import Connect
from dag_runs import dag_of, run_dag
from running import fail, run

from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLTokenRefused
from airflow_provider_ghl.operators.locations import ListLocationsOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

ROWS = 140


class TestOperator:
    def test_returns_what_expand_kwargs_takes(self, agency: Agency) -> None:
        found = run(ListLocationsOperator(task_id="t", ghl_conn_id="ghl_agency"))
        assert found == [{"location_id": location_id} for location_id in sorted(agency.installed)]

    def test_tells_no_names(self, agency: Agency, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        shown = json.dumps(run(ListLocationsOperator(task_id="t", ghl_conn_id="ghl_agency")))
        assert "Sub-account" not in shown + caplog.text

    def test_none(self, agency: Agency) -> None:
        for location_id in agency.installed:
            agency.sandbox.uninstall(agency.app, location_id)
        assert run(ListLocationsOperator(task_id="t", ghl_conn_id="ghl_agency")) == []

    def test_no_agency(self, ghl: Sandbox) -> None:
        assert "no company_id" in fail(ListLocationsOperator(task_id="t"), GHLMisconfigured)

    def test_a_dead_refresh_token(self, agency: Agency, connect: Connect) -> None:
        connect(ghl_agency=agency.connection(refresh_token="long-dead"))
        said = fail(ListLocationsOperator(task_id="t", ghl_conn_id="ghl_agency"), GHLTokenRefused)
        assert "airflow ghl login" in said
        assert "long-dead" not in said

    def test_a_location_of_default_args_means_nothing(self, agency: Agency) -> None:
        operator = ListLocationsOperator(task_id="t", ghl_conn_id="ghl_agency", default_args={"location_id": "any"})
        assert len(run(operator)) == 2


def test_a_load_for_each_location(agency: Agency) -> None:
    """What the example of an agency does."""
    for location_id in agency.installed:
        _with_association(agency, location_id)

    def build() -> None:
        found = ListLocationsOperator(task_id="locations", ghl_conn_id="ghl_agency")
        load = BulkCreateRelationsOperator.partial(
            task_id="load", ghl_conn_id="ghl_agency", association_key="attended", rows=[("contact-1", "event-1")]
        )
        load.expand_kwargs(found.output)

    finished = run_dag(dag_of(build, "locations_of_an_agency"))
    assert finished.state == "success"
    assert {state for (task_id, _), state in finished.states.items() if task_id == "load"} == {"success"}
    assert [finished.xcom("load", map_index=at)["created"] for at in (0, 1)] == [1, 1]
    assert [agency.sandbox.state.count_relations(location_id=one) for one in agency.installed] == [1, 1]
    assert agency.count("POST /oauth/token") == 1


@pytest.mark.parametrize("sandbox", [{"limit": 20, "interval": 1.0, "token_lifetime": 1.5}], indirect=True)
def test_tokens_that_expire_during_a_load(agency: Agency) -> None:
    """Refreshed by whichever of the load's threads needs it, and kept by way of the task's supervisor."""
    _with_association(agency, agency.installed[0])

    def build() -> None:
        BulkCreateRelationsOperator(
            task_id="load",
            ghl_conn_id="ghl_agency",
            location_id=agency.installed[0],
            association_key="attended",
            rows=[(f"contact-{number}", "event-1") for number in range(ROWS)],
        )

    finished = run_dag(dag_of(build, "tokens_that_expire"))
    assert finished.state == "success"
    assert agency.sandbox.state.count_relations(location_id=agency.installed[0]) == ROWS
    assert agency.count("POST /oauth/token") > 2
    assert agency.sandbox.stats()["refused_refreshes"] == 0
    assert list(variables()) == ["ghl_oauth_token__ghl_agency"]


def _with_association(agency: Agency, location_id: str) -> None:
    state = agency.sandbox.state
    state.add_association("attended", "contact", "custom_objects.event", "A", "B", location_id=location_id)
