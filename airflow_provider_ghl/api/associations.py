"""Associations: the types of link between two objects of a location.

Source: the vendor's spec ``associations.json`` (the same under both versions); answers as observed, where the spec's DTO is
wrong about them: lists come as ``{"associations": […]}``, by object key as one object or an array.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypedDict, cast

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Answer, Call, Endpoint
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.paging import iterate_pages, read_total
from airflow_provider_ghl.exceptions import (
    DuplicateAssociation,
    GHLError,
    NotFound,
    ServerError,
    TransportError,
)

__all__ = ["Association", "Associations", "by_key_call", "get_call", "list_call", "read_association", "read_page"]

_CREATE = Endpoint("POST", "/associations/", "associations.write", repeat_safe=False)
_LIST = Endpoint("GET", "/associations/", "associations.readonly")
_GET = Endpoint("GET", "/associations/{associationId}", "associations.readonly")
_BY_KEY = Endpoint("GET", "/associations/key/{key_name}", "associations.readonly")
_BY_OBJECT = Endpoint("GET", "/associations/objectKey/{objectKey}", "associations.readonly")
_UPDATE = Endpoint("PUT", "/associations/{associationId}", "associations.write")
_DELETE = Endpoint("DELETE", "/associations/{associationId}", "associations.write")

#: How often a create without a clear answer is sent, each time after a look whether it is there.
_CREATE_ROUNDS = 3


class Association(TypedDict, total=False):
    """As HighLevel gives it."""

    id: str
    key: str
    locationId: str
    firstObjectKey: str
    firstObjectLabel: str
    secondObjectKey: str
    secondObjectLabel: str
    associationType: str


class Associations:
    """The associations of one location.

    :param budget: what the requests are charged to; by default each has its own.
    """

    def __init__(self, client: Client, location_id: str, budget: Budget | None = None) -> None:
        self._client = client
        self._location_id = location_id
        self._budget = budget

    def create(
        self,
        *,
        key: str,
        first_object_key: str,
        first_object_label: str,
        second_object_key: str,
        second_object_label: str,
    ) -> Association:
        """Create one. Where the answer is lost, it is read by key before it is sent again.

        :raises DuplicateAssociation: the key is taken.
        """
        wanted = {
            "key": key,
            "firstObjectLabel": first_object_label,
            "firstObjectKey": first_object_key,
            "secondObjectLabel": second_object_label,
            "secondObjectKey": second_object_key,
        }
        unclear: GHLError | None = None
        for _ in range(_CREATE_ROUNDS):
            try:
                return self._one(_CREATE.call(self._location_id, json={"locationId": self._location_id, **wanted}))
            except DuplicateAssociation:
                found = self._find_created(key, wanted) if unclear else None
                if found is None:
                    raise
                return found
            except (ServerError, TransportError) as error:
                unclear = error
                if (found := self._find_created(key, wanted)) is not None:
                    return found
        raise cast(GHLError, unclear)

    def get(self, association_id: str) -> Association:
        """By id.

        :raises NotFound: there is none.
        """
        return self._one(get_call(self._location_id, association_id))

    def get_by_key(self, key: str) -> Association:
        """By key. One with capitals is asked for in lower case too: HighLevel was seen to store keys so.

        :raises NotFound: there is none (answered 404 or 400, both observed).
        """
        try:
            return self._one(by_key_call(self._location_id, key))
        except NotFound:
            if key == key.lower():
                raise
            return self._one(by_key_call(self._location_id, key.lower()))

    def iterate(self) -> Iterator[Association]:
        """All of the location's, system-defined ones included, page by page."""
        return cast(Iterator[Association], iterate_pages(self._page))

    def list_by_object(self, object_key: str) -> list[Association]:
        """Those with this object on either side, such as ``contact`` or ``custom_objects.car``."""
        call = _BY_OBJECT.call(self._location_id, object_key, params={"locationId": self._location_id})
        return _many(self._client.request(call, self._budget).data)

    def update_labels(self, association_id: str, *, first_object_label: str, second_object_label: str) -> Association:
        """Change the labels: all that HighLevel lets change."""
        labels = {"firstObjectLabel": first_object_label, "secondObjectLabel": second_object_label}
        return self._one(_UPDATE.call(self._location_id, association_id, json=labels))

    def delete(self, association_id: str) -> dict[str, Any]:
        """Delete it, and with it all its relations (specified).

        :raises NotFound: there is none.
        """
        data = self._delete_answer(association_id).data
        return data if isinstance(data, dict) else {"id": association_id}

    def _delete_answer(self, association_id: str) -> Answer:
        try:
            return self._client.request(_DELETE.call(self._location_id, association_id), self._budget)
        except NotFound as error:
            if error.unanswered_before:  # an earlier try of this very request deleted it; only its answer was lost
                return Answer(200, {"deleted": True, "id": association_id})
            raise

    def first_page(self) -> list[Association]:
        """The first association, for one request: it shows whether token, scope and location are right."""
        return cast("list[Association]", self._page(0, 1)[0])

    def _page(self, skip: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
        return read_page(self.request(list_call(self._location_id, skip, limit)).data)

    def request(self, call: Call) -> Answer:
        """Send one of the calls below, charged to the budget."""
        return self._client.request(call, self._budget)

    @property
    def location_id(self) -> str:
        """The location whose associations these are."""
        return self._location_id

    def _one(self, call: Call) -> Association:
        return read_association(call, self.request(call).data)

    def _find_created(self, key: str, wanted: dict[str, str]) -> Association | None:
        try:
            found = self.get_by_key(key)
        except NotFound:
            return None
        return found if _is_same(found, wanted) else None


def _is_same(found: Association, wanted: Mapping[str, str]) -> bool:
    """Whether it is the one that was sent, whichever way round and in whatever case HighLevel stores it."""
    return _definition(found) == _definition(wanted)


def _definition(association: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    sides = [(association.get(f"{side}ObjectKey"), association.get(f"{side}ObjectLabel")) for side in ("first", "second")]
    return str(association.get("key")).casefold(), sorted((str(key).casefold(), str(label)) for key, label in sides)


def get_call(location_id: str, association_id: str) -> Call:
    """The request for one by its id."""
    return _GET.call(location_id, association_id)


def by_key_call(location_id: str, key: str) -> Call:
    """The request for one by its key."""
    return _BY_KEY.call(location_id, key, params={"locationId": location_id})


def list_call(location_id: str, skip: int, limit: int) -> Call:
    """The request for a page of all of them."""
    return _LIST.call(location_id, params={"locationId": location_id, "skip": skip, "limit": limit})


def read_association(call: Call, data: Any) -> Association:
    """The association in an answer.

    :raises ServerError: there is none.
    """
    for association in _many(data):
        if association.get("id"):
            return association
    raise ServerError("the answer holds no association", method=call.method, path=call.template, status=200)


def read_page(data: Any) -> tuple[list[dict[str, Any]], int | None]:
    """The associations of a page, and how many there are on all pages, where the page says so.

    :raises ServerError: it is no page.
    """
    found = data.get("associations", data) if isinstance(data, dict) else data
    if not isinstance(found, list) and not (isinstance(found, dict) and found.get("id")):
        raise ServerError("the answer holds no associations", method=_LIST.method, path=_LIST.template, status=200)
    return cast("list[dict[str, Any]]", _many(found)), read_total(data)


def _many(data: Any) -> list[Association]:
    """One object, an array, ``{"associations": …}`` or ``{"association": …}``: all were seen or are specified."""
    if isinstance(data, dict):
        data = data.get("associations", data.get("association", data))
    if isinstance(data, dict):
        return [cast(Association, data)] if data.get("id") else []
    return [cast(Association, item) for item in data if isinstance(item, dict)] if isinstance(data, list) else []
