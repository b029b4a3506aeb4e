"""The sandbox against what HighLevel's OpenAPI documents say."""

from __future__ import annotations

import json

import pytest
from sandbox_client import CONTACT, EVENT, HttpClient
from specified import ASSOCIATION, BODIES, DELETED_ASSOCIATION, ENDPOINTS, ERRORS, VERSIONS, Endpoint, problems_of

from airflow_provider_ghl.sandbox import RECORDED, Recorded, Sandbox, answers, bodies
from airflow_provider_ghl.sandbox.routes import ROUTES

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

REQUIRED = {
    "create_association": bodies.CREATE_ASSOCIATION,
    "update_association": bodies.UPDATE_ASSOCIATION,
    "create_relation": bodies.CREATE_RELATION,
}
#: Observed otherwise than specified: other keys, and a string for a list or a list for a string.
OBSERVED_OTHERWISE = {"contact_not_found", "record_not_found", "equal_labels", "other_status_in_body"}
NOT_AS_SPECIFIED = OBSERVED_OTHERWISE | {"code_not_found", "client_refused"}
#: Of an envelope of their own, which ``test_sandbox_oauth_specs.py`` looks at.
OF_AIP = {"app_not_found_v3", "page_invalid_v3"}
REFUSALS = [row for row in RECORDED if row.status in ERRORS and not isinstance(row.body, str) and row.name not in OF_AIP]


def test_endpoints_scopes_and_required_locations_are_those_of_the_spec() -> None:
    of_associations = [route for route in ROUTES if route.path.startswith("/associations/")]
    served = {(route.method, route.path): Endpoint(route.scope, route.names_location) for route in of_associations}
    assert served == ENDPOINTS


def test_bodies_need_what_the_spec_requires() -> None:
    assert {name: set(fields) for name, fields in REQUIRED.items()} == BODIES


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sandbox_refuses_bodies_without_any_one_of_them(version: str, ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox, version=version) as client:
        for name in BODIES["create_relation"]:
            answer = client.relate("a", "b", "c", **{name: None})
            assert answer.status_code == 422
            assert f"{name} should not be empty" in answer.json()["message"]
            check_refusal(422, answer.json())


@pytest.mark.parametrize("row", [row for row in REFUSALS if row.name not in NOT_AS_SPECIFIED], ids=lambda row: row.name)
def test_errors_have_the_shape_of_the_spec(row: Recorded) -> None:
    check_refusal(row.status, json.loads(answers.reply(row.name, messages=["wrong"]).body))


@pytest.mark.parametrize("row", [row for row in REFUSALS if row.name in NOT_AS_SPECIFIED], ids=lambda row: row.name)
def test_exceptions_from_the_spec_are_exceptions(row: Recorded) -> None:
    body = json.loads(answers.reply(row.name).body)
    assert problems_of(body, ERRORS[row.status]) or "message" not in body


@pytest.mark.parametrize("version", VERSIONS)
def test_an_association_has_the_fields_of_the_spec_with_text_for_its_bogus_objects(version: str, ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox, version=version) as client:
        made = client.create_association().json()
        path = f"/associations/{made['id']}"
        labels = {"firstObjectLabel": "x", "secondObjectLabel": "y"}
        found = [
            made,
            client.send("GET", path).json(),
            client.get("/associations/key/attends").json(),
            client.send("PUT", path, json=labels).json(),
            *client.get("/associations/").json()["associations"],
            *client.get(f"/associations/objectKey/{CONTACT}").json(),
            *client.get(f"/associations/objectKey/{EVENT}").json(),
        ]
        for association in found:
            assert set(association) - {"traceId"} == ASSOCIATION
            assert all(isinstance(value, str) for value in association.values())
        assert problems_of(client.send("DELETE", path).json(), DELETED_ASSOCIATION) == []


def check_refusal(status: int, body: object) -> None:
    """It is of the spec's shape, with the two fields that every refusal has."""
    assert problems_of(body, ERRORS[status]) == []
    assert isinstance(body, dict)
    assert {"statusCode", "message"} <= set(body) <= {*ERRORS[status].fields, "error", "traceId"}
