"""The association that rows are about. Every load reads it once for each location: a stale id or key must not cost a request a
row.
"""

from __future__ import annotations

from collections.abc import Generator

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.find_association import find_in_steps
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    GHLError,
    QuotaExhausted,
    RequestRejected,
    Unauthorized,
)
from airflow_provider_ghl.load.kind import Found, Target
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["read_association"]

_STOPPED_BY: dict[type[GHLError], StoppedBy] = {
    ConfigurationError: StoppedBy.ABORT,
    RequestRejected: StoppedBy.ABORT,
    Unauthorized: StoppedBy.TOKEN,
    QuotaExhausted: StoppedBy.QUOTA,
    BudgetSpent: StoppedBy.MAX_REQUESTS,
}


def read_association(
    location_id: str, *, association_id: str | None, association_key: str | None
) -> Generator[Call, Answer, Found]:
    """Read the association. It must be of this location: the error names the keys that are there, or whose it is."""
    try:
        found = yield from find_in_steps(location_id, association_id, association_key)
    except GHLError as error:
        return Found(None, error, stops=next((by for kind, by in _STOPPED_BY.items() if isinstance(error, kind)), None))
    owner = found.get("locationId")
    if owner and owner != location_id:
        wrong = ConfigurationError(f"association {found.get('id')} belongs to location {owner}, not to {location_id}")
        return Found(None, wrong, stops=StoppedBy.ABORT)
    return Found(Target(location_id, str(found.get("id") or association_id)))
