"""A HighLevel that holds records, answers calls, and lies as it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import Steps, converse
from airflow_provider_ghl.exceptions import NotFound, RequestRejected
from airflow_provider_ghl.lookups.outcomes import Resolutions
from airflow_provider_ghl.lookups.resolve import resolve
from airflow_provider_ghl.lookups.values import Lookup

__all__ = [
    "FIELDS",
    "LOCATION",
    "POLICY",
    "HighLevel",
    "Lies",
    "Record",
    "contact",
    "emails",
    "leaves",
    "people",
    "policy",
    "world",
]

LOCATION = "Xk2v7QpLr9TfBz4NwHd1"
POLICY = "custom_objects.policy"

Record = dict[str, Any]
T = TypeVar("T")

_LONGEST_FILTER = 75

FIELDS: dict[str, list[dict[str, Any]]] = {
    POLICY: [
        {"id": "f1", "fieldKey": f"{POLICY}.policy_no", "dataType": "TEXT"},
        {"id": "f2", "fieldKey": f"{POLICY}.amount", "dataType": "MONETORY"},
        {"id": "f3", "fieldKey": f"{POLICY}.begins", "dataType": "DATE"},
        {
            "id": "f4",
            "fieldKey": f"{POLICY}.tier",
            "dataType": "SINGLE_OPTIONS",
            "options": [{"key": "g", "label": "Gold"}, {"key": "s", "label": "Silver"}],
        },
        {"id": "f5", "fieldKey": f"{POLICY}.papers", "dataType": "FILE_UPLOAD"},
    ],
    "business": [{"id": "b1", "fieldKey": "business.name", "dataType": "TEXT"}],
    "contact": [
        {"id": "c1", "fieldKey": "contact.member_no", "dataType": "NUMERICAL"},
        {"id": "c2", "fieldKey": "contact.note", "dataType": "TEXT"},
        {"id": "c3", "fieldKey": "contact.tier", "dataType": "RADIO", "picklistOptions": ["Gold", "Silver"]},
        {"id": "c4", "fieldKey": "contact.joined", "dataType": "DATE"},
    ],
    "opportunity": [{"id": "o1", "fieldKey": "opportunity.deal_no", "dataType": "TEXT"}],
}


def contact(record_id: str, email: str | None = None, **more: Any) -> Record:
    return {"id": record_id, "email": email, **more}


def policy(record_id: str, number: Any, **more: Any) -> Record:
    return {"id": record_id, "objectKey": POLICY, "properties": {"policy_no": number, **more}}


@dataclass
class Lies:
    """What it does wrong. Nothing by default."""

    ignores_filters: bool = False
    #: No filter finds anything.
    misses_all: bool = False
    #: A record that is in every answer to a filter.
    adds: Record | None = None
    repeats_pages: bool = False
    keeps_cursor: bool = False
    has_no_cursor: bool = False
    #: What it says of a total.
    total: Callable[[int], int | None] = lambda total: total
    largest_group: int = 1_000
    #: Values that it refuses to be asked for.
    refuses: frozenset[Any] = frozenset()
    refuses_paging: bool = False
    #: Records that it gives at a time, and those that may be asked for.
    largest_page: int = 500
    largest_limit: int = 500
    status: int = 422


@dataclass
class HighLevel:
    """Records by object key, and what describes them."""

    records: dict[str, list[Record]] = field(default_factory=dict)
    #: Records that no search finds before somebody waited; ``search/duplicate`` does.
    new: dict[str, list[Record]] = field(default_factory=dict)
    fields: dict[str, list[Record]] = field(default_factory=dict)
    lies: Lies = field(default_factory=Lies)
    location_id: str = LOCATION
    calls: list[Call] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    #: A conversation that does not end is an error.
    most_calls: int = 3_000
    _indexes: dict[tuple[int, str], tuple[int, dict[Any, list[int]]]] = field(default_factory=dict, repr=False)

    def resolve(self, lookup: Lookup, keys: Sequence[Any], **options: Any) -> Resolutions:
        """A look-up, from its first request to its verdicts."""
        return self.hold(resolve(lookup, keys, LOCATION, **options))

    def hold(self, steps: Steps[T]) -> T:
        """A conversation to its end."""
        return converse(steps, self.answer, self.wait)

    def wait(self, seconds: float) -> None:
        """The index catches up."""
        self.waits.append(seconds)
        for key, records in self.new.items():
            self.records.setdefault(key, []).extend(records)
        self.new = {}

    def answer(self, call: Call) -> Answer:
        """What HighLevel says, or raises."""
        self.calls.append(call)
        assert len(self.calls) <= self.most_calls, "this has no end"
        assert call.location_id == self.location_id
        assert call.repeat_safe
        return Answer(200, self.route(call))

    def searches(self) -> list[Record]:
        """The bodies of all searches."""
        return [call.json for call in self.calls if call.method == "POST"]

    def route(self, call: Call) -> Any:
        """The body of the answer; raises where HighLevel refuses."""
        params = dict(call.params or {})
        if call.template == "/contacts/search":
            return self._search(call, "contact", "contacts", "pageLimit")
        if call.template == "/contacts/search/duplicate":
            return {"contact": self._duplicate(params)}
        if call.template == "/opportunities/search":
            return self._search(call, "opportunity", "opportunities", "limit")
        if call.template == "/locations/{locationId}/customFields":
            return {"customFields": self.fields.get(params["model"], [])}
        if call.template == "/objects/":
            return {"objects": [{"key": key} for key in self.fields]}
        key = call.path.split("/")[2]
        if call.template == "/objects/{key}":
            assert params["fetchProperties"] == "true"
            if key not in self.fields:
                raise NotFound("no such object", status=404)
            return {"object": {"key": key}, "fields": self.fields[key]}
        assert call.template == "/objects/{schemaKey}/records/search"
        return self._search(call, key, "records", "pageLimit")

    def _duplicate(self, params: Record) -> Record | None:
        name = "phone" if "number" in params else "email"
        wanted = params.get("number") or params["email"]
        self._refuse_if(wanted in self.lies.refuses)
        for there in (self.records.get("contact", []), self.new.get("contact", [])):
            index = self._indexed(there, f"any {name}", lambda one: [_folded(value) for value in _contact_values(one, name)])
            for at in index.get((str, wanted), ()):
                return there[at]
        return None

    def _search(self, call: Call, object_key: str, name: str, limit_name: str) -> Record:
        body, lies = call.json, self.lies
        assert body["locationId"] == self.location_id
        assert name == "records" or not ("page" in body and "searchAfter" in body)
        found = self.records.get(object_key, [])
        filters = body.get("filters")
        if filters:
            asked = [leaf["value"] for leaf in leaves(body)]
            assert all(len(str(value)) <= _LONGEST_FILTER for value in asked) or name != "contacts"
            self._refuse_if(len(asked) > lies.largest_group or not lies.refuses.isdisjoint(asked))
            if lies.misses_all:
                found = []
            elif not lies.ignores_filters:
                found = self._filtered(object_key, leaves(body))
            if lies.adds is not None:
                found = [lies.adds, *found]
        else:
            self._refuse_if(lies.refuses_paging)
        limit = body[limit_name]
        self._refuse_if(limit > lies.largest_limit)
        begin = self._begin(body, limit)
        page = [dict(one) for one in found[begin : begin + min(limit, lies.largest_page)]]
        if page and not lies.has_no_cursor:
            cursor = begin + len(page) if not lies.keeps_cursor else min(limit, lies.largest_page)
            page[-1]["searchAfter" if name == "contacts" else "sort"] = [cursor, page[-1]["id"]]
        total = lies.total(len(found))
        return {name: page} if total is None else {name: page, "total": total}

    def _filtered(self, object_key: str, asked: list[Record]) -> list[Record]:
        """Those that have one of the values as their own."""
        (name,) = {leaf["field"] for leaf in asked}
        records = self.records.get(object_key, [])
        index = self._indexed(records, name, lambda one: _values(one, name))
        at = {at for leaf in asked for at in index.get((type(leaf["value"]), leaf["value"]), ())}
        return [records[each] for each in sorted(at)]

    def _indexed(self, records: list[Record], name: str, values: Callable[[Record], list[Any]]) -> dict[Any, list[int]]:
        """Where the values stand. Records that were added since are noticed, those that changed in place are not."""
        length, index = self._indexes.get((id(records), name), (-1, {}))
        if length != len(records):
            index = {}
            for at, record in enumerate(records):
                for value in values(record):
                    if not isinstance(value, dict | list):
                        index.setdefault((type(value), value), []).append(at)
            self._indexes[id(records), name] = (len(records), index)
        return index

    def _begin(self, body: Record, limit: int) -> int:
        if self.lies.repeats_pages:
            return 0
        if "searchAfter" in body:
            return int(body["searchAfter"][0])
        return int((body.get("page", 1) - 1) * min(limit, self.lies.largest_page))

    def _refuse_if(self, is_refused: bool) -> None:
        if is_refused:
            raise RequestRejected("refused", method="POST", path="/search", status=self.lies.status)


def world(**lies: Any) -> HighLevel:
    return HighLevel(fields=FIELDS, lies=Lies(**lies))


def people(number: int, first: int = 0) -> list[dict[str, Any]]:
    return [contact(f"contact{at}", f"p{at}@example.org") for at in range(first, first + number)]


def emails(number: int) -> list[str]:
    return [f"p{at}@example.org" for at in range(number)]


def leaves(body: Mapping[str, Any]) -> list[Record]:
    """The filters of a body, which are one group."""
    (group,) = body["filters"]
    if group["group"] == "AND":  # as records of custom objects are asked for
        (group,) = group["filters"]
    assert (set(group), group["group"]) == ({"group", "filters"}, "OR")
    assert all(leaf["operator"] == "eq" for leaf in group["filters"])
    return list(group["filters"])


def _contact_values(record: Record, name: str) -> list[Any]:
    further = record.get("additionalEmails" if name == "email" else "additionalPhones") or []
    return [record.get(name), *further]


def _values(record: Record, field_name: str) -> list[Any]:
    owner, _, name = field_name.rpartition(".")
    if owner == "properties":
        return [record["properties"].get(name)]
    if owner == "customFields":
        return [one["value"] for one in record.get("customFields", []) if one["id"] == name]
    if owner == "custom_fields":
        return [one["fieldValue"] for one in record.get("custom_fields", []) if one["id"] == name]
    assert not owner
    return [_folded(record.get(name)) if name == "email" else record.get(name)]


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
