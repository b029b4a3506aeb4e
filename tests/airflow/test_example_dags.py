"""The example DAGs as they stand, against the sandbox and an SQLite warehouse."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from connecting import Connect
from dag_runs import Finished, run_dag
from requests_mock import ANY

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import FixedAgency

pytestmark = pytest.mark.usefixtures("database")

FOLDER = Path(__file__).resolve().parents[2] / "example_dags"
DATA = FOLDER / "data"
#: (row key, outcome, evidence) of each late entry, and what is wrong with it.
LATE = [
    ("L01", "rejected", None),  # no such event
    ("L02", "invalid", None),  # no contact
    ("L03", "already_exists", "ledger"),  # by the load before this one
    ("L04", "repeated", None),
    (None, "invalid", None),  # a field too many: no cell of the line can be trusted, the key neither
    ("L06", "rejected", None),  # no such contact
    ("L07", "invalid", None),  # no ids
    ("L08", "rejected", None),  # swapped
]

#: The same of the signatures that are not simply created.
SIGNATURES = {
    **dict.fromkeys(("S011", "S068", "S111"), ("unresolved", None)),  # one who is there twice
    **dict.fromkeys(("S054", "S104", "S129"), ("unresolved", None)),  # who are not there
    "S089": ("invalid", None),  # two addresses
    "S117": ("invalid", None),  # no address
}

#: The same of the late enrolments that are not simply created.
LATE_ENROLMENTS = {
    "L05": ("already_exists", "ledger"),  # by the load of that sub-account's own file
    "L06": ("invalid", None),  # no sub-account
    "L11": ("invalid", None),  # no contact
}


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def run(name: str, conf: dict[str, Any] | None = None) -> Finished:
    bag = DagBag(str(FOLDER / f"{name}.py"))
    assert bag.import_errors == {}
    dag = bag.get_dag(name)
    assert dag is not None
    return run_dag(dag, conf)


def told(finished: Finished, task_id: str, map_index: int = -1) -> list[tuple[Any, ...]]:
    """(row key, outcome, evidence) of each row, in the order of the rows."""
    of_rows = [result for result in finished.xcom(task_id, "results", map_index) if result["row"] is not None]
    results = sorted(of_rows, key=lambda result: int(result["row"]))
    return [(r["row_key"], r["outcome"], r["evidence"]) for r in results]


def names(finished: Finished, task_id: str) -> list[str]:
    """What Airflow's UI calls the mapped tasks."""
    of_task = sorted((index, ti) for (name, index), ti in finished.rendered.items() if name == task_id)
    return [ti.rendered_map_index for _, ti in of_task]


def test_every_file_in_the_folder_is_a_dag_without_errors() -> None:
    bag = DagBag(str(FOLDER))
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in FOLDER.glob("*.py")}


class TestAttendance:
    @pytest.fixture(autouse=True)
    def records(self, ghl: Sandbox, warehouse: Callable[..., None]) -> None:
        """The people, the events and the table."""
        rows = read(DATA / "attendance.csv")
        for row in rows:
            ghl.state.add_record("contact", row["contact_id"])
            ghl.state.add_record("custom_objects.event", row["event_id"])
        warehouse([(row["attendance_id"], row["contact_id"], row["event_id"]) for row in rows])

    def test_twice(self, ghl: Sandbox) -> None:
        rows = read(DATA / "attendance.csv")
        assert len(rows) == 89
        finished = run("ghl_attendance")
        assert finished.state == "success"
        association = finished.xcom("create_association")["id"]
        assert told(finished, "load_attendance") == [(row["attendance_id"], "created", "answer") for row in rows]
        assert told(finished, "load_late_entries") == LATE
        assert ghl.state.pairs(association) == {(row["contact_id"], row["event_id"]) for row in rows}

        again = run("ghl_attendance")
        assert again.state == "success"
        assert again.xcom("create_association")["id"] == association
        assert told(again, "load_attendance") == [(row["attendance_id"], "already_exists", "ledger") for row in rows]
        assert told(again, "load_late_entries") == LATE
        assert ghl.state.count_relations() == 89


