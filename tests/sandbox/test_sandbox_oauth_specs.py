"""Tokens and agencies in the sandbox against what HighLevel's OpenAPI documents say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sandbox_client import HttpClient
from specified import AIP_ERROR, OAUTH, TOKEN_ERRORS, VERSIONS, Schema, problems_of

from airflow_provider_ghl.sandbox import RECORDED, Sandbox, answers
from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency, sub_account

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

#: Seen beyond the specs.
OBSERVED = {"traceId", "userType", "refresh_token"}


def check(schema: Schema, body: dict[str, Any]) -> None:
    assert problems_of(body, schema) == []
    assert set(body) <= {*schema.fields, *OBSERVED}


def form_of(version: str, agency: FixedAgency, **fields: str) -> dict[str, str]:
    """The fields of a token request, with the spec's names in the spec's order of words."""
    given = {"clientid": agency.app.client_id, "clientsecret": agency.app.client_secret, **fields}
    words = {name: name.replace("_", "").lower() for name in OAUTH[version].token_fields}
    return {name: given[word] for name, word in words.items() if word in given}


@pytest.mark.parametrize("version", VERSIONS)
def test_each_endpoint_of_the_spec_answers_in_its_shape(version: str, ghl_sandbox: Sandbox) -> None:
    specified, agency = OAUTH[version], FixedAgency.of(ghl_sandbox, 30)
    fields = form_of(version, agency, granttype="refresh_token", refreshtoken=agency.refresh_token)
    with HttpClient(ghl_sandbox, token=None, version=version) as client:
        company = client.send("POST", "/oauth/token", data=fields).json()
        code = ghl_sandbox.authorize(agency.app, location_id=sub_account(1))
        fields = form_of(version, agency, granttype="authorization_code", code=code)
        location = client.send("POST", "/oauth/token", data=fields).json()
    token = company["accessToken" if version == "v3" else "access_token"]
    with HttpClient(ghl_sandbox, token=token, version=version) as client:
        minted = client.mint(AGENCY, sub_account(2), specified.mint_path).json()
        query = {"companyId": AGENCY, "appId": agency.app.app_id}
        listed = client.send("GET", specified.list_path, params=query).json()
    check(specified.token, company)
    check(specified.token, location)
    check(specified.minted, minted)
    check(specified.listed, listed)


@pytest.mark.parametrize("version", VERSIONS)
def test_what_the_spec_requires_is_demanded(version: str, ghl_sandbox: Sandbox) -> None:
    specified, agency = OAUTH[version], FixedAgency.of(ghl_sandbox, 1)
    token = ghl_sandbox.issue(agency.app, company_id=AGENCY)["access_token"]
    with HttpClient(ghl_sandbox, token=token, version=version) as client:
        asked = [
            (client.send("POST", specified.mint_path), specified.mint_required),
            (client.send("GET", specified.list_path), specified.list_required),
        ]
    for answer, required in asked:
        assert answer.status_code == 422
        assert set(answer.json()["message"]) == {f"{name} should not be empty" for name in required}


@pytest.mark.parametrize("name", ["app_not_found_v3", "page_invalid_v3"])
def test_errors_of_the_third_versions_list_have_its_envelope(name: str) -> None:
    check(AIP_ERROR, json.loads(answers.reply(name).body))


def test_token_errors_are_the_examples_of_the_spec() -> None:
    filled = {"oauth_parameter_missing": "clientId", "oauth_parameter_invalid": "grantType"}
    names = ("oauth_parameter_missing", "oauth_parameter_invalid", "refresh_token_invalid", "location_not_active")
    bodies = [json.loads(answers.reply(name, parameter=filled.get(name, "")).body) for name in names]
    assert [set(body) for body in bodies] == [{"statusCode", "message"}] * 4
    assert {body["statusCode"] for body in bodies} == {400}
    assert {body["message"] for body in bodies} == TOKEN_ERRORS
    assert {row.evidence for row in RECORDED if row.name in names} == {"specified"}
