"""Objects with schemas (custom objects and ``business``), and the search of their records.

Source: the vendor's spec ``objects.json`` and its page on the search, which has the filters that the spec lacks.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.api.calls import Call, Endpoint
from airflow_provider_ghl.api.search_pages import Ask, SearchPage, page_of, read_search_page, unreadable

__all__ = ["list_call", "read_object_keys", "read_properties", "read_records", "schema_call", "search_call"]

_LIST = Endpoint("GET", "/objects/", "objects/schema.readonly")
_SCHEMA = Endpoint("GET", "/objects/{key}", "objects/schema.readonly")
_SEARCH = Endpoint("POST", "/objects/{schemaKey}/records/search", "objects/record.readonly")


def list_call(location_id: str) -> Call:
    """The request for all objects of a location."""
    return _LIST.call(location_id, params={"locationId": location_id})


def read_object_keys(call: Call, data: Any) -> list[str]:
    """Their keys, such as ``custom_objects.policy``.

    :raises ServerError: the answer holds no list of objects.
    """
    objects = data.get("objects") if isinstance(data, dict) else None
    if not isinstance(objects, list):
        raise unreadable(call, "the answer holds no objects")
    return [str(one["key"]) for one in objects if isinstance(one, dict) and one.get("key")]


def schema_call(location_id: str, object_key: str) -> Call:
    """The request for an object and its properties."""
    return _SCHEMA.call(location_id, object_key, params={"locationId": location_id, "fetchProperties": "true"})


def read_properties(call: Call, data: Any) -> list[dict[str, Any]]:
    """The object's properties: ``id``, ``fieldKey`` (such as ``custom_objects.policy.policy_no``), ``dataType``, ``options``.

    :raises ServerError: the answer holds no list of properties.
    """
    holder = data if isinstance(data, dict) else {}
    inner = holder.get("object")
    fields = holder.get("fields", inner.get("fields") if isinstance(inner, dict) else None)
    if not isinstance(fields, list):
        raise unreadable(call, "the answer holds no properties")
    return [field for field in fields if isinstance(field, dict)]


def search_call(location_id: str, object_key: str, ask: Ask) -> Call:
    """The request for a page of an object's records.

    ``page`` has to be there even beside a cursor, and filters stand in a group (both as the vendor's page has it).
    """
    body: dict[str, Any] = {"locationId": location_id, "page": 1, "pageLimit": ask.limit, **page_of(ask)}
    if ask.filters:
        body["filters"] = [{"group": "AND", "filters": list(ask.filters)}]
    return _SEARCH.call(location_id, object_key, json=body, private=ask.private)


def read_records(call: Call, data: Any) -> SearchPage:
    """The records of a page. Both names of the list were seen.

    :raises ServerError: it is no page of records.
    """
    return read_search_page(call, data, "records", "customObjectRecords")
