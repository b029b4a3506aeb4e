"""What a look-up is: which records, and which of their fields holds the key."""

from __future__ import annotations

import re
from dataclasses import dataclass

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["CUSTOM_FIELD", "INDEX_LAG", "Business", "Contact", "CustomObject", "Lookup", "Opportunity"]

#: What a ``by`` begins with that names a custom field.
CUSTOM_FIELD = "custom_field:"

#: Seconds after which a new record can be found by a key: up to 60 were reported.
INDEX_LAG = 60.0

_SHORT_KEY = re.compile(r"[A-Za-z0-9_-]+")
_OBJECT_KEY = re.compile(r"custom_objects\.[A-Za-z0-9_-]+")
#: Objects with a look-up of their own.
_STANDARD = {"contact": "Contact", "business": "Business", "opportunity": "Opportunity"}


@dataclass(frozen=True)
class Contact:
    """A contact, by ``email``, ``phone``, ``id`` or ``custom_field:<key>``.

    :raises ConfigurationError: ``by`` is something else.
    """

    by: str

    def __post_init__(self) -> None:
        _check_field("Contact", self.by, ("email", "phone", "id"))

    @property
    def object_key(self) -> str:
        """HighLevel's name of the object."""
        return "contact"


@dataclass(frozen=True)
class CustomObject:
    """A record of a custom object, by a property's short key or ``id``.

    :param object_key: HighLevel's name of the object, such as ``custom_objects.policy``.
    :param by: such as ``policy_no``.
    :raises ConfigurationError: one of them cannot be right.
    """

    object_key: str
    by: str

    def __post_init__(self) -> None:
        key = self.object_key
        if isinstance(key, str) and key in _STANDARD:
            raise ConfigurationError(f"{key!r} is no custom object: use {_STANDARD[key]}(by=…)")
        if not isinstance(key, str) or not _OBJECT_KEY.fullmatch(key):
            name = key.rpartition(".")[2] if isinstance(key, str) and _SHORT_KEY.fullmatch(key.rpartition(".")[2]) else "policy"
            raise ConfigurationError(f"CustomObject needs the object's key, such as 'custom_objects.{name}', not {key!r}")
        _check_property("CustomObject", self.by)


@dataclass(frozen=True)
class Business:
    """A company, by a property's short key (``name``, …) or ``id``.

    :raises ConfigurationError: ``by`` is something else.
    """

    by: str

    def __post_init__(self) -> None:
        _check_property("Business", self.by)

    @property
    def object_key(self) -> str:
        """HighLevel's name of the object."""
        return "business"


@dataclass(frozen=True)
class Opportunity:
    """An opportunity, by ``custom_field:<key>``, ``name`` or ``id``.

    :raises ConfigurationError: ``by`` is something else.
    """

    by: str

    def __post_init__(self) -> None:
        _check_field("Opportunity", self.by, ("name", "id"))

    @property
    def object_key(self) -> str:
        """HighLevel's name of the object."""
        return "opportunity"


#: Any of them.
Lookup = Contact | CustomObject | Business | Opportunity


def _check_field(kind: str, by: object, names: tuple[str, ...]) -> None:
    if by in names:
        return
    if isinstance(by, str) and by.startswith(CUSTOM_FIELD) and _SHORT_KEY.fullmatch(_without_model(by, kind)):
        return
    allowed = ", ".join(f"by={name!r}" for name in (*names, f"{CUSTOM_FIELD}<key>"))
    hint = ""
    if isinstance(by, str) and _SHORT_KEY.fullmatch(by):
        hint = f"; a custom field is by={CUSTOM_FIELD + by!r}"
    raise ConfigurationError(f"{kind} is looked up with {allowed}, not {by!r}{hint}")


def _without_model(by: str, kind: str) -> str:
    """The key of a custom field, which HighLevel shows as ``contact.tier``."""
    return by.removeprefix(CUSTOM_FIELD).removeprefix(f"{kind.lower()}.")


def _check_property(kind: str, by: object) -> None:
    if isinstance(by, str) and _SHORT_KEY.fullmatch(by):
        return
    short = by.rpartition(".")[2].rpartition(":")[2] if isinstance(by, str) else ""
    right = short if _SHORT_KEY.fullmatch(short) else "name"
    raise ConfigurationError(f"{kind} is looked up by a property's short key or 'id', such as by={right!r}, not {by!r}")
