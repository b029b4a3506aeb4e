"""Relations: links between two records under one association.

Source: the vendor's spec ``associations.json``; real shapes as observed: ``{"relations": […], "total": n}``, and a create's
answer that holds the relation's ``id`` (older code reads ``relationId``).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Any, TypedDict, cast

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Answer, Call, Endpoint
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.conversation import converse
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages, iterate_pages, read_total
from airflow_provider_ghl.exceptions import (
    DuplicateRelation,
    NotFound,
    PossibleDuplicate,
    RelationLimitReached,
    RequestRejected,
    ServerError,
)

__all__ = [
    "PairSearch",
    "Relation",
    "Relations",
    "create_call",
    "delete_call",
    "find_relation",
    "list_call",
    "read_page",
    "read_relation_id",
]

# Creating the same relation again is answered "duplicate relation", which means that it is there: repeating is safe.
_CREATE = Endpoint("POST", "/associations/relations", "associations/relation.write", repeat_safe=True)
_LIST = Endpoint("GET", "/associations/relations/{recordId}", "associations/relation.readonly")
_DELETE = Endpoint("DELETE", "/associations/relations/{relationId}", "associations/relation.write")
#: How often relations are read, at most, to know that one is not among them.
_MOST_READINGS = 4


class Relation(TypedDict, total=False):
    """As HighLevel gives it."""

    id: str
    associationId: str
    locationId: str
    firstObjectKey: str
    firstRecordId: str
    secondObjectKey: str
    secondRecordId: str


def create_call(location_id: str, association_id: str, first_record_id: str, second_record_id: str) -> Call:
    """The request that creates a relation; the order of the records is the association's order of objects."""
    return _CREATE.call(
        location_id,
        json={
            "locationId": location_id,
            "associationId": association_id,
            "firstRecordId": first_record_id,
            "secondRecordId": second_record_id,
        },
    )


def list_call(location_id: str, record_id: str, association_ids: Sequence[str] | None, skip: int, limit: int) -> Call:
    """The request for one page of a record's relations, on either side; ``associationIds`` is a repeated key."""
    params: dict[str, Any] = {"locationId": location_id, "skip": skip, "limit": limit}
    if association_ids:
        params["associationIds"] = list(association_ids)
    return _LIST.call(location_id, record_id, params=params)


def read_page(call: Call, data: Any) -> tuple[list[dict[str, Any]], int | None]:
    """The relations of a page, and how many there are on all pages, where the page says so.

    :raises ServerError: the answer is no page of relations. To take it for an empty one would say that nothing is there.
    """
    relations = data.get("relations") if isinstance(data, dict) else None
    if not isinstance(relations, list):
        raise ServerError("the answer holds no relations", method=call.method, path=call.template, status=200)
    if not all(isinstance(item, dict) for item in relations):
        raise ServerError("the answer holds no relations", method=call.method, path=call.template, status=200)
    return list(relations), read_total(data)


def read_relation_id(data: Any) -> str | None:
    """The id in a create's answer."""
    inner = data.get("relation") if isinstance(data, dict) else None
    for holder in (data, inner):
        if isinstance(holder, dict) and (found := holder.get("id") or holder.get("relationId")):
            return str(found)
    return None


def delete_call(location_id: str, relation_id: str) -> Call:
    """The request that deletes a relation."""
    return _DELETE.call(location_id, relation_id, params={"locationId": location_id})


def find_relation(
    location_id: str, search: PairSearch, records: tuple[str, str]
) -> Generator[Call, Answer, dict[str, Any] | None]:
    """Look for a relation; ``None`` where it is not there.

    While others write, paging by ``skip`` can miss it. So it counts as absent only where pages that overlap saw as many as
    there are; without totals two readings must agree. The two records are read in turn: mostly one of them has a single page.

    :param records: the pair's records; the first one's relations are read first.
    :raises ServerError: an answer cannot be read, or the pages do not agree with each other. Nobody knows whether it is there.
    """
    complete = 0
    for number in range(_MOST_READINGS):
        pages, is_first = Pages(overlap=True), number % 2 == 0
        try:
            while pages.skip is not None:
                call = list_call(location_id, records[number % 2], [search.association_id], pages.skip, PAGE_SIZE)
                answer = yield call
                for relation in pages.take(*read_page(call, answer.data)):
                    if search.is_it(relation):
                        return relation
        except RequestRejected:
            if is_first:
                raise
            continue  # the other record may be gone
        search.check_absent()
        complete += not pages.lacks_some
        if complete > 1 or pages.is_whole:
            return None
    raise _unreadable("the pages do not agree on how many relations the record has: others may be writing them")


