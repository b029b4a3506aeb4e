"""Deletes what it is given, in all locations side by side, at the pace of their limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.kind import ReadResult
from airflow_provider_ghl.load.results.removals import RemovalResult
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import NOT_REACHED, Stoppage
from airflow_provider_ghl.load.send.dispatch import Dispatch
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.send.outage import Outage
from airflow_provider_ghl.load.send.removals import FixedLocations, Removal, RemovalSteps
from airflow_provider_ghl.load.send.workers import ThreadWorkers, Workers

__all__ = ["Remover"]


@dataclass(slots=True, kw_only=True)
class Remover:
    """Deletes things.

    :param settle: called with each removal and its result, once.
    :param prepare: called with the removals of one location before the first of them is sent, some at a time. Where it or
        ``settle`` raises ``LedgerError``, nothing more is sent.
    :param tick: called at least twice a second.
    :param abort_after: this many equal refusals with no success between stop a location.
    :param outage_timeout: how long HighLevel may give no answers before a location is stopped.
    """

    client: Client
    settle: Callable[[Removal, Any], None]
    prepare: Callable[[Sequence[Removal]], None] = lambda removals: None
    tick: Callable[[], None] = lambda: None
    budget: Budget = field(default_factory=Budget)
    workers: Workers | None = None
    abort_after: int = 20
    outage_timeout: timedelta = timedelta(minutes=5)
    #: The first failure of the ledger.
    failure: LedgerError | None = None
    #: What stopped it before the last removal, if anything did; and the locations that were stopped while others went on.
    stoppage: Stoppage | None = None
    stopped: dict[str, Stoppage] = field(default_factory=dict)
    #: How many requests were sent, by location.
    requests: dict[str, int] = field(default_factory=dict)

    def remove(self, removals: Mapping[str, Sequence[Removal]]) -> None:
        """Delete all of it. Each removal has its result then.

        :param removals: by location.
        """
        workers = self.workers or ThreadWorkers()
        locations = [self._open(number, *one) for number, one in enumerate(removals.items())]
        dispatch = Dispatch(self.client, workers, self.budget, self.abort_after, FixedLocations(locations))
        try:
            for settled in dispatch.run():
                for location, send, result in settled:
                    location.steps.take_result(send, result)
                self.tick()
                if self.failure is not None:
                    dispatch.halt()
        finally:
            workers.close()
        self.requests = {location.id: location.requests for location in locations}
        if dispatch.stoppage is None:
            self.stopped = {location.id: location.stoppage for location in locations if location.stoppage is not None}
        self.stoppage = dispatch.stoppage or next(iter(self.stopped.values()), None)
        for location in locations:
            why = location.stoppage or self.stoppage
            location.steps.skip_rest(NOT_REACHED if why is None else why.reason)

    def _open(self, number: int, location_id: str, removals: Sequence[Removal]) -> Location:
        steps = RemovalSteps(removals, self._settle, self._prepare)
        outage = Outage(self.outage_timeout, self.client.retry.draw)
        results = LocationResults(number, location_id, None)
        return Location(results, steps, outage, self.abort_after, self.abort_after)

    def _prepare(self, removals: Sequence[Removal]) -> bool:
        try:
            self.prepare(removals)
        except LedgerError as error:
            self.failure = self.failure or error
        return self.failure is None

    def _settle(self, removal: Removal, result: RemovalResult | ReadResult) -> None:
        try:
            self.settle(removal, result)
        except LedgerError as error:
            self.failure = self.failure or error
