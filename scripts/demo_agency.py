"""An agency with five sub-accounts, each of which gets its relations by Airflow. Run by ``make demo-agency``."""

from __future__ import annotations

import sys

from telling import Xcoms, account, demonstrate, say

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

DAG = "ghl_agency"


def tell(sandbox: Sandbox, agency: FixedAgency, xcoms: Xcoms) -> None:
    """The account of each load, and what HighLevel holds."""
    for location in xcoms["list_locations", "return_value", -1]:
        account_of(location["location_id"], xcoms)
    late = xcoms["load_late_enrolments", "return_value", -1], xcoms["load_late_enrolments", "results", -1]
    account("load_late_enrolments, one table for all", *late)
    say(f"\nHighLevel gave out {tokens_of(sandbox)}.\nIt now holds")
    for location_id in agency.location_ids:
        say(f"  {sandbox.state.count_relations(location_id=location_id)} relations in {location_id}")


def account_of(location_id: str, xcoms: Xcoms) -> None:
    """The load of one sub-account."""
    for (task, key, index), results in xcoms.items():
        if (task, key) == ("load_enrolments", "results") and results and results[0]["location_id"] == location_id:
            account(f"load_enrolments of {location_id}", xcoms[task, "return_value", index], results)


def tokens_of(sandbox: Sandbox) -> str:
    """How many tokens HighLevel gave out in this run."""
    routes = sandbox.stats()["by_route"]
    refreshed, minted = routes.get("POST /oauth/token", 0), routes.get("POST /oauth/locationToken", 0)
    return f"{refreshed + minted} tokens: {refreshed} of the agency, {minted} of its sub-accounts"


if __name__ == "__main__":
    sys.exit(demonstrate(DAG, tell))
