"""What a mirror reads and deletes with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.load.remover import Remover
from airflow_provider_ghl.load.send.removals import Removal
from airflow_provider_ghl.load.send.workers import Workers

__all__ = ["MirrorPorts"]


@dataclass(frozen=True, slots=True)
class MirrorPorts:
    """Those of one load.

    :param watch: called before something is read or deleted, with the location ids, with what is done ("parents read"), and
        with how much of it there is. It returns a function that is called at least twice a second with how much is done: so the
        ledger hears that the load is alive.
    :param abort_after: this many equal refusals with no success between stop a location.
    """

    client: Client
    workers: Workers
    budget: Budget
    watch: Callable[[Sequence[str], str, int], Callable[[int], None]]
    abort_after: int
    outage_timeout: timedelta

    def remover(
        self, settle: Callable[[Removal, Any], None], by_location: Mapping[str, Sequence[Removal]], what: str
    ) -> Remover:
        """What sends these.

        :param settle: takes each with its result, once.
        :param what: see ``watch``.
        """
        watch, done = self.watch(list(by_location), what, sum(map(len, by_location.values()))), 0

        def count(removal: Removal, result: Any) -> None:
            nonlocal done
            done += 1
            settle(removal, result)

        return Remover(
            client=self.client,
            workers=self.workers,
            budget=self.budget,
            settle=count,
            tick=lambda: watch(done),
            abort_after=self.abort_after,
            outage_timeout=self.outage_timeout,
        )
