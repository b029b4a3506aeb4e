"""Deletes what was chosen. First it reads what may have changed: no page is read any more once the first relation is gone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from airflow_provider_ghl.load.kind import ReadResult
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.ledger.relations import Side
from airflow_provider_ghl.load.ledger.upkeep import PairFilter
from airflow_provider_ghl.load.mirror.candidates import Candidate
from airflow_provider_ghl.load.mirror.ports import MirrorPorts
from airflow_provider_ghl.load.plan.scope import MirroredLocation
from airflow_provider_ghl.load.results.removals import Deletion, RemovalOutcome, RemovalResult, result_of_error
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.removals import Removal

__all__ = ["Chosen", "Deletes", "count_requests"]

#: What is to be deleted in one location.
Chosen = tuple[MirroredLocation, Sequence[Candidate]]

_ANY_AGE = Freshness(now=0.0, since=0.0, max_age=None)
_SIDES: tuple[Side, Side] = ("first", "second")
_PAGE = 100


def count_requests(ledger: Ledger, location: MirroredLocation, candidates: Sequence[Candidate]) -> int:
    """About how many requests it takes to delete these.

    :raises LedgerError: the ledger cannot be read.
    """
    unsure = [one for one in candidates if not one.is_read]
    return len(candidates) + _cheapest_side(ledger, location, unsure)[1]


class Deletes:
    """The deletes of one load.

    :param load_number: whose account they stand in.
    :param note: takes each candidate with its result, once; returns it as it stands in the results.
    """

    def __init__(
        self,
        ports: MirrorPorts,
        ledger: Ledger,
        load_number: int | None,
        note: Callable[[MirroredLocation, Candidate, RemovalResult], Deletion],
    ) -> None:
        self._ports = ports
        self._ledger = ledger
        self._load_number = load_number
        self._note = note
        #: Results that the ledger does not have yet.
        self._unwritten: list[Deletion] = []
        #: Requests that read a record, by the first candidate that they were for.
        self._spent: dict[tuple[str, bytes], int] = {}
        #: What stopped it before the last one, if anything did: the whole, or single locations.
        self.stoppage: Stoppage | None = None
        self.stopped: dict[str, Stoppage] = {}
        #: How many requests were sent, by location.
        self.requests: Counter[str] = Counter()

    def run(self, chosen: Sequence[Chosen]) -> None:
        """Delete them.

        :raises LedgerError: the ledger fails. Nothing more is sent then.
        """
        sure = {location.location_id: (location, [one for one in some if one.is_read]) for location, some in chosen}
        self._read(chosen, {location_id: found for location_id, (_, found) in sure.items()})
        self._delete([one for one in sure.values() if one[1]])
        if self._unwritten:
            self._write_account()

    def _read(self, chosen: Sequence[Chosen], sure: Mapping[str, list[Candidate]]) -> None:
        """Read those whose ids were not read lately: each record once. What is there as it should be is sure."""
        by_location: dict[str, list[Removal]] = {}
        number = 0
        for location, candidates in chosen:
            unsure = [one for one in candidates if not one.is_read]
            side, _ = _cheapest_side(self._ledger, location, unsure)
            for record, group in _by_record(unsure, side).items():
                conversation = partial(location.handler.read_parent, record)
                removal = Removal(number, (record,), conversation, (location, group))
                by_location.setdefault(location.location_id, []).append(removal)
                number += 1

        def take(removal: Removal, result: ReadResult | RemovalResult) -> None:
            location, group = removal.subject
            self._spent[location.location_id, group[0].pair] = result.requests  # counted once, for the first of them
            if isinstance(result, ReadResult):
                if result.error is None:
                    ids = {row.values: row.id for row in result.stored}
                    sure[location.location_id].extend(self._compare(location, group, ids))
                    return
                result = result_of_error(result.error, "whether it is there could not be read: ")
            for one in group:
                self._settle(location, one, replace(result, requests=0))

        if by_location:
            self._run(by_location, take, "records read before the deletes")

    def _compare(
        self, location: MirroredLocation, group: Sequence[Candidate], ids: Mapping[tuple[str, ...], str | None]
    ) -> list[Candidate]:
        """Those that are still there. One of the same pair with another id was made by somebody else since, and stays."""
        found = []
        for one in group:
            made_id = ids.get(one.values)
            if made_id is None or one.made_id not in (None, made_id):
                self._settle(location, one, RemovalResult(RemovalOutcome.ALREADY_GONE))
            else:
                found.append(replace(one, made_id=made_id, is_read=True))
        return found

    def _delete(self, chosen: Sequence[Chosen]) -> None:
        by_location: dict[str, list[Removal]] = {}
        number = 0
        for location, candidates in chosen:
            stoppage = self.stoppage or self.stopped.get(location.location_id)
            for one in candidates:
                if stoppage is not None:
                    self._settle(location, one, RemovalResult(RemovalOutcome.NOT_ATTEMPTED, reason=stoppage.reason))
                    continue
                conversation = partial(location.handler.remove, one.values, one.made_id, is_read=True)
                removal = Removal(number, one.values, conversation, (location, one))
                by_location.setdefault(location.location_id, []).append(removal)
                number += 1

        def take(removal: Removal, result: RemovalResult) -> None:
            location, one = removal.subject
            self._settle(location, one, result)

        if by_location:
            self._run(by_location, take, "deletes done", self._doubt)

    def _run(
        self,
        by_location: Mapping[str, Sequence[Removal]],
        take: Callable[[Removal, RemovalResult], None],
        what: str,
        prepare: Callable[[Sequence[Removal]], None] | None = None,
    ) -> None:
        remover = self._ports.remover(take, by_location, what)
        if prepare is not None:
            remover.prepare = prepare
        remover.remove(by_location)
        self.requests.update(remover.requests)
        if remover.failure is not None:
            raise remover.failure
        self.stopped |= remover.stopped
        self.stoppage = None if remover.stopped else remover.stoppage

    def _doubt(self, removals: Sequence[Removal]) -> None:
        """If this process is killed, the ledger must not say of what it deleted that it is there."""
        location, _ = removals[0].subject
        self._ledger.relations.doubt(location.number, [one.pair for _, one in (removal.subject for removal in removals)])

    def _settle(self, location: MirroredLocation, one: Candidate, result: RemovalResult) -> None:
        result = replace(result, requests=result.requests + self._spent.pop((location.location_id, one.pair), 0))
        self._unwritten.append(self._note(location, one, result))
        if result.is_success:
            self._write_account(PairFilter(location.number, (one.pair,), one.made_id))

    def _write_account(self, gone: PairFilter | None = None) -> None:
        """Have the ledger remember what was deleted, and no longer that it is there."""
        if self._load_number is not None:
            self._ledger.deletions.note(self._load_number, "mirror", [one.as_noted() for one in self._unwritten], gone)
        self._unwritten = []


def _by_record(candidates: Sequence[Candidate], side: int) -> dict[str, list[Candidate]]:
    groups: dict[str, list[Candidate]] = {}
    for one in candidates:
        groups.setdefault(one.values[side], []).append(one)
    return groups


def _cheapest_side(ledger: Ledger, location: MirroredLocation, candidates: Sequence[Candidate]) -> tuple[int, int]:
    """By which side's records to read these, and about how many requests that takes."""
    if not candidates:
        return 0, 0
    costs = []
    for side, name in enumerate(_SIDES):
        records = list(_by_record(candidates, side))
        counts = ledger.relations.count_by_record(location.number, name, records, _ANY_AGE)
        costs.append((sum(max(1, math.ceil(count / _PAGE)) for count in counts.tolist()), side))
    cost, side = min(costs)
    return side, cost
