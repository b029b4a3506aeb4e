"""``UndoLoadOperator``, ``hook.undo_load`` and ``airflow ghl loads undo``: one load is taken back, and nothing else."""

from __future__ import annotations

import io
import sys
from typing import Any

import pytest
from airflow.sdk import DAG
from cli_runs import Terminal, run_command
from running import PAIRS, TaskInstance, fail, run

from airflow_provider_ghl.exceptions import ConfigurationError, GuardTripped
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.operators.errors import GHLGuardTripped, GHLMisconfigured, GHLTokenRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, UndoLoadOperator
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("ledger")

OTHERS = [("contact-8", "event-8"), ("contact-9", "event-9")]


def load(rows: Any, run_id: str, task_id: str = "load", **arguments: Any) -> Any:
    arguments.setdefault("association_key", "attended")
    return run(BulkCreateRelationsOperator(task_id=task_id, rows=rows, **arguments), TaskInstance(run_id=run_id))


def pairs(ghl: Sandbox) -> set[tuple[str, str]]:
    return {(str(relation["firstRecordId"]), str(relation["secondRecordId"])) for relation in ghl.state.relations()}


@pytest.fixture
def tuesday(ghl: Sandbox, attended: str) -> str:
    """The id of a load that created two relations; three were there."""
    load(PAIRS, "monday")
    return str(load([*PAIRS, *OTHERS], "tuesday")["load_id"])


def test_exactly_what_the_load_created_goes(ghl: Sandbox, tuesday: str) -> None:
    ti = TaskInstance()
    summary = run(UndoLoadOperator(task_id="undo", load_id=tuesday), ti)
    assert {name: count for name, count in summary["deletes"].items() if count} == {"planned": 2, "deleted": 2}
    assert pairs(ghl) == set(PAIRS)
    assert [(one["first_record_id"], one["outcome"]) for one in ti.xcoms["results"]] == [
        ("contact-8", "deleted"),
        ("contact-9", "deleted"),
    ]
    # The ledger forgot them, so that the table's next load makes them again.
    assert load([*PAIRS, *OTHERS], "wednesday")["created"] == 2


def test_by_its_number_and_only_planned(ghl: Sandbox, tuesday: str) -> None:
    before = ghl.stats()["requests"]
    summary = run(UndoLoadOperator(task_id="undo", load_id="2", plan_only=True))
    assert (summary["load_id"], summary["deletes"]["planned"], summary["plan"]["requests"]) == (tuesday, 2, 2)
    assert ghl.stats()["requests"] == before


def test_what_the_next_nights_table_names_is_kept(ghl: Sandbox, tuesday: str) -> None:
    load([*PAIRS, OTHERS[0]], "wednesday")
    ti = TaskInstance()
    summary = run(UndoLoadOperator(task_id="undo", load_id=tuesday), ti)
    assert (summary["deletes"]["deleted"], summary["deletes"]["kept"]) == (1, 1)
    assert ti.xcoms["results"][0]["reason"] == "load 3 names it too"
    assert pairs(ghl) == {*PAIRS, OTHERS[0]}


def test_several_sub_accounts_at_once(ghl: Sandbox, attended: str) -> None:
    """The sandbox's one connection opens one location, so that the rows name it."""
    rows = [{"first_record_id": a, "second_record_id": b, "location": ghl.location_id} for a, b in PAIRS]
    load(rows, "monday", location_column="location")
    assert run(UndoLoadOperator(task_id="undo", load_id="1"))["deletes"]["deleted"] == 3
    assert pairs(ghl) == set()


def test_a_guard_is_red_and_deletes_nothing(ghl: Sandbox, tuesday: str) -> None:
    message = fail(UndoLoadOperator(task_id="undo", load_id=tuesday, max_deletes=1), GHLGuardTripped)
    assert "created 2 relations that would be deleted, more than max_deletes=1 allows: nothing was deleted" in message
    assert len(pairs(ghl)) == 5


