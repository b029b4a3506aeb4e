"""Ask for contacts one by one: ``search/duplicate`` knows new ones at once, the search only when its index has caught up."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Literal

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.contacts import duplicate_call, read_duplicate
from airflow_provider_ghl.api.conversation import Steps, Together
from airflow_provider_ghl.exceptions import RequestRejected
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import KeyField

__all__ = ["MOST_ASKED", "Duplicates"]

#: Contacts that a look-up asks for in this way where it is not known that the search misses them.
MOST_ASKED = 100
#: Requests at the beginning that are refused, after which there are no more.
_MOST_REFUSED = 5


class Duplicates:
    """The second look at contacts, in one location.

    It costs a request for each, so that a table of which most are no contacts must not be asked for in this way: the first
    hundred are.
    """

    def __init__(self, field: KeyField, location_id: str, by: Literal["email", "number"]) -> None:
        self._field = field
        self._location_id = location_id
        self._by: Literal["email", "number"] = by
        #: Requests so far, those among them that were answered, and the contacts that these found.
        self.asked = self.answered = self.found = 0

    @property
    def left(self) -> int:
        """How many more may be asked for."""
        return max(0, MOST_ASKED - self.asked)

    @property
    def is_refused(self) -> bool:
        """Whether HighLevel refuses to be asked in this way. The first look's verdicts stand."""
        return self.answered == 0 and self.asked >= _MOST_REFUSED

    @property
    def has_found_many(self) -> bool:
        """Whether of those that were asked for, a good share are contacts: more than a few that have become so just now."""
        return self.found > 0 and self.found * 10 >= self.asked

    def ask(self, normals: Sequence[str], hits: Hits) -> Steps[None]:
        """Ask for each of these, and note in ``hits`` what is found. One that is refused is left as it was."""
        at = 0
        while at < len(normals) and self.answered == 0:
            if self.is_refused:
                return
            yield from self._ask_one(normals[at], hits)
            at += 1
        if at < len(normals):
            yield Together([self._ask_one(normal, hits) for normal in normals[at:]])

    def _ask_one(self, normal: str, hits: Hits) -> Generator[Call, Answer, None]:
        self.asked += 1
        call = duplicate_call(self._location_id, self._by, normal)
        try:
            answer = yield call
        except RequestRejected:
            return
        contact = read_duplicate(call, answer.data)
        self.answered += 1
        self.found += hits.add(self._field.entries([contact] if contact else []), {normal})
