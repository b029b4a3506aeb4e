"""A load of an unchanged table of keys, all of which the ledger knows: ``python benchmarks/known_keys.py [ROWS …]``.

It is compared with ``pandas.read_csv(dtype=str)`` of the same file. Each row has its own e-mail, and ten rows share a deal.
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

from planning import forget_peak, peak, read
from server import ASSOCIATION, Server

__all__ = ["measure"]

_SHARED = 10
_RELATION = """
    INSERT INTO ghl_relations (target_id, pair, phase, state, first_record_id, second_record_id, relation_id, confirmed)
    VALUES (?, ?, ?, 1, ?, ?, ?, ?)"""
_KEY = "INSERT INTO ghl_keys (lookup_id, key, phase, record_id, confirmed, confirmed_by) VALUES (?, ?, ?, ?, ?, 0)"


def measure(rows: int) -> dict[str, Any]:
    """Measure a load and what it is compared with: seconds and MiB."""
    with tempfile.TemporaryDirectory() as folder, Server(limit=0, daily_limit=0) as server:
        write_table(Path(folder) / "table.csv", rows)
        words = (folder, str(rows), json.dumps(server.connection))
        return {"rows": rows, **step("fill", *words), **step("read", *words), **step("rerun", *words)}


def write_table(path: Path, rows: int) -> None:
    """Write e-mails and names of deals."""
    with path.open("w") as file:
        file.write("email,deal\n")
        file.writelines(f"{email(number)},{deal(number)}\n" for number in range(rows))


def email(number: int) -> str:
    return f"person.{number}@example.org"


def deal(number: int) -> str:
    return f"Deal {number // _SHARED:08d}"


def contact_id(number: int) -> str:
    return f"c{number:019d}"


def deal_id(number: int) -> str:
    return f"{number // _SHARED:024x}"


def step(name: str, *words: str) -> dict[str, Any]:
    """Run a step in a process of its own; returns what its last line has."""
    done = subprocess.run([sys.executable, __file__, name, *words], stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def fill(folder: str, rows: int, connection: dict[str, Any]) -> dict[str, Any]:
    """Write a ledger as earlier loads would have left it. By SQL, since a million requests take hours."""
    import sqlalchemy

    from airflow_provider_ghl.load.ledger.ledger import Ledger

    (Path(folder) / "airflow").mkdir()
    file = f"{folder}/airflow/ghl_ledger.db"
    ledger = Ledger(sqlalchemy.create_engine(f"sqlite:///{file}"))
    where = connection["host"], connection["extra"]["location_id"]
    target = ledger.relations.target(*where, ASSOCIATION)
    by_email, by_name = (ledger.keys.lookup(*where, name) for name in ("contact by email", "opportunity by name"))
    numbers = range(rows)
    with closing(sqlite3.connect(file)) as database, database:
        people, deals = [contact_id(one) for one in numbers], [deal_id(one) for one in numbers]
        keys, now = hashed(ledger, deals, people), time.time()
        database.executemany(
            _RELATION,
            sorted(
                (target, k, phase(k), a, b, f"{n:024x}", now) for n, k, a, b in zip(numbers, keys, deals, people, strict=True)
            ),
        )
        for lookup, texts, ids in ((by_email, map(email, numbers), people), (by_name, map(deal, numbers), deals)):
            ids_by_text = dict(zip(texts, ids, strict=True))
            hashes = hashed(ledger, list(ids_by_text))
            database.executemany(
                _KEY, sorted((lookup, k, phase(k), one, now) for k, one in zip(hashes, ids_by_text.values(), strict=True))
            )
    return {"ledger_mebibytes": ledger.statistics()["bytes"] / 2**20}


def hashed(ledger: Any, *columns: list[str]) -> list[bytes]:
    import numpy

    from airflow_provider_ghl.load.ledger.pairs import keys_from_words

    return keys_from_words(*ledger.identity([numpy.array(column, dtype=object) for column in columns]))


def phase(key: bytes) -> int:
    return int.from_bytes(key[8:10], "big")


def rerun(folder: str, rows: int, connection: dict[str, Any]) -> dict[str, Any]:
    """Run the operator on a table whose keys and relations are all known."""
    os.environ |= {"AIRFLOW_HOME": f"{folder}/airflow", "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = json.dumps(connection)
    import pandas  # noqa: F401 - its import is not measured

    from airflow_provider_ghl.lookups import Contact, Opportunity
    from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

    operator = BulkCreateRelationsOperator(
        task_id="bulk",
        association_id=ASSOCIATION,
        path=f"{folder}/table.csv",
        first_record_column="email",
        first_lookup=Contact(by="email"),
        second_record_column="deal",
        second_lookup=Opportunity(by="name"),
    )
    forget_peak()
    idle, began = peak(), time.monotonic()
    summary = operator.execute({})
    seconds = time.monotonic() - began
    assert summary["already_exists"] == rows, summary
    return {"rerun_seconds": seconds, "requests": summary["requests"], "mebibytes": peak() - idle}


STEPS = {"fill": fill, "read": read, "rerun": rerun}


def main(words: list[str]) -> None:
    """Run a step; or, without one, print the measurements."""
    if words and words[0] in STEPS:
        name, folder, rows, connection = words
        print(json.dumps(STEPS[name](folder, int(rows), json.loads(connection))))
        return
    for rows in map(int, words or ["1000000"]):
        print(json.dumps(measure(rows), indent=1), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
