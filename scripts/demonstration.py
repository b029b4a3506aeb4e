"""What the demonstrations share: they run a DAG by Airflow against the sandbox, and print what became of its loads."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import workspace
from workspace import relative, write_line

from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.sandbox import Sandbox

#: By task, key and map index (-1: not mapped).
Xcoms = dict[tuple[str, str, int], Any]
OUTCOMES = ("created", "already_exists", "repeated", "invalid", "unresolved", "rejected", "failed", "not_attempted")
SUCCESSES = ("created", "already_exists", "repeated")
EVIDENCE = {
    "answer": "as HighLevel answered",
    "ledger": "known from the ledger without a request",
    "read": "as read from HighLevel",
    "presumed": "as HighLevel answered when it was asked again, after its first answer was lost",
}


#: What happens before a night. Returns the configuration of the DAG's run, if it needs one.
Evening = Callable[[Sandbox], dict[str, Any]]


def as_before(sandbox: Sandbox) -> dict[str, Any]:
    """Nothing happens."""
    return {}


def demonstrate(dag: str, report: Callable[..., None], evenings: Sequence[Evening] = (as_before,)) -> int:
    """Run a DAG by Airflow against the sandbox, then call ``report`` with the sandbox, the agency and each night's XComs.

    :param evenings: what happens before each night. There are as many nights.

    Returns the exit status.
    """
    workspace.prepare()
    with Sandbox(port=workspace.port(), state_path=workspace.SANDBOX_STATE, latency=0.05, latency_spread=0.3) as sandbox:
        agency = workspace.fill(sandbox)
        write_line(f"HighLevel's sandbox listens at {sandbox.url} and keeps its state in {relative(workspace.SANDBOX_STATE)}.")
        connections = workspace.connections(sandbox, agency)
        env = workspace.environment()
        env |= {f"AIRFLOW_CONN_{conn_id.upper()}": connection for conn_id, connection in connections.items()}
        workspace.migrate(env)
        if status := run_dag(dag, [partial(evening, sandbox) for evening in evenings], env):
            return status
        report(sandbox, agency, *read_xcoms(dag, len(evenings)))
    return 0


def run_dag(dag: str, evenings: Sequence[Callable[[], dict[str, Any]]], env: dict[str, str]) -> int:
    """Run it to its end, once a night. Returns Airflow's exit status; if it is not 0, the end of the log is printed."""
    log = workspace.FOLDER / "airflow.log"
    times = "" if len(evenings) == 1 else f" on {len(evenings)} nights"
    write_line(f"Airflow runs the DAG {dag}{times} (its log: {relative(log)}) …")
    airflow = [sys.executable, str(Path(__file__).with_name("run_airflow.py"))]
    command = [*airflow, "dags", "test", "-f", str(workspace.EXAMPLE_DAGS / f"{dag}.py"), dag]
    with log.open("w") as file:
        process = subprocess.Popen(
            command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=file, text=True, bufsize=1
        )
        spend_nights(process, evenings)
        process.communicate()
    if status := process.returncode:
        write_line("Airflow failed. The end of its log:\n" + "\n".join(log.read_text().splitlines()[-30:]))
    return status


def spend_nights(process: subprocess.Popen[str], evenings: Sequence[Callable[[], dict[str, Any]]]) -> None:
    """Have ``run_airflow.py`` run once after each evening, unless it has ended before its time."""
    assert process.stdin is not None
    assert process.stdout is not None
    for evening in evenings:
        conf = evening()
        process.stdin.write(json.dumps(["--conf", json.dumps(conf)] if conf else []) + "\n")
        if not process.stdout.readline():
            return


def read_xcoms(dag: str, nights: int) -> list[Xcoms]:
    """What the tasks of the newest runs pushed, from Airflow's database."""
    with sqlite3.connect(workspace.AIRFLOW_HOME / "airflow.db") as database:
        query = "SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT ?"
        runs = [run for (run,) in database.execute(query, (dag, nights))]
        found = [read_xcoms_of(database, dag, run) for run in reversed(runs)]
    database.close()
    return found


def read_xcoms_of(database: sqlite3.Connection, dag: str, run: str) -> Xcoms:
    """What the tasks of a run pushed."""
    query = "SELECT task_id, key, map_index, value FROM xcom WHERE dag_id = ? AND run_id = ?"
    return {(task, key, index): json.loads(value) for task, key, index, value in database.execute(query, (dag, run))}


def print_load(name: str, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Print a load's rows, outcomes and requests, and the rows that need attention."""
    print_account(name, summary, results)
    failures = [result for result in results if result["row"] is not None and result["outcome"] not in SUCCESSES]
    if failures:
        write_line("  need attention:")
    for result in failures:
        write_line(f"    row {result['row']} ({result['row_key'] or 'no key'}): {result['outcome']}: {result['reason']}")


def print_account(name: str, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Print a load's rows, outcomes and requests."""
    outcomes = ", ".join(f"{summary[outcome]} {outcome}" for outcome in OUTCOMES if summary[outcome])
    write_line(f"\n{name}: {counted(summary['rows'], 'row')}: {outcomes}")
    requests = counted(summary["requests"], "request")
    lookups = f" ({summary['lookup_requests']} of them to look keys up)" if summary.get("lookup_requests") else ""
    write_line(f"  {requests}{lookups} in {summary['seconds']:.1f} s, {summary['rate_limited']} answered 429")
    for evidence, rows in Counter(r["evidence"] for r in results if r["outcome"] == "already_exists").items():
        who = "all of them were" if rows == summary["rows"] else f"{counted(rows, 'relation')} {'was' if rows == 1 else 'were'}"
        write_line(f"  {who} there already, {EVIDENCE[evidence]}")