class Relations:
    """The relations of one location.

    :param budget: what the requests are charged to; by default each has its own.
    """

    def __init__(self, client: Client, location_id: str, budget: Budget | None = None) -> None:
        self._client = client
        self._location_id = location_id
        self._budget = budget

    def create(self, association_id: str, first_record_id: str, second_record_id: str) -> Relation:
        """Create one. Where only the answer to an earlier try of this very call was lost, the relation is read and returned.

        :raises DuplicateRelation: it was there before.
        :raises RelationLimitReached: it is not there, and one of the records has no room left.
        """
        call = create_call(self._location_id, association_id, first_record_id, second_record_id)
        try:
            data = self._client.request(call, self._budget).data
        except (DuplicateRelation, PossibleDuplicate, RelationLimitReached) as error:
            return self._settle(error, association_id, first_record_id, second_record_id)
        if isinstance(data, dict):
            return cast(Relation, data)
        # It was created, whatever the answer holds; only its id is not known.
        return {"associationId": association_id, "firstRecordId": first_record_id, "secondRecordId": second_record_id}

    def _settle(self, error: RequestRejected, association_id: str, first_record_id: str, second_record_id: str) -> Relation:
        """Whether the refused relation was there before, or an earlier try made it, or it is not there."""
        if isinstance(error, DuplicateRelation) and not error.unanswered_before:
            raise error
        found = self.find(association_id, first_record_id, second_record_id)
        if found is None:
            raise error
        if error.unanswered_before:
            return found
        text, where = "the relation is there", {"method": error.method, "path": error.path}
        raise DuplicateRelation(text, **where, status=error.status, trace_id=error.trace_id) from error

    def iterate(self, record_id: str, association_ids: Sequence[str] | None = None) -> Iterator[Relation]:
        """A record's relations, on either side, page by page."""

        def page(skip: int, limit: int) -> tuple[list[dict[str, Any]], int | None]:
            call = list_call(self._location_id, record_id, association_ids, skip, limit)
            return read_page(call, self._client.request(call, self._budget).data)

        return cast(Iterator[Relation], iterate_pages(page))

    def find(self, association_id: str, first_record_id: str, second_record_id: str) -> Relation | None:
        """The relation of a pair, order and case as given; ``None`` where there is none.

        :raises ServerError: an answer cannot be read, so that nobody knows whether there is one.
        """
        records = first_record_id, second_record_id
        steps = find_relation(self._location_id, PairSearch(association_id, *records), records)
        found = converse(steps, lambda call: self._client.request(call, self._budget), self._client.sleep)
        return cast(Relation | None, found)

    def delete(self, relation_id: str) -> dict[str, Any]:
        """Delete one.

        :raises NotFound: there is none.
        """
        call = delete_call(self._location_id, relation_id)
        try:
            data = self._client.request(call, self._budget).data
        except NotFound as error:
            if not error.unanswered_before:
                raise
            data = None  # an earlier try of this very request deleted it; only its answer was lost
        return data if isinstance(data, dict) else {"id": relation_id}


class PairSearch:
    """Looks for the relation of one pair among those that are read. Order and case count.

    A relation that cannot be read may be the one: then nothing says that the pair is not linked.

    :param relation_id: the relation with this id alone. Then the records may stand in either order.
    """

    def __init__(
        self, association_id: str, first_record_id: str, second_record_id: str, relation_id: str | None = None
    ) -> None:
        self.association_id = association_id
        self._wanted = {"associationId": association_id, "firstRecordId": first_record_id, "secondRecordId": second_record_id}
        self._swapped = self._wanted | {"firstRecordId": second_record_id, "secondRecordId": first_record_id}
        self._relation_id = relation_id
        self._is_unclear = False

    def is_it(self, relation: Mapping[str, Any]) -> bool:
        """Whether it is this relation.

        :raises ServerError: it has the wanted id, and is another pair's.
        """
        texts = {name: relation.get(name) for name in self._wanted}
        if self._relation_id is not None and (found := read_relation_id(relation)) is not None:
            if found == self._relation_id and texts not in (self._wanted, self._swapped):
                raise _unreadable("the answer shows another pair under the relation's id")
            return found == self._relation_id
        is_read = {name: isinstance(text, str) and bool(text) for name, text in texts.items()}
        if any(is_read[name] and texts[name] != wanted for name, wanted in self._wanted.items()):
            return False
        self._is_unclear = self._is_unclear or not all(is_read.values())
        return all(is_read.values())

    def check_absent(self) -> None:
        """To be called once all relations were looked at, and it was none of them.

        :raises ServerError: a relation was not readable, and may be this one.
        """
        if self._is_unclear:
            raise _unreadable("the answer holds a relation whose records cannot be read")


def _unreadable(text: str) -> ServerError:
    return ServerError(text, method=_LIST.method, path=_LIST.template, status=200)
