"""The whole of Airflow in processes of its own, and its REST API."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import requests
from waits import TOO_LONG

T = TypeVar("T")
AIRFLOW = Path(sys.executable).with_name("airflow")
#: Seconds until Airflow must be healthy, until it is killed, until it must be gone then, and that any other step may take.
HEALTHY_WITHIN, HEARD_WITHIN, GONE_WITHIN, STEP_WITHIN = TOO_LONG, 15.0, 60.0, TOO_LONG
LOGIN = "tester"


def wait_for(what: str, look: Callable[[], T | None], seconds: float = STEP_WITHIN) -> T:
    """What ``look`` returns when it first is something.

    :raises TimeoutError: it never was.
    """
    pause, until = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < until:
        if (found := look()) is not None:
            return found
        pause.wait(0.5)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


class Api:
    """Airflow's REST API, logged in."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._session = requests.Session()
        self._session.trust_env = False

    def log_in(self) -> None:
        """With the one user's password."""
        token = self.call("POST", "/auth/token", {"username": LOGIN, "password": LOGIN})["access_token"]
        self._session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """The answer's JSON; anything but a success raises with what the server said."""
        answer = self._session.request(method, self.url + path, json=body, headers=headers, timeout=TOO_LONG)
        assert answer.ok, f"{method} {path} answered {answer.status_code}: {answer.text}"
        return answer.json() if answer.content else None

    def is_healthy(self) -> bool | None:
        """``True``, or ``None`` while any of its parts is not."""
        with contextlib.suppress(requests.RequestException, AssertionError):
            parts = self.call("GET", "/api/v2/monitor/health").values()
            if all(part["status"] == "healthy" for part in parts if part["status"] is not None):
                return True
        return None


@contextlib.contextmanager
def standalone(
    home: Path, dags: Path, users: tuple[str, ...] = (LOGIN,), base_path: str = "", **settings: str
) -> Iterator[Api]:
    """``airflow standalone`` with a fresh home and free ports. All its processes are gone afterwards, come what may.

    :param users: each has its name as its password.
    :param base_path: where it is on its host, such as ``/deployments/one``.
    :param settings: environment variables besides, or instead.
    """
    ports = free_ports(3)
    api = Api(f"http://127.0.0.1:{ports[0]}{base_path}")
    log = home / "standalone.log"
    with log.open("w") as output:
        # A group of its own: its children outlive a signal to the parent alone.
        process = subprocess.Popen(
            [str(AIRFLOW), "standalone"],
            env={**environment(home, dags, ports, users, base_path), **settings},
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_for("a healthy Airflow", lambda: ended(process) or api.is_healthy(), HEALTHY_WITHIN)
        assert process.poll() is None, "Airflow ended by itself"
        api.log_in()
        yield api
    except BaseException:
        sys.stdout.write(f"The end of Airflow's log:\n{log.read_text()[-6000:]}\n")
        raise
    finally:
        end_group(process)


def ended(process: subprocess.Popen[bytes]) -> bool | None:
    return None if process.poll() is None else True


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Stop it and all that it started."""
    # One of Airflow's processes now and then does not hear the first signal.
    for number, seconds in ((signal.SIGTERM, HEARD_WITHIN), (signal.SIGKILL, GONE_WITHIN)):
        with contextlib.suppress(ProcessLookupError, TimeoutError):
            os.killpg(process.pid, number)
            wait_for("the end", lambda: True if process.poll() is not None and not is_group(process.pid) else None, seconds)
    process.wait(GONE_WITHIN)
    assert not is_group(process.pid), "processes of Airflow are left"


def is_group(pid: int) -> bool:
    """Whether any process of the group is left."""
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return False
    return True


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def environment(
    home: Path, dags: Path, ports: list[int], users: tuple[str, ...] = (LOGIN,), base_path: str = ""
) -> dict[str, str]:
    """Nothing of ours in it but the DAGs: connections come by REST."""
    passwords = home / "passwords.json"
    passwords.write_text(json.dumps({name: name for name in users}))
    url = f"http://127.0.0.1:{ports[0]}{base_path}"
    settings = {
        "AIRFLOW_HOME": home,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": ports[0],
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": 1,
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
        "AIRFLOW__CORE__DAGS_FOLDER": dags,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__LOAD_EXAMPLES": False,
        "AIRFLOW__CORE__PARALLELISM": 4,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{LOGIN}:admin",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": 5,
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": ports[1],
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": ports[2],
        "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": 1,
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    # It starts its parts by the name "airflow".
    kept["PATH"] = f"{AIRFLOW.parent}{os.pathsep}{kept.get('PATH', '')}"
    return {**kept, **{name: str(value) for name, value in settings.items()}}
