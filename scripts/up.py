"""The whole of Airflow on this machine, connected to the sandbox, until Ctrl-C. Run by ``make up``."""

from __future__ import annotations

import csv
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import workspace
from workspace import relative, write_line

from airflow_provider_ghl.sandbox import Sandbox

LOGIN = "admin"
#: Seconds within which Airflow must be healthy, and within which it must be gone.
HEALTHY_WITHIN, GONE_WITHIN = 180, 15
#: The DAG that has run when Airflow is there, and how often that is tried.
FIRST_DAG, MOST_TRIES = "ghl_signatures", 10
#: DAGs for ``make up`` alone.
DAGS = Path(__file__).resolve().parent / "dags"
POLICIES = workspace.FOLDER / "policies.csv"
POLICIES_ROWS = 20_000
#: The sub-account of ``ghl_large``: one of its own, so that its requests do not slow down those of the other DAGs.
LARGE = "Lg4RtYw8KzPb2NcVx7Qm"
DESCRIPTIONS = {
    "ghl_default": "A sub-account, by a Private Integration Token",
    "ghl_north": "Another sub-account",
    "ghl_south": "Another sub-account",
    "ghl_large": "Another sub-account, for the large load",
    "ghl_agency": "An agency with five sub-accounts, by OAuth",
    "warehouse": "The table of ghl_attendance",
}
WHAT_TO_LOOK_AT = """
First: Browse > HighLevel loads, and the tab "HighLevel load" of any task that loaded something.

Then:
  ghl_signatures    loads a table by e-mail addresses and codes: its results say which keys name nobody, and why
  ghl_large         runs for half an hour: its log shows how far it is, and how fast
  ghl_refused       is red, on purpose: its log and its tab say why and for which rows
  ghl_mirror        trigger it again: each morning its table lacks other rows, and what left it is deleted
  ghl_attendance    trigger it twice: the second time the ledger knows every relation, and one request is enough
  ghl_notify        trigger it: it is red, on purpose; the text that a chat would get is at the end of its log,
                    in the group "Post Execute"
  ghl_agency        trigger it: a load for each sub-account of an agency, then one for all
  ghl_sub_accounts  trigger it: two sub-accounts, each with a connection of its own
  Admin > Connections: press Test beside one of type ghl; edit one to see its form

Ctrl-C stops everything. Next time it goes on where it was; to start anew, remove the folder {folder}."""


