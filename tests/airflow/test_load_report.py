"""The text for a callback."""

from __future__ import annotations

from typing import Any

import jinja2
import pytest
from airflow.sdk.exceptions import AirflowTaskTimeout
from running import PAIRS, TaskInstance, run

from airflow_provider_ghl.operators.errors import GHLRowsRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.operators.report import load_report
from airflow_provider_ghl.sandbox import Sandbox

BAD = ("", "event-1")


class Ti(TaskInstance):
    task_id = "load"


def report(operator: Any, ti: TaskInstance | None = None) -> str:
    """What a callback tells after the task."""
    ti, error = ti or Ti(), None
    try:
        run(operator, ti)
    except Exception as raised:  # noqa: BLE001 - whatever the task ends with
        error = raised
    context: Any = {"ti": ti, "task": operator, **({"exception": error} if error else {})}
    return load_report(context)


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", rows=rows, **arguments)


def test_a_red_load(ghl: Sandbox, attended: str) -> None:
    text = report(bulk([*PAIRS, BAD, BAD]), Ti(map_index=3, try_number=2))
    assert text.splitlines() == [
        "a_dag.load[3] failed (run a_run, try 2)",
        "2 of 5 rows failed, all of them invalid: column 'first_record_id' is empty.",
        "5 rows: 3 created, 2 invalid.",
        "The rows that need attention are in this task's XCom 'results'.",
    ]


def test_a_green_one(ghl: Sandbox, attended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com")
    page = "See https://airflow.example.com/ghl/task?dag_id=a_dag&run_id=a_run&task_id=load"
    assert report(bulk()).splitlines() == ["a_dag.load ended (run a_run, try 1)", "3 rows: 3 created.", page]
    red = report(bulk([BAD])).splitlines()
    assert (red[-1], red.count(page)) == (page, 1)


def test_of_others_exceptions_the_class_alone(ghl: Sandbox) -> None:
    for error in (AirflowTaskTimeout("ann@example.org"), ValueError("ann@example.org"), "ann@example.org"):
        text = load_report({"ti": Ti(), "task": bulk(), "exception": error})  # type: ignore[typeddict-item]
        assert text.splitlines()[1] == f"It was ended by {type(error).__name__}."


def test_without_a_task(ghl: Sandbox) -> None:
    """As the callback of a whole DAG has it."""
    assert load_report({"ti": Ti()}) == "a_dag.load ended (run a_run, try 1)"  # type: ignore[typeddict-item]


@pytest.mark.parametrize("said", ["{{ 6 * 7 }}", "{% for a in b %}", "{# no #}", "{{{ 1 }}}"])
def test_it_is_no_template(said: str) -> None:
    text = load_report({"ti": Ti(), "exception": GHLRowsRefused(said)})  # type: ignore[typeddict-item]
    assert jinja2.Template(text).render() == text
    assert said.strip("{}%# ") in text
