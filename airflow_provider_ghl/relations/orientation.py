"""Which column holds which side. HighLevel may store an association with its sides swapped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_provider_ghl.exceptions import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_ghl.api.associations import Association
    from airflow_provider_ghl.lookups.values import Lookup

__all__ = ["Sides", "is_swapped", "sides_of"]


@dataclass(frozen=True, slots=True)
class Sides:
    """How a user describes two columns, or two records. Without a description they are in HighLevel's order.

    :param first_object_key: the object of the first column's records, such as ``contact``.
    :param second_object_key: the object of the second column's records.
    :param first_object_label: the label of the first column's side, for an association between two records of one object.
    """

    first_object_key: str | None = None
    second_object_key: str | None = None
    first_object_label: str | None = None

    @property
    def is_given(self) -> bool:
        """Whether the user has described them."""
        return bool(self.first_object_key or self.second_object_key or self.first_object_label)


def sides_of(
    first_lookup: Lookup | None,
    second_lookup: Lookup | None,
    first_object_key: str | None = None,
    second_object_key: str | None = None,
    first_object_label: str | None = None,
) -> Sides:
    """The description of two columns that follows from their look-ups, where the user gives no object keys.

    :raises ConfigurationError: an object key contradicts its look-up.
    """
    first = _object_key("first", first_lookup, first_object_key)
    return Sides(first, _object_key("second", second_lookup, second_object_key), first_object_label)


def _object_key(side: str, lookup: Lookup | None, key: str | None) -> str | None:
    if lookup is None:
        return key
    if key and _folded(key) != _folded(lookup.object_key):
        raise ConfigurationError(
            f"{side}_lookup={lookup} finds records of {lookup.object_key!r}, and {side}_object_key is {key!r}: "
            f"correct one of them, or leave {side}_object_key out"
        )
    return lookup.object_key


def is_swapped(association: Association, sides: Sides) -> bool:
    """Whether HighLevel stores the association's sides in the opposite order to the user's. Case is ignored.

    :raises ConfigurationError: the association links other objects, or has no side with the given label.
    """
    stored = _folded(association.get("firstObjectKey")), _folded(association.get("secondObjectKey"))
    if not sides.is_given or not all(stored):
        return False
    asked = _folded(sides.first_object_key), _folded(sides.second_object_key)
    fits, fits_swapped = _fits(asked, stored), _fits(asked, stored[::-1])
    if not fits and not fits_swapped:
        raise ConfigurationError(f"{_links(association)}, not {_named(sides)}")
    if fits is not fits_swapped:
        return fits_swapped
    return _is_swapped_by_label(association, sides)


def _is_swapped_by_label(association: Association, sides: Sides) -> bool:
    """For an association between two records of one object, whose sides differ only in their labels."""
    label = _folded(sides.first_object_label)
    if not label:
        return False
    labels = _folded(association.get("firstObjectLabel")), _folded(association.get("secondObjectLabel"))
    if label not in labels:
        shown = f"{association.get('firstObjectLabel')!r} and {association.get('secondObjectLabel')!r}"
        raise ConfigurationError(
            f"the labels of association {_name(association)} are {shown}, not {sides.first_object_label!r}"
        )
    return label != labels[0]


def _fits(asked: tuple[str, str], stored: tuple[str, str]) -> bool:
    return all(not one or one == other for one, other in zip(asked, stored, strict=True))


def _folded(text: str | None) -> str:
    return (text or "").strip().casefold()


def _links(association: Association) -> str:
    objects = f"{association.get('firstObjectKey')} to {association.get('secondObjectKey')}"
    return f"association {_name(association)} links {objects}"


def _name(association: Association) -> str:
    return repr(association.get("key") or association.get("id"))


def _named(sides: Sides) -> str:
    keys = [key for key in (sides.first_object_key, sides.second_object_key) if key]
    return " to ".join(keys) if len(keys) == 2 else f"anything to {keys[0]}"
