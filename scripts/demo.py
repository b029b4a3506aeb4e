"""The main job from end to end: a warehouse table becomes relations in the sandbox, by Airflow. Run by ``make demo``."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections import Counter
from typing import Any

import workspace

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.auth import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.relations import Relations
from airflow_provider_ghl.sandbox import Sandbox

DAG = "ghl_attendance"
LOADS = ("load_attendance", "load_late_entries")
FINE = ("created", "already_exists", "repeated")
EVIDENCE = {
    "answer": "HighLevel said so when it was asked to create them",
    "ledger": "the ledger knew, so that no request was spent on them",
    "read": "read back from HighLevel",
    "presumed": "an answer was lost, and the second one said that it is there",
}


def main() -> int:
    """Set up, run, account."""
    workspace.prepare()
    log = workspace.FOLDER / "airflow.log"
    with Sandbox(port=workspace.port(), state_path=workspace.MEMORY, latency=0.05, latency_spread=0.3) as sandbox:
        workspace.fill(sandbox.state)
        say(f"HighLevel's sandbox listens at {sandbox.url} and remembers in {shown(workspace.MEMORY)}.")
        env = workspace.environment(sandbox)
        workspace.migrate(env)
        say(f"Airflow runs the DAG {DAG} (its log: {shown(log)}) …")
        command = [str(workspace.AIRFLOW), "dags", "test", "-f", str(workspace.DAGS / f"{DAG}.py"), DAG]
        with log.open("w") as file:
            status = subprocess.run(command, env=env, stdout=file, stderr=subprocess.STDOUT, check=False).returncode
        if status:
            say("Airflow failed. The end of its log:\n" + "\n".join(log.read_text().splitlines()[-30:]))
            return status
        xcoms = read_xcoms()
        for task in LOADS:
            account(task, xcoms[task, "return_value"], xcoms[task, "results"])
        read_back(sandbox)
    return 0


def read_xcoms() -> dict[tuple[str, str], Any]:
    """What the tasks of the newest run pushed, from Airflow's database."""
    with sqlite3.connect(workspace.HOME / "airflow.db") as database:
        (run,) = database.execute("SELECT run_id FROM dag_run WHERE dag_id = ? ORDER BY id DESC LIMIT 1", (DAG,)).fetchone()
        found = database.execute("SELECT task_id, key, value FROM xcom WHERE dag_id = ? AND run_id = ?", (DAG, run))
        xcoms = {(task, key): json.loads(value) for task, key, value in found}
    database.close()
    return xcoms


def account(task: str, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    """Rows, outcomes, requests, and the rows that need attention."""
    names = ("created", "already_exists", "repeated", "invalid", "unresolved", "rejected", "failed", "not_attempted")
    counts = ", ".join(f"{summary[name]} {name}" for name in names if summary[name])
    say(f"\n{task}: {summary['rows']} rows: {counts}")
    say(f"  {summary['requests']} requests in {summary['seconds']:.1f} s, {summary['rate_limited']} answered 429")
    if summary["already_exists"]:
        for evidence, rows in Counter(r["evidence"] for r in results if r["outcome"] == "already_exists").items():
            everything = "everything" if rows == summary["rows"] else f"{rows} of the relations"
            say(f"  {everything} was there already: {EVIDENCE[evidence]}")
    bad = [result for result in results if result["outcome"] not in FINE]
    if bad:
        say("  need attention:")
    for result in bad:
        say(f"    row {result['row']} ({result['row_key'] or 'no key'}): {result['outcome']}: {result['reason']}")


def read_back(sandbox: Sandbox) -> None:
    """Count what HighLevel holds, by asking it."""
    client = Client(BearerToken(sandbox.token), location_id=sandbox.location_id, host=sandbox.url)
    association = Associations(client, sandbox.location_id).get_by_key("attended")
    relations = Relations(client, sandbox.location_id)
    events = sorted({pair[1] for pair in sandbox.state.pairs(association["id"])})
    there = sum(1 for event in events for _ in relations.iterate(event, [association["id"]]))
    client.close()
    say(f"\nHighLevel now holds {there} relations of {len(events)} events under the association 'attended', read back from it.")


def shown(path: Any) -> str:
    return str(path.relative_to(workspace.ROOT))


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
