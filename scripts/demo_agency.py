"""An agency with five sub-accounts, each of which gets its relations by Airflow. Run by ``make demo-agency``."""

from __future__ import annotations

import sys

from demonstration import Xcoms, demonstrate, print_load
from workspace import write_line

from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

DAG = "ghl_agency"


def report(sandbox: Sandbox, agency: FixedAgency, xcoms: Xcoms) -> None:
    """Print what each load did, and what HighLevel holds."""
    for location in xcoms["list_locations", "return_value", -1]:
        print_load_into(location["location_id"], xcoms)
    late = xcoms["load_late_enrolments", "return_value", -1], xcoms["load_late_enrolments", "results", -1]
    print_load("load_late_enrolments, one table for all", *late)
    print_tokens(sandbox)
    write_line("It now holds")
    for location_id in agency.location_ids:
        relations = counted(sandbox.state.count_relations(location_id=location_id), "relation")
        write_line(f"  {relations} in {location_id}")


def print_load_into(location_id: str, xcoms: Xcoms) -> None:
    """Print the load of one sub-account's own file."""
    for (task, key, index), results in xcoms.items():
        if (task, key) == ("load_enrolments", "results") and results and results[0]["location_id"] == location_id:
            print_load(f"load_enrolments of {location_id}", xcoms[task, "return_value", index], results)


def print_tokens(sandbox: Sandbox) -> None:
    """Print how many access tokens HighLevel issued in this run."""
    routes = sandbox.stats()["by_route"]
    refreshed, minted = routes.get("POST /oauth/token", 0), routes.get("POST /oauth/locationToken", 0)
    total = counted(refreshed + minted, "token")
    write_line(f"\nHighLevel issued {total}: {refreshed} to the agency, {minted} to its sub-accounts.")


if __name__ == "__main__":
    sys.exit(demonstrate(DAG, report))
