"""The endpoints of custom objects and companies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from record_searches import BUSINESSES, POLICIES, POLICY, eq, find, is_in, refusal
from sandbox_client import CONTACT, HttpClient

from airflow_provider_ghl.sandbox import Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

PROPERTIES: dict[str, Any] = {
    "policy_no": "TEXT",
    "premium": "NUMERICAL",
    "worth": "MONETORY",
    "state": ("SINGLE_OPTIONS", {"active": "In force", "ended": "Ended"}),
    "covers": ("MULTIPLE_OPTIONS", {"fire": "Fire", "flood": "Flood"}),
}


@pytest.fixture
def client(ghl_sandbox: Sandbox) -> Iterator[HttpClient]:
    ghl_sandbox.add_object(POLICY, properties=PROPERTIES)
    with HttpClient(ghl_sandbox) as made:
        yield made


@pytest.fixture
def policy(client: HttpClient) -> str:
    worth = {"currency": "default", "value": 100}
    return client.sandbox.add(POLICY, policy_no="A-1", premium=12, worth=worth, state="active", covers=["fire", "flood"])


class TestFilters:
    @pytest.mark.parametrize(
        ("field", "value", "hit"),
        [
            ("policy_no", "A-1", True),
            ("policy_no", "a-1", False),
            ("premium", 12, True),
            ("premium", 12.0, True),
            ("premium", "12", False),
            ("worth", 100, True),
            ("state", "active", True),
            ("state", "In force", False),
            ("covers", "flood", True),
            ("covers", "Flood", False),
        ],
    )
    def test_values_are_compared_as_they_are(
        self, client: HttpClient, policy: str, field: str, value: object, hit: bool
    ) -> None:
        client.sandbox.add(POLICY, policy_no="B-2")
        assert find(client, POLICIES, eq(f"properties.{field}", value)) == ([policy] if hit else [])

    def test_groups_and_ids_of_fields(self, client: HttpClient, policy: str) -> None:
        other = client.sandbox.add(POLICY, policy_no="B-2", state="ended")
        numbers = is_in("properties.policy_no", "B-2", "A-1", "C-3")
        assert find(client, POLICIES, {"group": "AND", "filters": [numbers]}) == [policy, other]
        fields = client.get(f"/objects/{POLICY}", fetchProperties="true").json()["fields"]
        state = next(field["id"] for field in fields if field["fieldKey"] == f"{POLICY}.state")
        assert find(client, POLICIES, numbers, eq(f"customFields.{state}", "ended")) == [other]

    @pytest.mark.parametrize("name", ["policy_no", "id", "properties.nothing", "customFields.nothing", f"{POLICY}.policy_no"])
    def test_a_bare_key_and_an_unknown_field_are_refused(self, client: HttpClient, policy: str, name: str) -> None:
        assert refusal(client, POLICIES, eq(name, "A-1")) == (422, [f"field {name} is not supported"])

    def test_a_value_may_be_long(self, client: HttpClient) -> None:
        long = client.sandbox.add(POLICY, policy_no="x" * 300)
        assert find(client, POLICIES, eq("properties.policy_no", "x" * 300)) == [long]

    def test_files_are_no_values_of_a_filter(self, client: HttpClient) -> None:
        client.sandbox.add_object(POLICY, properties={"scans": "FILE_UPLOAD"})
        client.sandbox.add(POLICY, scans=[{"url": "https://example.org/a.pdf"}])
        assert find(client, POLICIES, eq("properties.scans", "https://example.org/a.pdf")) == []

    def test_the_query_looks_at_the_name_only(self, client: HttpClient, policy: str) -> None:
        client.sandbox.add(POLICY, policy_no="B-2", state="active")
        assert find(client, POLICIES, query="a-") == [policy]
        assert find(client, POLICIES, query="active") == []
        assert refusal(client, POLICIES, query="a" * 76)[0] == 422


class TestAnswers:
    def test_a_record(self, client: HttpClient, policy: str) -> None:
        client.sandbox.add(POLICY, policy_no="", state=None)
        answer = client.search(POLICIES, page=1, pageLimit=10)
        record, empty = answer.json()["records"]
        assert (answer.status_code, answer.json()["total"]) == (201, 2)
        assert record["properties"] == {
            "policy_no": "A-1",
            "premium": 12,
            "worth": {"currency": "default", "value": 100},
            "state": "active",
            "covers": ["fire", "flood"],
        }
        assert (record["objectKey"], record["sort"][1], empty["properties"]) == (POLICY, policy, {})

    def test_the_list_may_have_another_name(self, client: HttpClient, policy: str) -> None:
        client.sandbox.searches.records_key = "customObjectRecords"
        body = client.search(POLICIES, page=1, pageLimit=10).json()
        assert "records" not in body
        assert body["customObjectRecords"][0]["searchAfter"][1] == policy

    def test_relations_stand_with_a_record(self, client: HttpClient, policy: str) -> None:
        state, ann = client.sandbox.state, client.sandbox.add(CONTACT)
        association = state.add_association("insures", CONTACT, POLICY, "Holder", "Policy")
        relation = state.add_relation(association, ann, policy)
        (record,) = client.search(POLICIES, page=1, pageLimit=10).json()["records"]
        there = {"associationId": association, "relationId": relation, "objectKey": CONTACT, "recordId": ann}
        assert record["relations"] == [there]

    def test_the_schema(self, client: HttpClient) -> None:
        body = client.get(f"/objects/{POLICY}", fetchProperties="true").json()
        assert (body["object"]["key"], body["object"]["standard"]) == (POLICY, False)
        assert body["object"]["primaryDisplayProperty"] == f"{POLICY}.policy_no"
        options = {field["fieldKey"].removeprefix(f"{POLICY}."): field["options"] for field in body["fields"]}
        assert list(options) == list(PROPERTIES)
        assert options["state"] == [{"key": "active", "label": "In force"}, {"key": "ended", "label": "Ended"}]
        assert "fields" not in client.get(f"/objects/{POLICY}").json()

    def test_unknown_objects_and_those_that_have_no_search(self, client: HttpClient) -> None:
        answer = client.get("/objects/custom_objects.nothing")
        assert (answer.status_code, answer.json()["message"]) == (400, "Object custom_objects.nothing not found")
        body = {"page": 1, "pageLimit": 10}
        assert client.search("/objects/custom_objects.nothing/records/search", **body).status_code == 400
        assert client.search("/objects/contact/records/search", **body).json()["message"] == "Object contact is not supported"
        assert client.get("/objects/contact").json()["object"]["standard"] is True


class TestCompanies:
    def test_they_are_searched_as_objects_are(self, client: HttpClient) -> None:
        client.sandbox.add("business", name="Other Ltd")
        acme = client.sandbox.add("business", name="Acme", email="office@example.org", sector="roofs")
        assert find(client, BUSINESSES, eq("properties.name", "Acme")) == [acme]
        assert find(client, BUSINESSES, eq("properties.sector", "roofs")) == [acme]
        assert find(client, BUSINESSES, query="acm") == [acme]

    def test_the_list_comes_in_pages(self, client: HttpClient) -> None:
        made = [client.sandbox.add("business", name=f"Company {number}", postal_code="12345") for number in range(5)]
        pages = [client.get("/businesses/", limit=2, skip=skip).json()["businesses"] for skip in (0, 2, 4, 6)]
        assert [[one["id"] for one in page] for page in pages] == [made[:2], made[2:4], made[4:], []]
        assert (pages[0][0]["name"], pages[0][0]["postalCode"], pages[0][0]["website"]) == ("Company 0", "12345", None)
        assert client.get("/businesses").json()["businesses"][0]["id"] == made[0]
        assert client.get("/businesses/", limit="many").status_code == 422
