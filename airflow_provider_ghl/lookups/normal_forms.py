"""Normal forms: two spellings of one key have the same, and two keys never do.

A form makes it of a key from the warehouse (or says why there is none, quoting nothing), and of a value that was read from
HighLevel. A value without a normal form is no key's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Protocol

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Day", "Email", "Form", "InvalidKey", "Number", "Option", "Phone", "Text", "check_region"]

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_LONGEST_EMAIL = 254
#: What most addresses are.
_PLAIN_EMAIL = re.compile(r"[^@\s,;|<>()\"]+@[^@\s,;|<>()\"]+")
_BETWEEN_ADDRESSES = re.compile(r"[,;|<>()\"]")
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?")
#: What people write between two phone numbers, and how many digits one has at least. A slash may stand after an area code.
_BETWEEN_PHONES = re.compile(r"[,;|/&\n]|\b(?:or|and|und|oder|y|o|ou|et)\b", re.IGNORECASE)
_FEWEST_DIGITS = 7
#: Numbers of North America in international form, for which ``phonenumbers`` would take a hundred times as long.
_NORTH_AMERICAN = re.compile(r"\+1[2-9][0-9]{9}")
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ].*)?", re.ASCII)


class InvalidKey(Exception):
    """A key has no normal form. The text says why, and quotes nothing of the key."""


class Form(Protocol):
    """How the keys of one field are compared."""

    def of_key(self, text: str) -> str:
        """The normal form of a key.

        :param text: without blanks at its ends, and not empty.
        :raises InvalidKey: it has none.
        """

    def of_value(self, value: Any) -> str | None:
        """The normal form of a value in HighLevel; ``None`` where it has none."""

    def for_filter(self, normal: str) -> Any:
        """A normal form as a filter takes it."""


@dataclass(frozen=True)
class Text:
    """As it is: upper and lower case count."""

    def of_key(self, text: str) -> str:
        """See :class:`Form`."""
        return text

    def of_value(self, value: Any) -> str | None:
        """See :class:`Form`. A whole number may have lost its quotes."""
        is_text = isinstance(value, str | int) and not isinstance(value, bool)
        return (str(value).strip() or None) if is_text else None

    def for_filter(self, normal: str) -> Any:
        """See :class:`Form`."""
        return normal


@dataclass(frozen=True)
class Email:
    """In lower case. ``str.casefold`` would make one address of two: ``straße@…`` and ``strasse@…``."""

    def of_key(self, text: str) -> str:
        """See :class:`Form`."""
        text = text.strip()
        if len(text) <= _LONGEST_EMAIL and _PLAIN_EMAIL.fullmatch(text):
            return text.lower()
        if text.count("@") > 1 or _BETWEEN_ADDRESSES.search(text):
            raise InvalidKey("more than one e-mail address, or no plain one")
        if not _EMAIL.fullmatch(text):
            raise InvalidKey("no e-mail address")
        raise InvalidKey(f"longer than an e-mail address can be ({_LONGEST_EMAIL} characters)")

    def of_value(self, value: Any) -> str | None:
        """See :class:`Form`."""
        return value.strip().lower() or None if isinstance(value, str) else None

    def for_filter(self, normal: str) -> Any:
        """See :class:`Form`."""
        return normal


@dataclass(frozen=True)
class Phone:
    """E.164.

    :param region: the country of numbers without a country code, such as ``US``.
    """

    region: str | None = None

    def of_key(self, text: str) -> str:
        """See :class:`Form`."""
        if _NORTH_AMERICAN.fullmatch(text):
            return text
        import phonenumbers

        if _holds_two(text):
            raise InvalidKey("more than one phone number")
        try:
            number = phonenumbers.parse(text, self.region)
        except phonenumbers.NumberParseException as error:
            is_local = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
            if is_local and self.region is None and not text.startswith("+"):
                raise InvalidKey("a phone number without a country code, and no phone_region says whose it is") from None
            raise InvalidKey("no phone number") from None
        if number.extension:
            raise InvalidKey("a phone number with an extension: people who share it cannot be told apart")
        if not phonenumbers.is_possible_number(number):
            raise InvalidKey("no phone number: too few or too many digits")
        return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)

    def of_value(self, value: Any) -> str | None:
        """See :class:`Form`."""
        try:
            return self.of_key(value.strip()) if isinstance(value, str) else None
        except InvalidKey:
            return None

    def for_filter(self, normal: str) -> Any:
        """See :class:`Form`."""
        return normal


@dataclass(frozen=True)
class Number:
    """Without leading zeros, and without those at the end of a fraction."""

    def of_key(self, text: str) -> str:
        """See :class:`Form`."""
        if not _NUMBER.fullmatch(text):
            raise InvalidKey("no plain number")
        sign = "-" if text.startswith("-") else ""
        whole, _, fraction = text.lstrip("+-").partition(".")
        whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
        plain = f"{whole}.{fraction}" if fraction else whole
        return plain if plain == "0" else sign + plain

    def of_value(self, value: Any) -> str | None:
        """See :class:`Form`. Money comes as ``{"currency": …, "value": …}``."""
        if isinstance(value, Mapping):
            value = value.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return None
        try:
            text = format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value).strip()
            return self.of_key(text)
        except (InvalidKey, ValueError):
            return None

    def for_filter(self, normal: str) -> Any:
        """See :class:`Form`. Numbers are not quoted."""
        return float(normal) if "." in normal else int(normal)


@dataclass(frozen=True)
class Day:
    """A date as ``YYYY-MM-DD``; a time of day behind it is left out."""

    def of_key(self, text: str) -> str:
        """See :class:`Form`."""
        found = _DAY.fullmatch(text)
        try:
            return date.fromisoformat(found[1]).isoformat() if found else self._refuse()
        except ValueError:
            return self._refuse()

    def of_value(self, value: Any) -> str | None:
        """See :class:`Form`. Some answers have milliseconds since 1970."""
        try:
            if isinstance(value, int) and not isinstance(value, bool):
                return datetime.fromtimestamp(value / 1000, UTC).date().isoformat()
            return self.of_key(value.strip()) if isinstance(value, str) else None
        except (InvalidKey, ValueError, OverflowError, OSError):
            return None

    def for_filter(self, normal: str) -> Any:
        """See :class:`Form`."""
        return normal

    @staticmethod
    def _refuse() -> str:
        raise InvalidKey("no date: YYYY-MM-DD is one")


@dataclass(frozen=True)
class Option:
    """One of a field's options: its key, which its label stands for too.

    :param keys: the options' keys.
    :param by_label: the key of each label. A label of two options has none.
    """

    keys: frozenset[str] = field(repr=False)
    by_label: Mapping[str, str] = field(repr=False)

    def of_key(self, text: str) -> str:
        """See :class:`Form`."""
        found = self._find(text)
        if found is None:
            raise InvalidKey("none of the field's options")
        return found

    def of_value(self, value: Any) -> str | None:
        """See :class:`Form`. Some answers have a list of one."""
        if isinstance(value, list) and len(value) == 1:
            (value,) = value
        return self._find(value.strip()) if isinstance(value, str) else None

    def for_filter(self, normal: str) -> Any:
        """See :class:`Form`."""
        return normal

    def _find(self, text: str) -> str | None:
        return text if text in self.keys else self.by_label.get(text)


def check_region(region: str | None) -> str | None:
    """A phone region in capitals.

    :raises ConfigurationError: it is no country's code.
    """
    if region is None or not str(region).strip():
        return None
    import phonenumbers

    plain = str(region).strip().upper()
    if plain not in phonenumbers.SUPPORTED_REGIONS:
        raise ConfigurationError(f"phone_region must be a country's code of two letters, such as US, not {region!r}")
    return plain


def _holds_two(text: str) -> bool:
    parts = _BETWEEN_PHONES.split(text)
    long = [part for part in parts if sum(map(str.isdigit, part)) >= _FEWEST_DIGITS]
    return text.count("+") > 1 or len(long) > 1
