"""Filters of a search: read from a request, and applied to records."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from operator import attrgetter, ge, gt, le, lt
from typing import Any

from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.records import Record, Records

__all__ = ["DATES", "FLAGS", "NUMBERS", "TEXTS", "Filter", "Group", "Leaf", "Searchable", "read_filters", "values_of"]

FLAGS = frozenset({"exists", "not_exists"})
TEXTS = FLAGS | {"eq", "not_eq", "contains", "not_contains"}
NUMBERS = FLAGS | {"eq", "not_eq", "range"}
DATES = FLAGS | {"range"}
#: Inferred: those that the query language of the index behind the API reserves.
_SPECIAL = set('+-=&|><!(){}[]^"~*?:\\/')
_BOUNDS: dict[str, Callable[[Any, Any], bool]] = {"gt": gt, "gte": ge, "lt": lt, "lte": le}
_DEEPEST = 20


@dataclass(frozen=True, slots=True)
class Searchable:
    """A field that filters may name.

    :param name: names its index, so that fields with other values have other names.
    :param read: the value of a record; a list has several.
    :param operators: those that it takes.
    :param longest: the most characters of a value; ``None``: any number.
    :param folds: whether upper and lower case are the same.
    """

    name: str
    read: Callable[[Record], Any]
    operators: frozenset[str] = TEXTS
    longest: int | None = None
    folds: bool = False

    def keys(self, record: Record) -> list[Hashable]:
        """What a value is compared with."""
        return [self.key(value) for value in values_of(self.read(record))]

    def key(self, value: Any) -> Hashable:
        """A value in the form in which it is compared. Text and numbers are never equal."""
        return value.casefold() if self.folds and isinstance(value, str) else value


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison."""

    field: Searchable
    operator: str
    value: Any

    def matches(self, record: Record) -> bool:
        """Whether a record is as the comparison wants."""
        keys = self.field.keys(record)
        if self.operator.startswith("not_"):
            return not self._holds(self.operator.removeprefix("not_"), keys)
        return self._holds(self.operator, keys)

    def _holds(self, operator: str, keys: list[Hashable]) -> bool:
        if operator == "exists":
            return bool(keys)
        if operator == "eq":
            return self.field.key(self.value) in keys
        if operator == "contains":
            return any(isinstance(key, str) and self.value.casefold() in key.casefold() for key in keys)
        return any(_within(key, self.value) for key in keys)

    def candidates(self, records: Records) -> list[Record] | None:
        """All records that may match; ``None`` where only looking at each of them tells."""
        if self.operator != "eq":
            return None
        return records.with_key(self.field.name, self.field.keys, self.field.key(self.value))

    @property
    def leaves(self) -> int:
        return 1

    @property
    def largest_or(self) -> int:
        return 0


@dataclass(frozen=True, slots=True)
class Group:
    """Filters of which all must match, or any. An empty group matches every record."""

    parts: tuple[Filter, ...] = ()
    is_or: bool = False

    def matches(self, record: Record) -> bool:
        """Whether a record is as the group wants."""
        of_parts = (part.matches(record) for part in self.parts)
        return any(of_parts) if self.is_or else all(of_parts)

    def candidates(self, records: Records) -> list[Record] | None:
        """All records that may match; ``None`` where only looking at each of them tells."""
        of_parts = [part.candidates(records) for part in self.parts]
        known = [one for one in of_parts if one is not None]
        if not self.is_or:
            return min(known, key=len, default=None)
        if len(known) < len(of_parts):
            return None
        return sorted({record.number: record for one in known for record in one}.values(), key=attrgetter("number"))

    @property
    def leaves(self) -> int:
        """How many comparisons it has."""
        return sum(part.leaves for part in self.parts)

    @property
    def largest_or(self) -> int:
        """How many comparisons its largest OR group has."""
        return max([self.leaves if self.is_or else 0, *(part.largest_or for part in self.parts)])


Filter = Leaf | Group


def read_filters(filters: object, find: Callable[[str], Searchable]) -> Group:
    """The filters of a request. Those of a list must all match.

    :param find: the field of a name; raises :class:`Refused` where there is none.
    :raises Refused: they are malformed, or a field does not take an operator or a value.
    """
    return Group(_read_all(filters, find, _DEEPEST))


def _read_all(filters: object, find: Callable[[str], Searchable], deepest: int) -> tuple[Filter, ...]:
    if not isinstance(filters, list) or not deepest:
        raise _wrong("filters must be an array")
    return tuple(_read(one, find, deepest - 1) for one in filters)


def _read(one: object, find: Callable[[str], Searchable], deepest: int) -> Filter:
    if not isinstance(one, dict):
        raise _wrong("each filter must be an object")
    if "group" not in one:
        return _read_leaf(one, find)
    if one["group"] not in ("AND", "OR"):
        raise _wrong("group must be one of the following values: AND, OR")
    parts = _read_all(one.get("filters"), find, deepest)
    if not parts:
        raise _wrong("filters should not be empty")
    return Group(parts, one["group"] == "OR")


def _read_leaf(one: dict[str, Any], find: Callable[[str], Searchable]) -> Leaf:
    name, operator, value = one.get("field"), one.get("operator"), one.get("value")
    if not isinstance(name, str):
        raise _wrong("field must be a string")
    field = find(name)
    if not isinstance(operator, str) or operator not in field.operators:
        raise _wrong(f"operator of {name} must be one of the following values: {', '.join(sorted(field.operators))}")
    if operator not in FLAGS:
        _check_value(field, name, operator, value)
    return Leaf(field, operator, value)


def _check_value(field: Searchable, name: str, operator: str, value: Any) -> None:
    if operator == "range":
        if not isinstance(value, dict) or not value or not _BOUNDS.keys() >= value.keys():
            raise _wrong(f"value of {name} must be a range: {', '.join(_BOUNDS)}")
        return
    if not isinstance(value, (str, int, float)) or value == "":
        raise _wrong(f"value of {name} should not be empty")
    if field.longest is not None and len(str(value)) > field.longest:
        raise _wrong(f"value of {name} must be shorter than or equal to {field.longest} characters")
    if operator.endswith("contains") and (not isinstance(value, str) or _SPECIAL.intersection(value)):
        raise _wrong(f"value of {name} must not have special characters")


def values_of(value: Any) -> tuple[str | float, ...]:
    """The single values of a field: text and numbers. Empty text is none, and money is its number."""
    if isinstance(value, dict):
        value = value.get("value")
    values = value if isinstance(value, list) else [value]
    return tuple(one for one in values if isinstance(one, (str, int, float)) and one != "")


def _within(key: Hashable, bounds: dict[str, Any]) -> bool:
    try:
        return all(_BOUNDS[name](key, bound) for name, bound in bounds.items())
    except TypeError:  # text against a number
        return False


def _wrong(message: str) -> Refused:
    return Refused("invalid_fields", messages=[message])
