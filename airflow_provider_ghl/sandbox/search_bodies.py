"""What the API requires of the body of a search."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from airflow_provider_ghl.sandbox.location import Refused
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.search import Search, SortBy
from airflow_provider_ghl.sandbox.search_filters import Searchable, read_filters

__all__ = ["CONTACTS", "OBJECTS", "OPPORTUNITIES", "Form"]

#: Specified for contacts and opportunities; 500 are in use with custom objects too.
LONGEST_PAGE = 500
LONGEST_QUERY = 75
MOST_SORTS = 2


@dataclass(frozen=True, slots=True)
class Form:
    """The body of one of the searches.

    :param limit: the name of the page's length.
    :param required: the fields that it cannot do without.
    :param optional: the other fields. That still others are refused is inferred.
    :param first_page: the lowest number of a page.
    :param mixes: whether ``page`` and ``searchAfter`` may both be there.
    """

    limit: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    first_page: int = 1
    mixes: bool = True

    def read(
        self, body: object, find: Callable[[str], Searchable], texts: Callable[[Record], list[str]], added: Searchable
    ) -> Search:
        """The search that a body asks for.

        :param find: the field of a name; raises :class:`Refused` where there is none.
        :param texts: those of a record that ``query`` is compared with.
        :param added: the field of the time at which a record was added, which only ``sort`` may name.
        :raises Refused: 400 if the body is not a JSON object; 422 with every complaint if its fields are wrong.
        """
        if not isinstance(body, dict):
            raise Refused("not_json")
        messages = self._complaints(body)
        if messages:
            raise Refused("invalid_fields", messages=messages)
        return Search(
            where=read_filters(body.get("filters") or [], find),
            limit=body[self.limit],
            page=max(body.get("page") or 1, 1),
            after=body.get("searchAfter") or None,
            text=body.get("query") or "",
            texts=texts,
            sort=tuple(_read_sort(one, find, added) for one in body.get("sort") or []),
        )

    def _complaints(self, body: dict[str, Any]) -> list[str]:
        messages = [f"{name} should not be empty" for name in self.required if body.get(name) in (None, "")]
        messages += [f"property {name} should not exist" for name in body if name not in (*self.required, *self.optional)]
        messages += _number(body, self.limit, 1, LONGEST_PAGE) + _number(body, "page", self.first_page)
        if not isinstance(body.get("locationId", ""), str):
            messages.append("locationId must be a string")
        query = body.get("query") or ""
        if not isinstance(query, str) or len(query) > LONGEST_QUERY:
            messages.append(f"query must be a string of at most {LONGEST_QUERY} characters")
        if "filters" in body and not isinstance(body["filters"], list):
            messages.append("filters must be an array")
        if not isinstance(body.get("sort") or [], list) or len(body.get("sort") or []) > MOST_SORTS:
            messages.append(f"sort must be an array of at most {MOST_SORTS} items")
        return messages + self._cursor(body)

    def _cursor(self, body: dict[str, Any]) -> list[str]:
        after = body.get("searchAfter") or []
        if not after:
            return []
        if not isinstance(after, list) or [type(part) for part in after] != [int, str]:
            return ["searchAfter must be that of a record"]
        return ["page and searchAfter cannot be used together"] if "page" in body and not self.mixes else []


_SEARCHED = ("page", "searchAfter", "filters", "query", "sort")
CONTACTS = Form("pageLimit", ("locationId", "pageLimit"), _SEARCHED, mixes=False)
OBJECTS = Form("pageLimit", ("locationId", "page", "pageLimit"), _SEARCHED)
#: Sources contradict each other on whether the first page is 0 or 1. Here it is both.
OPPORTUNITIES = Form("limit", ("locationId", "limit"), (*_SEARCHED, "additionalDetails"), first_page=0)


def _number(body: dict[str, Any], name: str, least: int, most: int | None = None) -> list[str]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, int) or isinstance(value, bool):
        return [f"{name} must be an integer number"]
    messages = [f"{name} must not be less than {least}"] if value < least else []
    return [*messages, f"{name} must not be greater than {most}"] if most is not None and value > most else messages


def _read_sort(one: object, find: Callable[[str], Searchable], added: Searchable) -> SortBy:
    if not isinstance(one, dict) or not isinstance(one.get("field"), str) or one.get("direction") not in ("asc", "desc"):
        raise Refused("invalid_fields", messages=["sort must have a field, and a direction: asc or desc"])
    field = added if one["field"] == added.name else find(one["field"])
    return SortBy(field.read, one["direction"] == "desc")
