"""``.expand()`` and ``.expand_kwargs()`` on every operator, in real runs, into two locations."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG, task
from connecting import Connect
from dag_runs import Finished, dag_of, run_dag
from running import PAIRS

from airflow_provider_ghl.operators.associations import (
    CreateAssociationOperator,
    DeleteAssociationOperator,
    GetAssociationOperator,
    ListAssociationsOperator,
    UpdateAssociationOperator,
)
from airflow_provider_ghl.operators.relations import (
    BulkCreateRelationsOperator,
    CreateRelationOperator,
    DeleteRelationOperator,
)
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("database")

BY_KEY: dict[str, Any] = {"association_key": "attended"}
LABELS = {"first_object_label": "Guest", "second_object_label": "Party"}
OBJECTS = {"first_object_key": "contact", "second_object_key": "custom_objects.event"}
PAIR = {"first_record_id": "contact-1", "second_record_id": "event-1"}
#: Operator, and its arguments besides connection and location.
OPERATORS: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "create_association": (CreateAssociationOperator, {"key": "attended", **OBJECTS, **LABELS, "if_exists": "update_labels"}),
    "get_association": (GetAssociationOperator, BY_KEY),
    "list_associations": (ListAssociationsOperator, {"object_key": "custom_objects.event"}),
    "update_association": (UpdateAssociationOperator, {**BY_KEY, **LABELS}),
    "create_relation": (CreateRelationOperator, {**BY_KEY, **PAIR}),
    "bulk": (BulkCreateRelationsOperator, {**BY_KEY, "rows": PAIRS}),
    "delete_relation": (DeleteRelationOperator, {**BY_KEY, **PAIR}),
    "delete_association": (DeleteAssociationOperator, BY_KEY),
}


@pytest.fixture
def other(ghl: Sandbox, attended: str, connect: Connect) -> str:
    """A second location with the association, behind the connection ``ghl_other``."""
    location = ghl.state.add_location()
    ghl.state.add_association("attended", "contact", "custom_objects.event", "Attendee", "Event", location_id=location)
    connect(ghl_other=ghl.connection_json_for(location, ghl.add_token(location_id=location)))
    return location


def in_both(how: str, ghl: Sandbox, other: str) -> Finished:
    """All operators in a row, each mapped over the two locations."""

    def build() -> None:
        previous: Any = None
        for task_id, (operator, arguments) in OPERATORS.items():
            if how == "expand":
                mapped = operator.partial(task_id=task_id, **arguments).expand(ghl_conn_id=["ghl_default", "ghl_other"])
            elif how == "expand from a task":

                @task(task_id=f"ids_{task_id}")
                def conn_ids() -> list[str]:
                    return ["ghl_default", "ghl_other"]

                mapped = operator.partial(task_id=task_id, **arguments).expand(ghl_conn_id=conn_ids())
            else:
                each = [{"location_id": ghl.location_id, **arguments}, {"ghl_conn_id": "ghl_other", **arguments}]
                mapped = operator.partial(task_id=task_id).expand_kwargs(each)
            if previous is not None:
                previous >> mapped
            previous = mapped

    return run_dag(dag_of(build, f"all_{how.replace(' ', '_')}"))


@pytest.mark.parametrize("how", ["expand", "expand from a task", "expand_kwargs"])
def test_every_operator(ghl: Sandbox, other: str, how: str) -> None:
    finished = in_both(how, ghl, other)
    assert finished.state == "success", finished.states
    for index, location in enumerate([ghl.location_id, other]):
        got = {task_id: finished.xcom(task_id, map_index=index) for task_id in OPERATORS}
        assert {got[name]["locationId"] for name in ("create_association", "get_association", "update_association")} == {
            location
        }
        assert got["create_association"]["firstObjectLabel"] == "Guest"
        assert [association["key"] for association in got["list_associations"]] == ["attended"]
        assert got["create_relation"]["locationId"] == location
        assert (got["bulk"]["created"], got["bulk"]["already_exists"]) == (2, 1)
        assert [r["location_id"] for r in finished.xcom("bulk", "results", index)] == [location] * 3
        assert (got["delete_relation"], got["delete_association"]) == (True, True)
        assert ghl.state.relations(location) == []


def test_one_load_a_sub_account(ghl: Sandbox, other: str, tmp_path: Path) -> None:
    """One of them is refused by HighLevel: it is red by itself, with its results."""
    for name, rows in (("a.csv", PAIRS), ("b.csv", [PAIRS[0], ("", "event-1")])):
        lines = ["first_record_id,second_record_id", *map(",".join, rows)]
        (tmp_path / name).write_text("\n".join(lines))

    def build() -> None:
        BulkCreateRelationsOperator.partial(task_id="load", association_key="attended").expand_kwargs(
            [
                {"ghl_conn_id": "ghl_default", "path": str(tmp_path / "a.csv")},
                {"ghl_conn_id": "ghl_other", "path": str(tmp_path / "b.csv")},
            ]
        )

    finished = run_dag(dag_of(build, "one_load_a_sub_account"))
    assert finished.states == {("load", 0): "success", ("load", 1): "failed"}
    assert [finished.xcom("load", map_index=index)["created"] for index in (0, 1)] == [3, 1]
    assert finished.xcom("load", map_index=1)["load_id"].startswith("one_load_a_sub_account/")
    assert finished.xcom("load", map_index=1)["load_id"].endswith("/load/1")
    assert [r["outcome"] for r in finished.xcom("load", "results", 1)] == ["invalid", "created"]
    assert {location: len(ghl.state.relations(location)) for location in (ghl.location_id, other)} == {
        ghl.location_id: 3,
        other: 1,
    }


def test_a_task_downstream_reads_the_summary_of_a_red_load(ghl: Sandbox, attended: str) -> None:
    def build() -> None:
        load = BulkCreateRelationsOperator(task_id="load", rows=[*PAIRS, ("", "event-1")], **BY_KEY)

        @task(trigger_rule="all_done")
        def report(summary: dict[str, Any]) -> dict[str, Any]:
            return summary

        report(load.output)  # type: ignore[arg-type]

    finished = run_dag(dag_of(build, "report_of_a_red_load"))
    assert finished.states == {("load", -1): "failed", ("report", -1): "success"}
    assert (finished.xcom("report")["created"], finished.xcom("report")["invalid"]) == (3, 1)


def test_templates_of_a_bulk_load(ghl: Sandbox, attended: str, warehouse: Callable[..., None], tmp_path: Path) -> None:
    """A ``.sql`` file is one; what renders to nothing is as if it were not given."""
    warehouse([("1", "contact-1", "event-1"), ("2", "contact-2", "event-1")])
    (tmp_path / "query.sql").write_text("SELECT * FROM attendance WHERE contact_id = ? AND '{{ params.key }}' = 'attended'")
    with DAG(
        "templates",
        schedule=None,
        template_searchpath=str(tmp_path),
        params={"key": "attended", "who": "contact-2", "none": ""},
    ) as dag:
        BulkCreateRelationsOperator(
            task_id="load",
            association_key="{{ params.key }}",
            association_id="{{ params.none }}",
            location_id="{{ none }}",
            sql="query.sql",
            source_conn_id="ware{{ 'house' }}",
            parameters=["{{ params.who }}"],
            path="{{ params.none }}",
            first_record_column="{{ 'contact' }}_id",
            second_record_column="event_id",
            row_key_column="{{ params.none }}",
            results_path=f"{tmp_path}/{{{{ ti.task_id }}}}.csv",
        )
    finished = run_dag(dag)
    assert finished.state == "success"
    assert ghl.state.pairs(attended) == {("contact-2", "event-1")}
    assert finished.xcom("load")["results_path"] == f"{tmp_path}/load.csv"
    assert len((tmp_path / "load.csv").read_text().splitlines()) == 2
