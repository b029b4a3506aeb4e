"""The README's snippets run, and what it names exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests_mock
from agencies import Agency
from airflow.sdk import DAG
from running import run

from airflow_provider_ghl.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS: list[str] = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
STUDENT, TEACHER = "ZxT4kQ1nWc8RfPq2LbYs", "6710f3a2b4c5d6e7f8091a2b"


def snippet(holding: str) -> str:
    """The only snippet that holds a text."""
    found = [text for text in SNIPPETS if holding in text]
    assert len(found) == 1, f"{len(found)} snippets hold {holding!r}"
    return found[0]


def tasks_of(text: str) -> dict[str, Any]:
    """The tasks that a snippet makes, in a DAG of its own where it has none."""
    names: dict[str, Any] = {}
    exec(snippet("def students_and_teachers").split("@dag")[0], names)
    with DAG("readme") as dag:
        exec(text, names)
    own = [value for value in names.values() if isinstance(value, DAG)]
    return (own[0] if own else dag).task_dict


@pytest.fixture
def association(ghl: Sandbox) -> str:
    """What the snippets load into."""
    return ghl.state.add_association("student_teacher", "contact", "custom_objects.teacher", "Student", "Teacher")


def test_the_smallest_dag_loads_its_row(ghl: Sandbox, association: str) -> None:
    text = snippet("def students_and_teachers")
    assert len([line for line in text.splitlines() if line.strip()]) <= 15
    from airflow.sdk import dag

    names: dict[str, Any] = {}
    built: list[DAG] = []

    def keep(function: Callable[[], Any]) -> Callable[[], None]:
        return lambda: built.append(dag(schedule="@daily", catchup=False)(function)())

    exec(text.replace('@dag(schedule="@daily", catchup=False)', "@keep"), {**names, "keep": keep})
    tasks: list[Any] = list(built[0].task_dict.values())
    assert len(tasks) == 1
    summary = run(tasks[0])
    assert summary["created"] == 1
    assert ghl.state.pairs(association) == {(STUDENT, TEACHER)}


def test_the_query_loads_a_warehouse_table(
    ghl: Sandbox, association: str, warehouse: Callable[..., None], tmp_path: Path
) -> None:
    warehouse([("E1", STUDENT, TEACHER)])
    task = tasks_of(snippet("from_the_warehouse"))["from_the_warehouse"]
    task.sql = "SELECT attendance_id AS enrolment_id, contact_id AS student_id, event_id AS teacher_id FROM attendance"
    task.results_path = str(tmp_path / "results.csv")
    assert run(task)["created"] == 1
    assert (tmp_path / "results.csv").read_text().splitlines()[1].startswith(f"0,E1,{ghl.location_id},")


def test_one_task_loads_all_sub_accounts_of_an_agency(agency: Agency, warehouse: Callable[..., None]) -> None:
    for location_id in agency.installed:
        agency.sandbox.state.add_association(
            "student_teacher", "contact", "custom_objects.teacher", "Student", "Teacher", location_id=location_id
        )
    warehouse([(location_id, STUDENT, TEACHER) for location_id in agency.installed])
    task = tasks_of(snippet("relate_all"))["relate_all"]
    task.sql = "SELECT attendance_id AS location_id, contact_id AS student_id, event_id AS teacher_id FROM attendance"
    summary = run(task)
    assert summary["created"] == 2
    assert {name: line["created"] for name, line in summary["locations"].items()} == dict.fromkeys(agency.installed, 1)
    mapped = tasks_of(snippet("relate_sub_accounts"))
    assert mapped["relate_sub_accounts"].is_mapped
    assert mapped["locations"].task_type == "ListLocationsOperator"


def test_the_other_sources_make_tasks() -> None:
    assert tasks_of(snippet("from_a_file"))["from_a_file"].path.startswith("s3://")
    assert tasks_of(snippet("relate_each"))["relate_each"].is_mapped
    patient = tasks_of(snippet("first_load_ever"))["first_load_ever"]
    assert (patient.deferrable, patient.defer_timeout.days) == (True, 7)


def test_the_hook_speaks_to_every_endpoint(ghl: Sandbox, association: str, capsys: pytest.CaptureFixture[str]) -> None:
    relation = ghl.state.add_relation(association, STUDENT, TEACHER)
    with requests_mock.Mocker(real_http=True) as http:
        http.get(f"{ghl.url}/contacts/{STUDENT}", json={"contact": {"id": STUDENT}})
        names: dict[str, Any] = {}
        exec(snippet("hook.run("), names)
    assert capsys.readouterr().out == f"{relation}\n"
    assert names["contact"] == {"contact": {"id": STUDENT}}


def test_the_sandbox_starts(capsys: pytest.CaptureFixture[str]) -> None:
    exec(snippet("reset_after"), {})
    assert "http://127.0.0.1:" in capsys.readouterr().out


def test_every_snippet_is_run() -> None:
    assert len(SNIPPETS) == 9


def test_the_connection_in_the_environment_is_one() -> None:
    text = re.search(r"AIRFLOW_CONN_GHL_DEFAULT='(.*)'", README)
    assert text is not None
    assert json.loads(text[1])["conn_type"] == "ghl"


def test_make_knows_what_the_readme_says() -> None:
    listed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    named = {word for line in re.findall(r"^make ([a-z ]+?)(?:  |$|#)", README, re.MULTILINE) for word in line.split()}
    assert named >= {"install", "check", "test", "demo", "up"}
    assert all(f"make {name}" in listed for name in named)
