"""Deletes, once all rows are decided, what the table does not name: planned first, counted, and checked against the guards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from airflow_provider_ghl.exceptions import GHLError, GuardTripped, LedgerError
from airflow_provider_ghl.load.columns import Codes
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.pairs import words_from_keys
from airflow_provider_ghl.load.mirror.candidates import Candidate, Candidates, Terms, find_owned
from airflow_provider_ghl.load.mirror.deletes import Chosen, Deletes, count_requests
from airflow_provider_ghl.load.mirror.guards import check_guards
from airflow_provider_ghl.load.mirror.parents import read_parents
from airflow_provider_ghl.load.mirror.plan import MirrorPlan, PlannedLocation, check_drift
from airflow_provider_ghl.load.mirror.ports import MirrorPorts
from airflow_provider_ghl.load.plan.scope import ClosedScope, MirroredLocation
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Outcome
from airflow_provider_ghl.load.results.removals import Deletion, RemovalOutcome, RemovalResult
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.spec import LoadSpec, MirrorSpec, Owned

__all__ = ["Mirror", "MirrorEnd"]

_NOT_ATTEMPTED = OUTCOMES.index(Outcome.NOT_ATTEMPTED)
#: How many loads a note names.
_MOST_NAMED = 5
_ANY_SUCCESS = OUTCOMES.index(Outcome.ALREADY_EXISTS)


@dataclass(slots=True)
class MirrorEnd:
    """How the deletes of a load went.

    :param counts: how many were planned, and how many had each outcome.
    :param error: the guard that tripped, or the failure of the ledger.
    :param stoppage: what stopped the reading of the parents, or the deletes, before the last one.
    :param stopped: the locations whose deletes were stopped while others went on.
    :param plan: what a load that only plans would do.
    :param baselines: the locations in which nothing was deleted, since no mirror of the table had run there.
    :param requests: how many requests were sent, by location.
    :param price: how many requests a plan's deletes would take, by location.
    :param is_complete: whether all was looked at and tried.
    """

    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("planned", *map(str, RemovalOutcome)), 0))
    deletions: list[Deletion] = field(default_factory=list)
    error: GHLError | None = None
    stoppage: Stoppage | None = None
    stopped: dict[str, Stoppage] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    plan: MirrorPlan | None = None
    baselines: set[str] = field(default_factory=set)
    requests: Counter[str] = field(default_factory=Counter)
    price: dict[str, int] = field(default_factory=dict)
    is_complete: bool = True


class Mirror:
    """The deletes of one load.

    :param spec: what the load is to do; it has a ``mirror``, and a ``series``.
    :param attempt: the load in the ledger; ``None`` where it is not noted there.
    """

    def __init__(self, spec: LoadSpec, mirror: MirrorSpec, attempt: Attempt | None, ledger: Ledger, ports: MirrorPorts) -> None:
        self._spec = spec
        self._mirror = mirror
        self._series = spec.series or spec.load_id
        self._load_number = attempt.load_number if attempt is not None else None
        self._rank = attempt.rank if attempt is not None else None
        self._ledger = ledger
        self._ports = ports
        self._end = MirrorEnd()

    def run(self, locations: Sequence[MirroredLocation], codes: Codes) -> MirrorEnd:
        """Delete what none of the tables names. Never raises for the ledger's or HighLevel's failures: the end says so.

        :param locations: those whose rows were all reached.
        :param codes: the outcomes of all rows of the load.
        """
        try:
            self._run(locations, codes)
        except (GuardTripped, LedgerError) as error:
            self._end.error = error
        if self._ports.client.stop.is_set:
            self._end.is_complete = False
        return self._end

    def _run(self, locations: Sequence[MirroredLocation], codes: Codes) -> None:
        if self._spec.plan_only:  # rows that would be sent are taken for sent
            codes = np.where(codes == _NOT_ATTEMPTED, np.uint8(_ANY_SUCCESS), codes)
        open_ones = [(one, one.scope.close(codes)) for one in locations if not self._is_first(one)]
        for location, scope in open_ones:
            self._note_blocked(location, scope)
        if (found := self._find(open_ones)) is None:
            return
        end, planned = self._end, sum(one.count for one in found)
        end.counts["planned"], end.counts["kept"] = planned, sum(one.kept for one in found)
        self._note_keepers(set().union(*(one.keepers for one in found)))
        chosen = [(location, one.first) for (location, _), one in zip(open_ones, found, strict=True) if one.first]
        plan = _plan_of(locations, chosen)
        if self._spec.plan_only:
            end.plan = plan
        elif (reviewed := self._mirror.apply_plan) is not None:
            self._check_drift(reviewed, plan)
        self._check_guards(planned, sum(one.in_scope for one in found))
        if self._spec.plan_only:
            self._price(chosen)
        else:
            self._delete(chosen)

    def _check_drift(self, reviewed: str, plan: MirrorPlan) -> None:
        approved = self._ledger.approved.of(self._spec.load_id, reviewed)
        if not approved:  # the quota was spent when it was to be checked
            raise GuardTripped("the plan that was reviewed could not be compared with what would be done: nothing was deleted")
        check_drift(reviewed, plan, approved, is_sent=True)

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
        if self._ledger.tables.has_baseline(series, location.number, self._rank):
            return False
        self._end.baselines.add(location.location_id)
        self._end.notes.append(
            f"{self._where(location)}the ledger knows of no earlier mirror of this table, so that nothing was deleted: "
            "this run is the baseline, and the next one deletes what its table does not name"
        )
        return True

    def _series_of(self, location: MirroredLocation) -> str:
        """The load's own series. A plan may be made by another task: then it is for the only mirror that there is."""
        tables, number = self._ledger.tables, location.number
        is_plan = self._spec.plan_only and self._mirror.apply_plan is None
        if not is_plan or tables.has_baseline(self._series, number, self._rank):
            return self._series
        mirrors = tables.mirrors(number)
        return mirrors[0] if len(mirrors) == 1 else self._series

    def _where(self, location: MirroredLocation) -> str:
        return f"location {location.location_id}: " if self._spec.has_several_locations else ""

    def _note_blocked(self, location: MirroredLocation, scope: ClosedScope) -> None:
        where = self._where(location)
        if scope.is_blocked:
            self._end.notes.append(f"{where}nothing was deleted, since the parent of a row is not known")
        elif scope.blocked:
            parents = "1 parent keeps" if scope.blocked == 1 else f"{scope.blocked:,} parents keep"
            self._end.notes.append(f"{where}{parents} everything, since rows of theirs are not accounted for")

    def _note_keepers(self, keepers: set[int]) -> None:
        if keepers:
            named = ", ".join(map(str, sorted(keepers)[:_MOST_NAMED])) + (", …" if len(keepers) > _MOST_NAMED else "")
            loads = f"load {named}" if len(keepers) == 1 else f"loads {named}"
            self._end.notes.append(f"some of what left the table stays, since {loads} may name it or have just made it")

    def _find(self, locations: Sequence[tuple[MirroredLocation, ClosedScope]]) -> list[Candidates] | None:
        """What may be deleted; ``None`` where that could not be found out."""
        with_terms = [(location, scope, self._terms(location)) for location, scope in locations]
        if self._mirror.owned is Owned.LEDGER:
            return [find_owned(location, scope, self._ledger, terms) for location, scope, terms in with_terms]
        reading = read_parents(with_terms, self._ports, self._ledger)
        self._end.notes += reading.notes
        self._end.requests.update(reading.requests)
        if reading.stoppage is None:
            return reading.found
        # Guards that look at a part of what is there would let it all go, a part every night.
        self._end.notes.append("Nothing was deleted, since not all parents could be read.")
        self._end.stoppage, self._end.is_complete = reading.stoppage, False
        return None

    def _terms(self, location: MirroredLocation) -> Terms:
        most = None if self._mirror.max_deletes is None else self._mirror.max_deletes + 1
        since = self._ledger.time() - self._spec.ledger_max_age.total_seconds()
        return Terms(self._mirror.parent, self._series_of(location), self._rank, since, most)

    def _price(self, chosen: Sequence[Chosen]) -> None:
        for location, candidates in chosen:
            self._end.price[location.location_id] = count_requests(self._ledger, location, candidates)
            for one in candidates:
                self._note(location, one, RemovalResult(RemovalOutcome.NOT_ATTEMPTED, reason="planned only"))
        # With more than a guard allows, only the first of them were kept, to be shown.
        self._end.counts[RemovalOutcome.NOT_ATTEMPTED] = self._end.counts["planned"]

    def _delete(self, chosen: Sequence[Chosen]) -> None:
        deletes = Deletes(self._ports, self._ledger, self._load_number, self._note)
        try:
            deletes.run(chosen)
        finally:
            self._end.stoppage, self._end.stopped = deletes.stoppage, deletes.stopped
            self._end.requests.update(deletes.requests)

    def _note(self, location: MirroredLocation, one: Candidate, result: RemovalResult) -> Deletion:
        self._end.counts[result.outcome] += 1
        values = location.handler.as_stored(one.values)
        deletion = Deletion(location.location_id, location.target_id, values, one.made_id, result)
        self._end.deletions.append(deletion)
        return deletion


def _plan_of(locations: Sequence[MirroredLocation], chosen: Sequence[Chosen]) -> MirrorPlan:
    deletes = {one.location_id: words_from_keys(b"".join(each.pair for each in some))[0] for one, some in chosen}
    none = np.empty(0, dtype=np.uint64)
    return MirrorPlan(
        [PlannedLocation(one.location_id, one.named, one.unsent, deletes.get(one.location_id, none)) for one in locations]
    )
