"""Find the records of many keys by filters: up to a hundred keys a request, and many requests at once."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import Steps, Together
from airflow_provider_ghl.api.search_pages import LARGEST_PAGE, unreadable
from airflow_provider_ghl.exceptions import GHLError, RequestRejected
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField
from airflow_provider_ghl.lookups.pages import Pages

__all__ = ["LARGEST_GROUP", "MODEST_PAGE", "TOO_MUCH", "Groups", "NoFilterError", "PageSize"]

T = TypeVar("T")
#: A part of a conversation that may stand beside others: it waits for nothing.
_Part = Generator[Call, Answer, T]

#: Keys of a group: as many are in use. The largest number that HighLevel takes is unknown.
LARGEST_GROUP = 100
#: Answers that mean: not so many, or not these.
TOO_MUCH = frozenset({400, 413, 422})
#: Single keys in a row that are refused before it is the filter that is taken for refused, and no longer the keys.
_MOST_REFUSED = 5
#: The page size that is tried where the largest is refused.
MODEST_PAGE = 100


class NoFilterError(Exception):
    """Filters are of no use here; ``error`` says why, for whom the whole cannot be paged."""

    def __init__(self, error: GHLError) -> None:
        super().__init__()
        self.error = error


@dataclass(slots=True)
class PageSize:
    """The largest page that HighLevel is not known to refuse."""

    limit: int = LARGEST_PAGE


@dataclass(slots=True)
class _Refusals:
    """Single keys that were refused, with nothing accepted between."""

    in_a_row: int = 0


class Groups:
    """The searches in one location for groups of keys of one field.

    Until one was accepted they go out one after the other, since it may be the filter that is refused, or the size of the
    group or of the page. From then on they do not depend on each other.
    """

    def __init__(self, field: KeyField, location_id: str, page_size: PageSize) -> None:
        self._field = field
        self._location_id = location_id
        self._page_size = page_size
        #: The largest group that HighLevel is not known to refuse.
        self.size = LARGEST_GROUP
        #: Requests so far; keys that were asked for, and records that were found.
        self.requests = self.asked = self.found = 0
        self._is_accepted = False
        self._is_shrinking_tried = False
        self._at_first = _Refusals()

    def find(self, normals: Sequence[str], hits: Hits) -> Steps[None]:
        """Look for keys, and note in ``hits`` what has them, and which keys are refused.

        :raises NoFilterError: the filter is refused, or ignored.
        """
        at = 0
        while at < len(normals) and not self._is_accepted:
            group = normals[at : at + self.size]
            at += len(group)
            yield from self._search(group, hits, self._at_first)
        if at < len(normals):
            begins = range(at, len(normals), self.size)
            yield Together([self._search(normals[begin : begin + self.size], hits, _Refusals()) for begin in begins])

    def _search(self, group: Sequence[str], hits: Hits, refusals: _Refusals) -> _Part[bool]:
        """Search for a group. One that is refused is halved, down to one key; so is one that is larger than is taken by now.

        :return: whether it went without a single key that is refused. Then it was the size, which is remembered.
        """
        is_sent = len(group) <= self.size
        if is_sent:
            try:
                yield from self._search_once(group, hits)
            except RequestRejected as error:
                if error.status not in TOO_MUCH:
                    raise
                if len(group) == 1:
                    return (yield from self._search_by_smaller_page(group, hits, refusals, error))
            else:
                self._is_accepted = True
                refusals.in_a_row = 0
                return True
        half = (len(group) + 1) // 2
        first = yield from self._search(group[:half], hits, refusals)
        second = yield from self._search(group[half:], hits, refusals)
        if is_sent and first and second:
            self.size = min(self.size, half)
        return first and second

    def _search_by_smaller_page(
        self, group: Sequence[str], hits: Hits, refusals: _Refusals, error: RequestRejected
    ) -> _Part[bool]:
        """A single key may be refused for the size of the page, until one search was accepted."""
        limit = self._page_size.limit
        if self._is_accepted or self._is_shrinking_tried or limit <= MODEST_PAGE:
            refusals.in_a_row += 1
            if refusals.in_a_row >= _MOST_REFUSED:
                raise NoFilterError(error)
            hits.refused[group[0]] = error.status
            return False
        self._is_shrinking_tried, self._page_size.limit = True, MODEST_PAGE
        if (yield from self._search(group, hits, refusals)):
            return True
        self._page_size.limit = limit  # it was not for that
        return False

    def _search_once(self, group: Sequence[str], hits: Hits) -> _Part[None]:
        field = self._field
        pages = Pages(field.filter_for(list(group)), group, limit=self._page_size.limit)
        wanted = frozenset(group)
        while pages.ask is not None:
            self.requests += 1
            call = field.records.search(self._location_id, pages.ask)
            answer = yield call
            records = pages.take(call, field.records.read(call, answer.data))
            found = hits.add(field.entries(records), wanted)
            if pages.ask is not None and found * 2 < len(records):
                raise NoFilterError(unreadable(call, "HighLevel ignores the filter of the search"))
            self.found += found
        self.asked += len(group)
