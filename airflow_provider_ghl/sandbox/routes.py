"""The public endpoints of associations and of records, and the answers to other paths.

Source: ``paths`` and ``security`` of the vendor's ``associations.json``, ``contacts.json`` and ``objects.json``, the same under
``2021-07-28`` and ``v3``; for opportunities, companies and custom fields the vendor's pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import unquote

from airflow_provider_ghl.sandbox.location import Refused

__all__ = ["ALL_SCOPES", "ROUTES", "VERSIONS", "Route", "find_route"]

#: Values of the ``Version`` header that the API accepts; observed with other endpoints than these.
VERSIONS = frozenset({"2021-04-15", "2021-07-28", "2023-02-21", "v3"})

_READ, _WRITE = "associations.readonly", "associations.write"
_READ_RELATIONS, _WRITE_RELATIONS = "associations/relation.readonly", "associations/relation.write"
_READ_CONTACTS, _READ_OPPORTUNITIES, _READ_COMPANIES = "contacts.readonly", "opportunities.readonly", "businesses.readonly"
_READ_RECORDS, _READ_SCHEMAS = "objects/record.readonly", "objects/schema.readonly"
_READ_CUSTOM_FIELDS = "locations/customFields.readonly"
ALL_SCOPES = frozenset(
    {
        *(_READ, _WRITE, _READ_RELATIONS, _WRITE_RELATIONS, _READ_CONTACTS, _READ_OPPORTUNITIES, _READ_COMPANIES),
        *(_READ_RECORDS, _READ_SCHEMAS, _READ_CUSTOM_FIELDS),
    }
)


@dataclass(frozen=True)
class Route:
    """An endpoint.

    :param path: the spec's path template.
    :param names_location: whether its query must have ``locationId``.
    :param location_in_path: whether the path's parameter is the location.
    :param searches: whether it takes the time that a search takes.
    """

    name: str
    method: str
    path: str
    scope: str
    names_location: bool = False
    location_in_path: bool = False
    searches: bool = False

    @cached_property
    def parts(self) -> tuple[str, ...]:
        return tuple(self.path.split("/"))

    def match(self, segments: list[str]) -> str | None:
        """The path's parameter, ``""`` if it has none; ``None`` if the path is another one."""
        if len(segments) != len(self.parts):
            return None
        found = ""
        for part, segment in zip(self.parts, segments, strict=True):
            if part.startswith("{") and segment:
                found = segment
            elif part != segment:
                return None
        return found


#: In the order in which they are tried: fixed segments come before parameters.
ROUTES = (
    Route("create_relation", "POST", "/associations/relations", _WRITE_RELATIONS),
    Route("list_relations", "GET", "/associations/relations/{recordId}", _READ_RELATIONS, names_location=True),
    Route("delete_relation", "DELETE", "/associations/relations/{relationId}", _WRITE_RELATIONS, names_location=True),
    Route("create_association", "POST", "/associations/", _WRITE),
    Route("list_associations", "GET", "/associations/", _READ, names_location=True),
    Route("get_association_by_key", "GET", "/associations/key/{key_name}", _READ, names_location=True),
    Route("list_associations_by_object", "GET", "/associations/objectKey/{objectKey}", _READ),
    Route("get_association", "GET", "/associations/{associationId}", _READ),
    Route("update_association", "PUT", "/associations/{associationId}", _WRITE),
    Route("delete_association", "DELETE", "/associations/{associationId}", _WRITE),
    Route("search_contacts", "POST", "/contacts/search", _READ_CONTACTS, searches=True),
    Route("find_duplicate_contact", "GET", "/contacts/search/duplicate", _READ_CONTACTS, names_location=True),
    Route("get_contact", "GET", "/contacts/{contactId}", _READ_CONTACTS),
    Route("list_custom_fields", "GET", "/locations/{locationId}/customFields", _READ_CUSTOM_FIELDS, location_in_path=True),
    Route("search_records", "POST", "/objects/{schemaKey}/records/search", _READ_RECORDS, searches=True),
    Route("list_objects", "GET", "/objects/", _READ_SCHEMAS, names_location=True),
    Route("get_object", "GET", "/objects/{key}", _READ_SCHEMAS, names_location=True),
    Route("list_businesses", "GET", "/businesses/", _READ_COMPANIES, names_location=True),
    Route("search_opportunities", "POST", "/opportunities/search", _READ_OPPORTUNITIES, searches=True),
)

# Inferred: the vendor's page about creating an association shows its path without the slash; so for the others.
_ALIASES = {
    ("POST", "/associations"): "/associations/",
    ("GET", "/businesses"): "/businesses/",
    ("GET", "/objects"): "/objects/",
}
# Undocumented, and called by public code nevertheless: the first is asked for in issue 189, the second takes a body instead
# of an id. Inferred: they answer like other routes that are not open to tokens.
_NOT_PUBLIC = {("POST", "/associations/relations/bulk"), ("DELETE", "/associations/relations")}


def find_route(method: str, path: str) -> tuple[Route, str]:
    """The endpoint of a path as received, and its parameter. Percent signs are decoded after the path is split.

    :raises Refused: there is no such endpoint. A path in the wrong case is answered 401 (observed), others 404 without a body.
    """
    if (method, path) in _NOT_PUBLIC:
        raise Refused("route_not_public")
    path = _ALIASES.get((method, path), path)
    found = _match(method, path)
    if found:
        return found
    raise Refused("route_not_public" if _has_wrong_case(method, path) else "unknown_path")


def _match(method: str, path: str) -> tuple[Route, str] | None:
    segments = path.split("/")
    for route in ROUTES:
        if route.method == method:
            found = route.match(segments)
            if found is not None:
                return route, unquote(found)
    return None


def _has_wrong_case(method: str, path: str) -> bool:
    lowered = path.lower().replace("/objectkey/", "/objectKey/").replace("/customfields", "/customFields")
    return lowered != path and _match(method, lowered) is not None
