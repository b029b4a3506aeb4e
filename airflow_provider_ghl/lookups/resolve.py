"""Key → record id, or why not: a look-up of one list of keys, from its first request to its verdicts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from airflow_provider_ghl.api.conversation import Steps, Wait
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.key_texts import read_key
from airflow_provider_ghl.lookups.normal_forms import InvalidKey
from airflow_provider_ghl.lookups.outcomes import Resolution, Resolutions
from airflow_provider_ghl.lookups.search import LookupBy
from airflow_provider_ghl.lookups.values import INDEX_LAG, Lookup

__all__ = ["INDEX_LAG", "resolve"]


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
    finder = Finder(lookup, location_id, phone_region=phone_region, lookup_by=lookup_by)
    if isinstance(keys, str | bytes) or not isinstance(keys, Iterable):
        raise ConfigurationError(f"keys must be a list of keys, not a {type(keys).__name__}")
    given = list(keys)
    if not given:
        return Resolutions([], [])
    yield from finder.begin()
    texts = [_read(key) for key in given]
    found = yield from finder.find(list(dict.fromkeys(text for text in texts if isinstance(text, str))))
    missing = [text for text, verdict in found.items() if verdict.is_missing]
    if missing:
        yield Wait(index_lag)
        found |= yield from finder.find_again(missing)
    return Resolutions(given, [found[text] if isinstance(text, str) else text for text in texts])


def _read(key: Any) -> str | Resolution:
    try:
        return read_key(key)
    except InvalidKey as invalid:
        return Resolution(reason=str(invalid), is_invalid=True)
