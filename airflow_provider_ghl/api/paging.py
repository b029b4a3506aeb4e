"""The paging loop of all lists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["PAGE_SIZE", "Pages", "iterate_pages", "read_total"]

#: Items asked for at once. The largest that HighLevel gives is unknown; clients use 100, as the spec's example does.
PAGE_SIZE = 100

Items = list[dict[str, Any]]


class Pages:
    """Says where the next page begins, and when the last one was read.

    A page that is shorter than asked for need not be the last: the server may give fewer at a time. The last page is where
    ``total`` is reached; without a total, a page that is empty or shorter than an earlier one. A page without a new item is
    the last too: a server that ignores ``skip`` would give it for ever.

    While others write, what stands behind a deleted item moves up, and paging by ``skip`` misses one. Pages that overlap show
    that.

    :param start: items to skip for the first one.
    :param overlap: have each page begin with the last item of the page before.
    """

    def __init__(self, start: int = 0, *, overlap: bool = False) -> None:
        #: Items to skip for the next page; ``None`` after the last one.
        self.skip: int | None = start
        self._overlap = overlap
        #: What the next page is to begin with.
        self._first: str | None = None
        self._has_moved = False
        self._seen: set[str] = set()
        self._totals: set[int | None] = set()
        self._is_repeated = False
        self._longest = 0

    @property
    def is_whole(self) -> bool:
        """Whether every page gave one total, so many items were seen, and pages that ought to overlap did so."""
        return self._totals == {len(self._seen)} and not self._has_moved

    @property
    def lacks_some(self) -> bool:
        """Whether items may be missing: a page spoke of more than were seen, or pages do not overlap that ought to.

        Without totals also: the last page was an earlier one again.
        """
        totals = [total for total in self._totals if total is not None]
        return self._has_moved or (max(totals) > len(self._seen) if totals else self._is_repeated)

    def take(self, items: Items, total: int | None) -> Items:
        """Note the page that was asked for, and return its items that were on no earlier page."""
        identities = [_identity(item) for item in items]
        new = {identity: item for identity, item in zip(identities, items, strict=True) if identity not in self._seen}
        self._has_moved |= self._first is not None and self._first not in identities[:1]
        self._is_repeated = bool(items) and not new and identities != [self._first]
        self._seen.update(new)
        self._totals.add(total)
        skip = (self.skip or 0) + len(items)
        is_last = not new or (skip >= total if total is not None else len(items) < self._longest)
        overlaps = self._overlap and len(items) > 1
        self._first = identities[-1] if overlaps else None
        self.skip = None if is_last else skip - overlaps
        self._longest = max(self._longest, len(items))
        return list(new.values())


def iterate_pages(page: Callable[[int, int], tuple[Items, int | None]]) -> Iterator[dict[str, Any]]:
    """Every item once.

    :param page: asks for the page after ``skip`` items, of ``limit``: its items, and how many there are on all pages if known.
    """
    pages = Pages()
    while pages.skip is not None:
        yield from pages.take(*page(pages.skip, PAGE_SIZE))


def read_total(data: Any) -> int | None:
    """How many items there are on all pages, where a page says so."""
    total = data.get("total") if isinstance(data, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None


def _identity(item: dict[str, Any]) -> str:
    """What tells an item from others: its id, else all of it."""
    return str(item["id"]) if item.get("id") is not None else json.dumps(item, sort_keys=True)
