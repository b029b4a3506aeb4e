"""What the page of one load shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_provider_ghl.load.ledger.views import DeletionGroup, EarlierLoad, LoadView
from airflow_provider_ghl.page import charts
from airflow_provider_ghl.page.query import Query
from airflow_provider_ghl.page.words import OUTCOMES, advice, rows_of, took

__all__ = ["History", "load_values", "row_filter"]

_PAGE = 100
_FIRST_ROWS = 5
#: How many of a mirror's deletions are shown, and how many of an undo's.
_DELETIONS = 1_000
#: How many earlier loads of the same task are looked through.
_EARLIER = 1_000
_RED = ("retryable", "final", "lost")


@dataclass(frozen=True, slots=True)
class History:
    """What came before a load of the same task.

    :param red_since: of a red load: when the first red one since the task last ended well began.
    :param red_loads: how many have been red since then, this one included.
    :param last_success: the last load before it that was green.
    :param looked_through: how many loads were looked through for it in vain, where there may be more; else ``None``.
    """

    red_since: float | None
    red_loads: int
    last_success: EarlierLoad | None
    looked_through: int | None


def load_values(ledger: Any, load: LoadView, query: Query) -> dict[str, Any]:
    """The values of the template.

    :raises HTTPException: 400: a parameter cannot be right.
    """
    views, counts = ledger.views, load.counts or {}
    wanted, after = row_filter(query), query.position("after")
    groups = {group.why: group for group in views.deletion_groups(load.number)}
    deletes = counts.get("deletes")
    points = views.rate(load.number)
    return {
        "load": load,
        "counts": counts,
        "rows": rows_of(load),
        "seconds": took(load),
        "advice": advice(load),
        "history": _history(views, load),
        "is_live": load.state == "running",
        "is_partial": "rows" not in counts,
        "problems": views.problems(load.number, _FIRST_ROWS),
        "rate": charts.rates(points),
        "points": points,
        "locations": _locations(counts),
        "deletes": deletes if isinstance(deletes, Mapping) else None,
        "deletions": [(group, views.deletions(load.number, _DELETIONS, why)) for why, group in groups.items()],
        "has_mirrored": "mirror" in groups,
        "undone": groups.get("undo"),
        "can_undo": _can_undo(load, groups.get("undo")),
        "results": views.results(load.number, **wanted, after=-1 if after is None else after, limit=_PAGE),
        "wanted": {name: value for name, value in wanted.items() if value},
        "is_first_page": after is None,
        "outcome_names": tuple(OUTCOMES),
    }


def row_filter(query: Query) -> dict[str, Any]:
    """Which rows are wanted: the same for the page and for the file."""
    return {"search": query.text("search") or "", "outcome": query.one_of("outcome", tuple(OUTCOMES))}


def _history(views: Any, load: LoadView) -> History:
    before: list[EarlierLoad] = views.before(load.number, _EARLIER)
    red: list[LoadView | EarlierLoad] = [load] if load.state in _RED else []
    last_success = None
    for earlier in before:
        if earlier.state == "green":
            last_success = earlier
            break
        if red and earlier.state in _RED:
            red.append(earlier)
    looked_through = _EARLIER if last_success is None and len(before) == _EARLIER else None
    return History(red[-1].began if red else None, len(red), last_success, looked_through)


def _can_undo(load: LoadView, undone: DeletionGroup | None) -> bool:
    """Whether an undo would still find something that is certain to be the load's."""
    evidence: Any = (load.counts or {}).get("evidence") or {}
    presumed = evidence.get("created", {}).get("presumed", 0)
    made = load.outcomes.get("created", 0) - presumed
    return load.state not in ("running", "deferred") and made > (undone.gone if undone else 0)


def _locations(counts: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Each sub-account of a load of several, those that were stopped first, then those with most rows to look at."""
    found = counts.get("locations")
    if not isinstance(found, Mapping):
        return []

    def gravity(item: tuple[str, Mapping[str, Any]]) -> tuple[bool, int]:
        of_location = item[1]
        failed = sum(of_location.get(name, 0) for name in ("invalid", "unresolved", "rejected", "failed"))
        return not of_location.get("stopped_by"), -failed

    return sorted(found.items(), key=gravity)
