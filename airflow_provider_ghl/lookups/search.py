"""Find the records of many keys: by groups of filters, or by paging the whole, whichever costs fewer requests."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import Literal

from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.api.search_pages import LARGEST_PAGE, unreadable
from airflow_provider_ghl.exceptions import GHLError, RequestRejected
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField
from airflow_provider_ghl.lookups.pages import Pages

__all__ = ["LARGEST_GROUP", "LOOKUP_BY", "LookupBy", "Search"]

LookupBy = Literal["cheaper", "search", "page"]
LOOKUP_BY: tuple[LookupBy, ...] = ("cheaper", "search", "page")

#: Keys of a group: as many are in use. The largest number that HighLevel takes is unknown.
LARGEST_GROUP = 100
#: Answers that mean: not so many, or not these.
_TOO_MUCH = frozenset({400, 413, 422})
#: Single keys in a row that are refused before it is the filter that is taken for refused, and no longer the keys.
_MOST_REFUSED = 5
#: Keys of which filters find none before it is the filter that is doubted. HighLevel's was seen to miss all phones.
_FEWEST_MISSED = 10
#: The page size that is tried where the largest is refused.
_MODEST_PAGE = 100


class Search:
    """The searches in one location for the keys of one field. What it learns of HighLevel holds for all keys that follow.

    :param lookup_by: ``search`` by filters, ``page`` the whole, or whichever is ``cheaper``.
    """

    def __init__(self, field: KeyField, location_id: str, lookup_by: LookupBy = "cheaper") -> None:
        self._field = field
        self._location_id = location_id
        self._lookup_by = lookup_by
        #: The largest group that HighLevel is not known to refuse.
        self.group = LARGEST_GROUP
        #: Keys for which HighLevel refused to search, each with the status.
        self.refused: dict[str, int] = {}
        #: Keys that no filter takes, and that were not found by paging either.
        self.unsearched: set[str] = set()
        self._refused_in_a_row = 0
        #: No filtered search was accepted, so that a refusal may be for the size of the page.
        self._may_shrink = True
        self._page_size = LARGEST_PAGE
        self._total: int | None = None
        #: Why the whole cannot be paged.
        self._unpaged: RequestRejected | None = None
        self._is_filter_useless = False
        self._is_whole_read = False

    def find(self, normals: Sequence[str], hits: Hits) -> Steps[None]:
        """Look for keys, and note in ``hits`` what has them.

        :param normals: normal forms, each once.
        :raises GHLError: neither way can be gone.
        """
        hidden = [normal for normal in normals if not self._field.is_filtered(normal)]
        if hidden and self._lookup_by != "search" and self._unpaged is None:
            try:
                yield from self._page(Pages(limit=self._page_size), normals, hits)
            except RequestRejected as error:
                self._note_unpaged(error)
            else:
                return
        filtered = [normal for normal in normals if self._field.is_filtered(normal)]
        whole = yield from self._choose(filtered, hits)
        if whole is None:
            try:
                yield from self._search_groups(filtered, hits)
            except _NoFilterError as error:
                if self._lookup_by == "search" or self._unpaged is not None:
                    raise error.error from None
                self._is_filter_useless = True
                whole = Pages(limit=self._page_size)
        if whole is None:
            self.unsearched.update(hidden)
        else:
            yield from self._page(whole, normals, hits)
            for normal in normals:
                self.refused.pop(normal, None)

    def find_what_filters_miss(self, normals: Sequence[str], hits: Hits) -> Steps[None]:
        """Read the whole for keys that no filter found, where that was not done and costs less than asking for each alone."""
        many = len(normals) >= _FEWEST_MISSED
        if self._lookup_by != "cheaper" or self._unpaged is not None or self._is_whole_read or not many:
            return
        if self._total is not None and self._pages_of(self._total) >= len(normals):
            return
        pages = yield from self._choose_by_first_page(normals, len(normals), hits)
        if pages is not None:
            yield from self._page(pages, normals, hits)

    def _choose(self, keys: Sequence[str], hits: Hits) -> Steps[Pages | None]:
        """The pages of the whole, if paging is to be gone on with; ``None`` for filters."""
        if self._lookup_by == "search" or self._unpaged is not None or not keys:
            return None
        if self._lookup_by == "page" or self._is_filter_useless:
            return Pages(limit=self._page_size)
        searches = math.ceil(len(keys) / self.group)
        if self._total is None:
            if searches <= 2:  # to learn the size would cost as much as it could save
                return None
            return (yield from self._choose_by_first_page(keys, searches, hits))
        return Pages(limit=self._page_size) if self._pages_of(self._total) < searches else None

    def _choose_by_first_page(self, keys: Sequence[str], searches: int, hits: Hits) -> Steps[Pages | None]:
        """The first page of the whole says how large that is. Its hits count only if the other pages are read as well."""
        pages, first = Pages(limit=self._page_size), Hits(self._field)
        try:
            yield from self._page_once(pages, frozenset(keys), first)
        except RequestRejected as error:
            self._note_unpaged(error)
            return None
        self._total = pages.total
        if pages.ask is not None and (pages.total is None or self._pages_of(pages.total) - 1 >= searches):
            return None
        hits.update(first)
        return pages

    def _note_unpaged(self, error: RequestRejected) -> None:
        if error.status not in _TOO_MUCH:
            raise error
        self._unpaged = error

    def _pages_of(self, total: int) -> int:
        # A full page at the end is followed by an empty one.
        return total // self._page_size + 1

    def _page(self, pages: Pages, normals: Sequence[str], hits: Hits) -> Steps[None]:
        wanted = frozenset(normals)
        while pages.ask is not None:
            yield from self._page_once(pages, wanted, hits)
        self._is_whole_read = True

    def _page_once(self, pages: Pages, wanted: Collection[str], hits: Hits) -> Steps[None]:
        """Read a page of the whole. Where the first one is refused, it may be for its size."""
        try:
            yield from self._read(pages, wanted, hits)
        except RequestRejected as error:
            if error.status not in _TOO_MUCH or not pages.shrink(_MODEST_PAGE):
                raise
            self._page_size = _MODEST_PAGE
            yield from self._read(pages, wanted, hits)

    def _read(self, pages: Pages, wanted: Collection[str], hits: Hits) -> Steps[tuple[int, int]]:
        """Read the next page: how many records it has, and how many of them are hits."""
        if pages.ask is None:
            raise RuntimeError("there is no page after the last one")
        call = self._field.records.search(self._location_id, pages.ask)
        answer = yield call
        records = pages.take(call, self._field.records.read(call, answer.data))
        found = hits.add(records, wanted)
        if pages.is_filtered and pages.ask is not None and found * 2 < len(records):
            raise _NoFilterError(unreadable(call, "HighLevel ignores the filter of the search"))
        return len(records), found

    def _search_groups(self, normals: Sequence[str], hits: Hits) -> Steps[None]:
        at = 0
        while at < len(normals):
            group = normals[at : at + self.group]
            at += len(group)
            yield from self._search(group, hits)

    def _search(self, group: Sequence[str], hits: Hits) -> Steps[bool]:
        """Search for a group. One that is refused is halved, down to one key.

        :return: whether it went without a single key that is refused. Then it was the size, which is remembered.
        """
        is_sent = len(group) <= self.group
        if is_sent:
            try:
                yield from self._search_once(group, hits)
            except RequestRejected as error:
                if error.status not in _TOO_MUCH:
                    raise
                if len(group) == 1:
                    return (yield from self._search_by_smaller_page(group, hits, error))
            else:
                self._note_accepted()
                return True
        half = (len(group) + 1) // 2
        first = yield from self._search(group[:half], hits)
        second = yield from self._search(group[half:], hits)
        if is_sent and first and second:
            self.group = min(self.group, half)
        return first and second

    def _search_by_smaller_page(self, group: Sequence[str], hits: Hits, error: RequestRejected) -> Steps[bool]:
        """A single key may be refused for the size of the page, until one search was accepted."""
        size = self._page_size
        if not self._may_shrink or size <= _MODEST_PAGE:
            self._note_refused(group[0], error)
            return False
        self._may_shrink, self._page_size = False, _MODEST_PAGE
        if (yield from self._search(group, hits)):
            return True
        self._page_size = size  # it was not for that
        return False

    def _search_once(self, group: Sequence[str], hits: Hits) -> Steps[None]:
        pages = Pages(self._field.filter_for(list(group)), group, limit=self._page_size)
        wanted = frozenset(group)
        while pages.ask is not None:
            yield from self._read(pages, wanted, hits)

    def _note_accepted(self) -> None:
        self._may_shrink = False
        self._refused_in_a_row = 0

    def _note_refused(self, normal: str, error: RequestRejected) -> None:
        self._refused_in_a_row += 1
        if self._refused_in_a_row >= _MOST_REFUSED:
            raise _NoFilterError(error)
        self.refused[normal] = error.status


class _NoFilterError(Exception):
    """Filters are of no use here; ``error`` says why, for whom the whole cannot be paged."""

    def __init__(self, error: GHLError) -> None:
        super().__init__()
        self.error = error
