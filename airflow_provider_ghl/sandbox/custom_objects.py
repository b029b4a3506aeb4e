"""The endpoints of objects: the schema of any of them, and searches among custom objects and companies."""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.sandbox import search_bodies
from airflow_provider_ghl.sandbox.answers import Reply, fill, reply
from airflow_provider_ghl.sandbox.custom_fields import as_text, searchable
from airflow_provider_ghl.sandbox.exchange import Call
from airflow_provider_ghl.sandbox.location import Location, Refused
from airflow_provider_ghl.sandbox.objects import Objects
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.schemas import CONTACT, OPPORTUNITY, Field, Schema
from airflow_provider_ghl.sandbox.search import Searcher
from airflow_provider_ghl.sandbox.search_filters import DATES, Searchable

__all__ = ["CustomObjects", "shown_relations"]

_BY_KEY, _BY_ID = "properties.", "customFields."
_ADDED = Searchable("createdAt", lambda record: record.added, DATES)


class CustomObjects:
    """Turns requests into answers."""

    def __init__(self, objects: Objects, searcher: Searcher):
        self.objects = objects
        self.searcher = searcher

    def list(self, call: Call) -> Reply:
        """All objects of the location, the standard ones first."""
        with self.objects.lock:
            schemas = self.objects.at(call.location_id).schemas.values()
            return reply("objects", objects=[fill("object", _shown_object(schema)) for schema in schemas])

    def get(self, call: Call) -> Reply:
        """An object of the location and, with ``fetchProperties=true``, its fields."""
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            schema = _schema(location, call.parameter)
            shown = fill("object", _shown_object(schema))
            if call.exchange.query.get("fetchProperties", ["false"])[0] != "true":
                return reply("object_read", object=shown)
            fields = [fill("object_field", _shown_field(schema, field)) for field in schema.fields.values()]
        return reply("object_read_with_fields", object=shown, fields=fields)

    def search(self, call: Call) -> Reply:
        """A page of the records that match."""
        object_key = call.parameter
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            schema = _schema(location, object_key)
            if object_key in (CONTACT, OPPORTUNITY):
                raise Refused("object_not_searchable", objectKey=object_key)
            search = search_bodies.OBJECTS.read(
                call.exchange.body, lambda name: _field(schema, name), lambda record: _name(schema, record), added=_ADDED
            )
            found = self.searcher.run(location.records(object_key), search)
            shown = [_shown_record(location, object_key, record) for record in found.records]
        if self.searcher.searches.records_key == "records":
            return reply("records_found", records=[fill("record", one) for one in shown], total=found.total)
        otherwise = [fill("record_otherwise", one) for one in shown]
        return reply("records_found_otherwise", records=otherwise, total=found.total)


def _schema(location: Location, object_key: str) -> Schema:
    schema = location.schemas.get(object_key)
    if schema is None:
        raise Refused("object_not_found", objectKey=object_key)
    return schema


def _field(schema: Schema, name: str) -> Searchable:
    """The field of a filter. A bare key is refused (observed), and so is an unknown one (inferred)."""
    field = None
    if name.startswith(_BY_KEY):
        field = schema.fields.get(name.removeprefix(_BY_KEY))
    elif name.startswith(_BY_ID):
        field = schema.by_id(name.removeprefix(_BY_ID))
    if field is None:
        raise Refused("invalid_fields", messages=[f"field {name} is not supported"])
    return searchable(field)


def _name(schema: Schema, record: Record) -> list[str]:
    """A record's name is its first property (inferred)."""
    first = next(iter(schema.fields), None)
    return [] if first is None else [str(record.custom.get(first) or "")]


def _shown_object(schema: Schema) -> dict[str, Any]:
    label = schema.object_key.rpartition(".")[2].replace("_", " ").capitalize()
    first = next(iter(schema.fields), "name")
    return {
        "id": schema.id,
        "standard": schema.is_standard,
        "key": schema.object_key,
        "labels": {"singular": label, "plural": f"{label}s"},
        "locationId": schema.location_id,
        "primaryDisplayProperty": f"{schema.object_key}.{first}",
        "type": "SYSTEM_DEFINED" if schema.is_standard else "USER_DEFINED",
        "dateAdded": as_text(0),
        "dateUpdated": as_text(0),
    }


def _shown_field(schema: Schema, field: Field) -> dict[str, Any]:
    return {
        "id": field.id,
        "name": field.key.replace("_", " ").capitalize(),
        "locationId": schema.location_id,
        "objectKey": schema.object_key,
        "parentId": schema.id,
        "fieldKey": f"{schema.object_key}.{field.key}",
        "dataType": field.data_type,
        "options": [{"key": key, "label": label} for key, label in field.options.items()],
        "dateAdded": as_text(0),
        "dateUpdated": as_text(0),
    }


def _shown_record(location: Location, object_key: str, record: Record) -> dict[str, Any]:
    added = as_text(record.added)
    return {
        "id": record.id,
        "locationId": location.id,
        "objectKey": object_key,
        "objectId": location.schemas[object_key].id,
        "properties": {key: value for key, value in record.custom.items() if value not in (None, "")},
        "relations": shown_relations(location, record.id),
        "createdAt": added,
        "updatedAt": added,
        "cursor": record.cursor,
    }


def shown_relations(location: Location, record_id: str) -> list[object]:
    """The relations of a record, each from this record's side."""
    shown = []
    for relation in location.relations_of(record_id, ()):
        association = location.associations[relation.association_id]
        others = (association.second_object_key, relation.second), (association.first_object_key, relation.first)
        object_key, other = others[relation.first != record_id]
        values = {"associationId": association.id, "relationId": relation.id, "objectKey": object_key, "recordId": other}
        shown.append(fill("relation_of_record", values))
    return shown