class TestNotify:
    @pytest.fixture(autouse=True)
    def records(self, ghl: Sandbox) -> None:
        for row in read(DATA / "attendance.csv"):
            ghl.state.add_record("contact", row["contact_id"])
            ghl.state.add_record("custom_objects.event", row["event_id"])

    def test_a_red_load_is_posted(
        self, ghl: Sandbox, connect: Connect, requests_mock: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
        address = "https://chat.example.com/hooks/a-secret"
        requests_mock.register_uri(ANY, re.compile(re.escape(ghl.url)), real_http=True)
        requests_mock.post(address)
        connect(chat=json.dumps({"conn_type": "http", "password": address}))
        finished = run("ghl_notify")
        assert finished.states["load_late_entries", -1] == "failed"
        (posted,) = [one.json()["text"] for one in requests_mock.request_history if one.hostname == "chat.example.com"]
        first, second, *rest = posted.splitlines()
        assert first.startswith("ghl_notify.load_late_entries failed (run ")
        assert second.startswith("6 of 8 rows failed, ")
        assert rest[-1].startswith("See https://airflow.example.com/ghl/task?dag_id=ghl_notify&run_id=")
        people = {row["person"] for row in read(DATA / "late_entries.csv") if row["person"]}
        assert people
        assert not [person for person in people if person in posted]

    @pytest.mark.parametrize("has_chat", [True, False])
    def test_a_chat_that_is_not_there_changes_nothing(
        self, ghl: Sandbox, connect: Connect, shown: Callable[[], str], has_chat: bool
    ) -> None:
        if has_chat:
            connect(chat=json.dumps({"conn_type": "http", "password": "http://127.0.0.1:9/a-secret"}))
        assert run("ghl_notify").states["load_late_entries", -1] == "failed"
        log = shown()
        assert ("The chat was not reached (ConnectionError)" if has_chat else "There is no connection chat") in log
        assert not [line for line in log.splitlines() if "a-secret" in line and "ChatNotifier" in line]


class TestSignatures:
    """A table in its own keys, some of which are flawed."""

    @pytest.fixture(autouse=True)
    def records(self, ghl: Sandbox) -> dict[tuple[str, str], str]:
        """The documents and the contacts, by object and key. Of several contacts with one address, the last."""
        ids = {}
        for code in {row["document"] for row in read(DATA / "signatures.csv")}:
            ids["document", code] = ghl.add("custom_objects.document", code=code)
        for row in read(DATA / "signers.csv"):
            ids["contact", row["email"]] = ghl.add("contact", email=row["email"])
        return ids

    def test_twice(self, ghl: Sandbox, records: dict[tuple[str, str], str]) -> None:
        rows = read(DATA / "signatures.csv")
        assert len(rows) == 143
        finished = run("ghl_signatures")
        assert finished.state == "success"
        assert told(finished, "load_signatures") == [
            (row["signature_id"], *SIGNATURES.get(row["signature_id"], ("created", "answer"))) for row in rows
        ]
        # HighLevel swapped the sides: the contact is first, and the table has the document first.
        association = finished.xcom("create_association")
        assert association["firstObjectKey"] == "contact"
        assert ghl.state.pairs(association["id"]) == {
            (records["contact", row["email"].strip().lower()], records["document", row["document"]])
            for row in rows
            if row["signature_id"] not in SIGNATURES
        }
        summary = finished.xcom("load_signatures")
        assert (summary["created"], summary["unresolved"], summary["invalid"]) == (135, 6, 2)
        before = ghl.stats()

        again = run("ghl_signatures")
        assert again.state == "success"
        assert told(again, "load_signatures") == [
            (row["signature_id"], *SIGNATURES.get(row["signature_id"], ("already_exists", "ledger"))) for row in rows
        ]
        assert again.xcom("load_signatures")["lookup_requests"] < 10
        assert ghl.stats()["by_route"]["POST /associations/relations"] == before["by_route"]["POST /associations/relations"]

    def test_what_left_the_table_leaves_highlevel(self, ghl: Sandbox, tmp_path: Path) -> None:
        sys.path.append(str(FOLDER.parent / "scripts"))
        import demo

        run("ghl_signatures")
        demo.heal(ghl)
        demo.link_by_hand(ghl)
        demo.write_third_table(tmp_path / "table.csv")
        finished = run("ghl_signatures", {"table": str(tmp_path / "table.csv")})
        assert finished.state == "success"
        summary, results = (finished.xcom("load_signatures", key) for key in ("return_value", "results"))
        assert {name: count for name, count in summary["deletes"].items() if count} == {"planned": 3, "deleted": 3, "kept": 1}
        contacts = demo.keys_of(ghl, demo.CONTACT, "email")
        assert {contacts[one["second_record_id"]] for one in results if one["row"] is None} == {
            "george.clymer@example.org",
            "thomas.fitzsimons@example.org",
            "jared.ingersoll@example.org",
        }
        # Sherman three times, Franklin, Broom; and Jefferson, by hand.
        assert (summary["created"], ghl.state.count_relations()) == (5, 135 + 5 - 3 + 1)

    def test_the_reasons_say_whom_to_merge_and_no_address(self, ghl: Sandbox) -> None:
        results = run("ghl_signatures").xcom("load_signatures", "results")
        reasons = {result["row_key"]: result["reason"] for result in results}
        sherman = {ghl_id for ghl_id in ghl.state.records("contact") if ghl_id in reasons["S011"]}
        assert len(sherman) == 2
        assert not [result for result in results if "example.org" in str(result)]


class TestSubAccounts:
    @pytest.fixture
    def locations(self, ghl: Sandbox, connect: Connect) -> dict[str, str]:
        """A location for each file, behind a connection with a token of its own."""
        locations = {}
        for path in sorted((DATA / "sub_accounts").glob("*.csv")):
            location = ghl.state.add_location()
            connect(**{f"ghl_{path.stem}": ghl.connection_json_for(location, ghl.add_token(location_id=location))})
            locations[path.stem] = location
        return locations

    def test_each_file_goes_into_its_own(self, ghl: Sandbox, locations: dict[str, str]) -> None:
        finished = run("ghl_sub_accounts")
        assert finished.state == "success"
        assert names(finished, "create_association") == ["ghl_north", "ghl_south"]
        assert names(finished, "load_enrolments") == ["north.csv", "south.csv"]
        for index, (name, location) in enumerate(locations.items()):
            rows = read(DATA / "sub_accounts" / f"{name}.csv")
            assert told(finished, "load_enrolments", index) == [(row["enrolment_id"], "created", "answer") for row in rows]
            there = {(r["firstRecordId"], r["secondRecordId"]) for r in ghl.state.relations(location)}
            assert there == {(row["contact_id"], row["course_id"]) for row in rows}
        again = run("ghl_sub_accounts")
        for index in range(len(locations)):
            assert {outcome for _, outcome, _ in told(again, "load_enrolments", index)} == {"already_exists"}

    def test_one_that_stores_the_association_the_other_way_round(self, ghl: Sandbox, locations: dict[str, str]) -> None:
        south = locations["south"]
        sides = ("custom_objects.course", "contact", "Course", "Student")
        association = ghl.state.add_association("enrolled", *sides, location_id=south)
        finished = run("ghl_sub_accounts")
        assert finished.state == "success"
        assert finished.xcom("create_association", map_index=1)["id"] == association
        rows = read(DATA / "sub_accounts" / "south.csv")
        assert ghl.state.pairs(association, south) == {(row["course_id"], row["contact_id"]) for row in rows}

    def test_one_that_is_refused_does_not_hold_up_the_others(self, ghl: Sandbox, locations: dict[str, str]) -> None:
        run("ghl_sub_accounts")
        ghl.state.remove_association(
            str(ghl.state.association_by_key("enrolled", locations["north"])["id"]), locations["north"]
        )
        for row in read(DATA / "sub_accounts" / "north.csv"):
            ghl.state.add_record("custom_objects.course", row["course_id"][::-1], locations["north"])
        finished = run("ghl_sub_accounts")
        assert {task: state for task, state in finished.states.items() if task[0] == "load_enrolments"} == {
            ("load_enrolments", 0): "failed",
            ("load_enrolments", 1): "success",
        }


class TestAgency:
    """As ``python -m airflow_provider_ghl sandbox --agency 5`` has it."""

    @pytest.fixture
    def agency(self, sandbox: Sandbox, connect: Connect) -> FixedAgency:
        agency = FixedAgency.of(sandbox, 5)
        connect(ghl_agency=agency.connection_json)
        return agency

    def test_twice(self, sandbox: Sandbox, agency: FixedAgency) -> None:
        late = read(DATA / "agency" / "late_enrolments.csv")
        finished = run("ghl_agency")
        assert finished.state == "success"
        for task_id in ("create_association", "load_enrolments"):
            assert names(finished, task_id) == list(agency.location_ids)
        assert told(finished, "load_late_enrolments") == [
            (row["enrolment_id"], *LATE_ENROLMENTS.get(row["enrolment_id"], ("created", "answer"))) for row in late
        ]
        for index, location in enumerate(agency.location_ids):
            rows = read(DATA / "agency" / "enrolments" / f"{location}.csv")
            assert told(finished, "load_enrolments", index) == [(row["enrolment_id"], "created", "answer") for row in rows]
            rows += [row for row in late if row["location_id"] == location and row["contact_id"]]
            there = {(r["firstRecordId"], r["secondRecordId"]) for r in sandbox.state.relations(location)}
            assert there == {(row["contact_id"], row["course_id"]) for row in rows}
        writes = sandbox.stats()["writes"]

        again = run("ghl_agency")
        assert again.state == "success"
        for index in range(len(agency.location_ids)):
            assert {outcome for _, outcome, _ in told(again, "load_enrolments", index)} == {"already_exists"}
        assert sandbox.stats()["writes"] == writes
        assert sandbox.stats()["refused_refreshes"] == 0

    def test_one_without_the_app_does_not_hold_up_the_others(self, sandbox: Sandbox, agency: FixedAgency) -> None:
        without = agency.location_ids[1]
        sandbox.uninstall(agency.app, without)
        finished = run("ghl_agency")
        assert [one["location_id"] for one in finished.xcom("list_locations")] == sorted({*agency.location_ids} - {without})
        # The table of all names it, so that somebody must look: red, and the others' rows are done.
        assert {state for (task, _), state in finished.states.items() if task != "load_late_enrolments"} == {"success"}
        assert finished.states["load_late_enrolments", -1] == "failed"
        late = {key: outcome for key, outcome, _ in told(finished, "load_late_enrolments")}
        of_it = {"L03", "L04", "L05"}
        assert {late[key] for key in of_it} == {"not_attempted"}
        assert {late[key] for key in late.keys() - of_it - LATE_ENROLMENTS.keys()} == {"created"}
        assert sandbox.state.count_relations(location_id=without) == 0
