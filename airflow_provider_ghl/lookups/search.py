"""Find the records of many keys: by groups of filters, or by paging the whole, whichever costs fewer requests."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.exceptions import RequestRejected
from airflow_provider_ghl.lookups.groups import MODEST_PAGE, TOO_MUCH, Groups, NoFilterError, PageSize
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField
from airflow_provider_ghl.lookups.pages import Pages
from airflow_provider_ghl.lookups.whole import MOST_KEPT, Whole

__all__ = ["LOOKUP_BY", "LookupBy", "Search"]

LookupBy = Literal["cheaper", "search", "page"]
LOOKUP_BY: tuple[LookupBy, ...] = ("cheaper", "search", "page")

#: Searches that are not worth a request that says how many records there are.
_FEW_SEARCHES = 2
#: Keys of which filters find none before it is the filter that is doubted. HighLevel's was seen to miss all phones.
_FEWEST_MISSED = 10
#: Records of a whole whose number HighLevel does not tell.
_UNTOLD = 1 << 62


@dataclass(slots=True)
class _Look:
    """The first looks at keys, or the second ones."""

    #: Requests for groups so far.
    spent: int = 0
    #: Everything, once it was paged.
    whole: Whole | None = None


@dataclass(frozen=True, slots=True)
class _Worth:
    """Paging the whole is worth fewer requests: for these keys, and, where the whole is kept, for those to come as well."""

    now: float = math.inf
    in_all: float = math.inf


class Search:
    """The searches in one location for the keys of one field. What it learns of HighLevel holds for all keys that follow.

    The whole is paged once, and kept: keys that follow cost nothing. How many follow is not known for sure. So it is paged at
    the latest when the searches for groups have cost as much: streaming costs at most about twice the best.

    :param lookup_by: ``search`` by filters, ``page`` the whole, or whichever is ``cheaper``.
    :param most_kept: records of a whole that is kept.
    """

    def __init__(
        self, field: KeyField, location_id: str, lookup_by: LookupBy = "cheaper", *, most_kept: int = MOST_KEPT
    ) -> None:
        self._field = field
        self._location_id = location_id
        self._lookup_by = lookup_by
        self._most_kept = most_kept
        self._page_size = PageSize()
        self._groups = Groups(field, location_id, self._page_size)
        self._first = _Look()
        self._second = _Look()
        #: Records of the whole, and of one of its pages, once they are known.
        self._total: int | None = None
        self._records_a_page = self._page_size.limit
        self._is_unpaged = False
        self._is_filter_useless = False

    @property
    def has_missed_all(self) -> bool:
        """Whether filters have found none of all the keys so far, and these were enough to doubt the filters."""
        return self._groups.found == 0 and self._groups.asked >= _FEWEST_MISSED

    def find(self, normals: Sequence[str], hits: Hits, expected: float = 1.0) -> Steps[None]:
        """Look for keys, and note in ``hits`` what has them.

        :param normals: normal forms, each once.
        :param expected: how many times as many keys are likely to come in all, these included.
        :raises GHLError: neither way can be gone.
        """
        self._second = _Look()  # what second looks have read is too old for the next ones
        yield from self._find(normals, hits, self._first, expected)

    def find_again(self, normals: Sequence[str], hits: Hits, expected: float = 1.0) -> Steps[None]:
        """Look for keys once more. Where that pages the whole, it holds for other second looks until there is a first one."""
        yield from self._find(normals, hits, self._second, expected)

    def find_what_filters_miss(
        self, normals: Sequence[str], hits: Hits, now: float, in_all: float, *, is_second: bool = False
    ) -> Steps[bool]:
        """Page the whole for keys that no filter found, if that takes fewer requests than other ways would.

        :param now: what these take for these keys.
        :param in_all: and for those that are likely to come, these included.
        :return: whether the whole was paged, now or before.
        """
        look = self._second if is_second else self._first
        if look.whole is None and self._lookup_by == "cheaper" and not self._is_unpaged and len(normals) >= _FEWEST_MISSED:
            return (yield from self._try_to_page(normals, hits, look, _Worth(now, in_all)))
        return look.whole is not None

    def _find(self, normals: Sequence[str], hits: Hits, look: _Look, expected: float) -> Steps[None]:
        if not normals:
            return
        if look.whole is not None:
            look.whole.find(normals, hits)
            return
        filtered = [normal for normal in normals if self._field.is_filtered(normal)]
        if (yield from self._page_if_better(filtered, normals, hits, look, expected)):
            return
        before = self._groups.requests
        try:
            yield from self._groups.find(filtered, hits)
        except NoFilterError as error:
            if not self._may_page:
                raise error.error from None
            self._is_filter_useless = True
            yield from self._page(normals, hits, look)
        else:
            hits.unsearched.update(frozenset(normals).difference(filtered))
        finally:
            look.spent += self._groups.requests - before

    @property
    def _may_page(self) -> bool:
        return self._lookup_by != "search" and not self._is_unpaged

    def _page_if_better(
        self, filtered: Collection[str], normals: Sequence[str], hits: Hits, look: _Look, expected: float
    ) -> Steps[bool]:
        """Page the whole, where there is no other way, or where it is the cheaper one. Whether that was done."""
        if not self._may_page:
            return False
        if len(filtered) < len(normals):
            # A few keys that no filter takes are not worth the paging of a whole that cannot be kept.
            is_needed = self._lookup_by == "page" or self._field.filtered_as is None
            return (yield from self._try_to_page(normals, hits, look, _Worth() if is_needed else _Worth(now=0)))
        if self._lookup_by == "page" or self._is_filter_useless:
            return (yield from self._page(normals, hits, look))
        now = math.ceil(len(filtered) / self._groups.size)
        in_all = max(math.ceil(len(filtered) * expected / self._groups.size), look.spent + now)
        if self._total is None and in_all <= _FEW_SEARCHES:
            return False
        return (yield from self._try_to_page(normals, hits, look, _Worth(now, in_all)))

    def _try_to_page(self, normals: Sequence[str], hits: Hits, look: _Look, worth: _Worth) -> Steps[bool]:
        """As :meth:`_page`, where there is another way if it is refused."""
        try:
            return (yield from self._page(normals, hits, look, worth))
        except RequestRejected as error:
            if error.status not in TOO_MUCH:
                raise
            self._is_unpaged = True
            return False

    def _page(self, normals: Sequence[str], hits: Hits, look: _Look, worth: _Worth | None = None) -> Steps[bool]:
        """Page the whole, and note which of its records have the keys. Whether that was done: it is given up if not worth it.

        The first page says how many there are. Its hits count only if the other pages are read as well.
        """
        worth = worth or _Worth()
        if self._total is not None and not self._is_worth(worth, self._pages_of(self._total)):
            return False
        whole, found, wanted = Whole(self._most_kept), Hits(), frozenset(normals)
        pages = Pages(limit=self._page_size.limit)
        yield from self._read_first(pages, whole, found, wanted)
        if pages.ask is not None and not self._is_worth(worth, self._pages_of(self._total or 0) - 1):
            return False
        if look is self._second:
            self._first.whole = None  # two of them would take twice the memory
        while pages.ask is not None:
            yield from self._read(pages, whole, found, wanted)
        self._keep(whole, look)
        hits.update(found)
        hits.refused.clear()
        return True

    def _keep(self, whole: Whole, look: _Look) -> None:
        if whole.is_too_large:
            self._most_kept = 0  # nor is it the next time
            return
        whole.close()
        look.whole = self._first.whole = whole

    def _is_worth(self, worth: _Worth, requests: int) -> bool:
        is_kept = self._total is not None and self._total <= self._most_kept
        return requests < (worth.in_all if is_kept else worth.now)

    def _pages_of(self, total: int) -> int:
        # A full page at the end is followed by an empty one.
        return total // self._records_a_page + 1

    def _read_first(self, pages: Pages, whole: Whole, found: Hits, wanted: Collection[str]) -> Steps[None]:
        """Read the first page. Where it is refused, that may be for its size."""
        try:
            count = yield from self._read(pages, whole, found, wanted)
        except RequestRejected as error:
            if error.status not in TOO_MUCH or not pages.shrink(MODEST_PAGE):
                raise
            self._page_size.limit = MODEST_PAGE
            count = yield from self._read(pages, whole, found, wanted)
        self._records_a_page = count if pages.ask is not None and count else self._page_size.limit
        self._total = pages.total if pages.total is not None else count if pages.ask is None else _UNTOLD

    def _read(self, pages: Pages, whole: Whole, found: Hits, wanted: Collection[str]) -> Steps[int]:
        """Read the next page, and return how many records it has."""
        if pages.ask is None:
            raise RuntimeError("there is no page after the last one")
        call = self._field.records.search(self._location_id, pages.ask)
        answer = yield call
        records = pages.take(call, self._field.records.read(call, answer.data))
        entries = list(self._field.entries(records))
        whole.add(entries)
        found.add(entries, wanted)
        return len(records)
