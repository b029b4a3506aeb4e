"""The summary of a load: counts, and what they took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.load.mirror.mirror import MirrorEnd
from airflow_provider_ghl.load.results.outcomes import Outcome
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.verdict import Ending
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.spec import LoadSpec

__all__ = ["summarize"]


def summarize(
    spec: LoadSpec,
    client: Client,
    budget: Budget,
    report: Report,
    locations: Sequence[Location],
    ending: Ending,
    mirror: MirrorEnd | None,
) -> dict[str, Any]:
    """The fields of the summary that are about HighLevel, as JSON can hold them."""
    left = [client.limit(location.id).daily_left for location in locations]
    summary: dict[str, Any] = {
        "load_id": spec.load_id,
        "rows": report.rows,
        **report.counts(),
        "stopped_by": str(ending.stopped_by) if ending.stopped_by else None,
        "requests": budget.spent,
        "retries": budget.retries,
        "rate_limited": budget.rate_limited,
        # The smallest of all locations.
        "daily_remaining": min((one for one in left if one is not None), default=None),
        **_lookups(spec, locations),
    }
    if spec.has_several_locations:
        deletes = mirror or MirrorEnd()
        summary["locations"] = {one.id: _of_location(spec, client, one, deletes) for one in locations}
    if mirror is not None:
        summary["deletes"] = mirror.counts
        summary["baseline"] = bool(mirror.baselines)
        for location_id in mirror.baselines if spec.has_several_locations else ():
            summary["locations"][location_id]["baseline"] = True
        if spec.plan_only:
            summary["plan_id"] = mirror.plan.id if mirror.plan is not None else None
    return summary


def _of_location(spec: LoadSpec, client: Client, location: Location, deletes: MirrorEnd) -> dict[str, Any]:
    """A location's part of the summary."""
    stoppage = location.stoppage or deletes.stopped.get(location.id)
    return {
        **{str(outcome): 0 for outcome in Outcome},
        **location.results.counts,
        "requests": location.requests + deletes.requests[location.id],
        "daily_remaining": client.limit(location.id).daily_left,
        "stopped_by": str(stoppage.by) if stoppage is not None and stoppage.by else None,
        "reason": stoppage.explanation if stoppage is not None else None,
        **_lookups(spec, [location]),
    }


def _lookups(spec: LoadSpec, locations: Sequence[Location]) -> dict[str, int]:
    """What the look-ups of a load with keys took."""
    if not spec.kind.has_keys:
        return {}
    return {
        "looked_up": sum(location.steps.looked_up for location in locations),
        "lookup_requests": sum(location.steps.lookup_requests for location in locations),
    }
