"""Tokens and agencies in the sandbox against the vendor's own specs, where they are beside the checkout."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator  # type: ignore[import-untyped, unused-ignore]
from sandbox_client import Talker

from airflow_provider_ghl.sandbox import RECORDED, Sandbox, answers
from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency, sub_account

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

FOLDER = Path(os.environ.get("GHL_OPENAPI_DIR") or Path(__file__).parents[3] / "shared/reference/openapi")
VERSIONS = ("2021-07-28", "v3")
MINT = {"2021-07-28": "/oauth/locationToken", "v3": "/oauth/location-token"}
LIST = {"2021-07-28": "/oauth/installedLocations", "v3": "/oauth/installed-locations"}
TOKEN_DTO = {"2021-07-28": "GetAccessCodeSuccessfulResponseDto", "v3": "GetAccessTokenSuccessfulResponseDto"}
MINT_DTO = {
    "2021-07-28": "GetLocationAccessTokenSuccessfulResponseDto",
    "v3": "GetLocationAccessTokenV3SuccessfulResponseDto",
}
LIST_DTO = {
    "2021-07-28": "GetInstalledLocationsSuccessfulResponseDto",
    "v3": "GetInstalledLocationsV3SuccessfulResponseDto",
}
#: Seen beyond the specs.
OBSERVED = {"traceId", "userType", "refresh_token"}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the vendor's specs are not here")


@cache
def spec(version: str) -> Any:
    return json.loads((FOLDER / f"oauth-{version}.json").read_text())


def conforms(version: str, dto: str, body: dict[str, Any]) -> None:
    schemas = spec(version)["components"]["schemas"]
    Draft4Validator({"$ref": f"#/components/schemas/{dto}", "components": {"schemas": schemas}}).validate(body)
    assert set(body) <= set(schemas[dto]["properties"]) | OBSERVED


def form_of(version: str, sandbox: Sandbox, agency: FixedAgency, **fields: str) -> dict[str, str]:
    """The fields of a token request, with the spec's names in the spec's order of words."""
    request = spec(version)["paths"]["/oauth/token"]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]
    schema = spec(version)["components"]["schemas"][request["schema"]["$ref"].rpartition("/")[2]]
    given = {"clientid": agency.app.client_id, "clientsecret": agency.app.client_secret, **fields}
    return {
        name: given[name.replace("_", "").lower()] for name in schema["properties"] if name.replace("_", "").lower() in given
    }


@pytest.mark.parametrize("version", VERSIONS)
def test_each_endpoint_of_the_spec_answers_in_its_shape(version: str, ghl_sandbox: Sandbox) -> None:
    assert {*spec(version)["paths"]} == {"/oauth/token", MINT[version], LIST[version]}
    agency = FixedAgency.of(ghl_sandbox, 30)
    fields = form_of(version, ghl_sandbox, agency, granttype="refresh_token", refreshtoken=agency.refresh_token)
    with Talker(ghl_sandbox, token=None, version=version) as talker:
        company = talker.send("POST", "/oauth/token", data=fields).json()
        code = ghl_sandbox.authorize(agency.app, location_id=sub_account(1))
        fields = form_of(version, ghl_sandbox, agency, granttype="authorization_code", code=code)
        location = talker.send("POST", "/oauth/token", data=fields).json()
    token = company["accessToken" if version == "v3" else "access_token"]
    with Talker(ghl_sandbox, token=token, version=version) as talker:
        minted = talker.mint(AGENCY, sub_account(2), MINT[version]).json()
        listed = talker.send("GET", LIST[version], params={"companyId": AGENCY, "appId": agency.app.app_id}).json()
    conforms(version, TOKEN_DTO[version], company)
    conforms(version, TOKEN_DTO[version], location)
    conforms(version, MINT_DTO[version], minted)
    conforms(version, LIST_DTO[version], listed)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_spec_requires_is_demanded(version: str, ghl_sandbox: Sandbox) -> None:
    agency = FixedAgency.of(ghl_sandbox, 1)
    token = ghl_sandbox.issue(agency.app, company_id=AGENCY)["access_token"]
    paths = spec(version)["paths"]
    with Talker(ghl_sandbox, token=token, version=version) as talker:
        body = paths[MINT[version]]["post"]["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        required = set(spec(version)["components"]["schemas"][body["$ref"].rpartition("/")[2]]["required"])
        assert said(talker.send("POST", MINT[version])) == {f"{name} should not be empty" for name in required}
        required = {each["name"] for each in paths[LIST[version]]["get"]["parameters"] if each["required"]} - {"Version"}
        assert said(talker.send("GET", LIST[version])) == {f"{name} should not be empty" for name in required}


def said(answer: Any) -> set[str]:
    assert answer.status_code == 422
    return set(answer.json()["message"])


@pytest.mark.parametrize("name", ["app_not_found_v3", "page_invalid_v3"])
def test_errors_of_the_third_versions_list_have_its_envelope(name: str) -> None:
    conforms("v3", "AipErrorResponseDto", json.loads(answers.reply(name).body))


def test_token_errors_are_the_examples_of_the_spec() -> None:
    examples = spec("v3")["paths"]["/oauth/token"]["post"]["responses"]["400"]["content"]["application/json"]["examples"]
    specified = {json.dumps(example["value"], sort_keys=True) for example in examples.values()}
    filled = {"oauth_parameter_missing": "clientId", "oauth_parameter_invalid": "grantType"}
    names = ("oauth_parameter_missing", "oauth_parameter_invalid", "refresh_token_invalid", "location_not_active")
    bodies = [json.loads(answers.reply(name, parameter=filled.get(name, "")).body) for name in names]
    assert {json.dumps(body, sort_keys=True) for body in bodies} == specified
    assert {row.evidence for row in RECORDED if row.name in names} == {"specified"}
