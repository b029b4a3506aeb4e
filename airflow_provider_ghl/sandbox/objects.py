"""Objects and their records, with the values that a person would type: what tests and the API read and add."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_ghl.sandbox.location import Location
from airflow_provider_ghl.sandbox.schemas import CONTACT, OPPORTUNITY, Definition, Schema, make_field, type_of

__all__ = ["Objects"]

#: Fields that contacts and opportunities come with, by the name that Python gives them.
_STANDARD_FIELDS = {
    CONTACT: (
        *("email", "phone", "first_name", "last_name", "company_name", "business_id", "business_name", "source", "type"),
        *("tags", "website", "address1", "city", "state", "postal_code", "country", "date_of_birth"),
        *("additional_emails", "additional_phones"),
    ),
    OPPORTUNITY: (
        *("name", "contact_id", "pipeline_id", "pipeline_stage_id", "status", "monetary_value", "source", "assigned_to"),
    ),
}
#: Fields that have several values.
_LISTS = frozenset({"tags", "additional_emails", "additional_phones"})
_NUMBERS = frozenset({"monetary_value"})
#: Their ids are 20 letters and digits, those of other records 24 hex digits (specified, by examples).
_WITH_CODES = (CONTACT, OPPORTUNITY)
_OBJECT_KEY = re.compile(r"custom_objects\.\w+")


class Objects:
    """Part of :class:`State`: it uses the state's lock, and its changes go through the state's journal.

    :param commit: writes a change to the journal, then applies it.
    :param at: the location with an id; ``None``: the first one.
    :param new_code: returns a new id of 20 letters and digits.
    :param new_id: returns a new id of 24 hex digits.
    :param clock: seconds since 1970.
    """

    def __init__(
        self,
        lock: threading.RLock,
        commit: Callable[..., None],
        at: Callable[[str | None], Location],
        new_code: Callable[[], str],
        new_id: Callable[[], str],
        clock: Callable[[], float],
    ):
        self.lock = lock
        self.at = at
        self.clock = clock
        self._commit = commit
        self._new_code = new_code
        self._new_id = new_id

    def add_object(self, object_key: str, properties: Mapping[str, Definition], location_id: str | None = None) -> None:
        """Add an object with these properties, or add them to an object that is there.

        :raises ValueError: the key is no custom object's, or a type is unknown.
        """
        fields = [make_field(key, definition) for key, definition in properties.items()]
        with self.lock:
            location = self.at(location_id)
            _check_key(location, object_key)
            self._commit("fields", location.id, object_key, fields)

    def add(
        self, object_key: str, values: Mapping[str, Any], record_id: str | None = None, location_id: str | None = None
    ) -> str:
        """Add a record and return its id. Fields and custom objects that are missing are made.

        :raises ValueError: the key is no object's, the id is taken, a field is unknown, or it cannot hold its value.
        """
        with self.lock:
            location = self.at(location_id)
            _check_key(location, object_key)
            if record_id is not None and record_id in location.records(object_key):
                raise ValueError(f"there is a record {record_id!r} of {object_key} already")
            standard, custom = _split(object_key, values)
            self._define(location, object_key, custom)
            record_id = record_id or (self._new_code() if object_key in _WITH_CODES else self._new_id())
            self._commit("record", location.id, object_key, record_id, standard, custom, math.floor(self.clock() * 1000))
            return record_id

    def remove(self, object_key: str, record_id: str, location_id: str | None = None) -> None:
        """Remove a record and its relations.

        :raises ValueError: there is none.
        """
        with self.lock:
            location = self.at(location_id)
            if record_id not in location.records(object_key):
                raise ValueError(f"there is no record {record_id!r} of {object_key}")
            self._commit("record-", location.id, object_key, record_id)

    def _define(self, location: Location, object_key: str, custom: Mapping[str, Any]) -> None:
        schema = location.schemas.get(object_key) or Schema.new(object_key, location.id)
        missing: list[tuple[str, str, list[Any]]] = [
            (key, type_of(key, value), []) for key, value in custom.items() if key not in schema.fields
        ]
        for key, value in custom.items():
            if key in schema.fields:
                schema.check(key, value)
        if missing:
            self._commit("fields", location.id, object_key, missing)


def _check_key(location: Location, object_key: str) -> None:
    if object_key not in location.schemas and not _OBJECT_KEY.fullmatch(object_key):
        raise ValueError(f"{object_key!r} is no object: {', '.join(location.schemas)}, or custom_objects.…")


def _split(object_key: str, values: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of fields that HighLevel names, by its names; and those of the location's own fields, by their short keys."""
    if object_key not in _STANDARD_FIELDS:
        return {}, dict(values)
    rest = dict(values)
    custom = dict(rest.pop("custom_fields", {}))
    known = _STANDARD_FIELDS[object_key]
    if unknown := rest.keys() - set(known):
        raise ValueError(f"no field {sorted(unknown)} of {object_key}: it has {', '.join(known)}, and custom_fields")
    for name, value in rest.items():
        _check_value(name, value)
    return {_in_camel_case(name): list(value) if name in _LISTS else value for name, value in rest.items()}, custom


def _check_value(name: str, value: Any) -> None:
    if name in _LISTS:
        if not isinstance(value, (list, tuple)) or not all(isinstance(one, str) for one in value):
            raise ValueError(f"{name} is a list of texts, not {value!r}")
    elif value is not None and not isinstance(value, (int, float) if name in _NUMBERS else str):
        raise ValueError(f"{name} is a {'number' if name in _NUMBERS else 'text'}, not {value!r}")


def _in_camel_case(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
