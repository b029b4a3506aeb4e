"""Custom fields of contacts and opportunities: their endpoint, their values in answers, and filters on them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from airflow_provider_ghl.sandbox.answers import Reply, fill, reply
from airflow_provider_ghl.sandbox.exchange import Call
from airflow_provider_ghl.sandbox.location import Location, Refused
from airflow_provider_ghl.sandbox.objects import Objects
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.schemas import CONTACT, OPPORTUNITY, WITH_NUMBERS, Field
from airflow_provider_ghl.sandbox.search_filters import DATES, NUMBERS, TEXTS, Searchable

__all__ = ["CustomFields", "as_text", "searchable", "searchable_custom_field", "shown_custom_fields"]

_MODELS = {"contact": (CONTACT,), "opportunity": (OPPORTUNITY,), "all": (CONTACT, OPPORTUNITY)}


class CustomFields:
    """Turns requests into answers."""

    def __init__(self, objects: Objects):
        self.objects = objects

    def list(self, call: Call) -> Reply:
        """The custom fields of contacts, of opportunities, or of both, which is the default (inferred)."""
        model = call.exchange.query.get("model", ["all"])[0]
        if model not in _MODELS:
            raise Refused("invalid_fields", messages=[f"model must be one of the following values: {', '.join(_MODELS)}"])
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            found = [
                _shown(location, object_key, field)
                for object_key in _MODELS[model]
                for field in location.schemas[object_key].fields.values()
            ]
        return reply("custom_fields", customFields=found)


def _shown(location: Location, object_key: str, field: Field) -> object:
    values = {
        "id": field.id,
        "name": field.key.replace("_", " ").capitalize(),
        "model": object_key,
        "fieldKey": f"{object_key}.{field.key}",
        "dataType": field.data_type,
        "picklistOptions": list(field.options.values()),
        "locationId": location.id,
    }
    return fill("custom_field", values)


def shown_custom_fields(location: Location, object_key: str, record: Record, value_name: str) -> list[dict[str, Any]]:
    """The values of a record, by the ids of its fields; empty ones are left out.

    :param value_name: what HighLevel calls a value.
    """
    fields = location.schemas[object_key].fields
    there = ((fields[key].id, value) for key, value in record.custom.items() if value not in (None, ""))
    return [{"id": field_id, value_name: value} for field_id, value in there]


def searchable_custom_field(
    location: Location, object_key: str, name: str, prefix: str, longest: int | None = None
) -> Searchable | None:
    """The field that a filter names by the id of a custom field; ``None`` if there is none."""
    field = location.schemas[object_key].by_id(name.removeprefix(prefix)) if name.startswith(prefix) else None
    return None if field is None else searchable(field, longest)


def searchable(field: Field, longest: int | None = None) -> Searchable:
    """A field of a schema, as filters take it."""
    operators = NUMBERS if field.data_type in WITH_NUMBERS else DATES if field.data_type == "DATE" else TEXTS
    return Searchable(f"custom {field.key}", lambda record: record.custom.get(field.key), operators, longest)


def as_text(milliseconds: int) -> str:
    """A time as HighLevel writes it, such as ``2026-10-06T08:00:00.000Z``."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"
