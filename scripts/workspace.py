"""The folder that the demonstrations and ``make up`` work in: Airflow's home, the sandbox's memory, the warehouse."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".demo"
HOME = FOLDER / "airflow"
WAREHOUSE = FOLDER / "warehouse.db"
MEMORY = FOLDER / "highlevel.jsonl"
PORT = FOLDER / "port"
DAGS = ROOT / "example_dags"
ATTENDANCE = DAGS / "data" / "attendance.csv"
#: Sub-accounts of the example ``ghl_agency``.
AGENCYS = 5
#: Sub-accounts of the example ``ghl_sub_accounts``, beside the first one.
SUB_ACCOUNTS = {"ghl_north": "Nq8WmZc3VtRb5YxKj2Ld", "ghl_south": "Sd4PgHs7UfEa9CwMn6Qx"}
AIRFLOW = Path(sys.executable).with_name("airflow")


def prepare() -> None:
    """Make the folder and the warehouse; what is there stays."""
    HOME.mkdir(parents=True, exist_ok=True)
    with ATTENDANCE.open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    with sqlite3.connect(WAREHOUSE) as database:
        columns = "attendance_id TEXT PRIMARY KEY, person TEXT, event TEXT, contact_id TEXT, event_id TEXT"
        database.execute(f"CREATE TABLE IF NOT EXISTS attendance ({columns})")
        database.executemany("INSERT OR REPLACE INTO attendance VALUES (?, ?, ?, ?, ?)", rows)
    database.close()


def port() -> int:
    """The sandbox's port, the same each time if it is free: the ledger knows a HighLevel by its address."""
    last = int(PORT.read_text()) if PORT.exists() else 0
    for number in (last, 0):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", number))
            PORT.write_text(str(free.getsockname()[1]))
            break
    return int(PORT.read_text())


def fill(sandbox: Sandbox) -> FixedAgency:
    """Give the sandbox the people, the events, the sub-accounts and the agency; it remembers those that it has."""
    state = sandbox.state
    for location_id in set(SUB_ACCOUNTS.values()).difference(state.locations()):
        state.add_location(location_id)
    with ATTENDANCE.open(newline="") as file:
        for row in csv.DictReader(file):
            state.add_record("contact", row["contact_id"])
            state.add_record("custom_objects.event", row["event_id"])
    return FixedAgency.of(sandbox, AGENCYS)


def environment(sandbox: Sandbox, agency: FixedAgency) -> dict[str, str]:
    """What Airflow must know: its home, the DAGs, the connections."""
    settings = {
        # "airflow standalone" starts its parts by the name "airflow".
        "PATH": f"{AIRFLOW.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW_CONN_GHL_AGENCY": agency.connection_json,
        "AIRFLOW_CONN_GHL_DEFAULT": sandbox.connection_json,
        "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(WAREHOUSE)}),
    }
    for conn_id, location_id in SUB_ACCOUNTS.items():
        settings[f"AIRFLOW_CONN_{conn_id.upper()}"] = sandbox.connection_json_for(location_id)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {**kept, **settings}


def migrate(env: dict[str, str]) -> None:
    """Make Airflow's database, once for each version of Airflow."""
    done = HOME / "migrated"
    version = subprocess.run([str(AIRFLOW), "version"], env=env, capture_output=True, text=True, check=True).stdout.strip()
    if done.exists() and done.read_text() == version:
        return
    subprocess.run([str(AIRFLOW), "db", "migrate"], env=env, check=True, capture_output=True)
    done.write_text(version)
