"""The reference says what the code says."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest
import yaml
from agencies import Agency
from airflow.sdk import BaseOperator
from running import TaskInstance, fail, run
from snippets import SNIPPETS

from airflow_provider_ghl.get_provider_info import get_provider_info
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Evidence, StoppedBy
from airflow_provider_ghl.load.results.removals import RemovalOutcome
from airflow_provider_ghl.operators import associations, errors, locations, relations
from airflow_provider_ghl.relations.fields import RESULT_FIELDS
from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.faults import FaultKind

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OPERATORS = {name for module in (associations, locations, relations) for name in module.__all__}


def read(name: str) -> str:
    return (DOCS / name).read_text()


def cells(name: str) -> list[list[str]]:
    """The rows of all tables of a page."""
    rows = [line for line in read(name).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows]


def named(name: str) -> set[str]:
    """What stands in code font in first cells."""
    return {word for row in cells(name) for word in re.findall(r"`(\w+)", row[0])}


def test_the_command_line_is_as_described() -> None:
    sys.path.append(str(ROOT / "scripts"))
    import cli_reference

    assert cli_reference.PAGE.read_text() == cli_reference.page(cli_reference.PAGE.read_text()), "run scripts/cli_reference.py"


def test_every_exception_and_whether_airflow_tries_again() -> None:
    told = {row[0].strip("`"): row[1] for row in cells("reference/exceptions.md") if row[0].startswith("`GHL")}
    kinds = {name: getattr(errors, name) for name in errors.__all__ if name.startswith("GHL")}
    leaves = {name: kind for name, kind in kinds.items() if not kind.__subclasses__()}
    assert told == {name: "no" if issubclass(kind, errors.GHLFailed) else "yes" for name, kind in leaves.items()}


def test_every_outcome_evidence_and_field() -> None:
    told = named("reference/outcomes.md")
    assert {*map(str, OUTCOMES), *map(str, Evidence), *RESULT_FIELDS} <= told
    assert all(f"`{by}`" in read("reference/outcomes.md") for by in StoppedBy)


def test_every_field_of_the_connection() -> None:
    (kind,) = get_provider_info()["connection-types"]
    told = set(re.findall(r"extra `(\w+)`", read("reference/connection.md")))
    assert told == set(kind["conn-fields"])


def test_every_option_of_the_configuration() -> None:
    for section, said in get_provider_info()["config"].items():
        for option in said["options"]:
            assert f"`[{section}] {option}`" in read("reference/configuration.md")
            assert f"`AIRFLOW__{section.upper()}__{option.upper()}`" in read("reference/configuration.md")


def test_every_operator_stands_in_the_table_with_arguments_that_it_has() -> None:
    rows = [row[0] for row in cells("reference/operators.md") if row[0].startswith("`")]
    assert {re.match(r"`(\w+)\(", row)[1] for row in rows} == OPERATORS  # type: ignore[index]
    for row in rows:
        name = re.match(r"`(\w+)", row)[1]  # type: ignore[index]
        kind: type[BaseOperator] = next(getattr(m, name) for m in (associations, locations, relations) if hasattr(m, name))
        arguments = {name for one in kind.__mro__ for name in inspect.signature(one).parameters}
        assert set(re.findall(r"(\w+)=", row)) <= arguments


def test_every_operator_is_for_the_registry_too() -> None:
    said = yaml.safe_load((ROOT / ".airflow-registry.yaml").read_text())
    assert said["package-name"] == get_provider_info()["package-name"]
    assert {entry["module"].rpartition(".")[2] for entry in said["operators"]} == OPERATORS
    for entry in said["operators"] + said["hooks"]:
        module, _, name = entry["module"].rpartition(".")
        assert hasattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name)


@pytest.mark.parametrize("kind", FaultKind.__args__)  # type: ignore[attr-defined]
def test_every_fault_of_the_sandbox(kind: str) -> None:
    assert f"`{kind}`" in read("howto/testing.md")


def quoted(page: str) -> str:
    """The message that a page quotes, up to its …"""
    (text,) = [one.text for one in SNIPPETS if one.page == page and one.what.startswith("a message")]
    return " ".join(text.split()).partition("…")[0]


def test_what_a_refused_token_says(ghl: Sandbox) -> None:
    ghl.revoke(ghl.token)
    task = relations.BulkCreateRelationsOperator(task_id="load", association_key="a", rows=[("one", "two")])
    assert fail(task, errors.GHLTokenRefused).startswith(quoted("docs/questions.md"))
    assert ghl.stats()["requests"] == 1


def test_what_ids_in_the_wrong_column_say(ghl: Sandbox) -> None:
    ghl.state.add_association("held_for", "contact", "custom_objects.event", "Guest", "Event")
    task = relations.BulkCreateRelationsOperator(
        task_id="load",
        association_key="held_for",
        rows=[{"event_id": "6758b5c1f5e2a1d3c4b5f6e7", "guest_id": "ZxT4kQ1nWc8RfPq2LbYs"}],
        first_record_column="event_id",
        second_record_column="guest_id",
    )
    assert fail(task, errors.GHLMisconfigured).startswith(quoted("docs/howto/sides.md"))
    assert ghl.stats()["requests"] == 1


def test_what_a_guard_says(ghl: Sandbox) -> None:
    ghl.state.add_association("student_teacher", "contact", "contact", "Student", "Teacher")
    rows = [(f"StudentStudentStu{at % 5:03d}", f"TeacherTeacherTea{at:03d}") for at in range(20)]
    task = relations.SyncRelationsOperator(task_id="load", association_key="student_teacher", rows=rows)
    run(task, TaskInstance(run_id="the first"))
    task = relations.SyncRelationsOperator(task_id="load", association_key="student_teacher", rows=rows[:10])
    assert fail(task, errors.GHLGuardTripped).startswith(quoted("docs/howto/mirror.md"))
    assert ghl.state.count_relations() == 20


def test_what_a_dead_refresh_token_says(agency: Agency) -> None:
    agency.sandbox.revoke(agency.refresh_token)
    task = locations.ListLocationsOperator(task_id="list", ghl_conn_id="ghl_agency")
    assert quoted("docs/howto/oauth.md") in fail(task, errors.GHLTokenRefused)


def test_the_reference_lists_all_arguments_of_the_bulk_operator() -> None:
    listed = read("reference/operators.md").split("## All arguments of the bulk operator", 1)[1].split("\n## ", 1)[0]
    named = set(re.findall(r"(?<!\()\b([a-z_]+)=", listed))
    assert named == {name for name in inspect.signature(relations.BulkCreateRelationsOperator.__init__).parameters} - {
        "self",
        "kwargs",
    }


def test_the_reference_lists_what_the_mirror_takes_besides() -> None:
    listed = read("reference/operators.md").split("## What the mirror takes besides", 1)[1].split("\n## ", 1)[0]
    arguments = inspect.signature(relations.SyncRelationsOperator.__init__).parameters
    told = dict(re.findall(r"\b([a-z_]+)=(\S+)", listed))
    assert {name: ast.literal_eval(default) for name, default in told.items()} == {
        name: one.default for name, one in arguments.items() if name not in {"self", "kwargs"}
    }


def test_every_outcome_of_a_delete() -> None:
    assert {"planned", *map(str, RemovalOutcome)} <= named("reference/outcomes.md") & named("howto/mirror.md")
