"""Contacts: the search with filters, and the search for one by its e-mail or phone.

Source: the vendor's pages and specs. A filter takes values of at most 75 characters; secondary e-mails and phones come in the
answers, and no filter finds them.
"""

from __future__ import annotations

from typing import Any, Literal

from airflow_provider_ghl.api.calls import Call, Endpoint
from airflow_provider_ghl.api.search_pages import Ask, SearchPage, page_of, read_search_page, unreadable

__all__ = ["LONGEST_FILTER", "duplicate_call", "read_contacts", "read_duplicate", "search_call"]

#: Characters that a filter's value may have.
LONGEST_FILTER = 75

_SEARCH = Endpoint("POST", "/contacts/search", "contacts.readonly")
_DUPLICATE = Endpoint("GET", "/contacts/search/duplicate", "contacts.readonly")


def search_call(location_id: str, ask: Ask) -> Call:
    """The request for a page of contacts."""
    body: dict[str, Any] = {"locationId": location_id, "pageLimit": ask.limit, **page_of(ask)}
    if ask.filters:
        body["filters"] = list(ask.filters)
    return _SEARCH.call(location_id, json=body, private=ask.private)


def read_contacts(call: Call, data: Any) -> SearchPage:
    """The contacts of a page.

    :raises ServerError: it is no page of contacts.
    """
    return read_search_page(call, data, "contacts")


def duplicate_call(location_id: str, by: Literal["email", "number"], value: str) -> Call:
    """The request for the contact that would be in the way of a new one with this e-mail or phone."""
    return _DUPLICATE.call(location_id, params={"locationId": location_id, by: value}, private=(value,))


def read_duplicate(call: Call, data: Any) -> dict[str, Any] | None:
    """That contact; ``None`` where HighLevel says that there is none.

    :raises ServerError: the answer says neither.
    """
    contact = data.get("contact", "") if isinstance(data, dict) else ""
    if contact is None:
        return None
    if isinstance(contact, dict) and isinstance(contact.get("id"), str) and contact["id"]:
        return contact
    raise unreadable(call, "the answer does not say whether there is a contact")
