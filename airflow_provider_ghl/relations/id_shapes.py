"""Recognises from its ids whether a column holds contacts or records of custom objects."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice

__all__ = ["IdShape", "find_shape", "hint_at_swap"]

_MOST_JUDGED = 100
#: The share of ids that must have the same shape.
_NEARLY_ALL = 0.95


class IdShape(StrEnum):
    """The shape of ids. Its text names whose ids have it."""

    CONTACT = "contacts"
    RECORD = "custom object records"


_FORMS = {IdShape.CONTACT: re.compile("[A-Za-z0-9]{20}"), IdShape.RECORD: re.compile("[0-9a-f]{24}")}


def find_shape(ids: Iterable[str]) -> IdShape | None:
    """The shape of nearly all of the first hundred ids; ``None`` where they have none. Missing ids (``""``) do not count."""
    judged = list(islice(filter(None, ids), _MOST_JUDGED))
    for shape, form in _FORMS.items():
        if judged and sum(form.fullmatch(one) is not None for one in judged) >= _NEARLY_ALL * len(judged):
            return shape
    return None


def hint_at_swap(
    columns: tuple[str, str], ids: tuple[Iterable[str], Iterable[str]], object_keys: tuple[str, str]
) -> str | None:
    """A message for the user where each column seems to hold the other side's records; ``None`` where that is not so.

    :param columns: the names of the first and the second column.
    :param ids: the ids in these columns.
    :param object_keys: the objects of the association's first and second side, as HighLevel stores it.
    """
    expected = [_expected_shape(key) for key in object_keys]
    if None in expected or expected[0] is expected[1]:
        return None
    found = [find_shape(column) for column in ids]
    if found != expected[::-1]:
        return None
    has = f"column '{columns[0]}' holds what look like ids of {found[0]}, and column '{columns[1]}' those of {found[1]}"
    links = f"the association links {object_keys[0]} (first) to {object_keys[1]} (second)"
    return f"{has}, but {links}: swap the two column arguments"


def _expected_shape(object_key: str) -> IdShape | None:
    """The shape of an object's ids, where it is known."""
    if object_key == "contact":
        return IdShape.CONTACT
    return IdShape.RECORD if object_key.startswith("custom_objects.") else None
