"""Under the whole of Airflow: the connection by REST, the form's Test button, a run by REST, its XComs by REST."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from agencies import Agency, agency_in
from canaries import Canary, files_with
from racing import wait_until
from standalone import Api, standalone, wait_for

from airflow_provider_ghl.get_provider_info import get_provider_info
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parents[2] / "example_dags"
DAG = "ghl_attendance"
WAITING = "ghl_waiting"
#: A day of quota, in requests and in seconds; two of them are not enough.
A_DAY, SECONDS, ROWS = 40, 10.0, 85
#: Waits for seconds where it would wait for minutes, and comes back in another folder.
WAITS = f"""
import os, tempfile
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

class Hasty(BulkCreateRelationsOperator):
    shortest_wait = timedelta(seconds=6)

    def resume(self, context, event=None):
        os.chdir(tempfile.mkdtemp())
        return super().resume(context, event)

with DAG({WAITING!r}, schedule=None):
    rows = [(f"contact-{{row}}", "event-1") for row in range({ROWS})]
    Hasty(task_id="load", ghl_conn_id="ghl_waiting", association_key="attended", rows=rows, deferrable=True)
"""
KEYED = "ghl_keyed"
#: Two loads of keys: all are found, and none is.
KEYS = f"""
from airflow.sdk import DAG
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

with DAG({KEYED!r}, schedule=None):
    for name in ("known", "unknown"):
        BulkCreateRelationsOperator(
            task_id=name,
            ghl_conn_id="ghl_keyed",
            association_key="holds",
            path=f"FOLDER/{{name}}.csv",
            first_record_column="policy",
            first_lookup=CustomObject("custom_objects.policy", by="policy_no"),
            second_record_column="email",
            second_lookup=Contact(by="email"),
        )
"""
AGENCY = "ghl_agencys"
#: A load for each location of an agency, with tokens that last a second.
LOADS = f"""
from airflow.sdk import DAG
from airflow_provider_ghl.operators.locations import ListLocationsOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

with DAG({AGENCY!r}, schedule=None):
    rows = [(f"contact-{{row}}", "event-1") for row in range({ROWS})]
    load = BulkCreateRelationsOperator.partial(
        task_id="load", ghl_conn_id="ghl_agency", association_key="attended", rows=rows
    )
    load.expand_kwargs(ListLocationsOperator(task_id="locations", ghl_conn_id="ghl_agency").output)
"""


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
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for tables that are none of Airflow's files."""
    return tmp_path_factory.mktemp("outside")


@pytest.fixture(scope="module")
def airflow(folder: Path, outside: Path) -> Iterator[Api]:
    dags = folder / "dags"
    shutil.copytree(EXAMPLES, dags, ignore=shutil.ignore_patterns("__pycache__"))
    (dags / f"{WAITING}.py").write_text(WAITS)
    (dags / f"{AGENCY}.py").write_text(LOADS)
    (dags / f"{KEYED}.py").write_text(KEYS.replace("FOLDER", str(outside)))
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
    extra["ledger_conn_id"] = None
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
    assert set(form["extra_fields"]) == set(get_provider_info()["connection-types"][0]["conn-fields"])
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
    def carried_out() -> Any:
        """How it ended; ``None`` where Airflow's own server failed the worker, as its SQLite does on a busy machine."""
        queued = airflow.call("POST", "/api/v2/connections/enqueue-test", connection(highlevel))
        token = {"Airflow-Connection-Test-Token": queued["token"]}

        def outcome() -> Any:
            polled = airflow.call("GET", "/api/v2/connections/enqueue-test", headers=token)
            return polled if polled["state"] in {"success", "failed"} else None

        told = wait_for("a connection test on a worker", outcome)
        return None if "ServerResponseError" in (told["result_message"] or "") else told

    ended = wait_for("a connection test that Airflow carries out", carried_out)
    assert ended["state"] == "success", ended
    assert "HighLevel accepts the token" in ended["result_message"]


