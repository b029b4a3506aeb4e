"""The field that holds a look-up's key: how it is filtered by, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from airflow_provider_ghl.api import contacts, objects, opportunities
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.search_pages import Ask, SearchPage
from airflow_provider_ghl.lookups.normal_forms import Form

__all__ = ["CONTACTS", "OPPORTUNITIES", "Entry", "KeyField", "Records", "records_of"]

#: A key's normal form, the id of a record that has it, and whether it is that record's own one.
Entry = tuple[str, str, bool]

#: Candidates that a reason names, and how many characters they have at most: a reason has about 150.
_MOST_NAMED = 5
_LONGEST_NAMED = 120


@dataclass(frozen=True)
class Records:
    """Records of one object, and the search that finds them."""

    #: "contact", "contacts": in reasons.
    one: str
    many: str
    search: Callable[[str, Ask], Call]
    read: Callable[[Call, Any], SearchPage]


CONTACTS = Records("contact", "contacts", contacts.search_call, contacts.read_contacts)
OPPORTUNITIES = Records("opportunity", "opportunities", opportunities.search_call, opportunities.read_opportunities)


def records_of(object_key: str) -> Records:
    """Those of a custom object or of ``business``."""
    one, many = ("company", "companies") if object_key == "business" else (f"record of {object_key}", "records")
    return Records(one, many, lambda location_id, ask: objects.search_call(location_id, object_key, ask), objects.read_records)


@dataclass(frozen=True)
class KeyField:
    """Where the key stands in a record, in which form, and what finds it.

    ``values`` gives a record's own value, and then what it has beside that, such as further e-mail addresses.
    """

    records: Records
    #: As reasons name it: "e-mail", "policy_no".
    name: str
    form: Form
    values: Callable[[Mapping[str, Any]], tuple[Any, list[Any]]]
    #: What a filter calls it; ``None`` where no filter finds an equal value.
    filtered_as: str | None
    #: Characters that a filter takes; ``None`` for any number.
    longest_filter: int | None = None
    #: The parameter of ``search/duplicate`` that asks for it.
    duplicate_by: Literal["email", "number"] | None = None

    def is_filtered(self, normal: str) -> bool:
        """Whether a filter can find this key."""
        return self.filtered_as is not None and (self.longest_filter is None or len(normal) <= self.longest_filter)

    def filter_for(self, normals: list[str]) -> list[dict[str, Any]]:
        """Filters for records with any of these keys."""
        leaves = [{"field": self.filtered_as, "operator": "eq", "value": self.form.for_filter(key)} for key in normals]
        return [{"group": "OR", "filters": leaves}]

    def entries(self, records: Iterable[Mapping[str, Any]]) -> Iterator[Entry]:
        """The keys in records."""
        of_value = self.form.of_value
        for record in records:
            own, others = self.values(record)
            normal = of_value(own)
            if normal is not None:
                yield normal, record["id"], True
            for other in others:
                normal = of_value(other)
                if normal is not None:
                    yield normal, record["id"], False

    def say_missing(self) -> str:
        """The reason of a key that no record has."""
        return f"no {self.records.one} has this {self.name}"

    def say_several(self, ids: tuple[str, ...]) -> str:
        """The reason of a key that several records have."""
        named = list(ids[:_MOST_NAMED])
        while sum(map(len, named)) > _LONGEST_NAMED:
            named.pop()
        more = f" and {len(ids) - len(named)} more" if len(ids) > len(named) else ""
        return f"{len(ids)} {self.records.many} have it" + (f": {', '.join(named)}{more}" if named else "")