def main() -> int:
    """Start the sandbox and Airflow, say where they are, wait, stop both."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    workspace.prepare()
    write_policies()
    log = workspace.FOLDER / "standalone.log"
    with Sandbox(port=workspace.port(), state_path=workspace.SANDBOX_STATE, latency=0.3, latency_spread=0.3) as sandbox:
        env = {**workspace.environment(), **standalone_settings()}
        workspace.migrate(env)
        write_line("Airflow gets its connections …")
        import_connections(connections(sandbox), env)
        write_line(f"Airflow starts, which takes about half a minute (its log: {relative(log)}) …")
        with log.open("w") as file:
            # A process group of its own: Airflow's children outlive a signal to the parent alone.
            airflow = subprocess.Popen(
                [str(workspace.AIRFLOW), "standalone"],
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            return serve(airflow, env, sandbox, stop)
        finally:
            end(airflow)
            write_line("Everything is stopped.")


def serve(airflow: subprocess.Popen[bytes], env: dict[str, str], sandbox: Sandbox, stop: threading.Event) -> int:
    """Wait until Airflow is healthy, then until it is to stop. Returns the exit status."""
    url = env["AIRFLOW__API__BASE_URL"]
    for _ in range(HEALTHY_WITHIN):
        if stop.wait(1.0) or airflow.poll() is not None or is_healthy(url):
            break
    if airflow.poll() is not None:
        write_line(f"Airflow ended by itself: see {relative(workspace.FOLDER / 'standalone.log')}")
        return 1
    if not stop.is_set():
        run_once(FIRST_DAG, env, stop)
        write_line(f"\nAirflow     {url}   user {LOGIN}, password {LOGIN}")
        write_line(f"Loads       {url}/plugin/ghl   (the same: Browse > HighLevel loads)")
        write_line(f"HighLevel   {sandbox.url}   (the sandbox)")
        write_line(WHAT_TO_LOOK_AT.format(folder=relative(workspace.FOLDER)))
    while not stop.wait(0.5) and airflow.poll() is None:
        pass
    return 0


def run_once(dag: str, env: dict[str, str], stop: threading.Event) -> None:
    """Run a DAG of the examples, unless an earlier start did. Airflow may not have read its file yet."""
    command = [str(workspace.AIRFLOW), "dags", "trigger", "--run-id", "make_up", dag]
    for _ in range(MOST_TRIES):
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode == 0 or "already exists" in done.stderr or stop.wait(2.0):
            return


def write_policies() -> None:
    """The file of ``ghl_large``: a vehicle for each policy."""
    if POLICIES.exists():
        return
    with POLICIES.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("line_id", "policy_id", "vehicle_id"))
        writer.writerows((f"P{number:05d}", f"{number:024x}", f"{number + 2**64:024x}") for number in range(POLICIES_ROWS))


def connections(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    """The connections of all DAGs, by id, as ``airflow connections import`` takes them: with the extra as text.

    Those of HighLevel name their port, for without one Airflow's UI refuses to test a stored connection.
    """
    sandbox.state.add_location(LARGE)
    texts = workspace.connections(sandbox, workspace.fill(sandbox)) | {"ghl_large": sandbox.connection_json_for(LARGE)}
    found = {}
    for conn_id, text in texts.items():
        fields = json.loads(text)
        found[conn_id] = {**fields, "extra": json.dumps(fields.get("extra", {})), "description": DESCRIPTIONS[conn_id]}
        if fields["conn_type"] == "ghl":
            found[conn_id]["port"] = urlsplit(fields["host"]).port
    return found


def import_connections(connections: dict[str, dict[str, Any]], env: dict[str, str]) -> None:
    """Store connections in Airflow's database, where its UI lists them."""
    file = workspace.FOLDER / "connections.json"
    file.write_text(json.dumps(connections))
    try:
        command = [str(workspace.AIRFLOW), "connections", "import", "--overwrite", str(file)]
        subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    finally:
        file.unlink()


def standalone_settings() -> dict[str, str]:
    """Settings of ``airflow standalone``: its ports, one user, the DAGs of two folders, short intervals."""
    passwords = workspace.AIRFLOW_HOME / "passwords.json"
    passwords.write_text(json.dumps({LOGIN: LOGIN}))
    port = workspace.port(workspace.AIRFLOW_PORT)
    bundle = "airflow.dag_processing.bundles.local.LocalDagBundle"
    folders = {"examples": workspace.EXAMPLE_DAGS, "make_up": DAGS}
    bundles = [{"name": name, "classpath": bundle, "kwargs": {"path": str(path)}} for name, path in folders.items()]
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(bundles),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        # What Ctrl-C interrupted is tried again soon after the next start, and not after five minutes.
        "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "15",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    }


def is_healthy(url: str) -> bool:
    """Whether all of Airflow's components report that they are."""
    try:
        with urllib.request.urlopen(f"{url}/api/v2/monitor/health", timeout=2) as answer:
            health = json.load(answer)
    except (OSError, ValueError, urllib.error.URLError):
        return False
    return all(part.get("status") == "healthy" for part in health.values() if part.get("status") is not None)


def end(airflow: subprocess.Popen[bytes]) -> None:
    """Stop Airflow and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(airflow.pid, number)
            airflow.wait(GONE_WITHIN)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue


def free_port() -> int:
    """A port of 127.0.0.1 that nobody uses."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


if __name__ == "__main__":
    sys.exit(main())
