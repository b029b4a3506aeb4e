"""An operator that lists the sub-accounts of an agency's connection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from airflow_provider_ghl.operators.base import GHLOperator
from airflow_provider_ghl.operators.errors import translated_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ListLocationsOperator"]


class ListLocationsOperator(GHLOperator):
    """Returns the sub-accounts in which the connection's app is installed, in the form that ``.expand_kwargs()`` takes.

    The value is ``[{"location_id": "…"}, …]``, sorted. It has no names, since these are names of people or of their
    businesses. The connection must be an agency's (``client_id``, ``client_secret`` and ``company_id``); ``location_id`` is
    ignored.
    """

    template_fields: Sequence[str] = ("ghl_conn_id",)
    operator_extra_links = ()

    def execute(self, context: Context) -> list[dict[str, str]]:
        """One request for each page of locations, under the agency's own limit."""
        with translated_errors():
            found = sorted({str(location["location_id"]) for location in self.hook.list_locations()})
        self.log.info("The app is installed in %s locations", len(found))
        return [{"location_id": location_id} for location_id in found]
