"""A task that is killed when it pushes its XComs: all is done and written by then, so that the next try has only to say so."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pandas
import pytest
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-W", "ignore::DeprecationWarning", str(Path(__file__).with_name("bulk_attempts.py"))]
PAIRS = [(f"contact-{row}", f"event-{row % 9}") for row in range(300)]
KILLED = -9
#: Makes the first attempts red.
BAD = ("", "event-1")


class Task:
    """A bulk load with a ledger of its own."""

    def __init__(self, sandbox: Sandbox, folder: Path, connect: Any) -> None:
        connection = json.loads(sandbox.connection_json)
        connection["extra"]["ledger_conn_id"] = "ledger"
        ledger = {"conn_type": "sqlite", "host": str(folder / "ledger.db")}
        connect(ghl_default=json.dumps(connection), ledger=json.dumps(ledger))
        self.results, self._xcoms = folder / "results.csv", folder / "xcoms.json"

    def attempts(self, rows: list[Any], *dies_at: str | None, **arguments: Any) -> list[int]:
        """How attempts ended that die at these keys, one after the other; the last one tolerates a bad row."""
        orders = [
            {
                "rows": rows,
                "try_number": number,
                "dies_at": key,
                "arguments": {"results_path": str(self.results), "failure_tolerance": int(key is None), **arguments},
                "xcoms": str(self._xcoms),
            }
            for number, key in enumerate(dies_at, 1)
        ]
        done = subprocess.run([*PROGRAM, json.dumps(orders)], capture_output=True, text=True, timeout=TOO_LONG)
        assert done.returncode == 0, done.stderr
        ended: list[int] = json.loads(done.stdout.splitlines()[-1])
        return ended

    def xcoms(self) -> Any:
        """Of the last attempt."""
        return json.loads(self._xcoms.read_text())

    def evidence(self) -> Counter[tuple[str, str | None]]:
        """Of all its rows; those of the file are the same."""
        results = sorted(self.xcoms()["results"], key=lambda result: int(result["row"]))
        assert pandas.read_csv(self.results)["outcome"].tolist() == [result["outcome"] for result in results]
        return Counter((result["outcome"], result["evidence"]) for result in results)


@pytest.fixture
def task(sandbox: Sandbox, attended: str, tmp_path: Path, connect: Any) -> Task:
    for pair in PAIRS[::10]:
        sandbox.state.add_relation(attended, *pair)
    return Task(sandbox, tmp_path, connect)


def test_a_red_load_is_killed_at_each_push(task: Task, sandbox: Sandbox, attended: str) -> None:
    ended = task.attempts([*PAIRS, BAD], "results", "return_value", None)
    assert ended == [KILLED, KILLED, 0]
    assert sandbox.state.pairs(attended) == set(PAIRS)
    assert (sandbox.stats()["writes"], sandbox.stats()["requests"]) == (270, 300 + 3)
    assert task.evidence() == {("created", "ledger"): 270, ("already_exists", "ledger"): 30, ("invalid", None): 1}
    assert (task.xcoms()["return_value"]["created"], task.xcoms()["return_value"]["requests"]) == (270, 1)
    assert not list(task.results.parent.glob(".*.part"))


def test_answers_are_lost_too(task: Task, sandbox: Sandbox, attended: str) -> None:
    sandbox.add_fault(Fault("reset_after", 0.05))
    sandbox.add_fault(Fault("error_before", 0.05))
    ended = task.attempts([*PAIRS, BAD], "results", "return_value", None)
    assert ended == [KILLED, KILLED, 0]
    assert sandbox.state.pairs(attended) == set(PAIRS)
    counted = task.xcoms()["return_value"]
    assert counted["created"] >= 270
    assert counted["created"] + counted["already_exists"] == 300


def test_a_green_load_is_killed_at_a_push(task: Task, sandbox: Sandbox, attended: str) -> None:
    """Airflow runs it again, and what the load made is still what it made."""
    ended = task.attempts(PAIRS, "results", None)
    evidence = task.evidence()
    if ended != [KILLED, 0] or sandbox.stats()["writes"] != 270 or sum(evidence.values()) != 300:
        raise RuntimeError("an attempt, a request or a row is missing")
    assert evidence == {("created", "ledger"): 270, ("already_exists", "ledger"): 30}
