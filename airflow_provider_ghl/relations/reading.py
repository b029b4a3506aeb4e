"""Relations read from HighLevel, where that costs less than to send them: a page of 100 answers for 100 rows at best."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages
from airflow_provider_ghl.api.relations import list_call, page_of
from airflow_provider_ghl.exceptions import GHLError, Unauthorized
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["Found", "Group", "Reading", "Worth", "groups_of", "read_relations"]

Pair = tuple[str, str]
#: Rows that are taken to be there before the first was read: whoever has HighLevel read expects to find something.
_HOPE = 100


@dataclass(frozen=True, slots=True)
class Found:
    """A relation that was read."""

    first: str
    second: str
    relation_id: str | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What reading one record's relations came to. ``error`` says why it ended early; what was found before it stands."""

    found: list[Found]
    error: GHLError | None = None
    requests: int = 0
    stops: StoppedBy | None = None
    #: Relations before it were read; ``None``: all were.
    read_to: int | None = 0


@dataclass(frozen=True, slots=True)
class Group:
    """Rows that have a record in common, by their positions."""

    record: str
    positions: list[int]


@dataclass(slots=True)
class Worth:
    """Whether reading pays, by what it brought so far."""

    asked: int = 0
    found: int = 0
    #: Not any more, where the token may not read.
    is_allowed: bool = True

    def __call__(self, rows: int) -> bool:
        """Whether one request that answers for so many rows is cheaper than sending them."""
        return self.is_allowed and rows * (self.found + _HOPE) / (self.asked + _HOPE) > 1.0

    def note(self, rows: int, found: int) -> None:
        """Take in that so many of a group's rows were there."""
        self.asked += rows
        self.found += found


def groups_of(first: Sequence[str], second: Sequence[str]) -> list[Group]:
    """The rows by their records on that side which has fewer of them, the largest groups first; none of one row."""
    sides = [pandas.factorize(np.fromiter(side, dtype=object, count=len(side))) for side in (first, second)]
    codes, records = min(sides, key=lambda side: len(side[1]))
    positions: dict[int, list[int]] = {}
    for at, code in enumerate(codes.tolist()):
        positions.setdefault(code, []).append(at)
    groups = [Group(str(records[code]), at) for code, at in positions.items() if len(at) > 1]
    return sorted(groups, key=lambda group: len(group.positions), reverse=True)


def read_relations(
    location_id: str, association_id: str, record: str, wanted: Collection[Pair], start: int = 0
) -> Generator[Call, Answer, Reading]:
    """Read a record's relations until all that is wanted was found, or the other pages cost more than sending the rest.

    Each page has to pay for itself: where fewer was found than pages were read, most of what is wanted is not there, or is
    far between others. So a group costs one request more than sending its rows, at most.

    :param start: relations that were read before, and are not wanted.

    While others write, paging by ``skip`` can miss a relation. That costs a create that says "duplicate", no more.
    """
    pages, missing, found = Pages(start), set(wanted), _Findings(association_id)
    left, read = 1, 0
    try:
        while pages.skip is not None and left < len(missing) and len(wanted) - len(missing) >= read:
            call = list_call(location_id, record, [association_id], pages.skip, PAGE_SIZE)
            answer = yield call
            read += 1
            relations, total = page_of(call, answer.data)
            missing.difference_update(found.take(pages.take(relations, total)))
            left = math.ceil((total - (pages.skip or 0)) / PAGE_SIZE) if total is not None else 1
    except GHLError as error:
        is_refused = isinstance(error, Unauthorized) and error.kind in {"token", "location"}
        return Reading(found.all, error, stops=StoppedBy.TOKEN if is_refused else None, read_to=pages.skip)
    return Reading(found.all, read_to=pages.skip)


@dataclass(slots=True)
class _Findings:
    association_id: str
    all: list[Found] = field(default_factory=list)

    def take(self, relations: list[dict[str, object]]) -> Iterator[Pair]:
        """The pairs of this association among them, which are kept."""
        for relation in relations:
            pair = relation.get("firstRecordId"), relation.get("secondRecordId")
            if relation.get("associationId") == self.association_id and all(isinstance(one, str) and one for one in pair):
                relation_id = relation.get("id")
                found = Found(str(pair[0]), str(pair[1]), str(relation_id) if relation_id else None)
                self.all.append(found)
                yield found.first, found.second
