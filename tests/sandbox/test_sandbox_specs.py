"""The sandbox against the vendor's own specs, where they are beside the checkout."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped, unused-ignore]
from sandbox_client import CONTACT, EVENT, Talker

from airflow_provider_ghl.sandbox import RECORDED, Recorded, Sandbox, answers, bodies
from airflow_provider_ghl.sandbox.routes import ROUTES

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

FOLDER = Path(os.environ.get("GHL_OPENAPI_DIR") or Path(__file__).parents[3] / "shared/reference/openapi")
VERSIONS = ("2021-07-28", "v3")
REQUIRED = {
    "create_association": ("createAssociationReqDto", bodies.CREATE_ASSOCIATION),
    "update_association": ("UpdateAssociationReqDto", bodies.UPDATE_ASSOCIATION),
    "create_relation": ("createRelationReqDto", bodies.CREATE_RELATION),
}
#: Observed otherwise than specified: other keys, and a string for a list or a list for a string.
OBSERVED_OTHERWISE = {"contact_not_found", "record_not_found", "equal_labels", "other_status_in_body"}
NOT_AS_SPECIFIED = OBSERVED_OTHERWISE | {"code_not_found", "client_refused"}
#: Of an envelope of their own, which ``test_sandbox_oauth_specs.py`` looks at.
OF_AIP = {"app_not_found_v3", "page_invalid_v3"}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendor's specs are not here")


@cache
def read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text())


def spec(version: str) -> Any:
    return read(f"associations-{version}")


@pytest.mark.parametrize("version", VERSIONS)
def test_endpoints_are_those_of_the_spec(version: str) -> None:
    specified = {(method.upper(), path) for path, methods in spec(version)["paths"].items() for method in methods}
    assert {(route.method, route.path) for route in ROUTES} == specified


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_scopes_and_required_locations_are_those_of_the_spec(version: str, route: Any) -> None:
    operation = spec(version)["paths"][route.path][route.method.lower()]
    assert operation["security"] == [{"bearer": [route.scope]}]
    required = {parameter["name"] for parameter in operation["parameters"] if parameter["required"]}
    assert ("locationId" in required) == route.names_location


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", REQUIRED)
def test_bodies_need_what_the_spec_requires(version: str, name: str) -> None:
    dto, needed = REQUIRED[name]
    schema = spec(version)["components"]["schemas"][dto]
    assert set(needed) == set(schema["required"]) == set(schema["properties"])


@pytest.mark.parametrize("version", VERSIONS)
def test_the_sandbox_refuses_bodies_without_any_one_of_them(version: str, ghl_sandbox: Sandbox) -> None:
    schema = spec(version)["components"]["schemas"]["createRelationReqDto"]
    with Talker(ghl_sandbox, version=version) as talker:
        for name in schema["required"]:
            answer = talker.relate("a", "b", "c", **{str(name): None})
            assert answer.status_code == 422
            assert f"{name} should not be empty" in answer.json()["message"]
            conforms("UnprocessableDTO", answer.json())


DTOS = {400: "BadRequestDTO", 401: "UnauthorizedDTO", 422: "UnprocessableDTO"}
ERRORS = [row for row in RECORDED if row.status in DTOS and not isinstance(row.body, str) and row.name not in OF_AIP]


@pytest.mark.parametrize("row", [row for row in ERRORS if row.name not in NOT_AS_SPECIFIED], ids=lambda row: row.name)
def test_errors_have_the_shape_of_the_spec(row: Recorded) -> None:
    conforms(DTOS[row.status], json.loads(answers.reply(row.name, messages=["wrong"]).body))


@pytest.mark.parametrize("row", [row for row in ERRORS if row.name in NOT_AS_SPECIFIED], ids=lambda row: row.name)
def test_exceptions_from_the_spec_are_exceptions(row: Recorded) -> None:
    body = json.loads(answers.reply(row.name).body)
    schema = read("common-schemas")["components"]["schemas"][DTOS[row.status]]
    assert not Draft4Validator(schema).is_valid(body) or "message" not in body


@pytest.mark.parametrize("version", VERSIONS)
def test_an_association_has_the_fields_of_the_spec_with_text_for_its_bogus_objects(version: str, ghl_sandbox: Sandbox) -> None:
    schema = spec(version)["components"]["schemas"]["GetPostSuccessfulResponseDto"]
    deleted = spec(version)["components"]["schemas"]["DeleteAssociationsResponseDTO"]
    with Talker(ghl_sandbox, version=version) as talker:
        made = talker.create_association().json()
        path = f"/associations/{made['id']}"
        labels = {"firstObjectLabel": "x", "secondObjectLabel": "y"}
        found = [
            made,
            talker.send("GET", path).json(),
            talker.get("/associations/key/attends").json(),
            talker.send("PUT", path, json=labels).json(),
            *talker.get("/associations/").json()["associations"],
            *talker.get(f"/associations/objectKey/{CONTACT}").json(),
            *talker.get(f"/associations/objectKey/{EVENT}").json(),
        ]
        for association in found:
            assert set(schema["required"]) <= set(association) <= {*schema["properties"], "traceId"}
            assert all(isinstance(value, str) for value in association.values())
        Draft4Validator(deleted).validate(talker.send("DELETE", path).json())


def conforms(dto: str, body: object) -> None:
    schema = read("common-schemas")["components"]["schemas"][dto]
    Draft4Validator(schema).validate(body)
    assert isinstance(body, dict)
    assert {"statusCode", "message"} <= set(body) <= {*schema["properties"], "error", "traceId"}
