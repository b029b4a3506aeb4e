"""The endpoints of contacts."""

from __future__ import annotations

from typing import Any

import pytest
from record_searches import CONTACTS, eq, find, is_in, refusal
from sandbox_client import CONTACT, HttpClient

from airflow_provider_ghl.sandbox import Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


@pytest.fixture
def ann(ghl_sandbox: Sandbox) -> str:
    return ghl_sandbox.add(
        CONTACT,
        email="ann@example.org",
        phone="+15550100",
        first_name="Ann",
        tags=["vip", "north"],
        additional_emails=["annie@example.org"],
        additional_phones=["+15550199"],
        custom_fields={"tier": "gold", "visits": 3, "since": ""},
    )


@pytest.fixture
def bob(ghl_sandbox: Sandbox, ann: str) -> str:
    return ghl_sandbox.add(CONTACT, email="bob@example.org", phone="+15550200", first_name="Bob", last_name="O'Neil")


def field_id(client: HttpClient, key: str, model: str = CONTACT) -> str:
    path = f"/locations/{client.sandbox.location_id}/customFields"
    fields = client.send("GET", path, params={"model": model}).json()["customFields"]
    return next(str(field["id"]) for field in fields if field["fieldKey"] == f"{model}.{key}")


class TestFilters:
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ([], "ab"),
            ([eq("email", "ann@example.org")], "a"),
            ([eq("email", "ANN@Example.org")], "a"),
            ([eq("email", "carl@example.org")], ""),
            ([eq("email", "ann@example.org", "not_eq")], "b"),
            ([eq("phone", "+15550200")], "b"),
            ([eq("phone", "5550200")], ""),
            ([eq("phone", "0200", "contains")], "b"),
            ([eq("firstNameLowerCase", "ann")], "a"),
            ([eq("firstNameLowerCase", "Ann")], ""),
            ([eq("tags", "north")], "a"),
            ([{"field": "tags", "operator": "exists"}], "a"),
            ([{"field": "tags", "operator": "not_exists"}], "b"),
            ([{"field": "firstNameLowerCase", "operator": "exists"}], "ab"),
            ([eq("lastNameLowerCase", "NEIL", "contains")], "b"),
            ([eq("lastNameLowerCase", "neil", "not_contains")], "a"),
            ([is_in("email", "bob@example.org", "ann@example.org", "carl@example.org")], "ab"),
            ([is_in("email", "ann@example.org", "bob@example.org"), eq("phone", "+15550200")], "b"),
            ([eq("email", "ann@example.org"), eq("phone", "+15550200")], ""),
            ([{"group": "OR", "filters": [eq("email", "ann@example.org"), eq("phone", "0200", "contains")]}], "ab"),
            (
                [
                    {
                        "group": "OR",
                        "filters": [
                            {"group": "AND", "filters": [eq("email", "ann@example.org"), eq("phone", "+15550200")]},
                            {"group": "AND", "filters": [eq("email", "bob@example.org"), is_in("phone", "+15550200")]},
                        ],
                    }
                ],
                "b",
            ),
        ],
    )
    def test_what_they_find(self, client: HttpClient, ann: str, bob: str, filters: list[dict[str, Any]], found: str) -> None:
        assert find(client, CONTACTS, *filters) == [{"a": ann, "b": bob}[name] for name in found]

    def test_ids(self, client: HttpClient, ann: str, bob: str) -> None:
        assert find(client, CONTACTS, is_in("id", bob, ann)) == [ann, bob]
        assert refusal(client, CONTACTS, eq("id", bob, "not_eq"))[0] == 422

    def test_custom_fields_are_named_by_their_id(self, client: HttpClient, ann: str, bob: str) -> None:
        tier, visits = (f"customFields.{field_id(client, key)}" for key in ("tier", "visits"))
        assert find(client, CONTACTS, eq(tier, "gold")) == [ann]
        assert find(client, CONTACTS, eq(visits, 3)) == [ann]
        assert find(client, CONTACTS, eq(visits, "3")) == []
        assert find(client, CONTACTS, eq(visits, {"gte": 3, "lt": 4}, "range")) == [ann]
        assert find(client, CONTACTS, eq(visits, {"gt": 3}, "range")) == []
        assert refusal(client, CONTACTS, eq("customFields.tier", "gold"))[0] == 422

    def test_dates_take_ranges_only(self, client: HttpClient) -> None:
        client.sandbox.add_object(CONTACT, properties={"since": "DATE"})
        carl = client.sandbox.add(CONTACT, custom_fields={"since": "2026-05-01"})
        since = f"customFields.{field_id(client, 'since')}"
        assert find(client, CONTACTS, eq(since, {"gte": "2026-05-01", "lte": "2026-05-31"}, "range")) == [carl]
        assert refusal(client, CONTACTS, eq(since, "2026-05-01"))[0] == 422

    @pytest.mark.parametrize("name", ["additionalEmails", "additionalPhones", "additional_phones"])
    def test_secondary_addresses_cannot_be_filtered(self, client: HttpClient, ann: str, name: str) -> None:
        assert refusal(client, CONTACTS, eq(name, "annie@example.org")) == (400, f"Invalid field: {name}")
        assert find(client, CONTACTS, eq("email", "annie@example.org")) == []

    def test_a_value_has_at_most_75_characters(self, client: HttpClient) -> None:
        assert find(client, CONTACTS, eq("email", "a" * 75)) == []
        status, messages = refusal(client, CONTACTS, eq("email", "a" * 76))
        assert (status, messages) == (422, ["value of email must be shorter than or equal to 75 characters"])

    @pytest.mark.parametrize(
        ("wrong", "message"),
        [
            (eq("email", ["a"], "in"), "operator of email must be one of the following values: eq, exists, not_eq, not_exists"),
            (eq("email", "ann", ["eq"]), "operator of email must be one of"),  # type: ignore[arg-type]
            (eq("email", "ann", "contains"), "operator of email must be one of"),
            (eq("emailLowerCase", "ann"), "field emailLowerCase is not supported"),
            (eq("phone", "(555)", "contains"), "value of phone must not have special characters"),
            (eq("email", ""), "value of email should not be empty"),
            (eq("email", None), "value of email should not be empty"),
            (eq("email", ["ann@example.org"]), "value of email should not be empty"),
            ({"operator": "eq", "value": "a"}, "field must be a string"),
            ({"group": "XOR", "filters": [eq("email", "a")]}, "group must be one of the following values: AND, OR"),
            ({"group": "OR", "filters": []}, "filters should not be empty"),
            ({"group": "OR"}, "filters must be an array"),
            ("email", "each filter must be an object"),
        ],
    )
    def test_wrong_filters(self, client: HttpClient, wrong: Any, message: str) -> None:
        status, messages = refusal(client, CONTACTS, wrong)
        assert status == 422
        assert messages[0].startswith(message)

    def test_a_filter_that_is_nested_without_end_is_refused(self, client: HttpClient) -> None:
        nested = eq("email", "ann@example.org")
        for _ in range(100):
            nested = {"group": "AND", "filters": [nested]}
        assert refusal(client, CONTACTS, nested)[0] == 422


