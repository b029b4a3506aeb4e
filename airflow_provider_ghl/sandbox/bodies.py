"""What the API requires of a request's body and of its paging parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from airflow_provider_ghl.sandbox.location import Refused

__all__ = ["CREATE_ASSOCIATION", "CREATE_RELATION", "UPDATE_ASSOCIATION", "is_number", "page", "read", "read_relation"]

#: Required fields, from the vendor's spec. Other fields are refused (observed for contacts, issue 262).
CREATE_ASSOCIATION = ("locationId", "key", "firstObjectLabel", "firstObjectKey", "secondObjectLabel", "secondObjectKey")
UPDATE_ASSOCIATION = ("firstObjectLabel", "secondObjectLabel")
CREATE_RELATION = ("locationId", "associationId", "firstRecordId", "secondRecordId")
#: Not in the spec. Three public clients send it for this association; that it is refused for others is inferred.
_TAKES_PIPELINE, _PIPELINE = "OPPORTUNITIES_CONTACTS_ASSOCIATION", "pipelineId"

#: Up to as many digits as a double holds exactly. That longer numbers are refused is inferred.
_NUMBER = re.compile("[0-9]{1,15}")


def read(body: object, names: Sequence[str]) -> dict[str, str]:
    """The fields of a body. All are required, and all are non-empty strings.

    :raises Refused: 400 if the body is not a JSON object; 422 with every complaint if its fields are wrong.
    """
    if not isinstance(body, dict):
        raise Refused("not_json")
    messages = [message for name in names for message in _complaints(name, body.get(name))]
    messages += [f"property {name} should not exist" for name in body if name not in names]
    if messages:
        raise Refused("invalid_fields", messages=messages)
    return body


def read_relation(body: object) -> dict[str, str]:
    """The fields of a new relation. ``pipelineId`` may be there as well between an opportunity and a contact; nothing uses it.

    :raises Refused: as :func:`read` does.
    """
    if isinstance(body, dict) and body.get("associationId") == _TAKES_PIPELINE:
        body = {name: value for name, value in body.items() if name != _PIPELINE}
    return read(body, CREATE_RELATION)


def _complaints(name: str, value: object) -> list[str]:
    messages = [] if isinstance(value, str) else [f"{name} must be a string"]
    return messages if value not in (None, "") else [*messages, f"{name} should not be empty"]


def is_number(text: str) -> bool:
    """Whether it is a whole number in ASCII digits, short enough to be read."""
    return _NUMBER.fullmatch(text) is not None


def page(query: Mapping[str, Sequence[str]], most: int, default: int | None = None) -> tuple[int, int]:
    """``skip`` and ``limit`` of a list request.

    The spec requires both. Here they may be missing, since requests without them were answered (observed for associations).

    :param most: the longest page.
    :param default: ``limit`` where none is given; ``None``: as ``most``.
    :raises Refused: one of them is not a number.
    """
    skip, limit = query.get("skip", ["0"])[0], query.get("limit", [str(default or most)])[0]
    messages = [f"{name} must be a number string" for name, text in (("skip", skip), ("limit", limit)) if not is_number(text)]
    if messages:
        raise Refused("invalid_fields", messages=messages)
    return int(skip), min(int(limit), most)
