"""Runs of a DAG with a bulk load of keys, each in a process of its own that may be killed.

Run as a program with a file descriptor and a JSON list of operators' arguments. It forks for one after the other, after
Airflow's import, which takes seconds. To the descriptor it writes each process' id in a line, and at last in JSON how they
ended.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.execution_time.supervisor import in_process_api_server
from dag_runs import run_dag
from keyed_tables import bulk

from airflow_provider_ghl.load import loader  # noqa: F401 - so that no run has to import it

_DAG = "killed_with_keys"


def _run(arguments: dict[str, Any]) -> bool:
    with DAG(dag_id=_DAG, schedule=None, catchup=False) as dag:
        bulk(**arguments)
    return run_dag(dag).state == "success"


def _forked(arguments: dict[str, Any], tell: Callable[[str], object]) -> int:
    pid = os.fork()
    if pid:
        tell(f"{pid}\n")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        logs = Path(os.environ["AIRFLOW_HOME"], "logs")
        logs.mkdir(exist_ok=True)
        with (logs / f"{_DAG}.{os.getpid()}.log").open("wb", 0) as log:
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
            status = 0 if _run(arguments) else 2
    except BaseException:  # noqa: BLE001 - nothing may get past the fork
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    assert in_process_api_server().app  # which takes each process seconds otherwise
    with os.fdopen(int(sys.argv[1]), "wb", 0) as told:
        ended = [_forked(arguments, lambda text: told.write(text.encode())) for arguments in json.loads(sys.argv[2])]
        told.write(json.dumps(ended).encode())
