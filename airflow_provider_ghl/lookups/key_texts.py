"""Keys as a warehouse gives them, as text."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from numbers import Integral
from typing import Any
from uuid import UUID

from airflow_provider_ghl.lookups.normal_forms import InvalidKey

__all__ = ["read_id", "read_key"]

#: Characters of a key. A text of thousands is another column's.
_LONGEST = 1_000
_LONGEST_NUMBER = 40


def read_key(value: Any) -> str:
    """The key without blanks at its ends. Ints, Decimals, UUIDs and dates become text.

    :raises InvalidKey: there is none, or it is of another type. The reason quotes nothing.
    """
    text = str.strip(value) if isinstance(value, str) else _of_other_type(value)
    if not text:
        raise InvalidKey("no key")
    if len(text) > _LONGEST:
        raise InvalidKey(f"longer than a key may be ({_LONGEST:,} characters)")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidKey("text that is not Unicode") from None
    if "\0" in text:
        raise InvalidKey("text with a NUL character")
    return text


def read_id(value: Any) -> str:
    """A record id, which is its own key.

    :raises InvalidKey: it cannot be one.
    """
    text = read_key(value)
    if "@" in text or len(text.split()) > 1:
        raise InvalidKey("no record id: it holds an @ or a blank")
    return text


def _of_other_type(value: Any) -> str:
    if _is_missing(value):
        return ""
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, date):
        return value.isoformat()
    # numpy's spans of time say that they are whole numbers.
    is_number = isinstance(value, Integral | Decimal) and not isinstance(value, bool) and type(value).__name__ != "timedelta64"
    if not is_number or (isinstance(value, Decimal) and not value.is_finite()):
        raise InvalidKey(f"a value of type {type(value).__name__}: cast it to text in the query")
    try:
        return _plain(value)
    except ValueError:
        raise InvalidKey("a number of too many digits") from None


def _plain(value: Any) -> str:
    if isinstance(value, Decimal):
        if abs(value.adjusted()) > _LONGEST_NUMBER:
            raise ValueError
        return format(value.to_integral_value() if value == value.to_integral_value() else value, "f")
    return str(int(value))


def _is_missing(value: Any) -> bool:
    """Whether it is a ``None``, a NaN, or pandas' ``NA`` or ``NaT``, which are told by name: pandas need not be loaded."""
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    return isinstance(value, float) and value != value
