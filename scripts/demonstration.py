"""What the demonstrations share: they run a DAG by Airflow against the sandbox, and print what became of its loads."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections import Counter
from collections.abc import Callable
from typing import Any

import workspace
from workspace import relative, write_line

from airflow_provider_ghl.commands.output import counted
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

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


def demonstrate(dag: str, report: Callable[[Sandbox, FixedAgency, Xcoms], None]) -> int:
    """Run a DAG by Airflow against the sandbox, then call ``report`` with what came of it. Returns the exit status."""
    workspace.prepare()
    with Sandbox(port=workspace.port(), state_path=workspace.SANDBOX_STATE, latency=0.05, latency_spread=0.3) as sandbox:
        agency = workspace.fill(sandbox)
        write_line(f"HighLevel's sandbox listens at {sandbox.url} and keeps its state in {relative(workspace.SANDBOX_STATE)}.")
        connections = workspace.connections(sandbox, agency)
        env = workspace.environment()
        env |= {f"AIRFLOW_CONN_{conn_id.upper()}": connection for conn_id, connection in connections.items()}
        workspace.migrate(env)
        if status := run_dag(dag, env):
            return status
        report(sandbox, agency, read_xcoms(dag))
    return 0


def run_dag(dag: str, env: dict[str, str]) -> int:
    """Run it to its end, in this process. Returns Airflow's exit status; if it is not 0, the end of the log is printed."""
    log = workspace.FOLDER / "airflow.log"
    write_line(f"Airflow runs the DAG {dag} (its log: {relative(log)}) …")
    command = [str(workspace.AIRFLOW), "dags", "test", "-f", str(workspace.EXAMPLE_DAGS / f"{dag}.py"), dag]
    with log.open("w") as file:
        status = subprocess.run(command, env=env, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    if status:
        write_line("Airflow failed. The end of its log:\n" + "\n".join(log.read_text().splitlines()[-30:]))
    return status


def read_xcoms(dag: str) -> Xcoms:
    """What the tasks of the newest run pushed, from Airflow's database."""
    with sqlite3.connect(workspace.AIRFLOW_HOME / "airflow.db") as database:
        (run,) = database.execute("SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1", (dag,)).fetchone()
        query = "SELECT task_id, key, map_index, value FROM xcom WHERE dag_id = ? AND run_id = ?"
        found = {(task, key, index): json.loads(value) for task, key, index, value in database.execute(query, (dag, run))}
    database.close()
    return found


def print_load(name: str, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Print a load's rows, outcomes and requests, and the rows that need attention."""
    outcomes = ", ".join(f"{summary[outcome]} {outcome}" for outcome in OUTCOMES if summary[outcome])
    write_line(f"\n{name}: {counted(summary['rows'], 'row')}: {outcomes}")
    requests = counted(summary["requests"], "request")
    write_line(f"  {requests} in {summary['seconds']:.1f} s, {summary['rate_limited']} answered 429")
    for evidence, rows in Counter(r["evidence"] for r in results if r["outcome"] == "already_exists").items():
        who = "all of them were" if rows == summary["rows"] else f"{counted(rows, 'relation')} {'was' if rows == 1 else 'were'}"
        write_line(f"  {who} there already, {EVIDENCE[evidence]}")
    failures = [result for result in results if result["outcome"] not in SUCCESSES]
    if failures:
        write_line("  need attention:")
    for result in failures:
        write_line(f"    row {result['row']} ({result['row_key'] or 'no key'}): {result['outcome']}: {result['reason']}")