def test_a_load_that_waits_for_quota(airflow: Api, folder: Path) -> None:
    """In the real triggerer, and on in another process."""
    with Sandbox(limit=None, daily_limit=A_DAY, daily_resets_in=SECONDS, day=SECONDS) as highlevel:
        highlevel.state.add_association("attended", "contact", "custom_objects.event", "Attendee", "Event")
        extra = {"location_id": highlevel.location_id, "ledger_conn_id": "ledger"}
        said = connection(highlevel) | {"connection_id": "ghl_waiting", "extra": json.dumps(extra)}
        airflow.call("POST", "/api/v2/connections", said)
        place = {"connection_id": "ledger", "conn_type": "sqlite", "host": "ledgers/mine.db"}
        airflow.call("POST", "/api/v2/connections", place)
        run = Run(airflow, WAITING)
        load = f"{run.path}/taskInstances/load"
        wait_for("the wait for quota", lambda: True if airflow.call("GET", load)["state"] == "deferred" else None)
        pool = airflow.call("GET", "/api/v2/pools/default_pool")
        assert (pool["deferred_slots"], pool["running_slots"]) == (1, 0), "a task that waits holds no slot"
        waiting = run.xcom("load", "return_value")
        assert (waiting["stopped_by"], len(run.xcom("load", "results"))) == ("quota", ROWS)
        assert 0 < waiting["created"] < ROWS
        assert run.end() == ("success", {"success"})
        assert run.links("load")["Load"] == run.page_of("load")
        summary = run.xcom("load", "return_value")
        assert (summary["created"], summary["requests"]) == (ROWS, highlevel.stats()["requests"])
        assert highlevel.state.count_relations() == ROWS
        assert "400" not in highlevel.stats()["by_status"], "nothing was sent twice"
    with closing(sqlite3.connect(folder / "ledgers" / "mine.db")) as ledger:
        attempts = ledger.execute("SELECT pid, try_number, is_resumed FROM ghl_attempts ORDER BY number").fetchall()
        ((ledger_id,),) = ledger.execute("SELECT value FROM ghl_ledger WHERE name = 'ledger_id'")
    assert len({pid for pid, *_ in attempts}) == len(attempts) >= 2
    assert [attempt[1:] for attempt in attempts] == [(1, 0)] + [(1, 1)] * (len(attempts) - 1)
    kept = airflow.call("GET", f"{load}/state-store/ghl_ledger_id")
    assert kept["value"] in (ledger_id, json.dumps(ledger_id))


def test_keys_are_nowhere(airflow: Api, folder: Path, outside: Path) -> None:
    """In no file that the real workers, scheduler and servers leave."""
    ada, nobody = Canary(), Canary()
    for name, policy, email in (("known", ada.policy, ada.email), ("unknown", ada.policy, nobody.email)):
        (outside / f"{name}.csv").write_text(f"policy,email\n{policy},{email}\n")
    with Sandbox(limit=None) as highlevel:
        association = highlevel.state.add_association("holds", "contact", "custom_objects.policy", "A", "B")
        pair = highlevel.add("contact", email=ada.email), highlevel.add("custom_objects.policy", policy_no=ada.policy)
        airflow.call("POST", "/api/v2/connections", connection(highlevel) | {"connection_id": "ghl_keyed"})
        run = Run(airflow, KEYED)
        assert run.end() == ("failed", {"success", "failed"})
        assert highlevel.state.pairs(association) == {pair}
    assert run.xcom("unknown", "return_value")["unresolved"] == 1
    assert "no contact has this e-mail" in run.log("unknown")
    assert any(file.suffix == ".log" and KEYED in str(file) for file in folder.rglob("*"))
    assert files_with(*ada.texts, *nobody.texts, home=folder) == []


def test_an_agency(airflow: Api) -> None:
    """Its tokens are refreshed in several processes, by whatever thread needs one, and nobody gets to see them."""
    with Sandbox(limit=20, interval=0.5, token_lifetime=1.0) as highlevel:
        agency, said = an_agency_behind(airflow, highlevel, "POST", "/api/v2/connections")
        shown = json.loads(airflow.call("GET", "/api/v2/connections/ghl_agency")["extra"])
        assert (shown["client_secret"], shown["refresh_token"]) == ("***", "***")
        assert (shown["client_id"], shown["company_id"]) == (agency.app.client_id, agency.company_id)
        a_test_spends_nothing(airflow, agency, said, is_right=False, begins="nothing was tested")
        a_load_in_each_location(airflow, agency)
        assert agency.count("POST /oauth/token") > 2
        a_test_spends_nothing(airflow, agency, said, is_right=False, begins="nothing was tested")
    with Sandbox(limit=None) as highlevel:  # another agency, whose token is pasted over the first one's
        agency, said = an_agency_behind(airflow, highlevel, "PATCH", "/api/v2/connections/ghl_agency")
        a_load_in_each_location(airflow, agency)
        assert agency.count("POST /oauth/token") == 1
        a_test_spends_nothing(airflow, agency, said, is_right=True, begins="HighLevel accepts the token of agency")


def an_agency_behind(airflow: Api, highlevel: Sandbox, method: str, path: str) -> tuple[Agency, dict[str, Any]]:
    """With the association ``attended`` in its locations, and the connection ``ghl_agency``."""
    agency = agency_in(highlevel)
    for location_id in agency.installed:
        highlevel.state.add_association("attended", "contact", "custom_objects.event", "A", "B", location_id=location_id)
    said = json.loads(agency.connection()) | {"connection_id": "ghl_agency"}
    said["extra"] = json.dumps(said["extra"])
    airflow.call(method, path, said)
    return agency, said


