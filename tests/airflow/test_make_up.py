"""The DAGs that ``make up`` adds to the examples."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from dag_runs import run_dag

from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("database")

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
DAGS = SCRIPTS / "dags"


def test_they_are_dags_without_errors() -> None:
    bag = DagBag(str(DAGS))
    assert bag.import_errors == {}
    assert set(bag.dags) == {path.stem for path in DAGS.glob("*.py")} == {"ghl_large", "ghl_mirror", "ghl_refused"}


def test_the_red_one_is_red_and_has_its_results(ghl: Sandbox) -> None:
    dag = DagBag(str(DAGS)).get_dag("ghl_refused")
    assert dag is not None
    finished = run_dag(dag)
    assert finished.states["load_late_entries", -1] == "failed"
    assert finished.xcom("load_late_entries", "return_value")["rows"] == 8
    assert len(finished.xcom("load_late_entries", "results")) == 8


def test_the_mirror_deletes_what_left_its_table(ghl: Sandbox) -> None:
    sys.path.append(str(SCRIPTS))
    import workspace

    workspace.fill(ghl)
    dag = DagBag(str(DAGS)).get_dag("ghl_mirror")
    assert dag is not None
    first, second = run_dag(dag), run_dag(dag)
    assert first.xcom("mirror_teachers", "return_value")["deletes"]["planned"] == 0
    deletes = second.xcom("mirror_teachers", "return_value")["deletes"]
    assert deletes["deleted"] == deletes["planned"] > 0
    assert len(ghl.state.relations()) == 57


def test_a_start_finds_the_people_of_the_last_one(ghl: Sandbox) -> None:
    sys.path.append(str(SCRIPTS))
    import workspace

    workspace.fill(ghl)
    there = ghl.state.records("contact")
    workspace.fill(ghl)
    assert ghl.state.records("contact") == there
    assert len(ghl.state.records("custom_objects.document")) == 3
