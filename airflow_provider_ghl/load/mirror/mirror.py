"""Deletes, once all rows are decided, what the table does not name: planned first, counted, and checked against the guards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.exceptions import GHLError, GuardTripped, LedgerError
from airflow_provider_ghl.load.columns import Codes
from airflow_provider_ghl.load.kind import ReadResult
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.pairs import words_from_keys
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.mirror.candidates import Candidate, Candidates, Terms, find_owned, of_parent, sift_read
from airflow_provider_ghl.load.mirror.guards import check_guards
from airflow_provider_ghl.load.mirror.plan import MirrorPlan, PlannedLocation, check_drift
from airflow_provider_ghl.load.plan.scope import ClosedScope, MirroredLocation
from airflow_provider_ghl.load.remover import Remover
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Outcome
from airflow_provider_ghl.load.results.removals import Deletion, RemovalOutcome, RemovalResult
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.removals import Removal
from airflow_provider_ghl.load.send.workers import Workers
from airflow_provider_ghl.load.spec import LoadSpec, MirrorSpec, Owned

__all__ = ["Mirror", "MirrorEnd"]

#: See :class:`Mirror`.
Watch = Callable[[Sequence[str], str, int], Callable[[int], None]]

_NOT_ATTEMPTED = OUTCOMES.index(Outcome.NOT_ATTEMPTED)
_ANY_SUCCESS = OUTCOMES.index(Outcome.ALREADY_EXISTS)


@dataclass(slots=True)
class MirrorEnd:
    """How the deletes of a load went.

    :param counts: how many were planned, and how many had each outcome.
    :param error: the guard that tripped, or the failure of the ledger.
    :param stoppage: what stopped the reading of the parents, or the deletes, before the last one.
    :param plan: what a load that only plans would do.
    :param requests: how many requests a plan's deletes would take, by location.
    :param is_complete: whether all was looked at and tried.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("planned", *map(str, RemovalOutcome)), 0))
    deletions: list[Deletion] = field(default_factory=list)
    error: GHLError | None = None
    stoppage: Stoppage | None = None
    notes: list[str] = field(default_factory=list)
    plan: MirrorPlan | None = None
    requests: dict[str, int] = field(default_factory=dict)
    is_complete: bool = True


