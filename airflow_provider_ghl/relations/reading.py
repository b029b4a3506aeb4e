"""Relations read from HighLevel, where that costs less than to send them: a page of 100 answers for 100 rows at best."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages
from airflow_provider_ghl.api.relations import list_call, read_page
from airflow_provider_ghl.exceptions import GHLError, Unauthorized
from airflow_provider_ghl.load.columns import Numbers, Objects
from airflow_provider_ghl.load.kind import ReadResult, StoredRow
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["ReadingPolicy", "count_groups", "groups_by_record", "read_relations"]

#: Rows that are taken to be there before the first was read: whoever has HighLevel read expects to find something.
_HOPE = 100


@dataclass(slots=True)
class ReadingPolicy:
    """Whether reading pays, by what it brought so far."""

    asked: int = 0
    found: int = 0
    #: Not any more, where the token may not read.
    is_allowed: bool = True

    def is_worthwhile(self, rows: int) -> bool:
        """Whether one request that answers for so many rows is cheaper than sending them."""
        return self.is_allowed and rows * (self.found + _HOPE) / (self.asked + _HOPE) > 1.0

    def note(self, rows: int, found: int) -> None:
        """Take in that so many of a group's rows were there."""
        self.asked += rows
        self.found += found


def groups_by_record(first: Objects, second: Objects) -> list[tuple[str, list[int]]]:
    """Records that several pairs have in common, with the positions of these pairs, the largest groups first.

    The records are of that side which has fewer of them.
    """
    codes, records = _records(first, second)
    positions: dict[int, list[int]] = {}
    for at, code in enumerate(codes.tolist()):
        positions.setdefault(code, []).append(at)
    groups = [(str(records[code]), at) for code, at in positions.items() if len(at) > 1]
    return sorted(groups, key=lambda group: len(group[1]), reverse=True)


def count_groups(first: Objects, second: Objects) -> int:
    """How many groups :func:`groups_by_record` finds."""
    codes, _ = _records(first, second)
    return int((np.bincount(codes) > 1).sum())


def _records(first: Objects, second: Objects) -> tuple[Numbers, Objects]:
    """The different records of the side that has fewer of them, and for each pair which of them it has."""
    return min((pandas.factorize(side) for side in (first, second)), key=lambda side: len(side[1]))


def read_relations(
    location_id: str, association_id: str, record: str, wanted: Collection[tuple[str, ...]], start: int = 0
) -> Generator[Call, Answer, ReadResult]:
    """Read a record's relations until all that is wanted was found, or the other pages cost more than sending the rest.

    Each page has to pay for itself: where fewer was found than pages were read, most of what is wanted is not there, or is
    far between others. So a group costs one request more than sending its rows, at most.

    :param start: relations that were read before, and are not wanted.

    While others write, paging by ``skip`` can miss a relation. That costs a create that says "duplicate", no more.
    """
    pages, missing, found = Pages(start), set(wanted), _FoundRelations(association_id)
    left, read = 1, 0
    try:
        while pages.skip is not None and left < len(missing) and len(wanted) - len(missing) >= read:
            call = list_call(location_id, record, [association_id], pages.skip, PAGE_SIZE)
            answer = yield call
            read += 1
            relations, total = read_page(call, answer.data)
            missing.difference_update(found.take(pages.take(relations, total)))
            left = math.ceil((total - (pages.skip or 0)) / PAGE_SIZE) if total is not None else 1
    except GHLError as error:
        is_refused = isinstance(error, Unauthorized) and error.kind in {"token", "location"}
        return ReadResult(found.all, error, stops=StoppedBy.TOKEN if is_refused else None, read_to=pages.skip)
    return ReadResult(found.all, read_to=pages.skip)


@dataclass(slots=True)
class _FoundRelations:
    association_id: str
    all: list[StoredRow] = field(default_factory=list)

    def take(self, relations: list[dict[str, object]]) -> Iterator[tuple[str, ...]]:
        """The pairs of this association among them, which are kept."""
        for relation in relations:
            pair = relation.get("firstRecordId"), relation.get("secondRecordId")
            if relation.get("associationId") == self.association_id and all(isinstance(one, str) and one for one in pair):
                relation_id = relation.get("id")
                row = StoredRow((str(pair[0]), str(pair[1])), str(relation_id) if relation_id else None)
                self.all.append(row)
                yield row.values
