"""Takes a load back: deletes exactly the relations that it created."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.exceptions import ConfigurationError, GuardTripped
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.made import Made
from airflow_provider_ghl.load.ledger.pairs import words_from_keys
from airflow_provider_ghl.load.ledger.upkeep import PairFilter
from airflow_provider_ghl.load.plan.price import estimate
from airflow_provider_ghl.load.remover import Remover
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End, StoppedBy
from airflow_provider_ghl.load.results.removals import RemovalOutcome, RemovalResult
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.removals import Removal
from airflow_provider_ghl.load.send.workers import Workers
from airflow_provider_ghl.relations.remove import MadeRelation, remove

__all__ = ["Undo", "Undone"]

#: Seconds for which an id that HighLevel confirmed counts as read: 30 days.
_FRESH = 30 * 86_400.0
#: What a plan says besides.
CANNOT_UNDO = "What HighLevel's workflows did since then cannot be undone."
_IN_ORDER = tuple(RemovalOutcome)
#: Which results come first: as in loads.
_RANKS = {str(RemovalOutcome.REJECTED): 0, str(RemovalOutcome.FAILED): 0, str(RemovalOutcome.NOT_ATTEMPTED): 1}
#: What the ledger keeps of a result.
_NOTED = (
    *("location_id", "association_id", "first_record_id", "second_record_id", "relation_id"),
    *("outcome", "status_code", "reason"),
)


@dataclass(frozen=True, slots=True)
class Undone:
    """How it went.

    :param summary: as JSON can hold it.
    :param results: one for each relation that the load created: what failed or was refused first, then what was not attempted,
        then the rest, each in the order of the rows.
    :param failure: which exception to raise; ``None`` for none.
    """

    summary: dict[str, Any]
    results: list[dict[str, Any]]
    message: str
    failure: Failure | None = None
    cause: Exception | None = None


class Undo:
    """Takes one load back.

    What a later load names in its table is kept: it would be made again. What is only presumed to be the load's, since an
    answer was lost, is not touched.

    :param load: the load's id, or its number in the ledger as text.
    :param workers: ``None``: threads.
    :raises ConfigurationError: there is no such load, it has not ended, its rows are not kept any more, or it was sent
        elsewhere.
    """

    def __init__(self, load: str, ledger: Ledger, client: Client, workers: Workers | None = None) -> None:
        self._ledger = ledger
        self._client = client
        self._workers = workers
        self._began = client.clock.monotonic()
        self._load = _find(load, ledger)
        self.number = int(self._load["number"])
        self._made = list(ledger.made_by(self.number, client.host))
        self._check()
        self._results: dict[int, dict[str, Any]] = {}
        self._budget = Budget()

    def plan(self) -> Undone:
        """What would be deleted, and what it would cost. Sends nothing."""
        removals = self._removals()
        for removal in removals:
            self._note(removal.subject, RemovalResult(RemovalOutcome.NOT_ATTEMPTED, reason="planned only"))
        requests: dict[str, int] = {}
        for one in (removal.subject for removal in removals):
            requests[one.location_id] = requests.get(one.location_id, 0) + (1 if self._is_read(one) else 2)
        price = estimate([(count, self._client.limit(location_id)) for location_id, count in requests.items()])
        summary = self._summary(len(removals), None) | {"plan": price.as_dict()}
        would = f"A plan, nothing was deleted: {counted(len(removals), 'relation')} of load {self.number} would be deleted"
        kept = f", {self._kept} kept, since later loads name them" if self._kept else ""
        return Undone(summary, self._in_order(), f"{would}{kept}; {price}. {CANNOT_UNDO}")

    def run(self, max_deletes: int | None = None) -> Undone:
        """Delete them.

        :param max_deletes: with more than that to be deleted nothing is deleted; ``None`` for no limit.
        :raises GuardTripped: there are more.
        """
        removals = self._removals()
        if max_deletes is not None and len(removals) > max_deletes:
            raise GuardTripped(
                f"load {self.number} created {counted(len(removals), 'relation')} that would be deleted, more than "
                f"max_deletes={max_deletes:,} allows: nothing was deleted"
            )
        by_location: dict[str, list[Removal]] = {}
        for removal in removals:
            by_location.setdefault(removal.subject.location_id, []).append(removal)
        remover = Remover(
            client=self._client, workers=self._workers, budget=self._budget, settle=self._settle, prepare=self._doubt
        )
        if by_location:
            remover.remove(by_location)
        return self._conclude(len(removals), remover)

    @property
    def _kept(self) -> int:
        return sum(result["outcome"] == RemovalOutcome.KEPT for result in self._results.values())

    def _check(self) -> None:
        if self._load["state"] == "running":
            raise ConfigurationError(f"load {self.number} has not ended: wait for its end, or stop its task")
        if self._load["state"] == End.DEFERRED:
            raise ConfigurationError(
                f"load {self.number} is deferred, and goes on when the quota of another day begins: wait for its end; if its "
                "task was stopped meanwhile, run the task again to its end"
            )
        created = (self._load["counts"] or {}).get("created")
        if created and not self._made:
            raise ConfigurationError(
                f"load {self.number} created {counted(created, 'relation')}, and the ledger no longer knows which: "
                "results are kept for 90 days, and until the task instance runs again"
            )
        hosts = {one.host for one in self._made if one.host is not None}
        if wrong := hosts - {self._client.host}:
            raise ConfigurationError(
                f"load {self.number} was sent to {wrong.pop()}, and the connection is to {self._client.host}"
            )
        if any(one.target_id is None for one in self._made):
            raise ConfigurationError(f"load {self.number} was sent elsewhere, and the connection is to {self._client.host}")

    def _removals(self) -> list[Removal]:
        """What is to be deleted. The rest is noted as kept."""
        later, unsure = self._named_later()
        removals = []
        for number, one in enumerate(self._made):
            if (load := later.get(number, -1)) >= 0:
                reason = f"load {load} names it too"
                if load in unsure:
                    reason = f"load {load} may name it too: rows of its table are not accounted for"
                self._note(one, RemovalResult(RemovalOutcome.KEPT, reason=reason))
                continue
            relation = MadeRelation(one.location_id, one.association_id, *one.values, one.relation_id, self._is_read(one))
            removals.append(Removal(number, one.values, partial(remove, relation), one))
        return removals

    def _named_later(self) -> tuple[dict[int, int], set[int]]:
        """Later loads whose tables name a relation, by its position; and those of which that is not certain."""
        found: dict[int, int] = {}
        unsure: set[int] = set()
        for target_id, numbers in self._by_target().items():
            pairs = [(number, pair) for number in numbers for pair in self._made[number].pairs]
            high, _ = words_from_keys(b"".join(pair for _, pair in pairs))
            later = self._ledger.tables.later(self.number, target_id, high).tolist()
            for (number, _), load in zip(pairs, later, strict=True):
                found[number] = max(load, found.get(number, -1))
            unsure |= self._ledger.tables.may_be_of_earlier(later, target_id)
        return found, unsure

    def _by_target(self) -> dict[int, list[int]]:
        """The positions of what was made, by target."""
        by_target: dict[int, list[int]] = {}
        for number, one in enumerate(self._made):
            if one.target_id is not None:
                by_target.setdefault(one.target_id, []).append(number)
        return by_target

    def _is_read(self, one: Made) -> bool:
        return one.confirmed is not None and one.confirmed >= self._ledger.time() - _FRESH

    def _doubt(self, removals: Sequence[Removal]) -> None:
        """If this process is killed, the ledger must not say of what it deleted that it is there."""
        by_target: dict[int, list[bytes]] = {}
        for one in (removal.subject for removal in removals):
            if one.target_id is not None:
                by_target.setdefault(one.target_id, []).extend(one.pairs)
        for target_id, pairs in by_target.items():
            self._ledger.relations.doubt(target_id, pairs)

    def _settle(self, removal: Removal, result: RemovalResult) -> None:
        one: Made = removal.subject
        self._note(one, result)
        if result.outcome is RemovalOutcome.NOT_ATTEMPTED:
            return
        noted = {name: self._results[one.row][name] for name in _NOTED}
        gone = None
        if result.is_success and one.target_id is not None:
            gone = PairFilter(one.target_id, one.pairs, one.relation_id)
        self._ledger.deletions.note(self.number, "undo", [noted], gone)

    def _note(self, one: Made, result: RemovalResult) -> None:
        self._results[one.row] = {
            "row": one.row,
            "location_id": one.location_id,
            "association_id": one.association_id,
            "first_record_id": one.values[0],
            "second_record_id": one.values[1],
            "relation_id": one.relation_id,
            "outcome": str(result.outcome),
            "status_code": result.status_code,
            "reason": result.reason,
            "requests": result.requests,
            "trace_id": result.trace_id,
        }

    def _in_order(self) -> list[dict[str, Any]]:
        """Those that need attention first: a list that is cut loses none of them to what went well."""
        return sorted(self._results.values(), key=lambda result: (_RANKS.get(result["outcome"], 2), result["row"]))

    def _summary(self, planned: int, stoppage: Stoppage | None) -> dict[str, Any]:
        outcomes = [result["outcome"] for result in self._results.values()]
        return {
            "load_id": self._load["load_id"],
            "load": self.number,
            "deletes": {"planned": planned, **{str(one): outcomes.count(one) for one in _IN_ORDER}},
            "stopped_by": str(stoppage.by) if stoppage is not None and stoppage.by else None,
            "requests": self._budget.spent,
            "retries": self._budget.retries,
            "rate_limited": self._budget.rate_limited,
            "seconds": round(self._client.clock.monotonic() - self._began, 3),
        }

    def _conclude(self, planned: int, remover: Remover) -> Undone:
        summary = self._summary(planned, remover.stoppage)
        counts: dict[str, int] = summary["deletes"]
        shown = [f"{count:,} {name.replace('_', ' ')}" for name, count in counts.items() if count and name != "planned"]
        message = f"Load {self.number} created {counted(len(self._made), 'relation')}: {', '.join(shown) or 'none'}."
        if remover.failure is not None:
            return Undone(summary, self._in_order(), f"{remover.failure}. {message}", Failure.LEDGER_FAILED, remover.failure)
        stoppage = remover.stoppage
        if counts["not_attempted"] or counts["failed"] or counts["rejected"]:
            why = f"{stoppage.explanation}. " if stoppage is not None else self._commonest_reason()
            cause = stoppage.error if stoppage is not None else None
            return Undone(summary, self._in_order(), f"{why}{message}", _failure(counts, stoppage), cause)
        return Undone(summary, self._in_order(), message)

    def _commonest_reason(self) -> str:
        bad = (RemovalOutcome.REJECTED, RemovalOutcome.FAILED)
        reasons: Sequence[str] = [str(one["reason"]) for one in self._results.values() if one["outcome"] in bad]
        return f"{max(set(reasons), key=reasons.count)}. " if reasons else ""


def _find(load: str, ledger: Ledger) -> dict[str, Any]:
    found = ledger.loads.find(load)
    if found is None:
        raise ConfigurationError(f"the ledger {ledger.where} knows no load {load!r}: `airflow ghl loads` lists them")
    return found


def _failure(counts: dict[str, int], stoppage: Stoppage | None) -> Failure:
    if stoppage is not None and stoppage.error is not None:
        return Failure.from_error(stoppage.error)
    if stoppage is not None and stoppage.by is StoppedBy.ABORT and not stoppage.is_outage:
        return Failure.REQUEST_REFUSED
    return Failure.UNAVAILABLE if counts["failed"] or counts["not_attempted"] else Failure.REQUEST_REFUSED
