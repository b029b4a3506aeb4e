"""What the list of loads shows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from airflow_provider_ghl.load.ledger.views import ViewFilter
from airflow_provider_ghl.page import charts
from airflow_provider_ghl.page.query import Query
from airflow_provider_ghl.page.words import OUTCOMES, STATES

__all__ = ["loads_values"]

_PAGE = 50
_DAYS = 31
_TEXTS = ("dag_id", "location_id", "association")


def loads_values(ledger: Any, dag_ids: frozenset[str], query: Query) -> dict[str, Any]:
    """The values of the template.

    :raises HTTPException: 400: a parameter cannot be right.
    """
    chosen = {name: query.text(name) for name in _TEXTS}
    chosen |= {"outcome": query.one_of("outcome", tuple(OUTCOMES)), "state": query.one_of("state", tuple(STATES))}
    wanted, before = ViewFilter(dag_ids=dag_ids, **chosen), query.position("before")
    found = ledger.views.loads(wanted, before=before, limit=_PAGE + 1)
    # The month is of the loads in general: of one state alone it would tell nothing.
    days = ledger.views.outcomes_by_day(replace(wanted, outcome=None, state=None), days=_DAYS)
    return {
        "chosen": {name: value for name, value in chosen.items() if value},
        "choices": ledger.views.choices(dag_ids),
        "loads": found[:_PAGE],
        "older": found[_PAGE - 1].number if len(found) > _PAGE else None,
        "is_first_page": before is None,
        "days": days,
        "panels": charts.nights(days),
        "has_dags": bool(dag_ids),
    }
