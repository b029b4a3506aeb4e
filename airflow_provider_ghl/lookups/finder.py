"""Finds the records of keys, chunk after chunk: one look-up in one location."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from airflow_provider_ghl.api.contacts import duplicate_call, read_duplicate
from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.exceptions import ConfigurationError, RequestRejected
from airflow_provider_ghl.lookups.find_field import find_field
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField
from airflow_provider_ghl.lookups.key_texts import read_id, read_key
from airflow_provider_ghl.lookups.normal_forms import InvalidKey, check_region
from airflow_provider_ghl.lookups.outcomes import Resolution
from airflow_provider_ghl.lookups.search import LOOKUP_BY, LookupBy, Search
from airflow_provider_ghl.lookups.values import CUSTOM_FIELD, Business, Contact, CustomObject, Lookup, Opportunity

__all__ = ["INDEX_LAG", "Finder"]

#: Seconds after which a new record can be found: up to 60 were reported.
INDEX_LAG = 60.0
#: Second looks in a row that are refused, after which there are no more.
_MOST_REFUSED = 5
#: Contacts that are asked for one by one.
_MOST_ASKED = 100


class Finder:
    """Finds the records of keys: one look-up in one location. What it learns of HighLevel holds for all calls that follow.

    Its conversations are held one after the other, never two at once.

    A contact that the search misses is asked for by ``search/duplicate``, which knows new ones at once: the first hundred. A
    table of which most are no contacts must not cost a request for each row; the others are searched for once more, a hundred
    a request, when the index has caught up.

    :param phone_region: the country of phone numbers without a country code, such as ``US``.
    :param lookup_by: ``search`` by filters, ``page`` the whole, or whichever is ``cheaper``.
    :raises ConfigurationError: an argument is wrong.
    """

    def __init__(
        self, lookup: Lookup, location_id: str, *, phone_region: str | None = None, lookup_by: LookupBy = "cheaper"
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
        #: Seconds after which a new record can be found.
        self.index_lag = INDEX_LAG
        self._field: KeyField | None = None
        self._search: Search | None = None
        self._asked = 0

    @property
    def name(self) -> str:
        """What it finds by what. Finders of one name find the same in a location."""
        by = self._lookup.by
        is_region_used = by == "phone" or by.startswith(CUSTOM_FIELD) or isinstance(self._lookup, CustomObject | Business)
        region = f" ({self._region})" if self._region and is_region_used and by != "id" else ""
        return f"{self._lookup.object_key} by {by}{region}"

    def begin(self) -> Steps[None]:
        """Find the field in the location's schema, if that was not done.

        :raises ConfigurationError: there is no such object, property or custom field; the message names near ones.
        """
        if self._lookup.by != "id" and self._field is None:
            self._field = yield from find_field(self._lookup, self._location_id, self._region)
            self._search = Search(self._field, self._location_id, self._lookup_by)

    def find(self, keys: Sequence[str], expected: float = 1.0) -> Steps[dict[str, Resolution]]:
        """The first look at keys, and for few missing contacts the second one at once.

        :param keys: distinct texts, without blanks at their ends.
        :param expected: how many times as many keys are likely to come in all, these included.
        """
        return (yield from self._look(keys, is_second=False))

    def find_again(self, keys: Sequence[str]) -> Steps[dict[str, Resolution]]:
        """The second look at keys that were missing, once the index has caught up. Its verdicts are final.

        :param keys: those whose verdict was ``is_missing``.
        """
        return (yield from self._look(keys, is_second=True))

    def _look(self, keys: Sequence[str], is_second: bool) -> Steps[dict[str, Resolution]]:
        if self._lookup.by == "id":
            return {key: _take_id(key) for key in keys}
        yield from self.begin()
        field, search = self._field, self._search
        if field is None or search is None:
            raise RuntimeError("the field was not found")
        normals = {key: _normalise(key, field) for key in keys}
        wanted = list(dict.fromkeys(normal for normal in normals.values() if isinstance(normal, str)))
        hits = Hits(field)
        yield from search.find(wanted, hits)
        missing = _missing(wanted, search, hits)
        if not is_second and field.duplicate_by is not None:
            if not any(hits.ids(normal) for normal in wanted):
                yield from search.find_what_filters_miss(wanted, hits)
                missing = _missing(wanted, search, hits)
            missing = yield from self._ask_for_duplicates(missing, field, hits)
        open_ones = frozenset(() if is_second else missing)
        found = {normal: _verdict(normal, field, search, hits, normal in open_ones) for normal in wanted}
        return {key: found[normal] if isinstance(normal, str) else normal for key, normal in normals.items()}

    def _ask_for_duplicates(self, normals: Sequence[str], field: KeyField, hits: Hits) -> Steps[list[str]]:
        """The second look at contacts: it knows new ones sooner than the search. Returns those that it was not taken at."""
        refused_in_a_row = 0
        left = max(0, _MOST_ASKED - self._asked)
        for normal in normals[:left]:
            if field.duplicate_by is None or refused_in_a_row >= _MOST_REFUSED:
                break
            call = duplicate_call(self._location_id, field.duplicate_by, normal)
            self._asked += 1
            try:
                answer = yield call
            except RequestRejected:
                refused_in_a_row += 1  # the first look's verdict stands
                continue
            refused_in_a_row = 0
            contact = read_duplicate(call, answer.data)
            hits.add([contact] if contact else [], {normal})
        return list(normals[left:])


def _take_id(key: str) -> Resolution:
    try:
        return Resolution(read_id(key))
    except InvalidKey as invalid:
        return Resolution(reason=str(invalid), is_invalid=True)


def _normalise(key: str, field: KeyField) -> str | Resolution:
    try:
        return field.form.of_key(read_key(key))
    except InvalidKey as invalid:
        return Resolution(reason=str(invalid), is_invalid=True)


def _missing(normals: Iterable[str], search: Search, hits: Hits) -> list[str]:
    # Of a key that was not searched for, nobody knows whether several records have it: it is not asked for alone.
    undecided = {*search.refused, *search.unsearched}
    return [normal for normal in normals if not hits.ids(normal) and normal not in undecided]


def _verdict(normal: str, field: KeyField, search: Search, hits: Hits, is_missing: bool) -> Resolution:
    if normal in search.refused:
        return Resolution(reason=f"HighLevel refuses to search for it ({search.refused[normal]})")
    if normal in search.unsearched:
        return Resolution(reason="no filter takes it, and paging was not to be had", is_invalid=True)
    ids = hits.ids(normal)
    if not ids:
        return Resolution(reason=field.say_missing(), is_missing=is_missing)
    if len(ids) > 1:
        return Resolution(reason=field.say_several(ids), candidates=ids)
    return Resolution(ids[0])
