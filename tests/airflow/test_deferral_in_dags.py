"""A load that waits for quota in a run: Airflow's own machinery takes it from the worker to the trigger and back."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import task
from connecting import Connect
from dag_runs import Finished, dag_of, run_dag
from waiting import Hasty, pairs, rows_of

from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("database", "attended", "ledger")

#: A day is over in seconds, and two of them are not enough.
DAYS = {"daily_limit": 40, "daily_resets_in": 4.0, "day": 4.0}
ROWS = 85


def run(name: str, **arguments: Any) -> Finished:
    def build() -> None:
        @task
        def rows() -> list[tuple[str, str]]:
            return pairs(ROWS)

        Hasty(task_id="load", association_key="attended", rows=rows(), deferrable=True, **arguments)

    return run_dag(dag_of(build, name))


@pytest.mark.parametrize("sandbox", [DAYS], indirect=True)
def test_a_run_waits_and_ends_green(ghl: Sandbox, ledger: Path) -> None:
    finished = run("waits_for_quota")
    assert finished.states == {("rows", -1): "success", ("load", -1): "success"}
    summary = finished.xcom("load")
    assert (summary["created"], summary["stopped_by"]) == (ROWS, None)
    assert summary["requests"] == ghl.stats()["requests"]
    assert {result["outcome"] for result in finished.xcom("load", "results")} == {"created"}
    assert ghl.state.count_relations() == ROWS
    assert "400" not in ghl.stats()["by_status"], "nothing was sent twice"
    attempts = rows_of(ledger, "SELECT try_number, is_resumed FROM ghl_attempts ORDER BY number")
    assert attempts[0] == (1, 0)
    assert set(attempts[1:]) == {(1, 1)}


@pytest.mark.parametrize("sandbox", [DAYS], indirect=True)
def test_a_run_that_may_not_wait_so_long_is_red(ghl: Sandbox) -> None:
    finished = run("may_not_wait", defer_timeout=timedelta(milliseconds=500))
    assert finished.states[("load", -1)] == "failed"
    summary = finished.xcom("load")
    assert summary["stopped_by"] == "quota"
    assert 0 < summary["created"] == ghl.state.count_relations() < ROWS


@pytest.mark.parametrize("sandbox", [{}], indirect=True)
def test_another_try_with_another_ledger_says_so(
    ghl: Sandbox, ledger: Path, connect: Connect, capsys: pytest.CaptureFixture[str]
) -> None:
    """As it is when the next try runs on another machine, and the ledger is a file."""
    elsewhere = ledger.with_name("elsewhere.db")

    class Moves(Hasty):
        def execute(self, context: Any) -> Any:
            if context["ti"].try_number == 1:
                super().execute(context)
                connect(ledger=f"sqlite://{str(elsewhere).replace('/', '%2F').replace(' ', '%20')}")
                raise RuntimeError("the machine is gone")
            return super().execute(context)

    def build() -> None:
        Moves(task_id="load", association_key="attended", rows=pairs(3), retries=1, retry_delay=timedelta(0))

    finished = run_dag(dag_of(build, "moves_to_another_machine"))
    assert finished.states == {("load", -1): "success"}
    logged = capsys.readouterr().out
    assert logged.count("An earlier attempt of this task wrote another ledger than sqlite:///") == 1
    assert "elsewhere.db" in logged
    assert "set ledger_conn_id" in logged
    assert (finished.xcom("load")["already_exists"], ghl.state.count_relations()) == (3, 3)
