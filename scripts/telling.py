"""What the demonstrations share: they run a DAG by Airflow and tell what became of its loads."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import workspace

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

#: By task, key and map index (-1: not mapped).
Xcoms = dict[tuple[str, str, int], Any]
FINE = ("created", "already_exists", "repeated")
EVIDENCE = {
    "answer": "HighLevel said so when it was asked to create them",
    "ledger": "the ledger knew, so that no request was spent on them",
    "read": "read back from HighLevel",
    "presumed": "an answer was lost, and the second one said that it is there",
}


def demonstrate(dag: str, tell: Callable[[Sandbox, FixedAgency, Xcoms], None]) -> int:
    """Run a DAG by Airflow against the sandbox, and tell what came of it; the exit status."""
    workspace.prepare()
    with Sandbox(port=workspace.port(), state_path=workspace.MEMORY, latency=0.05, latency_spread=0.3) as sandbox:
        agency = workspace.fill(sandbox)
        say(f"HighLevel's sandbox listens at {sandbox.url} and remembers in {shown(workspace.MEMORY)}.")
        env = workspace.environment(sandbox, agency)
        workspace.migrate(env)
        if status := run_dag(dag, env):
            return status
        tell(sandbox, agency, read_xcoms(dag))
    return 0


def run_dag(dag: str, env: dict[str, str]) -> int:
    """Run it to its end, here; 0, or Airflow's exit status after the end of its log was shown."""
    log = workspace.FOLDER / "airflow.log"
    say(f"Airflow runs the DAG {dag} (its log: {shown(log)}) …")
    command = [str(workspace.AIRFLOW), "dags", "test", "-f", str(workspace.DAGS / f"{dag}.py"), dag]
    with log.open("w") as file:
        status = subprocess.run(command, env=env, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
    if status:
        say("Airflow failed. The end of its log:\n" + "\n".join(log.read_text().splitlines()[-30:]))
    return status


def read_xcoms(dag: str) -> Xcoms:
    """What the tasks of the newest run pushed, from Airflow's database."""
    with sqlite3.connect(workspace.HOME / "airflow.db") as database:
        (run,) = database.execute("SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1", (dag,)).fetchone()
        asked = "SELECT task_id, key, map_index, value FROM xcom WHERE dag_id = ? AND run_id = ?"
        found = {(task, key, index): json.loads(value) for task, key, index, value in database.execute(asked, (dag, run))}
    database.close()
    return found


def account(name: str, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Rows, outcomes, requests, and the rows that need attention."""
    names = ("created", "already_exists", "repeated", "invalid", "unresolved", "rejected", "failed", "not_attempted")
    counts = ", ".join(f"{summary[name]} {name}" for name in names if summary[name])
    say(f"\n{name}: {summary['rows']} rows: {counts}")
    say(f"  {summary['requests']} requests in {summary['seconds']:.1f} s, {summary['rate_limited']} answered 429")
    if summary["already_exists"]:
        for evidence, rows in Counter(r["evidence"] for r in results if r["outcome"] == "already_exists").items():
            everything = (
                "everything was" if rows == summary["rows"] else f"{rows} of the relations {'was' if rows == 1 else 'were'}"
            )
            say(f"  {everything} there already: {EVIDENCE[evidence]}")
    bad = [result for result in results if result["outcome"] not in FINE]
    if bad:
        say("  need attention:")
    for result in bad:
        say(f"    row {result['row']} ({result['row_key'] or 'no key'}): {result['outcome']}: {result['reason']}")


def shown(path: Any) -> str:
    return str(path.relative_to(workspace.ROOT))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
