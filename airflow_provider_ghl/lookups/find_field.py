"""Find the field that a look-up names, in the location's own schema.

A name that is not there is an error before anything else.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

from airflow_provider_ghl.api import custom_fields, objects
from airflow_provider_ghl.api.contacts import LONGEST_FILTER
from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.api.search_pages import unreadable
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    GHLError,
    NotFound,
    QuotaExhausted,
    RequestRejected,
    Stopped,
)
from airflow_provider_ghl.lookups.key_field import CONTACTS, OPPORTUNITIES, KeyField, records_of
from airflow_provider_ghl.lookups.normal_forms import Day, Email, Form, Number, Option, Phone, Text
from airflow_provider_ghl.lookups.values import CUSTOM_FIELD, Contact, Lookup, Opportunity

__all__ = ["find_field"]

_Field = Mapping[str, Any]

#: Types of field that hold several values, or none that anybody could name a record by.
_NO_KEYS = frozenset({"CHECKBOX", "FILE_UPLOAD", "MULTIPLE_OPTIONS", "SIGNATURE", "TEXTBOX_LIST"})
_NUMBERS = frozenset({"FLOAT", "MONETARY", "MONETORY", "NUMERICAL"})
_OPTIONS = frozenset({"RADIO", "SINGLE_OPTIONS"})
#: Names that an error lists at most, where none is near.
_MOST_NAMED = 20


def find_field(lookup: Lookup, location_id: str, phone_region: str | None) -> Steps[KeyField]:
    """The field by which a look-up finds records. Standard fields need no request.

    :raises ConfigurationError: there is no such object, property or custom field; the message names near ones.
    """
    by = lookup.by
    if isinstance(lookup, Contact | Opportunity):
        if by.startswith(CUSTOM_FIELD):
            return (yield from _custom_field(lookup, location_id, phone_region))
        return _standard_field(lookup, phone_region)
    return (yield from _property(lookup.object_key, by, location_id, phone_region))


def _standard_field(lookup: Lookup, phone_region: str | None) -> KeyField:
    if isinstance(lookup, Opportunity):
        return KeyField(OPPORTUNITIES, "name", Text(), lambda record: (record.get("name"), []), "name")
    if lookup.by == "email":
        values = _own_and_further("email", "additionalEmails")
        return KeyField(CONTACTS, "e-mail", Email(), values, "email", LONGEST_FILTER, "email")
    values = _own_and_further("phone", "additionalPhones")
    return KeyField(CONTACTS, "phone number", Phone(phone_region), values, "phone", LONGEST_FILTER, "number")


def _own_and_further(own: str, further: str) -> Callable[[_Field], tuple[Any, list[Any]]]:
    """A contact's own value, and its further ones: texts, or objects that hold one each."""

    def values(record: _Field) -> tuple[Any, list[Any]]:
        found = record.get(further)
        others = found if isinstance(found, list) else []
        return record.get(own), [other.get(own) if isinstance(other, dict) else other for other in others]

    return values


def _custom_field(lookup: Contact | Opportunity, location_id: str, phone_region: str | None) -> Steps[KeyField]:
    model = lookup.object_key
    call = custom_fields.list_call(location_id, model)
    answer = yield call
    fields = {_short(field, model): field for field in custom_fields.read_custom_fields(call, answer.data)}
    name = lookup.by.removeprefix(CUSTOM_FIELD).removeprefix(f"{model}.")
    field = _pick(fields, name, f"custom field of {_plural(model)}")
    field_id = field.get("id")
    if not isinstance(field_id, str) or not field_id:
        raise unreadable(call, "the answer holds a custom field without an id")
    form = _form_of(field, f"custom field {name!r}", phone_region)
    is_contact = isinstance(lookup, Contact)
    return KeyField(
        CONTACTS if is_contact else OPPORTUNITIES,
        name,
        form,
        lambda record: (_custom_value(record, field_id), []),
        # A filter of dates takes ranges only.
        None if isinstance(form, Day) else f"{'customFields' if is_contact else 'custom_fields'}.{field_id}",
        LONGEST_FILTER if is_contact else None,
    )


