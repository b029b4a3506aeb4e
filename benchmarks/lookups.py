"""Keys that the ledger does not know, at HighLevel's real limit: ``python benchmarks/lookups.py``.

The ledger knows the relations of all these contacts, so that a load is its look-ups and nothing else. Then it knows the keys as
well, and the same load runs again. The cost of a request for each key, as scripts ask ``search/duplicate``, is computed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from filled import Filled
from known_keys import contact_id, email, insert_relations
from server import ASSOCIATION, Server

__all__ = ["SCENARIOS", "measure"]

LATENCY, LIMIT, INTERVAL = 0.3, 100, 10.0
DEAL = f"{7:024x}"
#: By name: contacts that there are, contacts whose keys are in the table, spellings of each key.
SCENARIOS: dict[str, tuple[int, int, int]] = {
    "10,000 e-mails among 50,000 contacts": (50_000, 10_000, 1),
    "10,000 e-mails among 1,000,000 contacts": (1_000_000, 10_000, 1),
    "100,000 e-mails, two spellings each, of 50,000 contacts": (50_000, 50_000, 2),
}


def measure(name: str) -> dict[str, Any]:
    """Seconds and requests of the first load and of the second; requests and hours of a request for each key."""
    contacts, people, spellings = SCENARIOS[name]
    numbers = range(0, contacts, contacts // people)
    with (
        tempfile.TemporaryDirectory() as folder,
        Filled(contacts, latency=LATENCY, latency_spread=0.3, limit=LIMIT) as highlevel,
    ):
        write_table(Path(folder) / "table.csv", numbers, spellings)
        fill(folder, highlevel, numbers)
        time.sleep(INTERVAL)  # the window in which the server was made ready
        before = highlevel.stats()
        first, again = load(folder, highlevel), load(folder, highlevel)
        after = highlevel.stats()
    keys = people * spellings
    return {
        "keys": keys,
        "first": first,
        "again": again,
        "served": after["requests"] - before["requests"],
        "rate_limited": after["rate_limited"],
        "one_each_hours": keys * LATENCY / 3600,
    }


def write_table(path: Path, numbers: range, spellings: int) -> None:
    """Write e-mails, each with the same deal."""
    spelt = (str, str.upper)[:spellings]
    with path.open("w") as file:
        file.write("email,deal\n")
        file.writelines(f"{spell(email(number))},{DEAL}\n" for number in numbers for spell in spelt)


def fill(folder: str, highlevel: Server, numbers: range) -> None:
    """Write a ledger that knows the relations, and no key."""
    import sqlalchemy

    from airflow_provider_ghl.load.ledger.ledger import Ledger

    file = f"{folder}/ghl_ledger.db"
    ledger = Ledger(sqlalchemy.create_engine(f"sqlite:///{file}"))
    target = ledger.relations.target(highlevel.url, highlevel.location, ASSOCIATION)
    people = [contact_id(number) for number in numbers]
    with closing(sqlite3.connect(file)) as database, database:
        insert_relations(database, ledger, target, [DEAL] * len(people), people)
    ledger.close()


def load(folder: str, highlevel: Server) -> dict[str, Any]:
    """Run the operator in a process of its own."""
    words = [sys.executable, __file__, folder, json.dumps(highlevel.connection)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def child(folder: str, connection: str) -> None:
    """The process that :func:`load` starts."""
    os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW_CONN_GHL_DEFAULT": connection}
    from airflow_provider_ghl.lookups import Contact
    from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

    operator = BulkCreateRelationsOperator(
        task_id="lookups",
        association_id=ASSOCIATION,
        path=f"{folder}/table.csv",
        first_record_column="email",
        first_lookup=Contact(by="email"),
        second_record_column="deal",
        second_object_key="opportunity",
    )
    began = time.monotonic()
    summary = operator.execute({})
    seconds = time.monotonic() - began
    assert summary["already_exists"] + summary["repeated"] == summary["rows"], summary
    print(json.dumps({"seconds": seconds, **{name: summary[name] for name in ("requests", "lookup_requests", "looked_up")}}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(*sys.argv[1:])
    else:
        for scenario in SCENARIOS:
            print(scenario, json.dumps(measure(scenario)), flush=True)
