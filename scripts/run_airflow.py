"""Carry out one of Airflow's commands several times in one process: its start takes longer than a small DAG.

``python scripts/run_airflow.py 2 dags test …`` does what ``python -m airflow dags test …`` does, twice.
"""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    for _ in range(int(sys.argv.pop(1))):
        runpy.run_module("airflow", run_name="__main__", alter_sys=True)
