"""Reads the association of a load's rows, once for each location: a wrong id or key must not cost a request per row."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.find_association import find_in_steps
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError
from airflow_provider_ghl.load.kind import Target, TargetResult
from airflow_provider_ghl.load.results.stoppage import stopped_by
from airflow_provider_ghl.relations.orientation import Sides, is_swapped

__all__ = ["StoredAssociation", "read_association"]


@dataclass(frozen=True, slots=True)
class StoredAssociation(Target):
    """An association as one location stores it.

    :param object_keys: the objects of its first and second side; empty where HighLevel names none.
    :param is_swapped: whether the source's first column holds the association's second side.
    """

    object_keys: tuple[str, str] = ("", "")
    is_swapped: bool = False


def read_association(
    location_id: str, *, association_id: str | None, association_key: str | None, sides: Sides
) -> Generator[Call, Answer, TargetResult]:
    """Read the association. Errors: it belongs to another location, or it links other objects than the columns hold."""
    try:
        found = yield from find_in_steps(location_id, association_id, association_key)
        if (owner := found.get("locationId")) and owner != location_id:
            raise ConfigurationError(f"association {found.get('id')} belongs to location {owner}, not to {location_id}")
        swapped = is_swapped(found, sides)
    except GHLError as error:
        return TargetResult(None, error, stops=stopped_by(error))
    object_keys = str(found.get("firstObjectKey") or ""), str(found.get("secondObjectKey") or "")
    return TargetResult(StoredAssociation(location_id, str(found.get("id") or association_id), object_keys, swapped))
