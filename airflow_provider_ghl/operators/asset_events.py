"""What a load adds to the asset events of its task: the counts, in short."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset
from airflow.sdk.definitions.asset import AssetRef

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["add_to_asset_events"]

log = logging.getLogger(__name__)

#: What is no count, or too long for an event.
_LEFT_OUT = frozenset({"locations", "plan", "results_path", "results_table", "results_cut", "daily_remaining"})


def add_to_asset_events(context: Context, outlets: Iterable[Any], summary: Mapping[str, Any], *, is_plan: bool = False) -> None:
    """Add the summary to the event of each of the task's assets. Airflow emits them when the task has succeeded.

    :param outlets: of the task. An alias is left alone, since only its user knows which assets belong to it.
    :param is_plan: whether nothing was written.
    """
    if (events := context.get("outlet_events")) is None:
        return
    extra = {name: value for name, value in summary.items() if name not in _LEFT_OUT}
    if "locations" in summary:
        extra["locations"] = len(summary["locations"])
    if is_plan:
        extra["plan_only"] = True
    for outlet in outlets:
        if isinstance(outlet, Asset | AssetRef):
            try:
                events[outlet].extra.update(extra)
            except Exception as error:  # noqa: BLE001 - a reference that names no asset; the load is done in any case
                log.warning("The event of %s has no counts (%s)", outlet, type(error).__name__)
