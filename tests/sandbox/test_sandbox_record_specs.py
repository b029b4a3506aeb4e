"""The sandbox's records against what HighLevel's OpenAPI documents say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sandbox_client import HttpClient
from specified import VERSIONS, Endpoint, problems_of
from specified_records import CONTACT, DATA_TYPES, ENDPOINTS, OBJECT_READ, OBJECTS, RECORDS_FOUND, SEARCH_RECORDS

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.routes import ROUTES
from airflow_provider_ghl.sandbox.schemas import DATA_TYPES as TAKEN_TYPES
from airflow_provider_ghl.sandbox.search_bodies import OBJECTS as BODY

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

PET = "custom_objects.pet"
#: Known from the vendor's pages.
NOT_IN_THE_SPECS = {
    ("GET", "/locations/{locationId}/customFields"): Endpoint("locations/customFields.readonly", names_location=False),
    ("GET", "/businesses/"): Endpoint("businesses.readonly", names_location=True),
    ("POST", "/opportunities/search"): Endpoint("opportunities.readonly", names_location=False),
}


@pytest.fixture(params=VERSIONS)
def client(ghl_sandbox: Sandbox, request: pytest.FixtureRequest) -> Iterator[HttpClient]:
    with HttpClient(ghl_sandbox, version=request.param) as made:
        yield made


def test_endpoints_scopes_and_required_locations_are_those_of_the_specs() -> None:
    of_records = [route for route in ROUTES if not route.path.startswith("/associations/")]
    served = {(route.method, route.path): Endpoint(route.scope, route.names_location) for route in of_records}
    assert served == ENDPOINTS | NOT_IN_THE_SPECS


def test_types_are_those_of_the_specs() -> None:
    assert TAKEN_TYPES == DATA_TYPES


def test_the_body_of_a_search_has_the_fields_of_the_specs() -> None:
    """Of which ``query`` and ``searchAfter`` cannot be required, since the first page has no cursor."""
    assert SEARCH_RECORDS - set(BODY.required) == {"query", "searchAfter"}
    assert {*BODY.required, *BODY.optional} - SEARCH_RECORDS == {"filters", "sort"}


def test_a_contact_is_as_specified(client: HttpClient) -> None:
    texts: dict[str, Any] = {
        **{"email": "ann@example.org", "phone": "+15550100", "first_name": "Ann", "last_name": "Lee"},
        **{"company_name": "Acme", "business_id": "f" * 24, "source": "form", "type": "lead", "website": "example.org"},
        **{"address1": "1 Road", "city": "Oslo", "state": "Oslo", "postal_code": "0150", "country": "NO"},
        "date_of_birth": "1980-01-31",
    }
    ann = client.sandbox.add("contact", tags=["vip"], custom_fields={"tier": "gold"}, **texts)
    body = client.send("GET", f"/contacts/{ann}").json()
    assert problems_of(body, CONTACT) == []
    on_the_page_only = {"additionalEmails", "additionalPhones", "businessName"}
    assert set(body["contact"]) - on_the_page_only == set(CONTACT.fields["contact"].fields)


def test_objects_and_records_are_as_specified(client: HttpClient) -> None:
    client.sandbox.add_object(PET, properties={"name": "TEXT", "kind": ("SINGLE_OPTIONS", {"cat": "Cat"})})
    client.sandbox.add(PET, name="Buddy", kind="cat")
    client.sandbox.searches.records_key = "customObjectRecords"
    found = client.search(f"/objects/{PET}/records/search", page=1, pageLimit=10).json()
    assert len(found["customObjectRecords"]) == 1
    assert problems_of({"records": found["customObjectRecords"], "total": found["total"]}, RECORDS_FOUND) == []
    listed = client.get("/objects/").json()
    assert problems_of(listed, OBJECTS) == []
    assert [one["key"] for one in listed["objects"]] == ["contact", "opportunity", "business", PET]
    for object_key in (PET, "business", "contact"):
        body = client.get(f"/objects/{object_key}", fetchProperties="true").json()
        assert problems_of(body, OBJECT_READ) == []
        assert {"object", "fields"} <= set(body)
