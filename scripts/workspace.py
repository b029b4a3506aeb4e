"""The folder that the demonstrations and ``make up`` work in: Airflow's home, the sandbox's state, the tables."""

from __future__ import annotations

import contextlib
import csv
import importlib.metadata
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
AIRFLOW_HOME = FOLDER / "airflow"
WAREHOUSE = FOLDER / "warehouse.db"
SANDBOX_STATE = FOLDER / "highlevel.jsonl"
SANDBOX_PORT = FOLDER / "port"
AIRFLOW_PORT = FOLDER / "airflow_port"
EXAMPLE_DAGS = ROOT / "example_dags"
DATA = EXAMPLE_DAGS / "data"
ATTENDANCE = DATA / "attendance.csv"
#: The contacts of ``ghl_mirror``.
MIRRORED = [
    *(f"StudentStudentStu{number:03d}" for number in range(20)),
    *(f"TeacherTeacherTea{number:03d}" for number in range(3)),
]
#: Sub-accounts of the agency in the example ``ghl_agency``.
AGENCY_SUB_ACCOUNTS = 5
#: Connections of the example ``ghl_sub_accounts``, and their sub-accounts.
SUB_ACCOUNTS = {"ghl_north": "Nq8WmZc3VtRb5YxKj2Ld", "ghl_south": "Sd4PgHs7UfEa9CwMn6Qx"}
AIRFLOW = Path(sys.executable).with_name("airflow")


def prepare() -> None:
    """Create the folder and the warehouse; what is there stays."""
    AIRFLOW_HOME.mkdir(parents=True, exist_ok=True)
    rows = [tuple(row.values()) for row in read(ATTENDANCE)]
    with sqlite3.connect(WAREHOUSE) as database:
        columns = "attendance_id TEXT PRIMARY KEY, person TEXT, event TEXT, contact_id TEXT, event_id TEXT"
        database.execute(f"CREATE TABLE IF NOT EXISTS attendance ({columns})")
        database.executemany("INSERT OR REPLACE INTO attendance VALUES (?, ?, ?, ?, ?)", rows)
    database.close()


def port(kept: Path = SANDBOX_PORT) -> int:
    """A port, the same each time if it is free: the ledger knows the sandbox by its address, and logs link to Airflow's.

    :param kept: the file that remembers it.
    """
    last = int(kept.read_text()) if kept.exists() else 0
    for number in (last, 0):
        with socket.socket() as free, contextlib.suppress(OSError):
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", number))
            kept.write_text(str(free.getsockname()[1]))
            break
    return int(kept.read_text())


def fill(sandbox: Sandbox) -> FixedAgency:
    """Give the sandbox the people, the events, the sub-accounts and the agency, unless its state file has them already."""
    state = sandbox.state
    for location_id in set(SUB_ACCOUNTS.values()).difference(state.locations()):
        state.add_location(location_id)
    for row in read(ATTENDANCE):
        state.add_record("contact", row["contact_id"])
        state.add_record("custom_objects.event", row["event_id"])
    for contact_id in MIRRORED:
        state.add_record("contact", contact_id)
    add_signers(sandbox)
    return FixedAgency.of(sandbox, AGENCY_SUB_ACCOUNTS)


def add_signers(sandbox: Sandbox) -> None:
    """What HighLevel has of the table ``signatures.csv``: the documents by code, and contacts by e-mail address."""
    if sandbox.state.records("custom_objects.document"):
        return
    for code in dict.fromkeys(row["document"] for row in read(DATA / "signatures.csv")):
        sandbox.add("custom_objects.document", code=code)
    for row in read(DATA / "signers.csv"):
        sandbox.add("contact", email=row["email"])


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def connections(sandbox: Sandbox, agency: FixedAgency) -> dict[str, str]:
    """The Airflow connections of all example DAGs, by id, as JSON."""
    return {
        "ghl_default": sandbox.connection_json,
        "ghl_agency": agency.connection_json,
        **{conn_id: sandbox.connection_json_for(location_id) for conn_id, location_id in SUB_ACCOUNTS.items()},
        "warehouse": json.dumps({"conn_type": "sqlite", "host": str(WAREHOUSE)}),
    }


def environment() -> dict[str, str]:
    """Airflow's environment: its home and settings, and nothing of another Airflow's."""
    settings = {
        # "airflow standalone" starts its parts by the name "airflow".
        "PATH": f"{AIRFLOW.parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "AIRFLOW_HOME": str(AIRFLOW_HOME),
        "AIRFLOW__CORE__DAGS_FOLDER": str(EXAMPLE_DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
    }
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
    return {**kept, **settings}


def migrate(env: dict[str, str]) -> None:
    """Create Airflow's database, once for each version of Airflow."""
    done = AIRFLOW_HOME / "migrated"
    version = importlib.metadata.version("apache-airflow")
    if done.exists() and done.read_text() == version:
        return
    write_line("Airflow creates its database …")
    subprocess.run([str(AIRFLOW), "db", "migrate"], env=env, check=True, capture_output=True)
    done.write_text(version)


def relative(path: Path) -> str:
    """A path as seen from the project's folder."""
    return str(path.relative_to(ROOT))


def write_line(text: str) -> None:
    """To stdout, at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
