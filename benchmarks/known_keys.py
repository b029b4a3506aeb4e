"""A load of an unchanged table of keys, all of which the ledger knows: ``python benchmarks/known_keys.py [ROWS …]``.

It is compared with ``pandas.read_csv(dtype=str)`` of the same file, both in turn, so that other work of the machine affects
both. Each row has its own e-mail, and ten rows share a deal. Imports are not measured.
"""

from __future__ import annotations

import json
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

from planning import forget_peak, peak
from server import ASSOCIATION, Server

__all__ = ["lines", "measure"]

_SHARED = 10
_MODULES = ("airflow_provider_ghl.hooks.ghl", "airflow_provider_ghl.load.loader", "airflow_provider_ghl.relations.kind")
_RELATION = """
    INSERT INTO ghl_relations (target_id, pair, phase, state, first_record_id, second_record_id, relation_id, confirmed)
    VALUES (?, ?, ?, 1, ?, ?, ?, ?)"""
_KEY = "INSERT INTO ghl_keys (lookup_id, key, phase, record_id, confirmed, confirmed_by) VALUES (?, ?, ?, ?, ?, 0)"


def lines(rows: int) -> list[list[str]]:
    """The cells of two lines."""
    measured = measure(rows)
    read = [f"{measured[name]:.2f}" for name in ("read_seconds", "read_processor")]
    rerun = [f"{measured[name]:.2f}" for name in ("rerun_seconds", "rerun_processor")]
    ratios = [f"{measured[name]:.1f}" for name in ("seconds_ratio", "processor_ratio")]
    return [["read_csv(dtype=str)", *read, "1", "1", ""], ["this package", *rerun, *ratios, f"{measured['mebibytes']:.0f}"]]


def measure(rows: int, times: int = 3) -> dict[str, Any]:
    """Measure loads and what they are compared with: medians of seconds, of processor seconds, and of the ratios; MiB."""
    with tempfile.TemporaryDirectory() as folder, Server(limit=0, daily_limit=0) as server:
        write_table(Path(folder) / "table.csv", rows)
        words = (folder, str(rows), json.dumps(server.connection))
        filled = step("fill", *words)
        runs = [step("read", *words) | step("rerun", *words) for _ in range(times)]
    for run in runs:
        run |= {f"{of}_ratio": run[f"rerun_{of}"] / run[f"read_{of}"] for of in ("seconds", "processor")}
    return {"rows": rows, **filled, **{name: statistics.median(run[name] for run in runs) for name in runs[0]}}


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
        people, deals, now = [contact_id(one) for one in numbers], [deal_id(one) for one in numbers], time.time()
        insert_relations(database, ledger, target, deals, people)
        for lookup, texts, ids in ((by_email, map(email, numbers), people), (by_name, map(deal, numbers), deals)):
            ids_by_text = dict(zip(texts, ids, strict=True))
            hashes = hashed(ledger, list(ids_by_text))
            database.executemany(
                _KEY, sorted((lookup, k, phase(k), one, now) for k, one in zip(hashes, ids_by_text.values(), strict=True))
            )
    return {"ledger_mebibytes": ledger.statistics()["bytes"] / 2**20}


def insert_relations(database: sqlite3.Connection, ledger: Any, target: int, deals: list[str], people: list[str]) -> None:
    """Write into the ledger that deals and people are linked, since now."""
    keys, now = hashed(ledger, deals, people), time.time()
    columns = zip(keys, deals, people, strict=True)
    rows = [(target, key, phase(key), first, second, f"{at:024x}", now) for at, (key, first, second) in enumerate(columns)]
    database.executemany(_RELATION, sorted(rows))


def hashed(ledger: Any, *columns: list[str]) -> list[bytes]:
    import numpy

    from airflow_provider_ghl.load.ledger.pairs import keys_from_words

    return keys_from_words(*ledger.identity([numpy.array(column, dtype=object) for column in columns]))


def phase(key: bytes) -> int:
    return int.from_bytes(key[8:10], "big")


def read(folder: str, rows: int, connection: dict[str, Any]) -> dict[str, Any]:
    """Seconds and processor seconds that pandas takes to read the file; the best of three runs."""
    import pandas

    times = []
    for _ in range(3):
        began, processor = time.monotonic(), time.process_time()
        pandas.read_csv(f"{folder}/table.csv", dtype=str)
        times.append((time.monotonic() - began, time.process_time() - processor))
    seconds, processors = zip(*times, strict=True)
    return {"read_seconds": min(seconds), "read_processor": min(processors)}


def rerun(folder: str, rows: int, connection: dict[str, Any]) -> dict[str, Any]:
    """Run the operator on a table whose keys and relations are all known."""
    os.environ |= {"AIRFLOW_HOME": f"{folder}/airflow", "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = json.dumps(connection)
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
    import_module("pandas")
    forget_peak()
    idle = peak()
    for module in _MODULES:
        import_module(module)
    began, processor = time.monotonic(), time.process_time()
    summary = operator.execute({})
    seconds, processors = time.monotonic() - began, time.process_time() - processor
    assert summary["already_exists"] == rows, summary
    measured = {"requests": summary["requests"], "mebibytes": peak() - idle}
    return {"rerun_seconds": seconds, "rerun_processor": processors, **measured}


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
