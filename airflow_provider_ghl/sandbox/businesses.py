"""The endpoint of companies that lists all of them; searches among them are those of objects."""

from __future__ import annotations

from typing import Any

from airflow_provider_ghl.sandbox import bodies
from airflow_provider_ghl.sandbox.answers import Reply, fill, reply
from airflow_provider_ghl.sandbox.custom_fields import as_text
from airflow_provider_ghl.sandbox.exchange import Call
from airflow_provider_ghl.sandbox.location import Location
from airflow_provider_ghl.sandbox.objects import Objects
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.schemas import BUSINESS, BUSINESS_FIELDS

__all__ = ["Businesses"]

_LONGEST_PAGE = 100


class Businesses:
    """Turns requests into answers. The list knows no index, and so no lag (inferred)."""

    def __init__(self, objects: Objects):
        self.objects = objects

    def list(self, call: Call) -> Reply:
        """A page of the companies, oldest first."""
        skip, limit = bodies.page(call.exchange.query, _LONGEST_PAGE)
        with self.objects.lock:
            location = self.objects.at(call.location_id)
            found = location.records(BUSINESS).until(float("inf"))[skip : skip + limit]
            return reply("businesses", businesses=[fill("business", _shown(location, record)) for record in found])


def _shown(location: Location, record: Record) -> dict[str, Any]:
    added = as_text(record.added)
    values = {name: record.custom.get(name) for name in BUSINESS_FIELDS}
    return {
        **{name: value for name, value in values.items() if name != "postal_code"},
        "postalCode": values["postal_code"],
        "id": record.id,
        "locationId": location.id,
        "createdAt": added,
        "updatedAt": added,
    }
