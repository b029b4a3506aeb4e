"""Finds the records of keys, chunk after chunk: one look-up in one location."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups.duplicates import Duplicates
from airflow_provider_ghl.lookups.find_field import find_field
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField
from airflow_provider_ghl.lookups.key_texts import read_id, read_key
from airflow_provider_ghl.lookups.normal_forms import InvalidKey, check_region
from airflow_provider_ghl.lookups.outcomes import Resolution
from airflow_provider_ghl.lookups.search import LOOKUP_BY, LookupBy, Search
from airflow_provider_ghl.lookups.values import CUSTOM_FIELD, INDEX_LAG, Business, Contact, CustomObject, Lookup, Opportunity

__all__ = ["Finder"]


class Finder:
    """Finds the records of keys: one look-up in one location. What it learns of HighLevel holds for all calls that follow.

    Its conversations are held one after the other, never two at once.

    A contact that the search misses is asked for by ``search/duplicate``, which knows new ones at once: the first hundred. A
    table of which most are no contacts must not cost a request for each row; the others are searched for once more, a hundred
    a request, when the index has caught up.

    :param phone_region: the country of phone numbers without a country code, such as ``US``.
    :param lookup_by: ``search`` by filters, ``page`` the whole, or whichever is ``cheaper``.
    :param index_lag: seconds after which a new record can be found.
    :raises ConfigurationError: an argument is wrong.
    """

    def __init__(
        self,
        lookup: Lookup,
        location_id: str,
        *,
        phone_region: str | None = None,
        lookup_by: LookupBy = "cheaper",
        index_lag: float = INDEX_LAG,
    ) -> None:
        if not isinstance(lookup, Contact | CustomObject | Business | Opportunity):
            kind = type(lookup).__name__
            raise ConfigurationError(f"a look-up is Contact, CustomObject, Business or Opportunity, not a {kind}")
        if lookup_by not in LOOKUP_BY:
            raise ConfigurationError(f"lookup_by must be one of {', '.join(LOOKUP_BY)}, not {lookup_by!r}")
        self._lookup = lookup
        self._location_id = location_id
        self._region = check_region(phone_region)
        self._lookup_by: LookupBy = lookup_by
        self._ready: _Ready | None = None
        #: Keys that were missing and not looked for again yet.
        self._missing = 0
        #: Names the look-up: finders of one name find the same in a location.
        self.name = _name(lookup, self._region)
        #: Seconds after which a new record can be found.
        self.index_lag = index_lag

    def begin(self) -> Steps[None]:
        """Find the field in the location's schema, if that was not done.

        :raises ConfigurationError: there is no such object, property or custom field; the message names near ones.
        """
        if self._lookup.by != "id":
            yield from self._begin()

    def find(self, keys: Sequence[str], expected: float = 1.0) -> Steps[dict[str, Resolution]]:
        """The first look at keys, and for few missing contacts the second one at once.

        :param keys: distinct texts, without blanks at their ends.
        :param expected: how many times as many keys are likely to come in all, these included.
        """
        if self._lookup.by == "id":
            return {key: _take_id(key) for key in keys}
        ready = yield from self._begin()
        normals, hits = _normalise(keys, ready.field), Hits()
        wanted = _distinct(normals)
        yield from ready.search.find(wanted, hits, expected)
        missing = hits.missing(wanted)
        if ready.duplicates is not None:
            missing = yield from _ask_for_few(missing, hits, ready.search, ready.duplicates, max(1.0, expected))
        self._missing += len(missing)
        return _verdicts(normals, ready.field, hits, frozenset(missing))

    def find_again(self, keys: Sequence[str]) -> Steps[dict[str, Resolution]]:
        """The second look at keys that were missing, once the index has caught up. Its verdicts are final.

        :param keys: those whose verdict was ``is_missing``.
        """
        if self._lookup.by == "id":
            return {key: _take_id(key) for key in keys}
        ready = yield from self._begin()
        normals, hits = _normalise(keys, ready.field), Hits()
        wanted = _distinct(normals)
        yield from ready.search.find_again(wanted, hits, self._missing / max(1, len(wanted)))
        self._missing = max(0, self._missing - len(wanted))
        if ready.duplicates is not None and _are_filters_blind(ready.search, ready.duplicates):
            missing = hits.missing(wanted)
            cost = len(missing)
            if not (yield from ready.search.find_what_filters_miss(missing, hits, cost, cost, is_second=True)):
                yield from ready.duplicates.ask(missing, hits)
        return _verdicts(normals, ready.field, hits, frozenset())

    def _begin(self) -> Steps[_Ready]:
        if self._ready is None:
            field = yield from find_field(self._lookup, self._location_id, self._region)
            search = Search(field, self._location_id, self._lookup_by)
            by = field.duplicate_by
            self._ready = _Ready(field, search, Duplicates(field, self._location_id, by) if by is not None else None)
        return self._ready


class _Ready(NamedTuple):
    """What a finder works with, once the field is found."""

    field: KeyField
    search: Search
    duplicates: Duplicates | None


def _name(lookup: Lookup, region: str | None) -> str:
    """The region is named where it can matter. Of a property, the type is not known before the schema is read."""
    by = lookup.by
    may_be_phone = by == "phone" or by.startswith(CUSTOM_FIELD) or isinstance(lookup, CustomObject | Business)
    where = f" ({region})" if region and may_be_phone and by != "id" else ""
    return f"{lookup.object_key} by {by}{where}"


def _ask_for_few(
    normals: Sequence[str], hits: Hits, search: Search, duplicates: Duplicates, expected: float
) -> Steps[list[str]]:
    """The second look at contacts that the search misses, while these are few. Returns those for which it is yet to come."""
    if search.has_missed_all:  # perhaps for want of a filter that works, so that pages are read that cost no more than asking
        cost = min(len(normals), duplicates.left)
        yield from search.find_what_filters_miss(normals, hits, cost, min(len(normals) * expected, duplicates.left))
        normals = hits.missing(normals)
    now, later = normals[: duplicates.left], normals[duplicates.left :]
    yield from duplicates.ask(now, hits)
    if later and _are_filters_blind(search, duplicates):
        yield from search.find_what_filters_miss(later, hits, len(later), len(later) * expected)
    return hits.missing(later)


def _are_filters_blind(search: Search, duplicates: Duplicates) -> bool:
    """Whether there are contacts of which filters find none. HighLevel's was seen to miss all phones."""
    return search.has_missed_all and duplicates.has_found_many


