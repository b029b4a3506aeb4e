"""A load ends before its ``execution_timeout`` strikes, so that its results are kept."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from dag_runs import dag_of, run_dag
from running import TaskInstance, fail, run

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.operators.errors import GHLStopped
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

MANY = [(f"contact-{row}", "event-1") for row in range(3000)]
OUTCOMES = ["created", "already_exists", "repeated", "invalid", "unresolved", "rejected", "failed", "not_attempted"]
SLOW = {"latency": 0.1, "limit": 20, "interval": 1.0}


class Noted(Stop):
    """Remembers for when it was set."""

    def __init__(self) -> None:
        super().__init__()
        self.moments: list[float] = []

    def set_at(self, moment: float) -> None:
        self.moments.append(moment)


def bulk(timeout: timedelta | None, rows: Any = MANY) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", rows=rows, execution_timeout=timeout)


def assert_all_is_told(ghl: Sandbox, summary: dict[str, Any], results: list[dict[str, Any]]) -> None:
    assert summary["rows"] == sum(summary[outcome] for outcome in OUTCOMES)
    assert summary["created"] == ghl.state.count_relations() > 0
    assert summary["not_attempted"] > 0
    assert len(results) == 1000


@pytest.mark.parametrize("sandbox", [SLOW], indirect=True)
@pytest.mark.usefixtures("database")
def test_in_a_run_airflow_never_has_to_strike(ghl: Sandbox, attended: str) -> None:
    def build() -> None:
        bulk(timedelta(seconds=10))

    finished = run_dag(dag_of(build, "ends_before_its_timeout"))
    assert finished.states == {("load", -1): "failed"}
    assert_all_is_told(ghl, finished.xcom("load"), finished.xcom("load", "results"))


@pytest.mark.parametrize("sandbox", [SLOW], indirect=True)
def test_it_can_be_tried_again(ghl: Sandbox, attended: str) -> None:
    operator = bulk(timedelta(seconds=4))
    created = [0]
    for _ in range(2):  # the same operator twice, as in dag.test()
        ti, began = TaskInstance(), time.monotonic()
        message = fail(operator, GHLStopped, ti)
        assert 2.0 <= time.monotonic() - began < 60.0, "all rows take two minutes and a half"
        assert "execution_timeout=0:00:04" in message
        summary = ti.xcoms["return_value"]
        created.append(summary["created"])
        assert summary["rows"] == sum(summary[outcome] for outcome in OUTCOMES)
    assert created == sorted(set(created)), "what the first try made is the second's too, and is not sent again"


@pytest.mark.parametrize(("timeout", "left"), [(None, None), (4, 2.0), (10, 5.0), (3600, 3595.0)])
def test_how_much_is_kept_back(ghl: Sandbox, attended: str, timeout: int | None, left: float | None) -> None:
    operator = bulk(None if timeout is None else timedelta(seconds=timeout), MANY[:3])
    operator.hook.stop = noted = Noted()
    began = time.monotonic()
    assert run(operator)["created"] == 3
    if left is None:
        assert noted.moments == []
    else:
        (moment,) = noted.moments
        assert began + left <= moment <= time.monotonic() + left
