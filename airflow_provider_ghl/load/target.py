"""The association that a load is about. Every load reads it once: a stale id or key must not cost a request a row."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from airflow_provider_ghl.api.associations import Association, Associations
from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, NotFound

__all__ = ["Target", "find_association", "resolve"]

#: Associations that are read to say which there are: a wrong key must not cost more than a few requests.
_MOST_READ = 400
#: Keys that an error names at most.
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Target:
    """Where relations go."""

    location_id: str
    association_id: str
    association_key: str
    first_object_key: str
    second_object_key: str


def resolve(
    client: Client, budget: Budget, location_id: str, *, association_id: str | None, association_key: str | None
) -> Target:
    """Read the association.

    :raises ConfigurationError: there is none, or it belongs to another location. The message names the keys there are.
    :raises GHLError: it could not be read.
    """
    associations = Associations(client, location_id, budget)
    found = find_association(associations, association_id=association_id, association_key=association_key)
    owner = found.get("locationId")
    if owner and owner != location_id:
        raise ConfigurationError(f"association {found.get('id')} belongs to location {owner}, not to {location_id}")
    return Target(
        location_id,
        str(found.get("id") or association_id),
        str(found.get("key") or association_key or ""),
        str(found.get("firstObjectKey") or ""),
        str(found.get("secondObjectKey") or ""),
    )


def find_association(associations: Associations, *, association_id: str | None, association_key: str | None) -> Association:
    """By id or by key, whichever is given.

    :raises ConfigurationError: there is none; the message names what there is.
    """
    try:
        if association_id:
            return associations.get(association_id)
        return associations.get_by_key(association_key or "")
    except NotFound as error:
        return _from_list(associations, association_id, association_key, error)


def _from_list(
    associations: Associations, association_id: str | None, association_key: str | None, error: NotFound
) -> Association:
    # System-defined ids are constants, and whether HighLevel answers a GET for them is not known; its list has them.
    there: list[Association] = []
    with suppress(GHLError):
        for association in islice(associations.iterate(), _MOST_READ):
            if association_id and association.get("id") == association_id:
                return association
            there.append(association)
    wanted = f"the id {association_id!r}" if association_id else f"the key {association_key!r}"
    keys = sorted(str(association.get("key") or association.get("id")) for association in there)
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    known = f"; the keys there are: {', '.join(keys[:_MOST_NAMED])}{more}" if keys else ""
    raise ConfigurationError(f"no association of this location has {wanted}{known}") from error
