"""What tests of searches have in common."""

from __future__ import annotations

from typing import Any

from sandbox_client import HttpClient

POLICY = "custom_objects.policy"
CONTACTS, POLICIES, BUSINESSES = "/contacts/search", f"/objects/{POLICY}/records/search", "/objects/business/records/search"
OPPORTUNITIES = "/opportunities/search"
#: The fields of a whole body, beside the location.
WHOLE: dict[str, dict[str, Any]] = {
    CONTACTS: {"pageLimit": 100},
    POLICIES: {"page": 1, "pageLimit": 100},
    BUSINESSES: {"page": 1, "pageLimit": 100},
    OPPORTUNITIES: {"limit": 100},
}
LISTS = {CONTACTS: "contacts", POLICIES: "records", BUSINESSES: "records", OPPORTUNITIES: "opportunities"}

__all__ = ["BUSINESSES", "CONTACTS", "LISTS", "OPPORTUNITIES", "POLICIES", "POLICY", "WHOLE", "eq", "find", "is_in", "refusal"]


def eq(field: str, value: Any, operator: str = "eq") -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


def is_in(field: str, *values: Any) -> dict[str, Any]:
    return {"group": "OR", "filters": [eq(field, value) for value in values]}


def find(client: HttpClient, path: str, *filters: dict[str, Any], **changes: Any) -> list[str]:
    """The ids of the records on the page."""
    answer = client.search(path, **{**WHOLE[path], "filters": list(filters), **changes})
    assert answer.status_code in (200, 201), answer.text
    return [record["id"] for record in answer.json()[LISTS[path]]]


def refusal(client: HttpClient, path: str, *filters: Any, **changes: Any) -> tuple[int, Any]:
    """Status and message."""
    answer = client.search(path, **{**WHOLE[path], "filters": list(filters), **changes})
    return answer.status_code, answer.json()["message"]
