"""The main job from end to end: HighLevel is kept equal to a table in its own keys, by Airflow. Run by ``make demo``.

The table is loaded on three nights. On the second it is the same; before the third, rows leave it.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import workspace
from demonstration import Xcoms, as_before, demonstrate, print_account, print_load
from workspace import write_line

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

DAG = "ghl_signatures"
LOAD = "load_signatures"
TABLE = workspace.DATA / "signatures.csv"
THIRD_TABLE = workspace.FOLDER / "signatures.csv"
DOCUMENT, CONTACT = "custom_objects.document", "contact"
CONSTITUTION = "constitution-1787"
#: Signatures that leave the table before the third night: three of the Constitution, one of the Declaration.
GONE = ("S120", "S121", "S122", "S003")
#: Whose address is corrected then.
CORRECTED = ("S117", "benjamin.franklin@example.org")
#: Outcomes of rows that keep their document's relations.
UNSURE = ("invalid", "unresolved")
#: Who is missing in HighLevel until then, who is there twice, and whom somebody links to the Constitution by hand.
MISSING, TWICE, BY_HAND = "jacob.broom@example.org", "roger.sherman@example.org", "thomas.jefferson@example.org"
BEFORE_THE_THIRD_NIGHT = """
Before the third night
  four rows leave the table: three signatures of the Constitution, one of the Declaration
  Franklin's address is corrected in the table
  in HighLevel Sherman's two contacts are merged, Broom is added, and somebody links Jefferson to the Constitution by hand"""


def third_evening(sandbox: Sandbox) -> dict[str, Any]:
    """What happens before the third night, unless it has happened already. Returns the run's configuration."""
    write_third_table(THIRD_TABLE)
    heal(sandbox)
    link_by_hand(sandbox)
    return {"table": str(THIRD_TABLE)}


def write_third_table(path: Path) -> None:
    """The table without the rows that left it, and with an address corrected."""
    row_id, address = CORRECTED
    rows = [row for row in workspace.read(TABLE) if row["signature_id"] not in GONE]
    for row in rows:
        row["email"] = address if row["signature_id"] == row_id else row["email"]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def heal(sandbox: Sandbox) -> None:
    """Add the contact that is missing, and leave one of two that are the same person."""
    contacts = keys_of(sandbox, CONTACT, "email")
    if MISSING not in contacts.values():
        sandbox.add(CONTACT, email=MISSING)
    for contact_id in [contact_id for contact_id, email in contacts.items() if email == TWICE][1:]:
        sandbox.remove(CONTACT, contact_id)


def link_by_hand(sandbox: Sandbox) -> None:
    """As a person would do it in HighLevel's pages."""
    association = sandbox.state.association_by_key("signed_by")
    documents, contacts = (by_key(sandbox, *what) for what in ((DOCUMENT, "code"), (CONTACT, "email")))
    sides = {DOCUMENT: documents[CONSTITUTION], CONTACT: contacts[BY_HAND]}
    pair = sides[str(association["firstObjectKey"])], sides[str(association["secondObjectKey"])]
    if pair not in sandbox.state.pairs(str(association["id"])):
        sandbox.state.add_relation(str(association["id"]), *pair)


def keys_of(sandbox: Sandbox, object_key: str, field: str) -> dict[str, str]:
    """A field of all records of an object, by their ids."""
    records = sandbox.state.objects.at(None).records(object_key)
    found = {record_id: records.get(record_id) for record_id in records}
    return {record_id: str({**one.values, **one.custom}.get(field)) for record_id, one in found.items() if one is not None}


def by_key(sandbox: Sandbox, object_key: str, field: str) -> dict[str, str]:
    """The ids of an object's records, by a field."""
    return {key: record_id for record_id, key in keys_of(sandbox, object_key, field).items()}


def report(sandbox: Sandbox, agency: FixedAgency, first: Xcoms, second: Xcoms, third: Xcoms) -> None:
    """Print what the load did on three nights, and what HighLevel holds."""
    write_line("\nThe table, example_dags/data/signatures.csv, says who signed what: people by e-mail, documents by code.")
    print_load(f"{LOAD}, the first night", first[LOAD, "return_value", -1], first[LOAD, "results", -1])
    print_account("The second night, with the same table", second[LOAD, "return_value", -1], second[LOAD, "results", -1])
    write_line(BEFORE_THE_THIRD_NIGHT)
    print_load("The third night", third[LOAD, "return_value", -1], third[LOAD, "results", -1])
    print_deletes(sandbox, third[LOAD, "return_value", -1], third[LOAD, "results", -1])
    print_what_is_there(sandbox)
    write_line("\nNext: `make up` shows this in Airflow.")


def print_deletes(sandbox: Sandbox, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Say what left the table, and what became of it."""
    deletes = summary["deletes"]
    write_line(f"  left the table: {deletes['deleted']} deleted, {deletes['kept']} kept")
    documents, contacts = keys_of(sandbox, DOCUMENT, "code"), keys_of(sandbox, CONTACT, "email")
    for one in results:
        if one["row"] is None:
            pair = f"{documents[one['first_record_id']]}, {contacts[one['second_record_id']]}"
            write_line(f"    {one['outcome']}: {pair}")
    for row, because in kept_rows(results):
        why = f"row {because} of the same document names no known contact, so nothing of this document is deleted"
        write_line(f"    kept: {row['document']}, {row['email']}: {why}")


def kept_rows(results: list[dict[str, Any]]) -> list[tuple[dict[str, str], str]]:
    """Rows that left the table and whose relations stay, each with a row of the same document that needs attention."""
    table = {row["signature_id"]: row for row in workspace.read(TABLE)}
    unsure = {table[one["row_key"]]["document"]: one["row_key"] for one in results if one["outcome"] in UNSURE}
    return [(table[key], unsure[table[key]["document"]]) for key in GONE if table[key]["document"] in unsure]


def print_what_is_there(sandbox: Sandbox) -> None:
    """Count HighLevel's relations by reading them, and say how it stores them."""
    client = Client(BearerToken(sandbox.token), location_id=sandbox.location_id, host=sandbox.url)
    association = Associations(client, sandbox.location_id).get_by_key("signed_by")
    relations = Relations(client, sandbox.location_id)
    documents = sorted(sandbox.state.records(DOCUMENT))
    there = [relation for document in documents for relation in relations.iterate(document, [association["id"]])]
    client.close()
    what = f"{counted(len(there), 'relation')} of {counted(len(documents), 'document')}"
    by_hand = by_key(sandbox, CONTACT, "email")[BY_HAND], by_key(sandbox, DOCUMENT, "code")[CONSTITUTION]
    is_there = any({one["firstRecordId"], one["secondRecordId"]} == set(by_hand) for one in there)
    write_line(f"\nHighLevel now holds {what}, read back from it.")
    write_line(f"Jefferson's link, made by hand, is {'still there: no load made it' if is_there else 'gone'}.")
    sides = f"from {association['firstObjectKey']} to {association['secondObjectKey']}"
    write_line(f"It stores them {sides}. The table has the document first: the load swapped its columns.")


if __name__ == "__main__":
    sys.exit(demonstrate(DAG, report, (as_before, as_before, third_evening)))