def _take_id(key: str) -> Resolution:
    try:
        return Resolution(read_id(key))
    except InvalidKey as invalid:
        return Resolution(reason=str(invalid), is_invalid=True)


def _normalise(keys: Sequence[str], field: KeyField) -> dict[str, str | InvalidKey]:
    """The normal form of each key, or why it has none."""
    of_key = field.form.of_key
    normals: dict[str, str | InvalidKey] = {}
    for key in keys:
        try:
            normals[key] = of_key(read_key(key))
        except InvalidKey as invalid:
            normals[key] = invalid
    return normals


def _distinct(normals: Mapping[str, str | InvalidKey]) -> list[str]:
    return list(dict.fromkeys(normal for normal in normals.values() if isinstance(normal, str)))


def _verdicts(
    normals: Mapping[str, str | InvalidKey], field: KeyField, hits: Hits, missing: Collection[str]
) -> dict[str, Resolution]:
    return {
        key: _verdict(normal, field, hits, normal in missing)
        if isinstance(normal, str)
        else Resolution(reason=str(normal), is_invalid=True)
        for key, normal in normals.items()
    }


def _verdict(normal: str, field: KeyField, hits: Hits, is_missing: bool) -> Resolution:
    if normal in hits.refused:
        return Resolution(reason=f"HighLevel refuses to search for it ({hits.refused[normal]})")
    if normal in hits.unsearched:
        return Resolution(reason="no filter takes it, and paging was not to be had", is_invalid=True)
    ids = hits.ids(normal)
    if not ids:
        return Resolution(reason=field.say_missing(), is_missing=is_missing)
    if len(ids) > 1:
        return Resolution(reason=field.say_several(ids), candidates=ids)
    return Resolution(ids[0])
