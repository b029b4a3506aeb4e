"""What the API demands of a request's body and of its paging."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from airflow_provider_ghl.sandbox.location import Refused

__all__ = ["CREATE_ASSOCIATION", "CREATE_RELATION", "UPDATE_ASSOCIATION", "page", "read"]

#: Required fields, as the vendor's spec has them; other fields are refused (observed on contacts, issue 262).
CREATE_ASSOCIATION = ("locationId", "key", "firstObjectLabel", "firstObjectKey", "secondObjectLabel", "secondObjectKey")
UPDATE_ASSOCIATION = ("firstObjectLabel", "secondObjectLabel")
CREATE_RELATION = ("locationId", "associationId", "firstRecordId", "secondRecordId")


def read(body: object, names: Sequence[str]) -> dict[str, str]:
    """The fields of a body, all of them non-empty strings.

    :raises Refused: it is no JSON object (400), or its fields are not right (422, with every reason).
    """
    if not isinstance(body, dict):
        raise Refused("not_json")
    messages = [message for name in names for message in _wrong(name, body.get(name))]
    messages += [f"property {name} should not exist" for name in body if name not in names]
    if messages:
        raise Refused("invalid_fields", messages=messages)
    return body


def _wrong(name: str, value: object) -> list[str]:
    messages = [] if isinstance(value, str) else [f"{name} must be a string"]
    return messages if value not in (None, "") else [*messages, f"{name} should not be empty"]


def page(query: Mapping[str, Sequence[str]], cap: int) -> tuple[int, int]:
    """``skip`` and ``limit``; the spec requires both, and clients that send none are answered (observed for associations).

    :raises Refused: one of them is no number, or is out of range.
    """
    skip, limit = query.get("skip", ["0"])[0], query.get("limit", [str(cap)])[0]
    messages = [f"{name} must be a number string" for name, text in (("skip", skip), ("limit", limit)) if not text.isdecimal()]
    if messages:
        raise Refused("invalid_fields", messages=messages)
    return int(skip), min(int(limit), cap)
