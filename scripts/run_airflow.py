"""Carry out one of Airflow's commands several times in one process: its start takes longer than a small DAG.

Each line of the standard input has further words for one time, as a list in JSON. ``echo '[]' | python scripts/run_airflow.py
dags test …`` does what ``python -m airflow dags test …`` does. After each time it writes a line. What Airflow prints goes to
the standard error.
"""

from __future__ import annotations

import json
import os
import runpy
import sys

if __name__ == "__main__":
    command = sys.argv[:]
    done = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in iter(sys.stdin.readline, ""):
        sys.argv[:] = [*command, *json.loads(line)]
        runpy.run_module("airflow", run_name="__main__", alter_sys=True)
        done.write("done\n")
        done.flush()
