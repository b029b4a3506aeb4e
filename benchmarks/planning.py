"""A load of an unchanged table, all of which the ledger knows: ``python benchmarks/planning.py [ROWS …]``.

It is compared with ``pandas.read_csv`` of the same file: as text, which a load needs (``00123`` stays), and with types guessed,
which is many times faster with pyarrow. Each step runs in a process of its own.
"""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from contestants import make_pair
from server import ASSOCIATION, Server
from tables import make_file

__all__ = ["plan"]

Pair = Callable[[int], tuple[str, str]]

_AT_ONCE = 500_000
_INSERT = """
    INSERT INTO ghl_relations (target_id, pair, phase, state, first_record_id, second_record_id, relation_id, confirmed)
    VALUES (?, ?, ?, 1, ?, ?, ?, ?)"""


def plan(rows: int) -> dict[str, Any]:
    """Measure a load and what it is compared with: seconds and MiB."""
    with tempfile.TemporaryDirectory() as folder, Server(limit=0, daily_limit=0) as server:
        make_file(Path(folder) / "table.csv", rows)
        words = (folder, str(rows), json.dumps(server.connection))
        filled = step("fill", *words)
        read = step("read", *words)
        again = step("rerun", *words)
        again["writes"] = server.stats()["relations"]
        return {"rows": rows, **filled, **read, **again}


def step(name: str, *words: str) -> dict[str, Any]:
    """Run a step in a process of its own; returns what its last line has."""
    done = subprocess.run([sys.executable, __file__, name, *words], stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def fill(folder: str, rows: int, connection: dict[str, Any], pair: Pair = make_pair) -> dict[str, Any]:
    """Write a ledger as earlier loads would have left it. By SQL, since ten million rows through the package take an hour."""
    import sqlalchemy

    from airflow_provider_ghl.load.ledger.ledger import Ledger

    (Path(folder) / "airflow").mkdir()
    file = f"{folder}/airflow/ghl_ledger.db"
    ledger = Ledger(sqlalchemy.create_engine(f"sqlite:///{file}"))
    target = ledger.relations.target(connection["host"], connection["extra"]["location_id"], ASSOCIATION)
    began = time.monotonic()
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA cache_size = -4000000")
        indexes = database.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL").fetchall()
        for name, _ in indexes:
            database.execute(f"DROP INDEX {name}")
        for start in range(0, rows, _AT_ONCE):
            database.executemany(_INSERT, known_rows(ledger, target, range(start, min(start + _AT_ONCE, rows)), pair))
        for _, sql in indexes:
            database.execute(sql)
    size = ledger.statistics()["bytes"]
    return {"fill_seconds": time.monotonic() - began, "ledger_mebibytes": size / 2**20}


def known_rows(ledger: Any, target: int, numbers: range, pair: Pair) -> list[tuple[Any, ...]]:
    """Rows of ``ghl_relations``, in the order of their keys."""
    import numpy

    from airflow_provider_ghl.load.ledger.pairs import keys_from_words, phases

    pairs = [pair(number) for number in numbers]
    first, second = (numpy.array(side, dtype=object) for side in zip(*pairs, strict=True))
    keys, now = keys_from_words(*ledger.identity((first, second))), time.time()
    columns = zip(keys, phases(keys), first, second, numbers, strict=True)
    return sorted((target, key, phase, one, other, f"{at:024x}", now) for key, phase, one, other, at in columns)


def read(folder: str, rows: int, connection: dict[str, Any]) -> dict[str, Any]:
    """Seconds that pandas takes to read the file; the best of three runs."""
    import pandas

    def seconds(**options: Any) -> float:
        times = []
        for _ in range(3):
            began = time.monotonic()
            pandas.read_csv(Path(folder) / "table.csv", **options)
            times.append(time.monotonic() - began)
        return min(times)

    return {"read_text_seconds": seconds(dtype=str), "read_guessed_seconds": seconds()}


def rerun(folder: str, rows: int, connection: dict[str, Any]) -> dict[str, Any]:
    """Run the operator on a table whose relations are all known."""
    os.environ |= {"AIRFLOW_HOME": f"{folder}/airflow", "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = json.dumps(connection)
    import pandas  # noqa: F401 - its import is not measured

    from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

    operator = BulkCreateRelationsOperator(task_id="bulk", association_id=ASSOCIATION, path=f"{folder}/table.csv")
    forget_peak()
    idle, began = peak(), time.monotonic()
    summary = operator.execute({})
    seconds = time.monotonic() - began
    assert summary["already_exists"] == rows, summary
    return {"rerun_seconds": seconds, "requests": summary["requests"], "mebibytes": peak() - idle}


def forget_peak() -> None:
    """Measure memory from here on: a process inherits the peak of the one that started it."""
    Path("/proc/self/clear_refs").write_text("5")


def peak() -> float:
    """The most MiB of memory so far."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


STEPS = {"fill": fill, "read": read, "rerun": rerun}


def main(words: list[str]) -> None:
    """Run a step; or, without one, print the measurements."""
    if words and words[0] in STEPS:
        name, folder, rows, connection = words
        print(json.dumps(STEPS[name](folder, int(rows), json.loads(connection))))
        return
    for rows in map(int, words or ["1000000"]):
        print(json.dumps(plan(rows), indent=1), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
