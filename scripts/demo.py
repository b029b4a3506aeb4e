"""The main job from end to end: a warehouse table becomes relations in the sandbox, by Airflow. Run by ``make demo``."""

from __future__ import annotations

import sys

from demonstration import Xcoms, demonstrate, print_load
from workspace import write_line

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.commands.output import counted
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

DAG = "ghl_attendance"
LOADS = ("load_attendance", "load_late_entries")


def report(sandbox: Sandbox, agency: FixedAgency, xcoms: Xcoms) -> None:
    """Print what each load did, and what HighLevel holds."""
    for task in LOADS:
        print_load(task, xcoms[task, "return_value", -1], xcoms[task, "results", -1])
    print_what_is_there(sandbox)


def print_what_is_there(sandbox: Sandbox) -> None:
    """Count HighLevel's relations by reading them."""
    client = Client(BearerToken(sandbox.token), location_id=sandbox.location_id, host=sandbox.url)
    association = Associations(client, sandbox.location_id).get_by_key("attended")
    relations = Relations(client, sandbox.location_id)
    events = sorted({pair[1] for pair in sandbox.state.pairs(association["id"])})
    there = sum(1 for event in events for _ in relations.iterate(event, [association["id"]]))
    client.close()
    what = f"{counted(there, 'relation')} of {counted(len(events), 'event')}"
    write_line(f"\nHighLevel now holds {what} under the association 'attended', read back from it.")


if __name__ == "__main__":
    sys.exit(demonstrate(DAG, report))
