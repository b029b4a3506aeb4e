"""What a mirror is about to do, in hashes: named by an id, and compared with what a person has reviewed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from airflow_provider_ghl.exceptions import GuardTripped
from airflow_provider_ghl.load.columns import Words
from airflow_provider_ghl.load.ledger.approved import ApprovedLocation
from airflow_provider_ghl.load.ledger.pairs import ascending, is_among

__all__ = ["MirrorPlan", "PlannedLocation", "approve", "check_drift"]

_PARTS = ("the table", "what would be sent", "what would be deleted")


@dataclass(frozen=True, slots=True)
class PlannedLocation:
    """One location of a plan. Pairs are high words of hashes with the ledger's secret.

    :param table: all that the rows name.
    :param unsent: what would be sent.
    :param deletes: what would be deleted.
    """

    location_id: str
    table: Words
    unsent: Words
    deletes: Words


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """What a mirror would do in all locations together."""

    locations: Sequence[PlannedLocation]

    @property
    def id(self) -> str:
        """Names exactly this plan."""
        parts: tuple[Callable[[PlannedLocation], Words], ...] = (
            lambda one: one.table,
            lambda one: one.unsent,
            lambda one: one.deletes,
        )
        return "-".join(self._digest(part) for part in parts)

    @property
    def is_done(self) -> bool:
        """Whether there is nothing to be done."""
        return not any(len(one.unsent) or len(one.deletes) for one in self.locations)

    def _digest(self, part: Callable[[PlannedLocation], Words]) -> str:
        digest = hashlib.blake2b(digest_size=8)
        for one in sorted(self.locations, key=lambda one: one.location_id):
            words = ascending(part(one))
            digest.update(f"{one.location_id}:{len(words)}:".encode())
            digest.update(words.tobytes())
        return digest.hexdigest()


def approve(plan: MirrorPlan) -> dict[str, ApprovedLocation]:
    """The plan as the ledger keeps it, by location, for attempts that have only a part of it left to do."""
    return {
        one.location_id: ApprovedLocation(_of_table(one), ascending(one.unsent), ascending(one.deletes))
        for one in plan.locations
    }


def check_drift(reviewed: str, plan: MirrorPlan, approved: Mapping[str, ApprovedLocation], *, is_sent: bool = False) -> None:
    """Compare a plan that was reviewed with what is planned now.

    :param reviewed: its id.
    :param approved: the plan itself, where this load has begun to do it: then what is left of it may be less, down to nothing.
        Empty: nothing was done yet.
    :param is_sent: what was to be sent is sent, and is not compared.
    :raises GuardTripped: they differ; the message says in what.
    """
    differs = _beyond(plan, approved) if approved else _different(reviewed, plan)
    if is_sent:
        differs.discard(_PARTS[1])
    if differs:
        verb = "differs" if len(differs) == 1 else "differ"
        named = " and ".join(part for part in _PARTS if part in differs)
        raise GuardTripped(f"{named} {verb} from the plan that was reviewed: nothing was deleted; make another plan")


def _different(reviewed: str, plan: MirrorPlan) -> set[str]:
    before, now = reviewed.split("-"), plan.id.split("-")
    if len(before) != len(now):
        raise GuardTripped(f"{reviewed!r} is the id of no plan: nothing was deleted")
    if before[0] == now[0] and plan.is_done:
        return set()
    return {name for name, one, other in zip(_PARTS, before, now, strict=True) if one != other}


def _beyond(plan: MirrorPlan, approved: Mapping[str, ApprovedLocation]) -> set[str]:
    """In what the plan goes beyond what was approved. Locations that are not reached this time do nothing."""
    differs = set()
    for one in plan.locations:
        before = approved.get(one.location_id)
        if before is None:
            return set(_PARTS)
        if before.table != _of_table(one):
            differs.add(_PARTS[0])
        if not is_among(one.unsent, before.unsent).all():
            differs.add(_PARTS[1])
        if not is_among(one.deletes, before.deletes).all():
            differs.add(_PARTS[2])
    return differs


def _of_table(one: PlannedLocation) -> str:
    return hashlib.blake2b(ascending(one.table).tobytes(), digest_size=8).hexdigest()
