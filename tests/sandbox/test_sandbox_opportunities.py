"""The search among opportunities."""

from __future__ import annotations

import pytest
from record_searches import OPPORTUNITIES, eq, find, is_in, refusal
from sandbox_client import CONTACT, HttpClient

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


@pytest.fixture
def roof(client: HttpClient) -> str:
    ann = client.sandbox.add(CONTACT, id="ann")
    return client.sandbox.add(
        "opportunity", name="Roof", contact_id=ann, monetary_value=900, custom_fields={"ref": "R-1", "empty": ""}
    )


def ref_id(client: HttpClient) -> str:
    path = f"/locations/{client.sandbox.location_id}/customFields"
    (ref, _) = client.send("GET", path, params={"model": "opportunity"}).json()["customFields"]
    return str(ref["id"])


def test_fields_are_in_snake_case(client: HttpClient, roof: str) -> None:
    other = client.sandbox.add("opportunity", name="Roof", monetary_value=100)
    assert find(client, OPPORTUNITIES, eq("name", "Roof")) == [roof, other]
    assert find(client, OPPORTUNITIES, eq("contact_id", "ann")) == [roof]
    assert find(client, OPPORTUNITIES, is_in("id", other)) == [other]
    assert find(client, OPPORTUNITIES, eq("monetary_value", {"lt": 500}, "range")) == [other]
    assert find(client, OPPORTUNITIES, eq(f"custom_fields.{ref_id(client)}", "R-1")) == [roof]
    assert find(client, OPPORTUNITIES, query="roo") == [roof, other]


def test_camel_case_is_refused(client: HttpClient, roof: str) -> None:
    for name in ("contactId", f"customFields.{ref_id(client)}", "custom_fields.ref"):
        assert refusal(client, OPPORTUNITIES, eq(name, "ann")) == (422, [f"field {name} is not supported"])


def test_an_opportunity(client: HttpClient, roof: str) -> None:
    body = client.search(OPPORTUNITIES, limit=10).json()
    (opportunity,) = body["opportunities"]
    assert body["total"] == 1
    assert (opportunity["id"], opportunity["name"], opportunity["contactId"]) == (roof, "Roof", "ann")
    assert opportunity["custom_fields"] == [{"id": ref_id(client), "fieldValue": "R-1"}]
    assert (opportunity["sort"][1], opportunity["pipelineId"]) == (roof, None)
    assert "notes" not in opportunity


def test_details_come_on_request(client: HttpClient, roof: str) -> None:
    body = client.search(OPPORTUNITIES, limit=10, additionalDetails={"notes": True, "tasks": False}).json()
    assert body["opportunities"][0]["notes"] == []
    assert "tasks" not in body["opportunities"][0]
    assert client.search(OPPORTUNITIES, limit=10, additionalDetails=["notes"]).status_code == 422


def test_the_first_page_is_0_or_1(client: HttpClient, roof: str) -> None:
    pages = [find(client, OPPORTUNITIES, page=page) for page in (0, 1, 2)]
    assert pages == [[roof], [roof], []]
