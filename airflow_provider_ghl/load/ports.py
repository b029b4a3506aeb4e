"""What a load works with: its rows, HighLevel, the ledger, and where results go."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.load.columns import Batch
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.destinations import Destinations
from airflow_provider_ghl.load.results.progress import Progress
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.send.workers import Workers

__all__ = ["Ports"]


@dataclass(slots=True, kw_only=True)
class Ports:
    """The ports of one load.

    :param ledger: ``None``: nothing is remembered beyond the load.
    :param workers: ``None``: threads.
    :param budget: counts the requests; ``None`` for a new one.
    :param results: where every row's result goes; ``None`` for nowhere. The load publishes them at its end.
    :param deliver: called with the verdict, before the ledger notes the end of the load. So a load that is killed while it
        delivers counts as not ended.
    """

    batches: Iterator[Batch]
    client: Client
    ledger: Ledger | None = None
    workers: Workers | None = None
    budget: Budget | None = None
    progress: Progress | None = None
    results: Destinations | None = None
    deliver: Callable[[Verdict], None] | None = None