def a_load_in_each_location(airflow: Api, agency: Agency) -> None:
    run = Run(airflow, AGENCY)
    assert run.end() == ("success", {"success"})
    highlevel = agency.sandbox
    assert [highlevel.state.count_relations(location_id=one) for one in agency.installed] == [ROWS, ROWS]
    assert highlevel.stats()["refused_refreshes"] == 0
    kept = json.loads(airflow.call("GET", "/api/v2/variables/ghl_oauth_token__ghl_agency")["value"])
    assert (kept["pair"]["access_token"], kept["pair"]["refresh_token"], kept["fingerprint"]) == ("***", "***", "***")
    logs = run.log("locations") + run.log("load", 0) + run.log("load", 1)
    assert "The app is installed in 2 locations" in logs
    for secret in (agency.app.client_secret, agency.refresh_token, "Bearer ", "access_token"):
        assert secret not in logs


def a_test_spends_nothing(airflow: Api, agency: Agency, said: dict[str, Any], *, is_right: bool, begins: str) -> None:
    before = agency.count("POST /oauth/token")

    def is_said() -> bool:
        pressed = airflow.call("POST", "/api/v2/connections/test", said)
        return (pressed["status"], pressed["message"][: len(begins)]) == (is_right, begins)

    wait_until(f"the Test button says {begins!r}", is_said)  # the token of the last task may be good for another second
    assert agency.count("POST /oauth/token") == before


class Run:
    """A run of a DAG, from its first sight in Airflow on."""

    def __init__(self, airflow: Api, dag: str) -> None:
        self._airflow = airflow
        wait_for("the DAG", lambda: True if dag in self._known() else None)
        assert airflow.call("GET", "/api/v2/importErrors")["total_entries"] == 0
        self.id = airflow.call("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
        self.path = f"/api/v2/dags/{dag}/dagRuns/{quote(self.id, safe='')}"

    def end(self) -> tuple[str, set[str]]:
        """Its state and those of its tasks, when it has ended."""

        def ended() -> Any:
            state = self._airflow.call("GET", self.path)["state"]
            return state if state in {"success", "failed"} else None

        state = wait_for("the run", ended)
        tasks = self._airflow.call("GET", f"{self.path}/taskInstances")["task_instances"]
        return state, {ti["state"] for ti in tasks}

    def xcom(self, task_id: str, key: str) -> Any:
        """What a task has pushed."""
        value = self._airflow.call("GET", f"{self.path}/taskInstances/{task_id}/xcomEntries/{key}")["value"]
        return json.loads(value) if isinstance(value, str) else value

    def links(self, task_id: str) -> dict[str, str | None]:
        """The buttons on a task instance."""
        found: dict[str, str | None] = self._airflow.call("GET", f"{self.path}/taskInstances/{task_id}/links")["extra_links"]
        return found

    def page_of(self, task_id: str) -> str:
        """The page of a task's load."""
        dag_id, run_id = self.path.split("/")[4:7:2]
        return f"{self._airflow.url}/ghl/task?dag_id={dag_id}&run_id={run_id}&task_id={task_id}"

    def log(self, task_id: str, map_index: int = -1) -> str:
        """What its first try has logged."""
        return json.dumps(self._airflow.call("GET", f"{self.path}/taskInstances/{task_id}/logs/1?map_index={map_index}"))

    def _known(self) -> set[str]:
        return {dag["dag_id"] for dag in self._airflow.call("GET", "/api/v2/dags")["dags"]}


def a_run_is_green(airflow: Api, highlevel: Sandbox) -> None:
    run = Run(airflow, DAG)
    assert run.end() == ("success", {"success"})
    summary = run.xcom("load_attendance", "return_value")
    assert (summary["rows"], summary["created"]) == (89, 89)
    assert summary["load_id"] == f"{DAG}/{run.id}/load_attendance/-1"
    results = run.xcom("load_attendance", "results")
    assert [result["row_key"] for result in results] == [row["attendance_id"] for row in rows()]
    assert {result["outcome"] for result in results} == {"created"}
    assert run.xcom("load_late_entries", "return_value")["invalid"] == 3
    assert highlevel.state.count_relations() == 89
    dashboard = f"https://app.gohighlevel.com/v2/location/{highlevel.location_id}/dashboard"
    assert run.links("load_attendance") == {"Load": run.page_of("load_attendance"), "Sub-account in HighLevel": dashboard}
    assert run.links("create_association") == {"Sub-account in HighLevel": dashboard}
    assert f"See {run.page_of('load_late_entries')}" in run.log("load_late_entries")
