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

    :param start: items to skip for the first one.
    """

    def __init__(self, start: int = 0) -> None:
        #: Items to skip for the next page; ``None`` after the last one.
        self.skip: int | None = start
        #: Pages that were read.
        self.count = 0
        self._seen: set[str] = set()
        self._totals: set[int | None] = set()
        self._is_repeated = False
        self._longest = 0

    @property
    def is_whole(self) -> bool:
        """Whether every page gave one total, and so many items were seen.

        Where items are deleted while others are read, the rest moves up, and paging by ``skip`` misses some. Then this is
        false, unless as many were added meanwhile.
        """
        return self._totals == {len(self._seen)}

    @property
    def lacks_some(self) -> bool:
        """Whether a page spoke of more items than were seen; or, without totals, the last page was an earlier one again."""
        totals = [total for total in self._totals if total is not None]
        return max(totals) > len(self._seen) if totals else self._is_repeated

    def take(self, items: Items, total: int | None) -> Items:
        """Note the page that was asked for, and return its items that were on no earlier page."""
        new = {_identity(item): item for item in items}
        new = {identity: item for identity, item in new.items() if identity not in self._seen}
        self._seen.update(new)
        self.count += 1
        self._totals.add(total)
        self._is_repeated = bool(items) and not new
        skip = (self.skip or 0) + len(items)
        is_last = not new or (skip >= total if total is not None else len(items) < self._longest)
        self.skip = None if is_last else skip
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
