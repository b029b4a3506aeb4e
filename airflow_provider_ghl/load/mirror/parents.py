"""Reads from HighLevel what each parent has, where a mirror owns all of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from airflow_provider_ghl.load.kind import ReadResult
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.mirror.candidates import Candidates, ReadRelations, Terms
from airflow_provider_ghl.load.mirror.ports import MirrorPorts
from airflow_provider_ghl.load.plan.scope import ClosedScope, MirroredLocation
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.removals import RemovalResult
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.removals import Removal

__all__ = ["Reading", "read_parents"]


@dataclass(slots=True)
class Reading:
    """What was read.

    :param found: what may be deleted, by position of the location; empty where the reading was stopped.
    :param stoppage: what stopped it before the last parent.
    :param requests: how many requests were sent, by location.
    :param notes: parents that keep everything, since they could not be read.
    """

    found: list[Candidates] = field(default_factory=list)
    stoppage: Stoppage | None = None
    requests: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def read_parents(
    locations: Sequence[tuple[MirroredLocation, ClosedScope, Terms]], ports: MirrorPorts, ledger: Ledger
) -> Reading:
    """Read every parent that keeps nothing. One that cannot be read keeps everything.

    :raises LedgerError: the ledger cannot be read.
    """
    read = [ReadRelations(location, ledger, terms) for location, _, terms in locations]
    by_location: dict[str, list[Removal]] = {}
    number, unread = 0, 0
    for at, (location, scope, _) in enumerate(locations):
        for parent in scope.open_ids:
            conversation = partial(location.handler.read_parent, parent)
            by_location.setdefault(location.location_id, []).append(Removal(number, (parent,), conversation, at))
            number += 1

    def take(removal: Removal, result: ReadResult | RemovalResult) -> None:
        nonlocal unread
        if not isinstance(result, ReadResult) or result.error is not None:
            unread += 1
            return
        read[removal.subject].add(removal.values[0], result.stored)

    reader = ports.remover(take, by_location, "parents read")
    if by_location:
        reader.remove(by_location)
    if reader.failure is not None:
        raise reader.failure
    if reader.stoppage is not None:
        return Reading(stoppage=reader.stoppage, requests=reader.requests)
    found = [one.sift(scope) for one, (_, scope, _) in zip(read, locations, strict=True)]
    keeps = "keeps" if unread == 1 else "keep"
    notes = [f"{counted(unread, 'parent')} could not be read, and {keeps} everything"] if unread else []
    return Reading(found, requests=reader.requests, notes=notes)
