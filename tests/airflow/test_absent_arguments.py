"""What a template rendered to nothing, and what names no Airflow connection: told by name, before any request."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from connecting import Connect
from running import PAIRS, fail, run

from airflow_provider_ghl.operators.associations import (
    CreateAssociationOperator,
    GetAssociationOperator,
    ListAssociationsOperator,
    UpdateAssociationOperator,
)
from airflow_provider_ghl.operators.errors import GHLMisconfigured
from airflow_provider_ghl.operators.relations import (
    BulkCreateRelationsOperator,
    CreateRelationOperator,
    DeleteRelationOperator,
)
from airflow_provider_ghl.sandbox import Sandbox

LABELS = {"first_object_label": "Attendee", "second_object_label": "Event"}
OBJECTS = {"first_object_key": "contact", "second_object_key": "custom_objects.event"}
RECORDS = {"first_record_id": "contact-1", "second_record_id": "event-1"}
BY_KEY: dict[str, Any] = {"association_key": "attended"}
#: Operators, their arguments, and which of these they cannot do without.
NEEDED: list[tuple[type[Any], dict[str, Any], list[str]]] = [
    (CreateAssociationOperator, {"key": "attended", **OBJECTS, **LABELS}, ["key", *OBJECTS, *LABELS]),
    (UpdateAssociationOperator, {**BY_KEY, **LABELS}, [*LABELS]),
    (CreateRelationOperator, {**BY_KEY, **RECORDS}, [*RECORDS]),
    (DeleteRelationOperator, {**BY_KEY, **RECORDS}, [*RECORDS]),
    (
        BulkCreateRelationsOperator,
        {**BY_KEY, "rows": PAIRS, "first_record_column": "a", "second_record_column": "b"},
        ["first_record_column", "second_record_column"],
    ),
]
CASES = [
    pytest.param(operator, arguments, name, id=f"{operator.__name__} {name}")
    for operator, arguments, needed in NEEDED
    for name in ["ghl_conn_id", *needed]
]
ABSENT = [None, "", " ", "None"]


@pytest.mark.parametrize("absent", ABSENT)
@pytest.mark.parametrize(("operator", "arguments", "name"), CASES)
def test_what_is_needed_is_named(
    ghl: Sandbox, attended: str, operator: Callable[..., Any], arguments: dict[str, Any], name: str, absent: str | None
) -> None:
    assert fail(operator(task_id="task", **{**arguments, name: absent}), GHLMisconfigured) == f"{name} is empty"
    assert ghl.stats()["requests"] == 0


@pytest.mark.parametrize("absent", ABSENT)
def test_what_is_not_needed_is_as_if_not_given(ghl: Sandbox, attended: str, absent: str | None) -> None:
    listed = run(ListAssociationsOperator(task_id="list", object_key=absent, location_id=absent))
    assert len(listed) == len(ghl.state.associations()) > 1
    assert run(GetAssociationOperator(task_id="get", association_id=absent, **BY_KEY))["id"] == attended
    optional = ["association_id", "row_key_column", "path", "path_conn_id", "sql", "results_path", "results_conn_id"]
    optional += ["results_table"]
    optional += [*OBJECTS, "first_object_label"]
    nothing: dict[str, Any] = dict.fromkeys(optional, absent)
    bulk = BulkCreateRelationsOperator(task_id="load", rows=PAIRS, **BY_KEY, **nothing)
    assert run(bulk)["created"] == len(PAIRS)
    unsaid: dict[str, Any] = dict.fromkeys(OBJECTS, absent)
    operator = DeleteRelationOperator(
        task_id="unlink", relation_id=absent, association_id=absent, **BY_KEY, **RECORDS, **unsaid
    )
    assert run(operator) is True
    assert run(CreateRelationOperator(task_id="link", association_id=attended, **RECORDS, **unsaid))["id"]
    assert ghl.state.pairs(attended) == {*PAIRS}


@pytest.mark.parametrize("operator", [CreateRelationOperator, DeleteRelationOperator])
@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("value", [8.0, True, False, ["a"], {"id": "a"}, b"a", float("nan")])
def test_a_record_id_is_text_or_an_int(
    ghl: Sandbox, attended: str, operator: Callable[..., Any], name: str, value: object
) -> None:
    message = fail(operator(task_id="task", **BY_KEY, **{**RECORDS, name: value}), GHLMisconfigured)
    assert message == f"{name} must be text or an int, not a value of type {type(value).__name__}"
    assert ghl.stats()["requests"] == 0


def test_a_record_id_may_be_an_int(ghl: Sandbox, attended: str) -> None:
    records: dict[str, Any] = {"first_record_id": 7, "second_record_id": " 0 "}
    run(CreateRelationOperator(task_id="link", **BY_KEY, **records))
    assert ghl.state.pairs(attended) == {("7", "0")}


@pytest.mark.parametrize(("operator", "arguments"), [case[:2] for case in NEEDED])
def test_no_such_highlevel_connection(ghl: Sandbox, operator: Callable[..., Any], arguments: dict[str, Any]) -> None:
    message = fail(operator(task_id="task", **arguments, ghl_conn_id="ghl_typo"), GHLMisconfigured)
    assert message == "Airflow has no connection 'ghl_typo': create it, or correct the id"


@pytest.mark.parametrize(
    "arguments",
    [
        {"sql": "SELECT 1", "source_conn_id": "typo"},
        {"path": "file:///tmp/a.csv", "path_conn_id": "typo"},
        {"path": "/tmp/a.csv", "path_conn_id": "typo"},
        {"path": "file://typo@/tmp/a.csv"},
        {"rows": PAIRS, "results_path": "/tmp/results.csv", "results_conn_id": "typo"},
        {"rows": PAIRS, "results_path": "file:///tmp/results.csv", "results_conn_id": "typo"},
        {"rows": PAIRS, "results_table": "results", "results_conn_id": "typo"},
    ],
)
def test_no_such_connection_of_a_source_or_of_results(ghl: Sandbox, attended: str, arguments: Any) -> None:
    message = fail(BulkCreateRelationsOperator(task_id="load", **BY_KEY, **arguments), GHLMisconfigured)
    assert message == "Airflow has no connection 'typo': create it, or correct the id"
    assert ghl.stats()["requests"] == 0


@pytest.mark.parametrize("extra", [["a"], 5, "text", True, [], None, '["pit-secret"', "5"])
def test_a_connections_extra_is_an_object(ghl: Sandbox, connect: Connect, extra: object) -> None:
    fields = {"conn_type": "ghl", "host": ghl.url, "password": "pit-1", "extra": extra}
    connect(ghl_odd=json.dumps(fields))
    message = fail(GetAssociationOperator(task_id="get", ghl_conn_id="ghl_odd", **BY_KEY), GHLMisconfigured)
    nothing = "no sub-account: put location_id into the extra of connection 'ghl_odd', or pass location_id="
    is_nothing = extra in ([], None)  # Airflow itself takes these for no extra
    assert message == (nothing if is_nothing else "the extra of connection 'ghl_odd' must be a JSON object, or empty")