class TestAnswers:
    def test_a_contact(self, client: HttpClient, ann: str) -> None:
        body = client.search(CONTACTS, pageLimit=10).json()
        (contact,) = body["contacts"]
        assert body["total"] == 1
        assert contact["additionalEmails"] == [{"email": "annie@example.org"}]
        assert contact["additionalPhones"] == [{"phone": "+15550199"}]
        assert (contact["email"], contact["lastName"], contact["companyName"]) == ("ann@example.org", None, None)
        tier, visits = field_id(client, "tier"), field_id(client, "visits")
        assert contact["customFields"] == [{"id": tier, "value": "gold"}, {"id": visits, "value": 3}]
        assert contact["searchAfter"][1] == ann

    def test_custom_fields(self, client: HttpClient, ann: str) -> None:
        client.sandbox.add_object(CONTACT, properties={"size": ("SINGLE_OPTIONS", {"s": "Small", "l": "Large"})})
        client.sandbox.add("opportunity", custom_fields={"kind": "roof"})
        path = f"/locations/{client.sandbox.location_id}/customFields"
        of_contacts = client.send("GET", path, params={"model": "contact"}).json()["customFields"]
        assert [(field["fieldKey"], field["dataType"]) for field in of_contacts] == [
            ("contact.tier", "TEXT"),
            ("contact.visits", "NUMERICAL"),
            ("contact.since", "TEXT"),
            ("contact.size", "SINGLE_OPTIONS"),
        ]
        assert of_contacts[-1]["picklistOptions"] == ["Small", "Large"]
        of_opportunities = client.send("GET", path, params={"model": "opportunity"}).json()["customFields"]
        assert [field["fieldKey"] for field in of_opportunities] == ["opportunity.kind"]
        assert len(client.send("GET", path).json()["customFields"]) == 5
        assert client.send("GET", path, params={"model": "business"}).status_code == 422

    def test_reading_by_id(self, client: HttpClient, ann: str) -> None:
        contact = client.send("GET", f"/contacts/{ann}").json()["contact"]
        assert (contact["id"], contact["email"]) == (ann, "ann@example.org")
        answer = client.send("GET", "/contacts/nobody")
        assert (answer.status_code, answer.json()["error"]) == (400, "Contact with id nobody not found")


class TestDuplicates:
    @pytest.mark.parametrize("params", [{"email": "Ann@example.org"}, {"number": "+15550100"}])
    def test_one_key_is_found(self, client: HttpClient, ann: str, params: dict[str, str]) -> None:
        assert client.get("/contacts/search/duplicate", **params).json()["contact"]["id"] == ann

    def test_an_unknown_key_is_null(self, client: HttpClient, ann: str) -> None:
        for params in ({"email": "carl@example.org"}, {"number": "15550100"}, {"email": "annie@example.org"}):
            assert client.get("/contacts/search/duplicate", **params).json()["contact"] is None

    def test_a_plus_sign_that_is_not_encoded_is_a_space(self, client: HttpClient, ann: str) -> None:
        path = f"/contacts/search/duplicate?locationId={client.sandbox.location_id}&number="
        assert client.send("GET", path + "+15550100").json()["contact"] is None
        assert client.send("GET", path + "%2B15550100").json()["contact"]["id"] == ann

    def test_of_several_the_oldest_comes(self, client: HttpClient, ann: str) -> None:
        client.sandbox.add(CONTACT, email="ann@example.org")
        assert client.get("/contacts/search/duplicate", email="ann@example.org").json()["contact"]["id"] == ann
        assert len(find(client, CONTACTS, eq("email", "ann@example.org"))) == 2

    def test_it_needs_a_key_and_a_location(self, client: HttpClient) -> None:
        assert client.get("/contacts/search/duplicate").status_code == 422
        assert client.send("GET", "/contacts/search/duplicate", params={"email": "a@example.org"}).status_code == 403
