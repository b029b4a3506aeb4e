"""What the ids of a column look like: contacts' or those of custom objects' records."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice

__all__ = ["IdShape", "find_shape", "hint_at_swap"]

_MOST_JUDGED = 100
#: The share of ids that must look alike.
_NEARLY_ALL = 0.95


class IdShape(StrEnum):
    """What ids look like; as text, whose they are."""

    CONTACT = "contacts"
    RECORD = "custom object records"


_FORMS = {IdShape.CONTACT: re.compile("[A-Za-z0-9]{20}"), IdShape.RECORD: re.compile("[0-9a-f]{24}")}


def find_shape(ids: Iterable[str]) -> IdShape | None:
    """The shape that nearly all of the first hundred ids have, if they have one. Missing ids (``""``) do not count."""
    judged = list(islice(filter(None, ids), _MOST_JUDGED))
    for shape, form in _FORMS.items():
        if judged and sum(form.fullmatch(one) is not None for one in judged) >= _NEARLY_ALL * len(judged):
            return shape
    return None


def hint_at_swap(
    columns: tuple[str, str], ids: tuple[Iterable[str], Iterable[str]], object_keys: tuple[str, str]
) -> str | None:
    """What to say of two columns that look as if each held the other side's records; ``None`` where they do not.

    :param columns: their names, first and second.
    :param ids: what is in them.
    :param object_keys: the association's objects, as HighLevel stores it.
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
