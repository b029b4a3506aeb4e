"""Processes that load over and over through one connection, and share its refreshed token by Airflow's Variable.

Run as a program that reads jobs, one in a line of JSON, forks a process for each, after Airflow's import, which takes seconds,
and says its id. For ``null`` it waits for all of them, and says in JSON how they ended.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

from running import TaskInstance
from sqlalchemy.orm import configure_mappers

from airflow_provider_ghl.hooks.token_variable import AirflowTokens
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

__all__ = ["ASSOCIATION", "pairs_of"]

ASSOCIATION = "attended"
#: What is imported where it is needed; here, so that no process has to.
_NEEDED = ("requests", "airflow.models.variable", "airflow.utils.session", "airflow_provider_ghl.load.loader")
#: Seconds that a process may be late before it is ended: a wait that never ends must not stop the tests.
_LATE = 120


def pairs_of(name: str, number: int, rows: int) -> list[tuple[str, str]]:
    """The rows of a process's load: no other one has any of them."""
    return [(f"{name}-{number}-{row}", f"event-{row % 3}") for row in range(rows)]


def _work(job: dict[str, Any]) -> None:
    """Loads, one after the other; who comes after one that was killed begins with its last."""
    os.environ[f"AIRFLOW_CONN_{job['conn_id'].upper()}"] = job["connection"]
    report = Path(job["report"])
    number = len(report.read_text().splitlines()) if report.exists() else 0
    loads = 0
    while loads < job["loads"] and time.monotonic() < job["until"] and not Path(job["flag"]).exists():
        if job["is_one_process"]:
            _reported(job, number)
        else:
            _, status = os.waitpid(_forked(partial(_reported, job, number)), 0)
            assert status == 0
        number += 1
        loads += 1


def _reported(job: dict[str, Any], number: int) -> None:
    told = json.dumps(_load(job, number)) + "\n"
    with Path(job["report"]).open("a") as file:
        file.write(told)


def _load(job: dict[str, Any], number: int) -> dict[str, Any]:
    """What became of it, and the number of refreshes that the token in Airflow's database has behind it then."""
    began = time.monotonic()
    ti = TaskInstance(dag_id="refreshing", run_id=f"{job['name']}-{number}", try_number=job["try_number"])
    operator = BulkCreateRelationsOperator(
        task_id="load",
        ghl_conn_id=job["conn_id"],
        location_id=job["location_id"],
        association_key=ASSOCIATION,
        rows=pairs_of(job["name"], number, job["rows"]),
    )
    told: dict[str, Any] = {"number": number, "rows": job["rows"]}
    try:
        with closing(operator.hook.get_conn()):
            told["summary"] = operator.execute(ti.context)
    except Exception as error:  # noqa: BLE001 - whatever it is, the test wants to know
        told["error"] = f"{type(error).__name__}: {error}"
        told["traceback"] = traceback.format_exc()
        told["results"] = ti.xcoms.get("results")
    stored = AirflowTokens(job["conn_id"]).read()
    told["generation"] = stored.generation if stored else 0
    told["seconds"] = time.monotonic() - began
    return told


def _start(job: dict[str, Any]) -> int:
    def live() -> None:
        signal.alarm(math.ceil(max(0.0, job["until"] - time.monotonic())) + _LATE)
        log = os.open(job["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log, stream.fileno())
        _work(job)

    return _forked(live)


def _forked(work: Callable[[], None]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        work()
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may get past the fork
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _ended() -> list[int]:
    """How those ended that were forked since the last time, once all have."""
    ended: list[int] = []
    with suppress(ChildProcessError):
        while True:
            ended.append(os.waitstatus_to_exitcode(os.wait()[1]))
    return ended


def _main() -> None:
    for module in _NEEDED:
        importlib.import_module(module)
    configure_mappers()  # which has Airflow import all the rest
    with open(int(sys.argv[1]), "w") as answers:  # noqa: PTH123 - no path; its own, since Airflow logs to the output
        for line in sys.stdin:
            job = json.loads(line)
            answers.write(json.dumps(_ended() if job is None else _start(job)) + "\n")
            answers.flush()


if __name__ == "__main__":
    _main()