def test_a_refused_token_is_red_with_its_results(ghl: Sandbox, tuesday: str) -> None:
    ghl.revoke(ghl.token)
    ti = TaskInstance()
    fail(UndoLoadOperator(task_id="undo", load_id=tuesday), GHLTokenRefused, ti)
    assert ti.xcoms["return_value"]["deletes"]["deleted"] == 0
    assert len(ti.xcoms["results"]) == 2
    assert len(pairs(ghl)) == 5


@pytest.mark.parametrize("load_id", ["nothing", "99", ""])
def test_a_load_that_nobody_knows(ghl: Sandbox, tuesday: str, load_id: str) -> None:
    fail(UndoLoadOperator(task_id="undo", load_id=load_id), GHLMisconfigured)


def test_the_load_is_a_template(tuesday: str) -> None:
    with DAG("undoing"):
        operator = UndoLoadOperator(task_id="undo", load_id="{{ params.load }}")
    operator.render_template_fields({"params": {"load": tuesday}})
    assert operator.load_id == tuesday


def test_the_hook(ghl: Sandbox, tuesday: str) -> None:
    hook = GHLHook()
    assert hook.undo_load(tuesday, plan_only=True).summary["deletes"]["planned"] == 2
    with pytest.raises(GuardTripped):
        hook.undo_load(tuesday, max_deletes=0)
    assert hook.undo_load(tuesday).summary["deletes"]["deleted"] == 2
    with pytest.raises(ConfigurationError):
        hook.undo_load("nothing")
    assert pairs(ghl) == set(PAIRS)


class TestCommand:
    def test_it_plans_asks_and_acts(
        self, ghl: Sandbox, tuesday: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
        result = run_command(capsys, "loads", "undo", "2")
        assert "2 relations of load 2 would be deleted" in result.err
        assert "What HighLevel's workflows did since then cannot be undone. Delete them? [y/N]" in result.err
        assert result.text == "Load 2 created 2 relations: 2 deleted.\n"
        assert pairs(ghl) == set(PAIRS)
        assert run_command(capsys, "loads", "show", "2").text.endswith("\n2 relations undone: 2 deleted\n")
        (document,) = [run_command(capsys, "loads", "show", "2", "--json").json]
        assert {(one["why"], one["outcome"]) for one in document["deletions"]} == {("undo", "deleted")}

    def test_a_second_run_counts_no_relation_twice(
        self, ghl: Sandbox, tuesday: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for _ in range(2):
            run_command(capsys, "loads", "undo", "2", "--yes")
        assert {one["outcome"] for one in run_command(capsys, "loads", "show", "2", "--json").json["deletions"]} == {
            "deleted",
            "already_gone",
        }
        assert run_command(capsys, "loads", "show", "2").text.endswith("\n2 relations undone: 2 deleted\n")

    @pytest.mark.parametrize("options", [("--plan",), ("--plan", "--yes")])
    def test_a_plan_deletes_nothing(
        self, ghl: Sandbox, tuesday: str, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
    ) -> None:
        document = run_command(capsys, "loads", "undo", tuesday, "--json", *options).json
        assert document["deletes"]["planned"] == 2
        assert len(document["results"]) == 2
        assert len(pairs(ghl)) == 5

    def test_without_a_yes_nothing_is_deleted(
        self, ghl: Sandbox, tuesday: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys, "stdin", Terminal("\n"))
        assert "A plan, nothing was deleted" in run_command(capsys, "loads", "undo", "2").text
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        result = run_command(capsys, "loads", "undo", "2")
        assert result.status
        assert "pass --yes. Nothing was deleted." in result.err
        assert len(pairs(ghl)) == 5

    def test_a_guard(self, ghl: Sandbox, tuesday: str, capsys: pytest.CaptureFixture[str]) -> None:
        result = run_command(capsys, "loads", "undo", "2", "--yes", "--max-deletes", "1")
        assert result.status
        assert "more than max_deletes=1 allows" in result.err
        assert run_command(capsys, "loads", "undo", "2", "--yes").text.endswith("2 deleted.\n")

    def test_without_a_ledger(
        self, ghl: Sandbox, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Any
    ) -> None:
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "nowhere"))
        result = run_command(capsys, "loads", "undo", "1")
        assert result.status
        assert "there is no ledger" in result.err
