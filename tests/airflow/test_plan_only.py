"""``plan_only=True``: counted and priced, and nothing is written anywhere but where every load tells of itself."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from dag_runs import dag_of, run_dag
from running import PAIRS, TaskInstance, fail, run
from waiting import pairs, rows_of

from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLQuotaSpent, GHLRowsRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("attended", "ledger")

PLAN = {"requests", "seconds", "left_today", "share_of_today", "days"}
WRITTEN = "SELECT (SELECT count(*) FROM ghl_relations) + (SELECT count(*) FROM ghl_loads) + (SELECT count(*) FROM ghl_attempts)"


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    arguments = {"association_key": "attended", "plan_only": True, **arguments}
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **arguments)


def routes(ghl: Sandbox) -> dict[str, int]:
    return ghl.stats()["by_route"]


@pytest.mark.parametrize("sandbox", [{"limit": 100}], indirect=True)
def test_the_summary_says_what_it_would_cost(
    ghl: Sandbox, ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ti, results = TaskInstance(), tmp_path / "results.csv"
    summary = run(bulk([*pairs(250), pairs(1)[0]], results_path=results), ti)
    assert set(summary["plan"]) == PLAN
    assert summary["plan"] == {
        "requests": 251,
        "seconds": 20.0,
        "left_today": 199_999,
        "share_of_today": round(251 / 199_999, 4),
        "days": 1,
    }
    assert (summary["not_attempted"], summary["repeated"], summary["requests"]) == (250, 1, 1)
    assert routes(ghl) == {"GET /associations/key/{key_name}": 1}
    assert rows_of(ledger, WRITTEN) == [(0,)]
    assert list(ti.xcoms) == ["results"]
    assert {result["reason"] for result in ti.xcoms["results"] if result["outcome"] == "not_attempted"} == {"planned only"}
    with results.open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 251
    assert "A plan, nothing was sent: 251 requests, 20 s at the current limit" in capsys.readouterr().out


def test_what_is_known_costs_nothing(ghl: Sandbox) -> None:
    run(bulk(plan_only=False))
    before = ghl.stats()
    summary = run(bulk([*PAIRS, ("contact-9", "event-9")]))
    assert (summary["already_exists"], summary["not_attempted"], summary["plan"]["requests"]) == (3, 1, 2)
    after = ghl.stats()
    assert (after["requests"], after["writes"]) == (before["requests"] + 1, before["writes"])


def test_then_the_load_itself(ghl: Sandbox) -> None:
    """A plan makes no rows that the load would take for its own."""
    planned = run(bulk())["plan"]["requests"]
    summary = run(bulk(plan_only=False))
    assert (summary["created"], summary["requests"]) == (3, planned)
    assert "plan" not in summary


def test_against_highlevel(ghl: Sandbox, attended: str, ledger: Path) -> None:
    """How many of its pages there are is not known before they are read, so that it says the most there can be."""
    rows = [("hub", f"event-{number}") for number in range(250)]
    for pair in rows[:240]:
        ghl.state.add_relation(attended, *pair)
    summary = run(bulk(rows, diff_against="highlevel"))
    assert (routes(ghl), summary["not_attempted"]) == ({"GET /associations/key/{key_name}": 1}, 250)
    assert rows_of(ledger, WRITTEN) == [(0,)]
    real = run(bulk(rows, diff_against="highlevel", plan_only=False))
    assert (real["created"], real["requests"]) == (10, 14)
    assert real["requests"] <= summary["plan"]["requests"]
    assert ghl.state.count_relations() == 250


def test_bad_rows_are_told_and_the_plan_is_green(ghl: Sandbox) -> None:
    """A plan is what to do about them before the load is red."""
    ti = TaskInstance()
    summary = run(bulk([*PAIRS, ("", "event-1")]), ti)
    assert (summary["invalid"], summary["plan"]["requests"]) == (1, 4)
    assert "column 'first_record_id' is empty" in [result["reason"] for result in ti.xcoms["results"]]
    fail(bulk([*PAIRS, ("", "event-1")], plan_only=False), GHLRowsRefused)


def test_a_wrong_association_is_red(ghl: Sandbox) -> None:
    assert "the keys there are:" in fail(bulk(association_key="attends"), GHLMisconfigured)


@pytest.mark.parametrize("sandbox", [{"daily_limit": 50, "daily_resets_in": 3600.0}], indirect=True)
def test_a_spent_day(ghl: Sandbox, ledger: Path) -> None:
    """What takes more than today is a plan like any other; but there is nothing to wait for when nothing is sent."""
    plan = run(bulk(pairs(120)))["plan"]
    assert (plan["requests"], plan["left_today"], plan["days"]) == (121, 49, 3)
    ghl.spend_daily(50)
    assert "they are back in" in fail(bulk(deferrable=True), GHLQuotaSpent)
    assert rows_of(ledger, WRITTEN) == [(0,)]


@pytest.mark.usefixtures("database")
def test_in_a_run(ghl: Sandbox, ledger: Path) -> None:
    finished = run_dag(dag_of(bulk, "plans_only"))
    assert finished.states == {("load", -1): "success"}
    assert set(finished.xcom("load")["plan"]) == PLAN
    assert {result["outcome"] for result in finished.xcom("load", "results")} == {"not_attempted"}
    assert ghl.stats()["writes"] == 0
    assert rows_of(ledger, WRITTEN) == [(0,)]
