"""Reads relations from HighLevel where that costs less than sending them: one page may settle 100 rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Generator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages
from airflow_provider_ghl.api.relations import list_call, read_page
from airflow_provider_ghl.exceptions import GHLError, ServerError, Unauthorized
from airflow_provider_ghl.load.columns import Numbers, Objects
from airflow_provider_ghl.load.kind import ReadResult, StoredRow
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["ReadingPolicy", "count_groups", "groups_by_record", "read_all_relations", "read_relations"]

#: The hit rate starts as if this many rows had been asked and found: a user who has HighLevel read expects hits.
_HOPE = 100
#: How often all relations of a record are read, at most, until two readings agree.
_MOST_READINGS = 4


@dataclass(slots=True)
class ReadingPolicy:
    """Decides whether reading is worthwhile, by its hit rate so far."""

    asked: int = 0
    found: int = 0
    #: ``False`` once HighLevel has refused the token for reading.
    is_allowed: bool = True

    def is_worthwhile(self, rows: int) -> bool:
        """Whether one request that may settle this many rows is cheaper than sending them."""
        return self.is_allowed and rows * (self.found + _HOPE) / (self.asked + _HOPE) > 1.0

    def note(self, rows: int, found: int) -> None:
        """Note how many of a group's rows were found."""
        self.asked += rows
        self.found += found


def groups_by_record(first: Objects, second: Objects) -> list[tuple[str, list[int]]]:
    """The records that several pairs have in common, each with the positions of its pairs. The largest groups come first.

    All records are of one side: the one with fewer different records.
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
    """For the side with fewer different records: the position of each pair's record, and these records."""
    return min((pandas.factorize(side) for side in (first, second)), key=lambda side: len(side[1]))


def read_relations(
    location_id: str, association_id: str, record: str, wanted: Collection[tuple[str, ...]], start: int = 0
) -> Generator[Call, Answer, ReadResult]:
    """Read a record's relations until all wanted pairs are found, or until reading on costs more than sending the rest.

    Reading stops where fewer pairs were found than pages were read: then most of the wanted pairs do not exist, or are far
    apart. So reading costs at most one request more than sending the rows.

    While others write, paging by ``skip`` can miss a relation. Then its row is sent and HighLevel answers "duplicate".

    :param record: the id of the record.
    :param wanted: the pairs of the group's rows.
    :param start: how many of the record's relations were read before and are skipped.
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


def read_all_relations(location_id: str, association_id: str, record: str) -> Generator[Call, Answer, ReadResult]:
    """Read all relations that a record has by one association.

    While others write, paging by ``skip`` can miss a relation. So it is read until the pages agree with each other, or two
    readings do. Where none of them do, where HighLevel speaks of more relations than it gives, or where an answer cannot be
    read, the result has an error.
    """
    before: set[StoredRow] | None = None
    try:
        for _ in range(_MOST_READINGS):
            found, pages = yield from _read_once(location_id, association_id, record)
            if pages.is_whole or (found == before and not pages.lacks_some):
                return ReadResult(sorted(found, key=lambda row: row.values))
            before = found
        text = "the pages do not agree on how many relations the record has: others may be writing them"
        raise ServerError(text, method="GET", status=200)
    except GHLError as error:
        # Also a token that only lacks the scope: no other record could be read with it.
        return ReadResult((), error, stops=StoppedBy.TOKEN if isinstance(error, Unauthorized) else None)


def _read_once(location_id: str, association_id: str, record: str) -> Generator[Call, Answer, tuple[set[StoredRow], Pages]]:
    """All relations, and the pages that they stood on."""
    pages = Pages(overlap=True)
    found: set[StoredRow] = set()
    while pages.skip is not None:
        call = list_call(location_id, record, [association_id], pages.skip, PAGE_SIZE)
        answer = yield call
        for relation in pages.take(*read_page(call, answer.data)):
            if relation.get("associationId") != association_id and isinstance(relation.get("associationId"), str):
                continue
            found.add(_stored_row(call, relation))
    return found, pages


def _stored_row(call: Call, relation: Mapping[str, Any]) -> StoredRow:
    """
    :raises ServerError: it does not say which relation it is, and of which records.
    """
    texts = [relation.get(name) for name in ("associationId", "firstRecordId", "secondRecordId", "id")]
    if not all(isinstance(text, str) and text for text in texts):
        text = "the answer holds a relation whose records cannot be read"
        raise ServerError(text, method=call.method, path=call.template, status=200)
    _, first, second, relation_id = map(str, texts)
    return StoredRow((first, second), relation_id)


@dataclass(slots=True)
class _FoundRelations:
    association_id: str
    all: list[StoredRow] = field(default_factory=list)

    def take(self, relations: list[dict[str, object]]) -> Iterator[tuple[str, ...]]:
        """Keep the relations of this association, and yield their pairs."""
        for relation in relations:
            pair = relation.get("firstRecordId"), relation.get("secondRecordId")
            if relation.get("associationId") == self.association_id and all(isinstance(one, str) and one for one in pair):
                relation_id = relation.get("id")
                row = StoredRow((str(pair[0]), str(pair[1])), str(relation_id) if relation_id else None)
                self.all.append(row)
                yield row.values
