"""Refuses rows with values that can be no ids, before any request. Each row gets all its reasons."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from enum import Enum, auto
from typing import Any
from uuid import UUID

import numpy
import pandas

from airflow_provider_ghl.load.columns import Batch, Columns, Objects, Valid
from airflow_provider_ghl.load.source.batches import looks_personal
from airflow_provider_ghl.lookups.key_texts import read_key
from airflow_provider_ghl.lookups.normal_forms import InvalidKey

__all__ = ["validate"]

_LONGEST_DECIMAL = 40
#: Characters of a number that a reason shows.
_SHOWN = 40
_DELETE = 0x7F
#: HighLevel's location ids have 20 letters and digits. Digits alone look like a phone number.
_LOCATION = re.compile(r"(?!\d{7,}$)[A-Za-z0-9_-]{1,100}")
#: The most characters of an id. HighLevel's have 20 to 36. A text of thousands is no id, and no database could index it.
_LONGEST = 500


class _Holds(Enum):
    """What a column holds."""

    IDS = auto()
    KEYS = auto()
    LOCATIONS = auto()


def validate(batch: Batch, columns: Columns, holds_keys: Sequence[bool] = ()) -> Valid:
    """Convert ids to text, without spaces at their ends. Ints, UUIDs and whole Decimals become text; other types are refused.

    A reason names the column and what to do. It quotes no text from the source.

    :param holds_keys: for each column whether it holds keys of records. Dates and fractions are keys too. Empty: all hold ids.
    """
    problems = dict(batch.unreadable)
    flags = holds_keys or [False] * len(columns.values)
    values, keys = [], []
    for name, cells, is_key in zip(columns.values, batch.cells, flags, strict=False):
        texts = _texts(name, cells, batch, problems, _Holds.KEYS if is_key else _Holds.IDS)
        keys.append(texts if is_key else None)
        values.append(numpy.full(len(texts), "", dtype=object) if is_key else texts)
    locations = batch.locations(columns)
    if locations is not None:
        locations = _texts(str(columns.location), locations, batch, problems, _Holds.LOCATIONS)
    return Valid(tuple(values), problems, locations, tuple(keys) if any(flags) else ())


def _texts(name: str, cells: Objects, batch: Batch, problems: dict[int, str], holds: _Holds) -> Objects:
    texts, refused = _column(cells.tolist(), _key if holds is _Holds.KEYS else _text)
    if holds is not _Holds.KEYS:
        refused |= _refuse_locations(texts) if holds is _Holds.LOCATIONS else _refuse_keys(texts)
    for at, reason in refused.items():
        if at not in batch.unreadable:
            problem = f"column '{name}'{reason}"
            problems[at] = f"{problems[at]}; {problem}" if at in problems else problem
    return numpy.fromiter(texts, dtype=object, count=len(texts))


def _refuse_keys(texts: list[str]) -> dict[int, str]:
    """Refuse texts that look like e-mail addresses, and blank them. No id contains an ``@``."""
    if "@" not in "".join(texts):
        return {}
    found = {at: " looks like an e-mail address; keys need a look-up" for at, text in enumerate(texts) if "@" in text}
    for at in found:
        texts[at] = ""
    return found


def _refuse_locations(texts: list[str]) -> dict[int, str]:
    """Refuse texts that are no location's id, and blank them: the load's summary would show them."""
    odd = {text for text in set(texts) if text and not _LOCATION.fullmatch(text)}
    found = {at: " holds no id of a location" for at, text in enumerate(texts) if text in odd} if odd else {}
    for at in found:
        texts[at] = ""
    return found


def _column(values: list[Any], read: Callable[[Any], tuple[str, str]]) -> tuple[list[str], dict[int, str]]:
    """The texts of a column, and why some are refused.

    :param read: reads one value, where they are not all plain: its text, and why it is refused.
    """
    kinds = set(map(type, values))
    if kinds == {str}:
        together = "".join(values)
        # The fast path: there is nothing to strip, and only empty texts are refused.
        if together.isascii() and _is_visible(together) and max(map(len, values)) <= _LONGEST:
            return values, dict(_empty(values))
    if kinds <= {str, int}:
        try:
            texts = list(map(str.strip, map(str, values)))
            octets = "".join(texts).encode()
        except ValueError:
            return _one_by_one(values, read)
        if b"\0" not in octets and max(map(len, texts), default=0) <= _LONGEST:
            return texts, dict(_empty(texts))
    return _one_by_one(values, read)


def _is_visible(text: str) -> bool:
    """Whether an ASCII text has no spaces and no control characters. Five times as fast as ``str.isprintable``."""
    octets = numpy.frombuffer(text.encode(), dtype=numpy.uint8)
    return not octets.size or bool(octets.min() > ord(" ") and octets.max() < _DELETE)


def _empty(texts: list[str]) -> Iterator[tuple[int, str]]:
    at = -1
    for _ in range(texts.count("")):
        at = texts.index("", at + 1)
        yield at, " is empty"


def _one_by_one(values: list[Any], read: Callable[[Any], tuple[str, str]]) -> tuple[list[str], dict[int, str]]:
    texts: list[str] = []
    refused: dict[int, str] = {}
    for at, value in enumerate(values):
        text, reason = read(value)
        texts.append(text)
        if reason:
            refused[at] = reason
    return texts, refused


def _key(value: Any) -> tuple[str, str]:
    """The key as text and no reason, or ``""`` and why the value is refused."""
    try:
        return read_key(value), ""
    except InvalidKey as invalid:
        is_blank = isinstance(value, str) and not value.strip()
        return "", " is empty" if is_blank or _missing(value) else f": {invalid}"


def _text(value: Any) -> tuple[str, str]:
    """The id as text and no reason, or ``""`` and why the value is refused."""
    if isinstance(value, str):
        return _stripped(str.__str__(value))
    if _missing(value):
        return "", " is empty"
    if isinstance(value, UUID):
        return str(value), ""
    if not _is_whole(value):
        return "", f": {_quoted(value)}; cast it to text in the query"
    try:
        return _stripped(str(int(value)))
    except ValueError:
        return "", " holds an int of too many digits"


def _stripped(text: str) -> tuple[str, str]:
    text = text.strip()
    try:
        text.encode()
    except UnicodeEncodeError:
        return "", " holds text that is not Unicode"
    if len(text) > _LONGEST:
        return "", f" holds {len(text):,} characters, and no record's id is longer than {_LONGEST}"
    if "\0" in text:  # neither XCom nor PostgreSQL can hold it
        return "", " holds a NUL character"
    return text, "" if text else " is empty"


def _missing(value: Any) -> bool:
    if value is None or value is pandas.NA or value is pandas.NaT:
        return True
    if isinstance(value, Decimal):
        return value.is_nan()
    may_be_nan = isinstance(value, float | numpy.floating | numpy.datetime64 | numpy.timedelta64)
    return may_be_nan and bool(value != value)


def _is_whole(value: Any) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and value.adjusted() < _LONGEST_DECIMAL and value == value.to_integral_value()
    return isinstance(value, int | numpy.integer) and not isinstance(value, bool | numpy.timedelta64)


def _quoted(value: Any) -> str:
    kind = type(value).__name__
    if not isinstance(value, bool | numpy.bool_ | float | numpy.floating | Decimal):
        return f"a value of type {kind}"
    shown = str(value)[:_SHOWN]
    return f"a {kind}" if looks_personal(shown) else f"{shown} is a {kind}"
