"""Key → record id, or why not: a look-up from its first request to its verdicts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from airflow_provider_ghl.api.contacts import duplicate_call, read_duplicate
from airflow_provider_ghl.api.conversation import Steps, Wait
from airflow_provider_ghl.exceptions import ConfigurationError, RequestRejected
from airflow_provider_ghl.lookups.find_field import find_field
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField
from airflow_provider_ghl.lookups.key_texts import read_id, read_key
from airflow_provider_ghl.lookups.normal_forms import InvalidKey, check_region
from airflow_provider_ghl.lookups.outcomes import Resolution, Resolutions
from airflow_provider_ghl.lookups.search import LOOKUP_BY, LookupBy, Search
from airflow_provider_ghl.lookups.values import Business, Contact, CustomObject, Lookup, Opportunity

__all__ = ["INDEX_LAG", "resolve"]

#: Seconds after which a new record can be found: up to 60 were reported.
INDEX_LAG = 60.0
#: Second looks in a row that are refused, after which there are no more.
_MOST_REFUSED = 5


def resolve(
    lookup: Lookup,
    keys: Iterable[Any],
    location_id: str,
    *,
    phone_region: str | None = None,
    lookup_by: LookupBy = "cheaper",
    index_lag: float = INDEX_LAG,
) -> Steps[Resolutions]:
    """The records that have these keys in one location.

    Without keys there is no request. Nor is there one for ids, which are taken as they are.

    :param keys: texts, whole numbers, UUIDs or dates; a missing one has no record.
    :param phone_region: the country of phone numbers without a country code, such as ``US``.
    :param lookup_by: ``search`` by filters, ``page`` the whole, or whichever is ``cheaper``.
    :param index_lag: seconds to wait before records that were not found are looked for once more.
    :raises ConfigurationError: an argument is wrong, or there is no such object, property or custom field.
    """
    given, region = _check(lookup, keys, phone_region, lookup_by)
    if lookup.by == "id":
        return Resolutions(given, [_take_id(key) for key in given])
    if not given:
        return Resolutions([], [])
    field = yield from find_field(lookup, location_id, region)
    normals = [_normalise(key, field) for key in given]
    wanted = list(dict.fromkeys(normal for normal in normals if isinstance(normal, str)))
    found = yield from _resolve_normals(wanted, field, location_id, lookup_by, index_lag)
    return Resolutions(given, [found[normal] if isinstance(normal, str) else normal for normal in normals])


def _check(lookup: object, keys: Iterable[Any], phone_region: str | None, lookup_by: object) -> tuple[list[Any], str | None]:
    if not isinstance(lookup, Contact | CustomObject | Business | Opportunity):
        kind = type(lookup).__name__
        raise ConfigurationError(f"a look-up is Contact, CustomObject, Business or Opportunity, not a {kind}")
    if lookup_by not in LOOKUP_BY:
        raise ConfigurationError(f"lookup_by must be one of {', '.join(LOOKUP_BY)}, not {lookup_by!r}")
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        raise ConfigurationError(f"keys must be a list of keys, not a {type(keys).__name__}")
    return list(keys), check_region(phone_region)


def _take_id(key: Any) -> Resolution:
    try:
        return Resolution(read_id(key))
    except InvalidKey as invalid:
        return _refuse(invalid)


def _normalise(key: Any, field: KeyField) -> str | Resolution:
    try:
        return field.form.of_key(read_key(key))
    except InvalidKey as invalid:
        return _refuse(invalid)


def _refuse(invalid: InvalidKey) -> Resolution:
    return Resolution(reason=str(invalid), is_invalid=True)


def _resolve_normals(
    normals: Sequence[str], field: KeyField, location_id: str, lookup_by: LookupBy, index_lag: float
) -> Steps[dict[str, Resolution]]:
    hits, search = Hits(field), Search(field, location_id, lookup_by)
    yield from search.find(normals, hits)
    if field.duplicate_by is not None and not any(hits.ids(normal) for normal in normals):
        yield from search.find_what_filters_miss(normals, hits)
    # Of a key that was not searched for, nobody knows whether several records have it: it is not asked for alone.
    undecided = {*search.refused, *search.unsearched}
    missing = [normal for normal in normals if not hits.ids(normal) and normal not in undecided]
    if field.duplicate_by is not None:
        yield from _ask_for_duplicates(missing, field, location_id, hits)
    elif missing:
        yield Wait(index_lag)
        yield from search.find(missing, hits)
    return {normal: _verdict(normal, field, search, hits) for normal in normals}


def _ask_for_duplicates(normals: Sequence[str], field: KeyField, location_id: str, hits: Hits) -> Steps[None]:
    """The second look at contacts: it knows new ones sooner than the search."""
    refused_in_a_row = 0
    for normal in normals:
        if field.duplicate_by is None or refused_in_a_row >= _MOST_REFUSED:
            return
        call = duplicate_call(location_id, field.duplicate_by, normal)
        try:
            answer = yield call
        except RequestRejected:
            refused_in_a_row += 1  # the first look's verdict stands
            continue
        refused_in_a_row = 0
        contact = read_duplicate(call, answer.data)
        hits.add([contact] if contact else [], {normal})


def _verdict(normal: str, field: KeyField, search: Search, hits: Hits) -> Resolution:
    if normal in search.refused:
        return Resolution(reason=f"HighLevel refuses to search for it ({search.refused[normal]})")
    if normal in search.unsearched:
        return Resolution(reason="no filter takes it, and paging was not to be had", is_invalid=True)
    ids = hits.ids(normal)
    if not ids:
        return Resolution(reason=field.say_missing())
    if len(ids) > 1:
        return Resolution(reason=field.say_several(ids), candidates=ids)
    return Resolution(ids[0])
