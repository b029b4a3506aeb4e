"""One page of a search, whichever kind of record it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.paging import read_total
from airflow_provider_ghl.exceptions import ServerError

__all__ = ["LARGEST_PAGE", "Ask", "SearchPage", "page_of", "read_search_page", "unreadable"]

#: Records of a page: the largest that is documented for contacts, and in use for records of custom objects.
LARGEST_PAGE = 500


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of a search. Its ``repr`` does not show the filters, since these hold keys.

    ``after`` is the cursor of the page before; ``page`` counts from 1 and is used where there was no cursor.
    """

    filters: Sequence[Mapping[str, Any]] = field(default=(), repr=False)
    limit: int = LARGEST_PAGE
    after: Sequence[Any] | None = field(default=None, repr=False)
    page: int = 1
    #: The keys in the filters.
    private: Sequence[str] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Records, each with its id, and what the answer says of the other pages. Its ``repr`` shows none of them."""

    records: list[dict[str, Any]] = field(repr=False)
    total: int | None
    #: The cursor of the next page, where the answer has one.
    after: list[Any] | None = field(repr=False)


def page_of(ask: Ask) -> dict[str, Any]:
    """The part of a body that says which page, where a cursor and a page number exclude each other."""
    return {"page": ask.page} if ask.after is None else {"searchAfter": list(ask.after)}


def read_search_page(call: Call, data: Any, *names: str) -> SearchPage:
    """The page in an answer, under the first of these names that is there.

    :raises ServerError: there is no list of records with ids. To take it for an empty one would say that nothing is there.
    """
    holder = data if isinstance(data, dict) else {}
    records = next((holder[name] for name in names if isinstance(holder.get(name), list)), None)
    if records is None or not all(isinstance(one, dict) and isinstance(one.get("id"), str) and one["id"] for one in records):
        raise unreadable(call, f"the answer holds no {names[0]}")
    return SearchPage(records, read_total(data), _read_cursor(records[-1]) if records else None)


def unreadable(call: Call, message: str) -> ServerError:
    """The error of an answer that cannot be understood."""
    return ServerError(message, method=call.method, path=call.template, status=200)


def _read_cursor(record: Mapping[str, Any]) -> list[Any] | None:
    """``searchAfter`` or ``sort`` of a page's last record: both were seen."""
    found = record.get("searchAfter") or record.get("sort")
    return found if isinstance(found, list) else None
