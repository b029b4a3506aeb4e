"""The main job from end to end: a table in its own keys becomes relations in the sandbox, by Airflow. Run by ``make demo``."""

from __future__ import annotations

import sys

from demonstration import Xcoms, demonstrate, print_account, print_load
from workspace import write_line

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.commands.output import counted
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

DAG = "ghl_signatures"
LOAD = "load_signatures"


def report(sandbox: Sandbox, agency: FixedAgency, first: Xcoms, second: Xcoms) -> None:
    """Print what the load did on two nights, and what HighLevel holds."""
    write_line("\nThe table, example_dags/data/signatures.csv, says who signed what: people by e-mail, documents by code.")
    print_load(LOAD, first[LOAD, "return_value", -1], first[LOAD, "results", -1])
    print_account("The next night, with the same table", second[LOAD, "return_value", -1], second[LOAD, "results", -1])
    print_what_is_there(sandbox)


def print_what_is_there(sandbox: Sandbox) -> None:
    """Count HighLevel's relations by reading them, and say how it stores them."""
    client = Client(BearerToken(sandbox.token), location_id=sandbox.location_id, host=sandbox.url)
    association = Associations(client, sandbox.location_id).get_by_key("signed_by")
    relations = Relations(client, sandbox.location_id)
    documents = sorted(sandbox.state.records("custom_objects.document"))
    there = sum(1 for document in documents for _ in relations.iterate(document, [association["id"]]))
    client.close()
    what = f"{counted(there, 'relation')} of {counted(len(documents), 'document')}"
    write_line(f"\nHighLevel now holds {what}, read back from it.")
    sides = f"from {association['firstObjectKey']} to {association['secondObjectKey']}"
    write_line(f"It stores them {sides}. The table has the document first: the load swapped its columns.")


if __name__ == "__main__":
    sys.exit(demonstrate(DAG, report, nights=2))
