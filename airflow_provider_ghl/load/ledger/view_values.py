"""What a page is shown of loads: plain values. All moments are unix seconds by the database's clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = [
    "DayOutcomes",
    "DeletionGroup",
    "EarlierLoad",
    "LoadView",
    "LocationView",
    "ProblemGroup",
    "RatePoint",
    "ResultPage",
    "ViewFilter",
]


@dataclass(frozen=True, slots=True)
class ViewFilter:
    """Loads that match all of it; by default every load.

    :param dag_ids: DAGs whose loads the viewer may see; ``None``: all. A load's DAG is the part of its id before the first
        slash. An empty set: no load at all.
    :param dag_id: the DAG that the viewer chose.
    :param location_id: a load of several locations matches if it had this one.
    :param association: as it was asked for, by its id or its key.
    :param outcome: at least one row has it.
    :param state: ``running``, ``lost``, ``green``, ``retryable``, ``final`` or ``deferred``.
    """

    dag_ids: frozenset[str] | None = None
    dag_id: str | None = None
    location_id: str | None = None
    association: str | None = None
    outcome: str | None = None
    state: str | None = None


@dataclass(frozen=True, slots=True)
class LoadView:
    """One load.

    :param map_index: -1 where its task is not mapped.
    :param location_id: ``None``: it has several.
    :param state: as in :class:`ViewFilter`.
    :param message: its end in the load's own words; ``None`` while it has none.
    :param counts: the summary of its end; ``None`` while it has none.
    :param outcomes: rows by outcome: of its end; before it, those with a result that is kept.
    :param total: about how many rows its source has, where that is known.
    """

    number: int
    load_id: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    location_id: str | None
    association: str
    state: str
    began: float
    updated: float
    tries: int
    requests: int
    rate_limited: int
    message: str | None
    counts: Mapping[str, object] | None
    outcomes: Mapping[str, int]
    total: int | None = None


@dataclass(frozen=True, slots=True)
class EarlierLoad:
    """A load that came before another one of the same task. Its values are those of :class:`LoadView`."""

    number: int
    state: str
    began: float


@dataclass(frozen=True, slots=True)
class DeletionGroup:
    """What was to be deleted for one reason.

    :param why: ``mirror``: the load's table no longer named it. ``undo``: the load had made it, and was taken back.
    :param outcomes: what became of how many relations, the commonest first. Another run of an undo counts none anew.
    :param gone: how many are not there any more.
    :param last: when the last of these went; where none did, when the last one was tried.
    :param rows: how many answers are noted: those of every run.
    """

    why: str
    outcomes: Mapping[str, int]
    gone: int
    last: float
    rows: int


@dataclass(frozen=True, slots=True)
class ProblemGroup:
    """Rows that failed for one reason.

    :param reason: without ids and values, worded as in the load's own message.
    :param first_rows: results of its first rows, with the fields of :class:`ResultPage`.
    """

    outcome: str
    status_code: int | None
    reason: str
    rows: int
    first_rows: tuple[Mapping[str, object], ...]


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Results, by row.

    :param rows: each with ``row``, ``row_key``, ``location_id``, ``association_id``, ``first_record_id``,
        ``second_record_id``, ``outcome``, ``evidence``, ``relation_id``, ``status_code``, ``reason``, ``requests``,
        ``try_number`` and ``trace_id``.
    :param next_after: what to pass as ``after`` for the next page; ``None``: this is the last.
    """

    rows: tuple[Mapping[str, object], ...]
    next_after: int | None


@dataclass(frozen=True, slots=True)
class RatePoint:
    """Requests in a span of time.

    :param at: when it begins.
    :param seconds: how long it is.
    :param rate_limited: how many of the requests were answered 429.
    """

    at: float
    seconds: float
    requests: int
    rate_limited: int


@dataclass(frozen=True, slots=True)
class DayOutcomes:
    """Loads that began on one day.

    :param day: as an ISO date, in UTC.
    :param outcomes: their rows by outcome.
    """

    day: str
    loads: int
    outcomes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LocationView:
    """A sub-account.

    :param host: base URL of the API.
    :param requests_today: sent by loads of this ledger since the quota was last reset, as far as that is known; else in the
        last 24 hours.
    :param by_hour: the last 24 hours, this one included.
    :param daily_limit: requests that HighLevel allows in a day, by its headers.
    :param daily_left: requests that were left of the day.
    :param resets_at: when the day ends.
    :param seen: when HighLevel last said so.
    :param relations: known to be there. From hundreds of thousands on in the whole ledger, about how many.
    :param keys: whose records are known, counted as relations are.
    :param last_load: the number of the last load with this location.
    """

    host: str
    location_id: str
    requests_today: int
    by_hour: tuple[RatePoint, ...]
    daily_limit: int | None
    daily_left: int | None
    resets_at: float | None
    seen: float | None
    relations: int
    keys: int
    last_load: int | None
