"""Loads of tables that HighLevel holds already, at its real limit: ``python benchmarks/again.py``.

A table is first loaded without limits, as on an earlier night. Then the measured load runs against the same state with 100
requests / 10 s and 0.3 s a request. The cost of a plain loop is computed: one request for each row, one after the other.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from server import ASSOCIATION, Server

__all__ = ["SCENARIOS", "measure"]

LATENCY = 0.3
REAL = {"latency": LATENCY, "latency_spread": 0.3, "limit": 100}
FREE = {"limit": 0, "daily_limit": 0}
#: By name: existing rows, new rows, records on the second side, ``diff_against``, whether the ledger knows the existing rows.
SCENARIOS: dict[str, tuple[int, int, int, str, bool]] = {
    "rerun, nothing new": (50_000, 0, 50_000, "ledger", True),
    "rerun, 1 % new": (50_000, 500, 50_000, "ledger", True),
    "against HighLevel, 200 hubs": (20_000, 0, 200, "highlevel", False),
}


def measure(name: str) -> dict[str, Any]:
    """Seconds, requests and writes of the second load; requests and hours of a plain loop."""
    there, new, hubs, diff_against, is_known = SCENARIOS[name]
    with tempfile.TemporaryDirectory() as folder:
        place = {"port": free_port(), "state": f"{folder}/highlevel.jsonl"}
        with server(place, FREE) as highlevel:
            table(Path(folder), there, hubs)
            load(folder, highlevel, "none")
            before = highlevel.stats()["relations"]
        if not is_known:
            Path(folder, "ghl_ledger.db").unlink()
        with server(place, REAL) as highlevel:
            table(Path(folder), there + new, hubs)
            measured = load(folder, highlevel, diff_against)
            stats = highlevel.stats()
    rows = there + new
    return measured | {
        "rows": rows,
        "writes": stats["relations"] - before,
        "rate_limited": stats["rate_limited"],
        "plain_requests": rows,
        "plain_hours": rows * LATENCY / 3600,
    }


@contextmanager
def server(place: dict[str, Any], limits: dict[str, Any]) -> Iterator[Server]:
    """The sandbox, with the same port and state under other limits."""
    with Server(**place, **limits) as started:
        yield started


def free_port() -> int:
    """A free port. Both runs use the same one, since the ledger knows a HighLevel by its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def table(folder: Path, rows: int, hubs: int) -> None:
    """Write pairs, those of one hub far from each other."""
    with (folder / "table.csv").open("w") as file:
        file.write("first_record_id,second_record_id\n")
        file.writelines(f"{number:024x},{number % hubs + 7_000_000:020d}\n" for number in range(rows))


def load(folder: str, highlevel: Server, diff_against: str) -> dict[str, Any]:
    """Run the operator in a process of its own."""
    words = [sys.executable, __file__, folder, json.dumps(highlevel.connection), diff_against]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def child(folder: str, connection: str, diff_against: str) -> None:
    """The process that :func:`load` starts."""
    os.environ |= {"AIRFLOW_HOME": folder, "AIRFLOW__CORE__LOAD_EXAMPLES": "False", "AIRFLOW_CONN_GHL_DEFAULT": connection}
    from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

    operator = BulkCreateRelationsOperator(
        task_id="again", association_id=ASSOCIATION, path=f"{folder}/table.csv", diff_against=diff_against
    )
    began = time.monotonic()
    summary = operator.execute({})
    print(json.dumps({"seconds": time.monotonic() - began, "requests": summary["requests"]}))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        child(*sys.argv[1:])
    else:
        for scenario in SCENARIOS:
            print(scenario, json.dumps(measure(scenario)), flush=True)
