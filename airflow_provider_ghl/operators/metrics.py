"""What a load adds to Airflow's own metrics (StatsD, Datadog or OpenTelemetry, as Airflow is configured)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from airflow.sdk.configuration import conf

if TYPE_CHECKING:
    from airflow_provider_ghl.load.results.effort import Effort
    from airflow_provider_ghl.load.results.verdict import Verdict

__all__ = ["send_metrics"]

log = logging.getLogger(__name__)


def send_metrics(verdict: Verdict, ti: Any) -> None:
    """Send the numbers of an attempt that has ended. No failure of the metrics is one of the load.

    A load that waits for quota sends what it took so far; its rows are sent at its end.

    :param ti: the task instance; ``None``: nothing is sent.
    """
    if ti is None:
        return
    try:
        from airflow.sdk.observability import stats

        tags = _tags(ti)
        for outcome, count in _rows(verdict):
            _count(stats, "ghl.load.rows", count, outcome, tags)
        for outcome, count in _deletes(verdict):
            _count(stats, "ghl.load.deletes", count, outcome, tags)
        if verdict.effort is not None:
            _send_effort(stats, verdict.effort, tags)
        if (left := verdict.summary["daily_remaining"]) is not None:
            stats.gauge("ghl.load.daily_remaining", left, tags=tags)
    except Exception as error:  # noqa: BLE001 - whatever a backend may raise
        log.debug("The load's metrics could not be sent (%s)", type(error).__name__)


def _send_effort(stats: Any, effort: Effort, tags: dict[str, str]) -> None:
    stats.incr("ghl.load.requests", effort.requests, tags=tags)
    stats.incr("ghl.load.retries", effort.retries, tags=tags)
    stats.incr("ghl.load.rate_limited", effort.rate_limited, tags=tags)
    stats.timing("ghl.load.duration", effort.seconds * 1000, tags=tags)  # milliseconds, as Airflow's own durations
    if effort.limit_share is not None:
        stats.gauge("ghl.load.limit_share", round(effort.limit_share, 4), tags=tags)


def _count(stats: Any, name: str, count: int, outcome: str, tags: dict[str, str]) -> None:
    """Count under the name, with the outcome as a tag. And under a name that has it, since plain StatsD knows no tags: as
    Airflow does with its own, unless ``[metrics] legacy_names_on`` is off.
    """
    stats.incr(name, count, tags={**tags, "outcome": outcome})
    if conf.getboolean("metrics", "legacy_names_on", fallback=True):
        stats.incr(f"{name}.{outcome}", count, tags=tags)


def _tags(ti: Any) -> dict[str, str]:
    """Those of Airflow's own task metrics: the DAG, the task, and the team where there are teams."""
    return dict(getattr(ti, "stats_tags", None) or {"dag_id": ti.dag_id, "task_id": ti.task_id})


def _rows(verdict: Verdict) -> Iterator[tuple[str, int]]:
    from airflow_provider_ghl.load.results.outcomes import Outcome

    if verdict.wait is None:
        yield from ((str(outcome), verdict.summary[outcome]) for outcome in Outcome)


def _deletes(verdict: Verdict) -> Iterator[tuple[str, int]]:
    if verdict.wait is None:
        yield from ((name, count) for name, count in (verdict.summary.get("deletes") or {}).items() if name != "planned")
