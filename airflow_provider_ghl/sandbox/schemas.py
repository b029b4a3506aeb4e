"""What an object is: its fields, their types and options; and which fields the standard objects come with."""

from __future__ import annotations

import hashlib
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["BUSINESS", "CONTACT", "OPPORTUNITY", "STANDARD", "Definition", "Field", "Schema", "make_field", "type_of"]

CONTACT = "contact"
OPPORTUNITY = "opportunity"
BUSINESS = "business"
STANDARD = (CONTACT, OPPORTUNITY, BUSINESS)
#: A type such as ``TEXT``, or a type with its options: label by key.
Definition = str | tuple[str, Mapping[str, str]]

#: Specified: the types of an object's fields. ``MONETORY`` is the vendor's spelling.
DATA_TYPES = frozenset(
    {
        *("TEXT", "LARGE_TEXT", "NUMERICAL", "PHONE", "MONETORY", "CHECKBOX", "SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "DATE"),
        *("TEXTBOX_LIST", "FILE_UPLOAD", "RADIO"),
    }
)
WITH_OPTIONS = frozenset({"CHECKBOX", "SINGLE_OPTIONS", "MULTIPLE_OPTIONS", "RADIO"})
WITH_NUMBERS = frozenset({"NUMERICAL", "MONETORY"})

#: Of companies; that these are the short keys of their properties is inferred.
BUSINESS_FIELDS = ("name", "phone", "email", "website", "address", "city", "state", "postal_code", "country", "description")
_LETTERS = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a custom object or a company, or a custom field of contacts or opportunities.

    :param id: 20 letters and digits.
    :param key: the short key, such as ``policy_no``.
    :param options: label by key.
    """

    id: str
    key: str
    data_type: str
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Schema:
    """An object of one location.

    :param fields: by short key; the first one is a record's name.
    """

    object_key: str
    location_id: str
    fields: dict[str, Field] = field(default_factory=dict)

    @classmethod
    def new(cls, object_key: str, location_id: str) -> Schema:
        """With the fields that the object has from the start."""
        schema = cls(object_key, location_id)
        for key in BUSINESS_FIELDS if object_key == BUSINESS else ():
            schema.put(key, "PHONE" if key == "phone" else "TEXT")
        return schema

    @property
    def id(self) -> str:
        """24 hex digits, the same at every start."""
        return hashlib.blake2b(f"{self.location_id} {self.object_key}".encode(), digest_size=12).hexdigest()

    @property
    def is_standard(self) -> bool:
        return not self.object_key.startswith("custom_objects.")

    @property
    def named_by_label(self) -> bool:
        """Whether a value is the label of an option, not its key."""
        return self.object_key in (CONTACT, OPPORTUNITY)

    def put(self, key: str, data_type: str, options: Iterable[tuple[str, str]] = ()) -> None:
        """Add a field, or change it."""
        self.fields[key] = Field(_field_id(self, key), key, data_type, dict(options))

    def by_id(self, field_id: str) -> Field | None:
        """The field with this id."""
        return next((one for one in self.fields.values() if one.id == field_id), None)

    def check(self, key: str, value: Any) -> None:
        """:raises ValueError: the field cannot hold the value."""
        if value is None:
            return
        one = self.fields[key]
        if one.data_type in WITH_OPTIONS:
            allowed = set(one.options.values() if self.named_by_label else one.options)
            given = value if isinstance(value, list) else [value]
            if not allowed.issuperset(given):
                raise ValueError(f"{key} of {self.object_key} takes {sorted(allowed)}, not {value!r}")
        elif one.data_type in WITH_NUMBERS and not isinstance(value, (int, float, dict)):
            raise ValueError(f"{key} of {self.object_key} is {one.data_type}: {value!r} is no number")
        elif one.data_type in ("TEXT", "LARGE_TEXT", "PHONE", "DATE") and not isinstance(value, str):
            raise ValueError(f"{key} of {self.object_key} is {one.data_type}: {value!r} is no text")


def make_field(key: str, definition: Definition) -> tuple[str, str, list[tuple[str, str]]]:
    """A field's key, type and options, as :meth:`Schema.put` takes them.

    :raises ValueError: there is no such type, or it does not go with options.
    """
    data_type, options = (definition, {}) if isinstance(definition, str) else definition
    if data_type not in DATA_TYPES:
        raise ValueError(f"{key}: there is no type {data_type!r}; there are {', '.join(sorted(DATA_TYPES))}")
    if bool(options) != (data_type in WITH_OPTIONS):
        raise ValueError(f"{key}: {data_type} {'needs' if data_type in WITH_OPTIONS else 'has no'} options")
    return key, data_type, list(options.items())


def type_of(key: str, value: Any) -> str:
    """The type of a field that was not defined, by its first value.

    :raises ValueError: it is neither text nor a number.
    """
    if isinstance(value, str):
        return "TEXT"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "NUMERICAL"
    raise ValueError(f"{key}: the type of {value!r} is unclear; add_object() defines it")


def _field_id(schema: Schema, key: str) -> str:
    """The same for the same field at every start."""
    digest = hashlib.blake2b(f"{schema.location_id} {schema.object_key} {key}".encode(), digest_size=20).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest)
