"""What a load is to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.keys_kept import check_lookup_age
from airflow_provider_ghl.load.kind import RowKind
from airflow_provider_ghl.load.quota_wait import SHORTEST_WAIT
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = ["DiffAgainst", "LoadSpec", "MirrorSpec", "Owned"]


class DiffAgainst(StrEnum):
    """Where to look up, before rows are sent, which of them exist already.

    In any case, what an earlier attempt of the same load has learned is not asked again.
    """

    #: In the ledger: what HighLevel confirmed within ``ledger_max_age``.
    LEDGER = "ledger"
    #: In HighLevel, where reading costs less than sending.
    HIGHLEVEL = "highlevel"
    #: Nowhere: every row is sent, and HighLevel answers which ones existed.
    NONE = "none"


class Owned(StrEnum):
    """What a mirror may delete."""

    #: What loads of this ledger made.
    LEDGER = "ledger"
    #: Everything, by whomever it was made.
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorSpec:
    """What is to be deleted once all rows are decided: what the table does not name.

    :param parent: the column, counted from 0, whose records keep exactly what the table names; only those that stand in the
        table. ``None``: the target does, whatever its records are.
    :param max_deletes: with more than that, of all locations together, nothing is deleted; ``None`` for no limit.
    :param max_delete_share: the same, as a share of what is owned by the parents in the table.
    :param apply_plan: the id of a plan: only exactly that is done.
    :raises ConfigurationError: everything of a target that has no parents cannot be read.
    """

    parent: int | None = 0
    owned: Owned = Owned.LEDGER
    max_deletes: int | None = 100
    max_delete_share: float | None = 0.1
    apply_plan: str | None = None

    def __post_init__(self) -> None:
        if self.parent is None and self.owned is Owned.ALL:
            raise ConfigurationError(
                "owned='all' needs parent='first' or 'second': HighLevel lists what a record has, not what an association has"
            )
        if self.max_delete_share is not None and not 0 <= self.max_delete_share <= 1:
            raise ConfigurationError(f"max_delete_share must be from 0 to 1, or None, not {self.max_delete_share!r}")


#: The smallest allowed values.
_LEAST = {"batch_size": 1, "abort_after": 1, "rows_ahead": 1, "min_rows": 0, "max_requests": 0, "keep_results": 0}


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """What a load is to do. Either ``location_id`` is given, or the rows name their locations.

    :raises ConfigurationError: neither or both are given, a number is too small, or an age too large.
    """

    load_id: str
    #: Loads of one series load the same table, one after the other; ``None``: it belongs to none.
    series: str | None = None
    #: The kind of its rows.
    kind: RowKind
    location_id: str | None = None
    #: How many rows are claimed together.
    batch_size: int = 1000
    min_rows: int = 0
    diff_against: DiffAgainst = DiffAgainst.LEDGER
    ledger_max_age: timedelta = timedelta(days=30)
    #: The same for the records of keys; 90 days at most.
    lookup_max_age: timedelta = timedelta(days=7)
    #: Whether rows whose keys name no record, or several, count as failed.
    fails_unresolved: bool = True
    tolerance: Tolerance = field(default_factory=lambda: Tolerance(0))
    abort_after: int = 20
    #: How long HighLevel may give no answers before a location is stopped.
    outage_timeout: timedelta = timedelta(minutes=5)
    max_requests: int | None = None
    #: With several locations: how many rows may be in memory, from the first without an outcome to the last that was read. The
    #: source is read ahead because it may be sorted by location.
    rows_ahead: int = 262_144
    keep_results: int = 1000
    try_number: int = 1
    #: Whether this attempt continues after a deferral, and not after a failure.
    is_resumed: bool = False
    #: Count the rows and estimate the cost; send no request that writes.
    plan_only: bool = False
    #: How long the load may wait for quota in all; ``None``: not at all.
    defer_timeout: timedelta | None = None
    #: How long one of these waits takes at least.
    shortest_wait: timedelta = SHORTEST_WAIT
    #: Delete what the table does not name; ``None``: nothing is deleted.
    mirror: MirrorSpec | None = None
    #: How many rows the source has, where that is known.
    total: int | None = None
    #: About how many it has, where it is not.
    about: int | None = None
    #: The size of the source in bytes, uncompressed, where that is known.
    source_bytes: int | None = None

    @property
    def has_several_locations(self) -> bool:
        """Whether the rows name their locations."""
        return self.kind.columns.location is not None

    def __post_init__(self) -> None:
        if bool(self.location_id) == self.has_several_locations:
            raise ConfigurationError("give exactly one of location_id and location_column")
        for name, least in _LEAST.items():
            value = getattr(self, name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < least):
                raise ConfigurationError(f"{name} must be a whole number, {least} or more, not {value!r}")
        for name in ("ledger_max_age", "lookup_max_age", "outage_timeout"):
            if getattr(self, name) < timedelta(0):
                raise ConfigurationError(f"{name} must be 0 or more, not {getattr(self, name)}")
        check_lookup_age(self.lookup_max_age)