class Mirror:
    """The deletes of one load.

    :param spec: what the load is to do; it has a ``mirror``, and a ``series``.
    :param load_number: the load in the ledger; ``None`` where it is not noted there.
    :param watch: called before something is read or deleted, with the location ids, with what is done ("parents read"), and
        with how much of it there is. It returns a function that is called at least twice a second with how much is done: so the
        ledger hears that the load is alive.
    """

    def __init__(
        self,
        spec: LoadSpec,
        mirror: MirrorSpec,
        load_number: int | None,
        ledger: Ledger,
        client: Client,
        workers: Workers,
        budget: Budget,
        watch: Watch,
    ) -> None:
        self._spec = spec
        self._mirror = mirror
        self._series = spec.series or spec.load_id
        self._load_number = load_number
        self._ledger = ledger
        self._client = client
        self._workers = workers
        self._budget = budget
        self._watch = watch
        self._end = MirrorEnd()
        #: Results of deletions that the ledger does not have yet.
        self._unwritten: list[Deletion] = []

    def run(self, locations: Sequence[MirroredLocation], codes: Codes) -> MirrorEnd:
        """Delete what none of the tables names. Never raises for the ledger's or HighLevel's failures: the end says so.

        :param locations: those whose rows were all reached.
        :param codes: the outcomes of all rows of the load.
        """
        try:
            self._run(locations, codes)
        except (GuardTripped, LedgerError) as error:
            self._end.error = error
        if self._client.stop.is_set:
            self._end.is_complete = False
        return self._end

    def _run(self, locations: Sequence[MirroredLocation], codes: Codes) -> None:
        if self._spec.plan_only:  # rows that would be sent are taken for sent
            codes = np.where(codes == _NOT_ATTEMPTED, np.uint8(_ANY_SUCCESS), codes)
        open_ones = [(one, one.scope.close(codes)) for one in locations if not self._is_first(one)]
        for location, scope in open_ones:
            self._note_blocked(location, scope)
        found = self._find(open_ones)
        if self._end.stoppage is not None:
            # Guards that look at a part of what is there would let it all go, a part every night.
            self._end.notes.append("Nothing was deleted, since not all parents could be read.")
            self._end.is_complete = False
            return
        end, planned = self._end, sum(one.count for one in found)
        end.counts["planned"], end.counts["kept"] = planned, sum(one.kept for one in found)
        if self._spec.plan_only:
            end.plan = _plan_of(locations, open_ones, found)
        elif (reviewed := self._mirror.apply_plan) is not None:
            approved = self._ledger.approved.of(self._spec.load_id, reviewed)
            check_drift(reviewed, _plan_of(locations, open_ones, found), approved, is_sent=True)
        self._check_guards(planned, sum(one.in_scope for one in found))
        chosen = {one.location_id: (one, each) for (one, _), each in zip(open_ones, found, strict=True) if each.first}
        if self._spec.plan_only:
            self._plan(chosen)
        else:
            self._delete(chosen)

    def _check_guards(self, planned: int, in_scope: int) -> None:
        try:
            check_guards(planned, in_scope, self._mirror.max_deletes, self._mirror.max_delete_share)
        except GuardTripped as error:
            if not self._spec.plan_only:
                raise
            self._end.notes.append(f"The load would end red: {error}")

    def _is_first(self, location: MirroredLocation) -> bool:
        """Whether no mirror of this table has run here yet. Then nothing is deleted: what is there is the baseline."""
        series = self._series_of(location)
        if self._ledger.tables.has_baseline(series, location.number, self._load_number):
            return False
        where = f"location {location.location_id}: " if self._spec.has_several_locations else ""
        self._end.notes.append(
            f"{where}the ledger knows of no earlier mirror of this table, so that nothing was deleted: "
            "this run is the baseline, and the next one deletes what its table does not name"
        )
        return True

    def _series_of(self, location: MirroredLocation) -> str:
        """The load's own series. A plan may be made by another task: then it is for the only mirror that there is."""
        tables, number = self._ledger.tables, location.number
        if not self._spec.plan_only or tables.has_baseline(self._series, number, self._load_number):
            return self._series
        mirrors = tables.mirrors(number)
        return mirrors[0] if len(mirrors) == 1 else self._series

    def _note_blocked(self, location: MirroredLocation, scope: ClosedScope) -> None:
        where = f"location {location.location_id}: " if self._spec.has_several_locations else ""
        if scope.is_blocked:
            self._end.notes.append(f"{where}nothing was deleted, since the parent of a row is not known")
        elif scope.blocked:
            parents = "1 parent keeps" if scope.blocked == 1 else f"{scope.blocked:,} parents keep"
            self._end.notes.append(f"{where}{parents} everything, since rows of theirs are not accounted for")

    def _find(self, locations: Sequence[tuple[MirroredLocation, ClosedScope]]) -> list[Candidates]:
        if self._mirror.owned is Owned.ALL:
            return self._read(locations)
        return [find_owned(one, scope, self._ledger, self._terms(one)) for one, scope in locations]

    def _terms(self, location: MirroredLocation) -> Terms:
        most = None if self._mirror.max_deletes is None else self._mirror.max_deletes + 1
        since = self._ledger.time() - self._spec.ledger_max_age.total_seconds()
        return Terms(self._mirror.parent, self._series_of(location), self._load_number, since, most)

    def _read(self, locations: Sequence[tuple[MirroredLocation, ClosedScope]]) -> list[Candidates]:
        """Read every parent from HighLevel. One that cannot be read keeps everything."""
        found, terms = [Candidates() for _ in locations], [self._terms(location) for location, _ in locations]
        by_location: dict[str, list[Removal]] = {}
        number, unread = 0, 0
        for at, (location, scope) in enumerate(locations):
            for parent in scope.open_ids:
                conversation = partial(location.handler.read_parent, parent)
                by_location.setdefault(location.location_id, []).append(Removal(number, (parent,), conversation, at))
                number += 1

        def take(removal: Removal, result: ReadResult | RemovalResult) -> None:
            nonlocal unread
            if not isinstance(result, ReadResult) or result.error is not None:
                unread += 1
                return
            location, scope = locations[removal.subject]
            stored = of_parent(location, self._mirror.parent, result.stored, removal.values[0])
            sift_read(location, scope, stored, self._ledger, terms[removal.subject], found[removal.subject])

        reader = self._remover(take, by_location, "parents read")
        if by_location:
            reader.remove(by_location)
        if unread:
            self._end.notes.append(f"{unread:,} parents could not be read, and keep everything")
        self._end.stoppage = reader.stoppage
        return found

    def _plan(self, chosen: dict[str, tuple[MirroredLocation, Candidates]]) -> None:
        for location_id, (location, found) in chosen.items():
            self._end.requests[location_id] = sum(1 if one.is_read else 2 for one in found.first)
            for one in found.first:
                self._note(location, one, RemovalResult(RemovalOutcome.NOT_ATTEMPTED, reason="planned only"))
        # With more than a guard allows, only the first of them were kept, to be shown.
        self._end.counts[RemovalOutcome.NOT_ATTEMPTED] = self._end.counts["planned"]

    def _delete(self, chosen: dict[str, tuple[MirroredLocation, Candidates]]) -> None:
        by_location: dict[str, list[Removal]] = {}
        number = 0
        for location_id, (location, found) in chosen.items():
            for one in found.first:
                conversation = partial(location.handler.remove, one.values, one.made_id, is_read=one.is_read)
                by_location.setdefault(location_id, []).append(Removal(number, one.values, conversation, (location, one)))
                number += 1
        remover = self._remover(self._settle, by_location, "deletes done")
        remover.prepare = self._doubt
        if by_location:
            remover.remove(by_location)
        if remover.failure is None:
            self._write_account()
        self._end.error = remover.failure
        self._end.stoppage = remover.stoppage

    def _remover(
        self, settle: Callable[[Removal, Any], None], by_location: Mapping[str, Sequence[Removal]], what: str
    ) -> Remover:
        watch, done = self._watch(list(by_location), what, sum(map(len, by_location.values()))), 0

        def count(removal: Removal, result: Any) -> None:
            nonlocal done
            done += 1
            settle(removal, result)

        return Remover(
            client=self._client,
            workers=self._workers,
            budget=self._budget,
            settle=count,
            tick=lambda: watch(done),
            abort_after=self._spec.abort_after,
            outage_timeout=self._spec.outage_timeout,
        )

    def _doubt(self, removals: Sequence[Removal]) -> None:
        """If this process is killed, the ledger must not say of what it deleted that it is there."""
        location, _ = removals[0].subject
        self._ledger.relations.doubt(location.number, [one.pair for _, one in (removal.subject for removal in removals)])

    def _settle(self, removal: Removal, result: RemovalResult) -> None:
        location, one = removal.subject
        self._unwritten.append(self._note(location, one, result))
        if result.is_success:
            where = {"host": self._client.host, "location_id": location.location_id, "association_id": location.target_id}
            self._write_account(RelationFilter(**where, pair=one.values))

    def _write_account(self, gone: RelationFilter | None = None) -> None:
        """Have the ledger remember what was deleted, and no longer that it is there."""
        if self._load_number is not None:
            self._ledger.deletions.note(self._load_number, "mirror", [one.as_noted() for one in self._unwritten], gone)
        self._unwritten = []

    def _note(self, location: MirroredLocation, one: Candidate, result: RemovalResult) -> Deletion:
        self._end.counts[result.outcome] += 1
        values = location.handler.as_stored(one.values)
        deletion = Deletion(location.location_id, location.target_id, values, one.made_id, result)
        self._end.deletions.append(deletion)
        return deletion


def _plan_of(
    locations: Sequence[MirroredLocation],
    open_ones: Sequence[tuple[MirroredLocation, ClosedScope]],
    found: Sequence[Candidates],
) -> MirrorPlan:
    deletes = {
        location.location_id: words_from_keys(b"".join(one.pair for one in each.first))[0]
        for (location, _), each in zip(open_ones, found, strict=True)
    }
    none = np.empty(0, dtype=np.uint64)
    return MirrorPlan(
        [PlannedLocation(one.location_id, one.named, one.unsent, deletes.get(one.location_id, none)) for one in locations]
    )
