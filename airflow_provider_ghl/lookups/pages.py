"""The pages of one search, whatever HighLevel does with them: they end, or they end with an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.search_pages import LARGEST_PAGE, Ask, SearchPage, unreadable
from airflow_provider_ghl.lookups.seen import Seen

__all__ = ["Pages"]

#: Records that page numbers reach. Beyond them it takes a cursor.
_MOST_BY_PAGE = 10_000
#: The share of ``total`` that the pages must hold: records come and go while they are read.
_NEARLY_ALL = 0.99
#: Records that may be on the pages beyond twice ``total``, and at all: a search that never ends brings more.
_SPARE = 5_000
_MOST = 20_000_000


class Pages:
    """Says which page to ask for next.

    A short page need not be the last one: HighLevel may give fewer records than it was asked for. The last page is a short one
    with which ``total`` is reached, or an empty one; without a total, one that is shorter than another.

    :param filters: none for all records.
    :param private: the keys in them.
    """

    def __init__(
        self, filters: Sequence[Mapping[str, Any]] = (), private: Sequence[str] = (), *, limit: int = LARGEST_PAGE
    ) -> None:
        #: The next page; ``None`` after the last one.
        self.ask: Ask | None = Ask(filters, limit, private=private)
        #: Records on all pages, where HighLevel says so: as it said first.
        self.total: int | None = None
        self._fewest: int | None = None
        self._seen = Seen()
        self._longest = 0

    def shrink(self, limit: int) -> bool:
        """Ask for smaller pages, if none was read yet and they are larger."""
        if self.ask is None or self._seen or self.ask.limit <= limit:
            return False
        self.ask = replace(self.ask, limit=limit)
        return True

    def take(self, call: Call, page: SearchPage) -> list[dict[str, Any]]:
        """Note the page that was asked for, and return its records.

        :raises ServerError: the pages contradict each other: one comes twice, the cursor stands still, records are missing.
        """
        asked = self.ask
        if asked is None:
            raise RuntimeError("there is no page after the last one")
        before = len(self._seen)
        self._seen.add(record["id"] for record in page.records)
        if page.records and len(self._seen) == before:
            raise unreadable(call, "a page of the search came twice")
        self._note_total(call, page.total)
        self.ask = None if self._is_last(call, asked, page) else self._next(call, asked, page)
        self._longest = max(self._longest, len(page.records))
        return page.records

    def _note_total(self, call: Call, total: int | None) -> None:
        if total is not None:
            self.total = total if self.total is None else self.total
            self._fewest = min(total, self._fewest if self._fewest is not None else total)
        if len(self._seen) > (_MOST if self.total is None else 2 * self.total + _SPARE):
            raise unreadable(call, "the search holds more records than its total says")

    def _is_last(self, call: Call, asked: Ask, page: SearchPage) -> bool:
        seen, count = len(self._seen), len(page.records)
        if count == 0:
            if self._fewest is not None and seen < self._fewest * _NEARLY_ALL:
                raise unreadable(call, "the pages of the search end before its total")
            return True
        if page.total is None or page.total < seen:  # no total, or one that is not true
            return count < self._longest
        # A full page is followed by another look, since a total that is too small would hide the second record of a key.
        return count < asked.limit and seen == page.total

    def _next(self, call: Call, asked: Ask, page: SearchPage) -> Ask:
        if page.after is not None:
            if asked.after is not None and list(asked.after) == page.after:
                raise unreadable(call, "the cursor of the search stands still")
            return replace(asked, after=page.after)
        if asked.after is not None:
            raise unreadable(call, "the cursor of the search ends before its pages")
        if len(self._seen) >= _MOST_BY_PAGE:
            raise unreadable(call, "the search has more pages than page numbers reach, and no cursor")
        return replace(asked, page=asked.page + 1)
