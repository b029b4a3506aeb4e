"""Opportunities: the search. Its filters name fields in snake case."""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.api.calls import Call, Endpoint
from airflow_provider_ghl.api.search_pages import Ask, SearchPage, read_search_page

__all__ = ["read_opportunities", "search_call"]

_SEARCH = Endpoint("POST", "/opportunities/search", "opportunities.readonly")


def search_call(location_id: str, ask: Ask) -> Call:
    """The request for a page of opportunities. The first has no number: sources differ on whether these begin at 0."""
    body: dict[str, Any] = {"locationId": location_id, "limit": ask.limit}
    if ask.after is not None:
        body["searchAfter"] = list(ask.after)
    elif ask.page > 1:
        body["page"] = ask.page
    if ask.filters:
        body["filters"] = list(ask.filters)
    return _SEARCH.call(location_id, json=body, private=ask.private)


def read_opportunities(call: Call, data: Any) -> SearchPage:
    """The opportunities of a page.

    :raises ServerError: it is no page of opportunities.
    """
    return read_search_page(call, data, "opportunities")
