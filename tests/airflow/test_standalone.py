"""Under the whole of Airflow: the connection by REST, the form's Test button, a run by REST, its XComs by REST."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from standalone import Api, standalone, wait_for

from airflow_provider_ghl.sandbox import Sandbox

pytestmark = [pytest.mark.slow, pytest.mark.timeout(480)]

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"
DAG = "ghl_attendance"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("standalone")


@pytest.fixture(scope="module")
def highlevel() -> Iterator[Sandbox]:
    with Sandbox(limit=None) as sandbox:
        for row in rows():
            sandbox.state.add_record("contact", row["contact_id"])
            sandbox.state.add_record("custom_objects.event", row["event_id"])
        yield sandbox


@pytest.fixture(scope="module")
def airflow(folder: Path) -> Iterator[Api]:
    dags = folder / "dags"
    shutil.copytree(EXAMPLES, dags, ignore=shutil.ignore_patterns("__pycache__"))
    with standalone(folder, dags) as api:
        yield api


def rows() -> list[dict[str, str]]:
    with (EXAMPLES / "data" / "attendance.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def warehouse(folder: Path) -> Path:
    path = folder / "warehouse.db"
    database = sqlite3.connect(path)
    with database:
        database.execute("CREATE TABLE attendance (attendance_id, contact_id, event_id)")
        values = [(row["attendance_id"], row["contact_id"], row["event_id"]) for row in rows()]
        database.executemany("INSERT INTO attendance VALUES (?, ?, ?)", values)
    database.close()
    return path


def connection(highlevel: Sandbox, token: str | None = None) -> dict[str, Any]:
    """As the form sends it: every field, those left empty as null."""
    extra = {"location_id": highlevel.location_id, "api_version": "2021-07-28", "quota_share": None, "daily_reserve": None}
    return {
        "connection_id": "ghl_default",
        "conn_type": "ghl",
        "host": highlevel.url,
        "password": token or highlevel.token,
        "extra": json.dumps(extra),
    }


def test_from_the_form_to_the_xcoms(airflow: Api, highlevel: Sandbox, folder: Path) -> None:
    the_form_is_drawn(airflow)
    airflow.call("POST", "/api/v2/connections", connection(highlevel))
    the_secret_is_hidden(airflow, highlevel)
    the_test_button_tells(airflow, highlevel)
    a_test_on_a_worker_tells(airflow, highlevel)
    database = {"connection_id": "warehouse", "conn_type": "sqlite", "host": str(warehouse(folder))}
    airflow.call("POST", "/api/v2/connections", database)
    a_run_is_green(airflow, highlevel)


def the_form_is_drawn(airflow: Api) -> None:
    (form,) = [one for one in airflow.call("GET", "/ui/connections/hook_meta") if one["connection_type"] == "ghl"]
    assert form["hook_name"] == "HighLevel"
    assert set(form["extra_fields"]) == {"location_id", "api_version", "quota_share", "daily_reserve"}
    assert form["standard_fields"]["password"]["title"] == "Private Integration Token"
    assert form["standard_fields"]["login"]["hidden"] is True


def the_secret_is_hidden(airflow: Api, highlevel: Sandbox) -> None:
    stored = airflow.call("GET", "/api/v2/connections/ghl_default")
    assert stored["password"] == "***"
    assert json.loads(stored["extra"])["location_id"] == highlevel.location_id


def the_test_button_tells(airflow: Api, highlevel: Sandbox) -> None:
    before = highlevel.stats()["requests"]
    for password in (highlevel.token, "***"):  # "***": the form was opened again, and nothing was typed
        pressed = airflow.call("POST", "/api/v2/connections/test", connection(highlevel, password))
        assert pressed == {"status": True, "message": f"HighLevel accepts the token for location {highlevel.location_id}"}
    assert highlevel.stats()["requests"] == before + 2
    pressed = airflow.call("POST", "/api/v2/connections/test", connection(highlevel, "pit-wrong-token"))
    assert pressed["status"] is False
    assert pressed["message"].startswith("HighLevel does not accept the token")
    assert "pit-wrong-token" not in pressed["message"]


def a_test_on_a_worker_tells(airflow: Api, highlevel: Sandbox) -> None:
    queued = airflow.call("POST", "/api/v2/connections/enqueue-test", connection(highlevel))
    token = {"Airflow-Connection-Test-Token": queued["token"]}

    def outcome() -> Any:
        polled = airflow.call("GET", "/api/v2/connections/enqueue-test", headers=token)
        return polled if polled["state"] in {"success", "failed"} else None

    ended = wait_for("a connection test on a worker", outcome)
    assert ended["state"] == "success", ended
    assert "HighLevel accepts the token" in ended["result_message"]


def a_run_is_green(airflow: Api, highlevel: Sandbox) -> None:
    def known() -> Any:
        listed = airflow.call("GET", "/api/v2/dags")["dags"]
        return True if DAG in {dag["dag_id"] for dag in listed} else None

    wait_for("the DAG", known)
    assert airflow.call("GET", "/api/v2/importErrors")["total_entries"] == 0
    run_id = airflow.call("POST", f"/api/v2/dags/{DAG}/dagRuns", {"logical_date": None})["dag_run_id"]
    run = f"/api/v2/dags/{DAG}/dagRuns/{quote(run_id, safe='')}"

    def ended() -> Any:
        state = airflow.call("GET", run)["state"]
        return state if state in {"success", "failed"} else None

    state = wait_for("the run", ended)
    tasks = {ti["task_id"]: ti["state"] for ti in airflow.call("GET", f"{run}/taskInstances")["task_instances"]}
    assert (state, set(tasks.values())) == ("success", {"success"}), tasks

    def xcom(task_id: str, key: str) -> Any:
        value = airflow.call("GET", f"{run}/taskInstances/{task_id}/xcomEntries/{key}")["value"]
        return json.loads(value) if isinstance(value, str) else value

    summary = xcom("load_attendance", "return_value")
    assert (summary["rows"], summary["created"]) == (89, 89)
    assert summary["load_id"] == f"{DAG}/{run_id}/load_attendance/-1"
    results = xcom("load_attendance", "results")
    assert [result["row_key"] for result in results] == [row["attendance_id"] for row in rows()]
    assert {result["outcome"] for result in results} == {"created"}
    assert xcom("load_late_entries", "return_value")["invalid"] == 3
    assert highlevel.state.count_relations() == 89
