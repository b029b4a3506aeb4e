"""What a load is to do, and what it works with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.patience import SHORTEST_WAIT
from airflow_provider_ghl.load.results.file import ResultsFile
from airflow_provider_ghl.load.results.progress import Progress
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.send.workers import Workers
from airflow_provider_ghl.load.source.batches import Batch, Columns
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = ["DiffAgainst", "LoadSpec", "Ports"]


class DiffAgainst(StrEnum):
    """What is asked which relations are there, before any is sent.

    Whatever it is, what an earlier attempt of the same load has learned is not asked again.
    """

    #: The ledger, as far as HighLevel confirmed it within ``ledger_max_age``.
    LEDGER = "ledger"
    #: HighLevel, where reading it costs less than sending.
    HIGHLEVEL = "highlevel"
    #: Nothing: every row is sent, and HighLevel says which ones were there.
    NONE = "none"


_LEAST = {"batch_size": 1, "abort_after": 1, "rows_ahead": 1, "min_rows": 0, "max_requests": 0, "keep_results": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """What a load is to do. Exactly one of ``association_id`` and ``association_key`` is given, and exactly one of
    ``location_id`` and ``columns.location``.

    :raises ConfigurationError: it is not, or a number is too small to mean anything.
    """

    load_id: str
    columns: Columns
    location_id: str | None = None
    association_id: str | None = None
    association_key: str | None = None
    #: Rows that are claimed together.
    batch_size: int = 1000
    min_rows: int = 0
    diff_against: DiffAgainst = DiffAgainst.LEDGER
    ledger_max_age: timedelta = timedelta(days=30)
    tolerance: Tolerance = field(default_factory=lambda: Tolerance(0))
    abort_after: int = 20
    #: Relations that one record may have on its side; ``None``: HighLevel says when it is full.
    max_per_first: int | None = None
    max_per_second: int | None = None
    max_requests: int | None = None
    #: Several locations: rows that are held, from the first that has no outcome yet to the last that was read. A source may be
    #: sorted by location, so it is read ahead.
    rows_ahead: int = 262_144
    keep_results: int = 1000
    try_number: int = 1
    #: Whether it goes on after a deferral, and not after a failure.
    is_resumed: bool = False
    #: Count and price it; send nothing that writes.
    plan_only: bool = False
    #: How long it may wait for quota in all; ``None``: not at all.
    defer_timeout: timedelta | None = None
    #: How long one of those waits takes at least.
    shortest_wait: timedelta = SHORTEST_WAIT
    #: Rows of the source, where that is known.
    total: int | None = None
    #: Bytes of the source (before any packing), where that is known.
    source_bytes: int | None = None
    #: Where the results file will be, for the summary.
    results_path: str | None = None

    def __post_init__(self) -> None:
        if bool(self.association_id) == bool(self.association_key):
            raise ConfigurationError("give exactly one of association_id and association_key")
        if bool(self.location_id) == bool(self.columns.location):
            raise ConfigurationError("give exactly one of location_id and location_column")
        for name, least in (
            ("batch_size", 1),
            ("abort_after", 1),
            ("rows_ahead", 1),
            ("min_rows", 0),
            ("max_requests", 0),
            ("keep_results", 0),
        ):
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ConfigurationError(f"{name} must be a whole number, {least} or more, not {value!r}")
        if self.ledger_max_age < timedelta(0):
            raise ConfigurationError(f"ledger_max_age must be 0 or more, not {self.ledger_max_age}")


@dataclass(slots=True, kw_only=True)
class Ports:
    """What a load works with: its rows, HighLevel, the ledger, where results go.

    Without a ledger nothing is remembered beyond the load. ``deliver`` is called with the verdict before the ledger notes that
    the load has ended: who is killed while the results are on their way has not ended.
    """

    batches: Iterator[Batch]
    client: Client
    ledger: Ledger | None = None
    workers: Workers | None = None
    progress: Progress | None = None
    results_file: ResultsFile | None = None
    deliver: Callable[[Verdict], None] | None = None
