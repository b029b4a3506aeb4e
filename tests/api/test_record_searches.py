"""The searches for records: what is sent, and what is made of the answers."""

from __future__ import annotations

from typing import Any

import pytest
from api_fakes import LOCATION, FakeTransport, answer, client_of, refusal

from airflow_provider_ghl.api import contacts, custom_fields, objects, opportunities
from airflow_provider_ghl.api.search_pages import Ask
from airflow_provider_ghl.exceptions import RequestRejected, ServerError

FILTERS = [{"group": "OR", "filters": [{"field": "email", "operator": "eq", "value": "ada@example.org"}]}]
GROUPED = [{"group": "AND", "filters": FILTERS}]
POLICY = "custom_objects.policy"


@pytest.mark.parametrize(
    ("call", "path", "body", "scope"),
    [
        (
            contacts.search_call(LOCATION, Ask(FILTERS, 100)),
            "/contacts/search",
            {"locationId": LOCATION, "pageLimit": 100, "page": 1, "filters": FILTERS},
            "contacts.readonly",
        ),
        (
            contacts.search_call(LOCATION, Ask(after=[1, "x"], page=3)),
            "/contacts/search",
            {"locationId": LOCATION, "pageLimit": 500, "searchAfter": [1, "x"]},
            "contacts.readonly",
        ),
        (
            objects.search_call(LOCATION, POLICY, Ask(FILTERS, after=[1, "x"])),
            "/objects/custom_objects.policy/records/search",
            {"locationId": LOCATION, "page": 1, "pageLimit": 500, "searchAfter": [1, "x"], "filters": GROUPED},
            "objects/record.readonly",
        ),
        (
            objects.search_call(LOCATION, "business", Ask(page=2)),
            "/objects/business/records/search",
            {"locationId": LOCATION, "page": 2, "pageLimit": 500},
            "objects/record.readonly",
        ),
        (
            opportunities.search_call(LOCATION, Ask(FILTERS)),
            "/opportunities/search",
            {"locationId": LOCATION, "limit": 500, "filters": FILTERS},
            "opportunities.readonly",
        ),
        (
            opportunities.search_call(LOCATION, Ask(after=[1, "x"])),
            "/opportunities/search",
            {"locationId": LOCATION, "limit": 500, "searchAfter": [1, "x"]},
            "opportunities.readonly",
        ),
        (
            opportunities.search_call(LOCATION, Ask(page=2)),
            "/opportunities/search",
            {"locationId": LOCATION, "limit": 500, "page": 2},
            "opportunities.readonly",
        ),
    ],
)
def test_searches(call: Any, path: str, body: Any, scope: str) -> None:
    assert (call.method, call.path, call.json, call.scope) == ("POST", path, body, scope)
    assert call.repeat_safe


@pytest.mark.parametrize(
    ("call", "path", "params", "scope"),
    [
        (
            contacts.duplicate_call(LOCATION, "number", "+12025550143"),
            "/contacts/search/duplicate",
            {"locationId": LOCATION, "number": "+12025550143"},
            "contacts.readonly",
        ),
        (
            custom_fields.list_call(LOCATION, "contact"),
            f"/locations/{LOCATION}/customFields",
            {"model": "contact"},
            "locations/customFields.readonly",
        ),
        (objects.list_call(LOCATION), "/objects/", {"locationId": LOCATION}, "objects/schema.readonly"),
        (
            objects.schema_call(LOCATION, POLICY),
            "/objects/custom_objects.policy",
            {"locationId": LOCATION, "fetchProperties": "true"},
            "objects/schema.readonly",
        ),
    ],
)
def test_reads(call: Any, path: str, params: Any, scope: str) -> None:
    assert (call.method, call.path, call.params, call.scope) == ("GET", path, params, scope)


@pytest.mark.parametrize(
    ("data", "after"),
    [
        ({"records": [{"id": "one", "sort": [7, "one"]}], "total": 1}, [7, "one"]),
        ({"customObjectRecords": [{"id": "one", "searchAfter": [7, "one"]}], "total": 1}, [7, "one"]),
        ({"records": [{"id": "one"}], "total": 1}, None),
        ({"records": [{"id": "one", "sort": "7"}], "total": 1}, None),
    ],
)
def test_both_shapes_of_records(data: Any, after: Any) -> None:
    page = objects.read_records(objects.search_call(LOCATION, POLICY, Ask()), data)
    assert ([one["id"] for one in page.records], page.total, page.after) == (["one"], 1, after)


ODD: list[Any] = [
    None,
    "",
    "x",
    7,
    [],
    {},
    {"contacts": None},
    {"records": {}},
    {"opportunities": [None]},
    {"records": [{"id": 7}]},
]


@pytest.mark.parametrize("data", ODD)
def test_what_is_no_page_is_an_error(data: Any) -> None:
    call = objects.list_call(LOCATION)
    for read in (
        contacts.read_contacts,
        objects.read_records,
        opportunities.read_opportunities,
        objects.read_object_keys,
        objects.read_properties,
        custom_fields.read_custom_fields,
        contacts.read_duplicate,
    ):
        with pytest.raises(ServerError):
            read(call, data)


def test_lists_leave_out_what_is_no_item() -> None:
    call = objects.list_call(LOCATION)
    assert objects.read_object_keys(call, {"objects": [{"key": POLICY}, None, {}]}) == [POLICY]
    assert objects.read_properties(call, {"object": {"fields": [{"id": "f1"}, 7]}}) == [{"id": "f1"}]
    assert custom_fields.read_custom_fields(call, {"customFields": [{"id": "f1"}, 7]}) == [{"id": "f1"}]


def test_the_contact_in_the_way() -> None:
    call = contacts.duplicate_call(LOCATION, "email", "ada@example.org")
    assert contacts.read_duplicate(call, {"contact": None}) is None
    assert contacts.read_duplicate(call, {"contact": {"id": "one"}}) == {"id": "one"}


def test_no_repr_shows_a_key() -> None:
    ask = Ask(FILTERS, private=("ada@example.org",))
    call = contacts.search_call(LOCATION, ask)
    page = contacts.read_contacts(call, {"contacts": [{"id": "one", "email": "ada@example.org"}], "total": 1})
    assert "ada" not in repr([ask, call, page, contacts.duplicate_call(LOCATION, "email", "ada@example.org")])


@pytest.mark.parametrize("echo", ["A-1", "a-1", "no such value: A-1!"])
def test_a_message_that_repeats_a_key_is_dropped(echo: str) -> None:
    call = objects.search_call(LOCATION, POLICY, Ask(private=("A-1", "B-1")))
    with pytest.raises(RequestRejected) as error:
        client_of(FakeTransport(refusal(422, echo))).request(call)
    assert (error.value.message, error.value.status, error.value.trace_id) == ("refused without a message", 422, "trace-1")


def test_another_message_is_kept() -> None:
    call = objects.search_call(LOCATION, POLICY, Ask(private=("A-1",)))
    with pytest.raises(RequestRejected, match="bad filter"):
        client_of(FakeTransport(refusal(422, "bad filter"))).request(call)


def test_the_body_is_sent_as_it_is() -> None:
    transport = FakeTransport(answer({"contacts": [], "total": 0}))
    client_of(transport).request(contacts.search_call(LOCATION, Ask(FILTERS)))
    assert transport.calls[0].json["filters"] == FILTERS
