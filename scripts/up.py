"""The whole of Airflow on this machine, wired to the sandbox, until Ctrl-C. Run by ``make up``."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request

import workspace

from airflow_provider_ghl.sandbox import Sandbox

LOGIN = "admin"
#: Seconds until Airflow must be healthy, and until it must be gone.
HEALTHY_WITHIN, GONE_WITHIN = 180, 15


def main() -> int:
    """Start the sandbox and Airflow, say where they are, wait, stop both."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: stop.set())
    workspace.prepare()
    log = workspace.FOLDER / "standalone.log"
    with Sandbox(port=workspace.port(), state_path=workspace.MEMORY, latency=0.3, latency_spread=0.3) as sandbox:
        agency = workspace.fill(sandbox)
        env = {**workspace.environment(sandbox, agency), **standalone_settings()}
        say("Airflow starts; this takes about half a minute …")
        workspace.migrate(env)
        with log.open("w") as file:
            # A group of its own: its children outlive a signal to the parent alone.
            airflow = subprocess.Popen(
                [str(workspace.AIRFLOW), "standalone"],
                env=env,
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        try:
            return serve(airflow, env["AIRFLOW__API__BASE_URL"], sandbox, stop)
        finally:
            end(airflow)
            say("Everything is stopped.")


def serve(airflow: subprocess.Popen[bytes], url: str, sandbox: Sandbox, stop: threading.Event) -> int:
    """Wait for Airflow's health, then for the end."""
    for _ in range(HEALTHY_WITHIN):
        if stop.wait(1.0) or airflow.poll() is not None or is_healthy(url):
            break
    if airflow.poll() is not None:
        say(f"Airflow ended by itself: see {workspace.FOLDER / 'standalone.log'}")
        return 1
    if not stop.is_set():
        say(f"Airflow     {url}   login {LOGIN}, password {LOGIN}")
        say(f"HighLevel   {sandbox.url}   location {sandbox.location_id} (connection ghl_default)")
        say(f"            and an agency with {workspace.AGENCYS} sub-accounts (connection ghl_agency)")
        say("Try the DAGs ghl_attendance and ghl_agency. Ctrl-C stops everything.")
    while not stop.wait(0.5) and airflow.poll() is None:
        pass
    return 0


def standalone_settings() -> dict[str, str]:
    """A free port, one user, DAGs that are read soon and not paused."""
    passwords = workspace.HOME / "passwords.json"
    passwords.write_text(json.dumps({LOGIN: LOGIN}))
    port = free_port()
    return {
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
    }


def is_healthy(url: str) -> bool:
    """Whether all of Airflow's components say so."""
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
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
