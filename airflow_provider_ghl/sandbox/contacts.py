"""The endpoints of contacts, and the fields that a search among them knows."""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.sandbox import search_bodies
from airflow_provider_ghl.sandbox.answers import Reply, fill, reply
from airflow_provider_ghl.sandbox.custom_fields import as_text, searchable_custom_field, shown_custom_fields
from airflow_provider_ghl.sandbox.exchange import Call
from airflow_provider_ghl.sandbox.location import Location, Refused
from airflow_provider_ghl.sandbox.objects import Objects
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.schemas import CONTACT
from airflow_provider_ghl.sandbox.search import Searcher
from airflow_provider_ghl.sandbox.search_filters import DATES, FLAGS, TEXTS, Searchable

__all__ = ["Contacts"]

#: The longest value that a filter of contacts takes (specified).
LONGEST_VALUE = 75
#: They come in answers and cannot be filtered (observed).
_NOT_FILTERABLE = ("additionalEmails", "additionalPhones", "additional_emails", "additional_phones")
_PLAIN = (
    *("companyName", "businessId", "businessName", "source", "type", "tags", "website"),
    *("address1", "city", "state", "postalCode", "country", "dateOfBirth"),
)


def _lower(name: str) -> Searchable:
    return Searchable(f"{name}LowerCase", lambda record: (record.values.get(name) or "").lower(), longest=LONGEST_VALUE)


def _plain(name: str, operators: frozenset[str] = TEXTS, folds: bool = False) -> Searchable:
    return Searchable(name, lambda record: record.values.get(name), operators, LONGEST_VALUE, folds)


#: The operators of ids and e-mails are specified; that the case of an e-mail does not count is inferred.
_FIELDS = {
    field.name: field
    for field in (
        Searchable("id", lambda record: record.id, frozenset({"eq"}), LONGEST_VALUE),
        _plain("email", FLAGS | {"eq", "not_eq"}, folds=True),
        _plain("phone"),
        _lower("firstName"),
        _lower("lastName"),
        *(_plain(name) for name in _PLAIN),
    )
}
_MISSED_PHONE = Searchable("phone that a filter misses", lambda record: None, TEXTS, LONGEST_VALUE)
_ADDED = Searchable("dateAdded", lambda record: record.added, DATES)


class Contacts:
    """Turns requests into answers."""

    def __init__(self, objects: Objects, searcher: Searcher):
        self.objects = objects
        self.searcher = searcher

    def search(self, call: Call) -> Reply:
        """A page of the contacts that match."""
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            search = search_bodies.CONTACTS.read(
                call.exchange.body, lambda name: self._field(location, name), _texts, added=_ADDED
            )
            found = self.searcher.run(location.records(CONTACT), search)
            contacts = [fill("contact_found", {**_shown(location, one), "searchAfter": one.cursor}) for one in found.records]
        return reply("contacts_found", contacts=contacts, total=found.total)

    def find_duplicate(self, call: Call) -> Reply:
        """The contact with an e-mail address or a phone number; without the index, so without its lag (inferred)."""
        query = call.exchange.query
        given = [(name, query[of][0]) for of, name in (("email", "email"), ("number", "phone")) if query.get(of, [""])[0]]
        if not given:
            raise Refused("invalid_fields", messages=["email or number should not be empty"])
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            for name, value in given:
                field = _FIELDS[name]
                found = location.records(CONTACT).with_key(name, field.keys, field.key(value))
                if found:
                    return reply("duplicate_contact", contact=fill("contact", _shown(location, found[0])))
        return reply("duplicate_contact", contact=None)

    def get(self, call: Call) -> Reply:
        """The contact with an id, in any location that the token opens."""
        with self.objects.lock:
            for location_id in call.reachable:
                location = self.objects.at(location_id)
                record = location.records(CONTACT).get(call.parameter)
                if record is not None:
                    return reply("contact_read", contact=fill("contact", _shown(location, record)))
        raise Refused("contact_not_found", recordId=call.parameter)

    def _field(self, location: Location, name: str) -> Searchable:
        if name in _NOT_FILTERABLE:
            raise Refused("field_not_filterable", field=name)
        if name == "phone" and self.searcher.searches.misses_phones:
            return _MISSED_PHONE
        found = _FIELDS.get(name) or searchable_custom_field(location, CONTACT, name, "customFields.", LONGEST_VALUE)
        if found is None:
            raise Refused("invalid_fields", messages=[f"field {name} is not supported"])
        return found


def _shown(location: Location, record: Record) -> dict[str, Any]:
    """The fields as HighLevel names them; ``null`` where there is no value."""
    values = record.values
    added = as_text(record.added)
    return {
        **dict.fromkeys(("email", "phone", "firstName", "lastName", *_PLAIN)),
        **{name: value for name, value in values.items() if value != ""},
        "id": record.id,
        "locationId": location.id,
        "firstNameLowerCase": (values.get("firstName") or "").lower() or None,
        "lastNameLowerCase": (values.get("lastName") or "").lower() or None,
        "tags": values.get("tags", []),
        "additionalEmails": [{"email": email} for email in values.get("additionalEmails", ())],
        "additionalPhones": [{"phone": phone} for phone in values.get("additionalPhones", ())],
        "customFields": shown_custom_fields(location, CONTACT, record, "value"),
        "dateAdded": added,
        "dateUpdated": added,
    }


def _texts(record: Record) -> list[str]:
    name = " ".join(filter(None, (record.values.get("firstName"), record.values.get("lastName"))))
    return [name, *(record.values.get(of) or "" for of in ("email", "phone", "companyName"))]
