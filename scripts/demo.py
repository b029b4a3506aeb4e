"""The main job from end to end: a warehouse table becomes relations in the sandbox, by Airflow. Run by ``make demo``."""

from __future__ import annotations

import sys

from telling import Xcoms, account, demonstrate, say

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

DAG = "ghl_attendance"
LOADS = ("load_attendance", "load_late_entries")


def tell(sandbox: Sandbox, agency: FixedAgency, xcoms: Xcoms) -> None:
    """The account of each load, and what HighLevel holds."""
    for task in LOADS:
        account(task, xcoms[task, "return_value", -1], xcoms[task, "results", -1])
    read_back(sandbox)


def read_back(sandbox: Sandbox) -> None:
    """Count what HighLevel holds, by asking it."""
    client = Client(BearerToken(sandbox.token), location_id=sandbox.location_id, host=sandbox.url)
    association = Associations(client, sandbox.location_id).get_by_key("attended")
    relations = Relations(client, sandbox.location_id)
    events = sorted({pair[1] for pair in sandbox.state.pairs(association["id"])})
    there = sum(1 for event in events for _ in relations.iterate(event, [association["id"]]))
    client.close()
    say(f"\nHighLevel now holds {there} relations of {len(events)} events under the association 'attended', read back from it.")


if __name__ == "__main__":
    sys.exit(demonstrate(DAG, tell))
