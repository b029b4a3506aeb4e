"""One search: which records it finds, in which order, and which page of them it answers."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.records import Record, Records
from airflow_provider_ghl.sandbox.search_filters import Group, values_of
from airflow_provider_ghl.sandbox.searches import Searches

__all__ = ["Found", "Search", "Searcher", "SortBy"]

#: The page mode of contacts and opportunities ends there (specified); that of custom objects too (inferred).
MOST_BY_PAGE = 10_000


class SortBy(NamedTuple):
    """Records without a value come last (inferred)."""

    read: Callable[[Record], Any]
    descending: bool

    def key(self, record: Record) -> tuple[str, Any]:
        """Text and numbers do not compare, so each kind is sorted by itself."""
        value = values_of(self.read(record))[0]
        return ("text", value) if isinstance(value, str) else ("number", value)

    def apply(self, records: list[Record]) -> list[Record]:
        """The records in this order; equal ones stay as they are."""
        there = [record for record in records if values_of(self.read(record))]
        missing = [record for record in records if not values_of(self.read(record))]
        return sorted(there, key=self.key, reverse=self.descending) + missing


@dataclass(frozen=True, slots=True)
class Search:
    """What a request asks for. Without ``sort``, the oldest record is first (inferred).

    :param text: matches records of which one of the texts holds it.
    :param texts: those of a record.
    :param page: from 1.
    :param after: the cursor of the last record of the page before; it takes the place of ``page``.
    """

    where: Group
    limit: int
    page: int = 1
    after: list[Any] | None = None
    text: str = ""
    texts: Callable[[Record], list[str]] = lambda record: []
    sort: tuple[SortBy, ...] = ()

    def matches(self, record: Record) -> bool:
        """Whether it finds the record."""
        text = self.text.casefold()
        return self.where.matches(record) and (not text or any(text in one.casefold() for one in self.texts(record)))


class Found(NamedTuple):
    """A page of records, and how many there are on all pages."""

    records: list[Record]
    total: int


class Searcher:
    """Runs searches under the lock of the state.

    :param clock: seconds since 1970.
    """

    def __init__(self, searches: Searches, clock: Callable[[], float]):
        self.searches = searches
        self._clock = clock
        self._came_twice: set[int] = set()

    def run(self, records: Records, search: Search) -> Found:
        """The page that is asked for.

        :raises Refused: its OR group is too large, or the page mode ends before that page.
        """
        most = self.searches.largest_group
        if most is not None and search.where.largest_or > most:
            raise Refused("group_too_large", limit=most)
        found = self._find(records, search)
        start = self._start(records, search, found)
        return Found(found[start : start + search.limit], len(found))

    def _find(self, records: Records, search: Search) -> list[Record]:
        until = (self._clock() - self.searches.index_lag) * 1000
        everything = records.until(until)
        found = everything
        if (search.where.parts or search.text) and "filter_ignored" not in self.searches.lies:
            candidates = search.where.candidates(records)
            among = everything if candidates is None else candidates
            found = [record for record in among if record.added <= until and search.matches(record)]
            if "strangers" in self.searches.lies:
                strangers = [record for record in everything if not search.matches(record)]
                found = sorted(found + strangers[:1], key=attrgetter("number"))
        for by in reversed(search.sort):
            found = by.apply(found)
        return found

    def _start(self, records: Records, search: Search, found: list[Record]) -> int:
        if search.after is None:
            start = (search.page - 1) * search.limit
            if start + search.limit > MOST_BY_PAGE:
                raise Refused("page_too_far")
        else:
            start = 0 if "cursor_stands" in self.searches.lies else _after(records, search, found)
        if start == search.limit and "page_twice" in self.searches.lies and id(records) not in self._came_twice:
            self._came_twice.add(id(records))
            return 0
        return start


def _after(records: Records, search: Search, found: list[Record]) -> int:
    """The place after the record whose cursor it is, or after the time of a record that is gone."""
    added, record_id = search.after or (0, "")
    if search.sort:
        return next((place for place, record in enumerate(found, 1) if record.id == record_id), len(found))
    last = records.get(record_id)
    if last is None:
        return bisect_right(found, added, key=attrgetter("added"))
    return bisect_right(found, last.number, key=attrgetter("number"))
