"""The endpoint of opportunities, and the fields that a search among them knows."""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.sandbox import search_bodies
from airflow_provider_ghl.sandbox.answers import Reply, fill, reply
from airflow_provider_ghl.sandbox.custom_fields import as_text, searchable_custom_field, shown_custom_fields
from airflow_provider_ghl.sandbox.custom_objects import shown_relations
from airflow_provider_ghl.sandbox.exchange import Call
from airflow_provider_ghl.sandbox.location import Location, Refused
from airflow_provider_ghl.sandbox.objects import Objects
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.schemas import OPPORTUNITY
from airflow_provider_ghl.sandbox.search import Searcher
from airflow_provider_ghl.sandbox.search_filters import DATES, NUMBERS, TEXTS, Searchable

__all__ = ["Opportunities"]

#: The names of fields in a filter, and in an answer.
_NAMES = {
    "name": "name",
    "contact_id": "contactId",
    "pipeline_id": "pipelineId",
    "pipeline_stage_id": "pipelineStageId",
    "status": "status",
    "source": "source",
    "assigned_to": "assignedTo",
    "monetary_value": "monetaryValue",
}
#: What ``additionalDetails`` adds to an opportunity. The sandbox has none of it.
_DETAILS = ("notes", "tasks", "calendarEvents")
_ADDED = Searchable("date_added", lambda record: record.added, DATES)


def _field_of(in_filter: str, in_answer: str) -> Searchable:
    operators = NUMBERS if in_filter == "monetary_value" else TEXTS
    return Searchable(in_filter, lambda record: record.values.get(in_answer), operators)


_FIELDS = {
    "id": Searchable("id", lambda record: record.id),
    **{in_filter: _field_of(in_filter, in_answer) for in_filter, in_answer in _NAMES.items()},
}


class Opportunities:
    """Turns requests into answers."""

    def __init__(self, objects: Objects, searcher: Searcher):
        self.objects = objects
        self.searcher = searcher

    def search(self, call: Call) -> Reply:
        """A page of the opportunities that match."""
        body = call.exchange.body
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            search = search_bodies.OPPORTUNITIES.read(body, lambda name: _field(location, name), _texts, added=_ADDED)
            found = self.searcher.run(location.records(OPPORTUNITY), search)
            details = _details(body)
            shown = [fill("opportunity", _shown(location, record)) for record in found.records]
        return reply("opportunities_found", opportunities=[_with(one, details) for one in shown], total=found.total)


def _field(location: Location, name: str) -> Searchable:
    found = _FIELDS.get(name) or searchable_custom_field(location, OPPORTUNITY, name, "custom_fields.")
    if found is None:
        raise Refused("invalid_fields", messages=[f"field {name} is not supported"])
    return found


def _texts(record: Record) -> list[str]:
    return [record.values.get("name") or ""]


def _details(body: object) -> dict[str, Any]:
    asked = body.get("additionalDetails") if isinstance(body, dict) else None
    if asked is not None and not isinstance(asked, dict):
        raise Refused("invalid_fields", messages=["additionalDetails must be an object"])
    return {name: [] for name in _DETAILS if (asked or {}).get(name)}


def _with(shown: object, details: dict[str, Any]) -> object:
    return {**shown, **details} if isinstance(shown, dict) else shown


def _shown(location: Location, record: Record) -> dict[str, Any]:
    added = as_text(record.added)
    return {
        **{in_answer: record.values.get(in_answer) for in_answer in _NAMES.values()},
        "id": record.id,
        "locationId": location.id,
        "relations": shown_relations(location, record.id),
        "custom_fields": shown_custom_fields(location, OPPORTUNITY, record, "fieldValue"),
        "createdAt": added,
        "updatedAt": added,
        "sort": record.cursor,
    }
