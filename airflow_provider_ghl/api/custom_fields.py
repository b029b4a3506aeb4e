"""The custom fields of contacts and opportunities. Records carry their ids, never their keys."""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.api.calls import Call, Endpoint
from airflow_provider_ghl.api.search_pages import unreadable

__all__ = ["list_call", "read_custom_fields"]

_LIST = Endpoint("GET", "/locations/{locationId}/customFields", "locations/customFields.readonly")


def list_call(location_id: str, model: str) -> Call:
    """The request for all custom fields of ``contact`` or ``opportunity``."""
    return _LIST.call(location_id, location_id, params={"model": model})


def read_custom_fields(call: Call, data: Any) -> list[dict[str, Any]]:
    """The fields: ``id``, ``fieldKey`` (such as ``contact.tier``), ``dataType``, ``picklistOptions`` and more.

    :raises ServerError: the answer holds no list of fields.
    """
    fields = data.get("customFields") if isinstance(data, dict) else None
    if not isinstance(fields, list):
        raise unreadable(call, "the answer holds no custom fields")
    return [field for field in fields if isinstance(field, dict)]