def _custom_value(record: _Field, field_id: str) -> Any:
    """A custom field's value in a contact (``value``) or an opportunity (``fieldValue``)."""
    for name in ("customFields", "custom_fields"):
        fields = record.get(name)
        for field in fields if isinstance(fields, list) else []:
            if isinstance(field, dict) and field.get("id") == field_id:
                return next((field[key] for key in ("value", "fieldValue", "field_value") if key in field), None)
    return None


def _property(object_key: str, by: str, location_id: str, phone_region: str | None) -> Steps[KeyField]:
    call = objects.schema_call(location_id, object_key)
    try:
        answer = yield call
    except RequestRejected as error:
        return (yield from _refuse_object(object_key, location_id, error))
    fields = {_short(field, object_key): field for field in objects.read_properties(call, answer.data)}
    field = _pick(fields, by, f"property of {object_key}")
    form = _form_of(field, f"property {by!r} of {object_key}", phone_region)
    filtered_as = None if isinstance(form, Day) else f"properties.{by}"
    return KeyField(records_of(object_key), by, form, lambda record: (_property_value(record, by), []), filtered_as)


def _property_value(record: _Field, name: str) -> Any:
    properties = record.get("properties")
    return properties.get(name) if isinstance(properties, dict) else None


def _refuse_object(object_key: str, location_id: str, error: RequestRejected) -> Steps[KeyField]:
    """The schema was refused: say which objects there are. How HighLevel refuses an object that is not there is not known."""
    call = objects.list_call(location_id)
    known: list[str] = []
    try:
        answer = yield call
        known = objects.read_object_keys(call, answer.data)
    except (BudgetSpent, QuotaExhausted, Stopped):
        raise
    except GHLError:  # the list is only for the message
        if not isinstance(error, NotFound):
            raise error from None
    if object_key in known:
        raise error
    near = _near(object_key, known) if known else ""
    raise ConfigurationError(f"this location has no object {object_key!r}{near}") from error


def _short(field: _Field, owner: str) -> str:
    """A field's key without its object's."""
    return str(field.get("fieldKey") or "").removeprefix(f"{owner}.")


def _pick(fields: Mapping[str, _Field], name: str, what: str) -> _Field:
    if name in fields and name:
        return fields[name]
    raise ConfigurationError(f"there is no {what} with the key {name!r}{_near(name, [key for key in fields if key])}")


def _near(name: str, known: list[str]) -> str:
    """What an error says of the names there are."""
    folded = {key.casefold(): key for key in known}
    near = [folded[key] for key in difflib.get_close_matches(name.casefold(), folded, n=3)]
    if near:
        return f": did you mean {' or '.join(map(repr, near))}?"
    more = f" and {len(known) - _MOST_NAMED} more" if len(known) > _MOST_NAMED else ""
    return f"; there are: {', '.join(sorted(known)[:_MOST_NAMED])}{more}" if known else "; there is none at all"


def _plural(model: str) -> str:
    return "contacts" if model == "contact" else "opportunities"


def _form_of(field: _Field, what: str, phone_region: str | None) -> Form:
    """By the field's type. What has no form of its own is text.

    :raises ConfigurationError: values of this type name no record.
    """
    kind = str(field.get("dataType") or "").upper()
    if kind in _NO_KEYS:
        raise ConfigurationError(f"{what} is of type {kind}: no record can be looked up by it")
    if kind in _NUMBERS:
        return Number()
    if kind == "DATE":
        return Day()
    if kind == "PHONE":
        return Phone(phone_region)
    return _options_of(field) if kind in _OPTIONS else Text()


def _options_of(field: _Field) -> Option:
    """The options of a custom object's property have keys and labels; those of other custom fields are mostly labels alone."""
    options = field.get("options") or field.get("picklistOptions") or []
    keys: set[str] = set()
    by_label: dict[str, str] = {}
    twice: set[str] = set()
    for option in options if isinstance(options, list) else []:
        key, label = (option.get("key"), option.get("label")) if isinstance(option, dict) else (option, None)
        key = key if isinstance(key, str) and key else label
        if not isinstance(key, str):
            continue
        keys.add(key)
        if isinstance(label, str):
            twice.update({label} if by_label.setdefault(label, key) != key else ())
    return Option(frozenset(keys), {label: key for label, key in by_label.items() if label not in twice})
