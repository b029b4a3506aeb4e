"""The one paging loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["PAGE_SIZE", "Pages", "iterate_pages"]

#: Items asked for at once. The largest that HighLevel gives is unknown; clients use 100, as the spec's example does.
PAGE_SIZE = 100

Items = list[dict[str, Any]]


class Pages:
    """Where the next page begins, and where the last one was.

    A page that is shorter than what was asked for is not the last one for sure: the server may give fewer at a time. So the
    end is where ``total`` is reached; without one, where a page is empty, is shorter than an earlier one, or brings nothing
    new (a server that ignores ``skip`` must not keep us for ever).

    :param start: items to skip for the first one.
    """

    def __init__(self, start: int = 0) -> None:
        #: Items to skip for the next page; ``None`` after the last one.
        self.skip: int | None = start
        self._seen: set[str] = set()
        self._longest = 0

    def take(self, items: Items, total: int | None) -> Items:
        """Take in the page that was asked for; the items that were on no earlier page."""
        new = [item for item in items if item.get("id") is None or str(item["id"]) not in self._seen]
        self._seen.update(str(item.get("id")) for item in new)
        skip = (self.skip or 0) + len(items)
        is_last = not new or (skip >= total if total is not None else len(items) < self._longest)
        self.skip = None if is_last else skip
        self._longest = max(self._longest, len(items))
        return new


def iterate_pages(page: Callable[[int, int], tuple[Items, int | None]]) -> Iterator[dict[str, Any]]:
    """Every item once. ``page(skip, limit)`` asks for a page: its items, and how many there are in all if that is said."""
    pages = Pages()
    while pages.skip is not None:
        yield from pages.take(*page(pages.skip, PAGE_SIZE))
