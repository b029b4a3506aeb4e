"""``rows`` is data: pinned here, since it stands on an internal class of Airflow's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas
import pytest
from airflow.sdk import DAG, task
from airflow.serialization.serialized_objects import DagSerialization
from connecting import Connect
from dag_runs import dag_of, run_dag
from running import PAIRS, fail, run

from airflow_provider_ghl.operators.errors import GHLMisconfigured
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.operators.rows_argument import Rows, RowsArgument
from airflow_provider_ghl.sandbox import Sandbox

TEMPLATE = [{"first_record_id": "{{ 6*7 }}", "second_record_id": "{% raw %}"}]
SOURCES = {
    "dicts": [{"first_record_id": f"contact-{row}", "second_record_id": "event-1"} for row in range(20_000)],
    "pairs": [(f"contact-{row}", "event-1") for row in range(20_000)],
    "frame": pandas.DataFrame({"first_record_id": ["contact-1"] * 20_000, "second_record_id": ["event-1"] * 20_000}),
}


def load(rows: Any, task_id: str = "load") -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id=task_id, association_key="attended", rows=rows)


def dag_with(rows: Any) -> DAG:
    with DAG(dag_id="dag_with_rows", schedule=None) as dag:
        load(rows)
    return dag


def serialised(dag: DAG) -> str:
    (one,) = DagSerialization.serialize_dag(dag)["tasks"]
    return json.dumps(one, sort_keys=True)


@pytest.mark.parametrize("kind", SOURCES)
def test_twenty_thousand_rows_stay_out_of_the_serialised_dag(kind: str) -> None:
    first, second = serialised(dag_with(SOURCES[kind])), serialised(dag_with(SOURCES[kind]))
    assert first == second
    assert len(first) < 5_000
    assert "contact-1" not in first


def test_the_serialised_dag_does_not_hang_on_the_rows() -> None:
    assert serialised(dag_with(PAIRS)) == serialised(dag_with(SOURCES["frame"]))


@pytest.mark.parametrize("kind", SOURCES)
def test_rendered_it_is_a_number_of_rows(kind: str) -> None:
    operator = load(SOURCES[kind])
    operator.render_template_fields({})
    assert isinstance(operator.rows, Rows)
    assert str(operator.rows) == repr(operator.rows) == "20,000 rows"
    assert operator.rows.value is SOURCES[kind]


def test_one_row_and_rows_of_unknown_number() -> None:
    assert str(Rows(iter(PAIRS))) == "rows"
    assert str(Rows(PAIRS[:1])) == "1 row"
    assert str(RowsArgument(PAIRS)) == repr(RowsArgument(PAIRS)) == "rows"


class Again:
    """Rows that can be read any number of times, as a sequence from mapped tasks can."""

    def __iter__(self) -> Iterator[Any]:
        return iter(PAIRS)


@pytest.mark.parametrize("make", [iter, lambda pairs: (pair for pair in pairs), lambda pairs: map(list, pairs)])
def test_what_can_be_read_only_once_is_refused(ghl: Sandbox, attended: str, make: Callable[[Any], Any]) -> None:
    """Else a second try would find no rows, and be green."""
    operator = load(make(PAIRS))
    for _ in range(2):
        message = fail(operator, GHLMisconfigured)
        assert "can be read only once, so that another try would find no rows" in message
        assert "give a list, a DataFrame or an upstream task" in message
    assert ghl.stats()["requests"] == 0


def test_what_can_be_read_again_may_be_tried_again(ghl: Sandbox, attended: str) -> None:
    operator = load(Again())
    assert [run(operator)["rows"] for _ in range(2)] == [3, 3]


def test_an_upstream_task_is_kept() -> None:
    with DAG(dag_id="upstream", schedule=None):

        @task
        def extract() -> list[Any]:
            return []

        operator = load(extract())
    assert operator.upstream_task_ids == {"extract"}


def test_other_templates_of_the_task_are_rendered() -> None:
    operator = BulkCreateRelationsOperator(task_id="load", association_key="key-{{ run_id }}", rows=TEMPLATE)
    operator.render_template_fields({"run_id": "a_run"})
    assert operator.association_key == "key-a_run"
    assert operator.rows is not None
    assert operator.rows.value == TEMPLATE


@pytest.mark.usefixtures("database")
class TestInARun:
    def test_from_a_task_and_cells_are_no_templates(self, ghl: Sandbox, attended: str) -> None:
        def build() -> None:
            @task
            def extract() -> list[Any]:
                return [["{{ 6*7 }}", "event-1"], ["contact-1", "{{ ds }}"]]

            load(extract())

        finished = run_dag(dag_of(build, "rows_from_a_task"))
        assert finished.state == "success"
        assert ghl.state.pairs(attended) == {("{{ 6*7 }}", "event-1"), ("contact-1", "{{ ds }}")}

    @pytest.mark.parametrize("how", ["rows of one", "a table of each"])
    def test_from_all_instances_of_a_mapped_task(self, ghl: Sandbox, attended: str, how: str) -> None:
        def build() -> None:
            @task
            def extract(pair: list[str]) -> Any:
                return pair if how == "rows of one" else [pair]

            load(extract.expand(pair=[list(pair) for pair in PAIRS]))

        assert run_dag(dag_of(build, f"rows_from_mapped_{how.replace(' ', '_')}")).state == "success"
        assert ghl.state.pairs(attended) == set(PAIRS)

    def test_a_frame_from_a_task(self, ghl: Sandbox, attended: str) -> None:
        def build() -> None:
            @task
            def extract() -> Any:
                return pandas.DataFrame(PAIRS, columns=["first_record_id", "second_record_id"])

            load(extract())

        assert run_dag(dag_of(build, "frame_from_a_task")).state == "success"
        assert ghl.state.pairs(attended) == set(PAIRS)

    @pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
    @pytest.mark.parametrize("how", ["expand rows", "partial rows", "expand_kwargs rows"])
    def test_mapped(self, ghl: Sandbox, attended: str, connect: Connect, how: str) -> None:
        """Rows in the mapped argument, or the same rows into two locations."""
        other = ghl.state.add_location()
        there = ghl.state.add_association("attended", "contact", "event", "A", "B", location_id=other)
        bulk = BulkCreateRelationsOperator

        def build() -> None:
            @task
            def chunks() -> list[Any]:
                return [[list(PAIRS[0]), ["{{ 6*7 }}", "event-1"]], [list(PAIRS[1])]]

            @task
            def pairs() -> list[Any]:
                return [list(PAIRS[0]), ["{{ 6*7 }}", "event-1"]]

            @task
            def kwargs() -> list[Any]:
                return [{"rows": [["{{ 6*7 }}", "event-1"]]}, {"rows": [list(PAIRS[0])], "location_id": other}]

            partial: dict[str, Any] = {"task_id": "load", "association_key": "attended"}
            if how == "expand rows":
                bulk.partial(**partial).expand(rows=chunks())
            elif how == "partial rows":
                bulk.partial(**partial, rows=pairs()).expand(location_id=[ghl.location_id, other])
            else:
                bulk.partial(**partial).expand_kwargs(kwargs())

        finished = run_dag(dag_of(build, f"mapped_{how.replace(' ', '_')}"))
        assert finished.state == "success"
        assert {state for (name, _), state in finished.states.items() if name == "load"} == {"success"}
        template = ("{{ 6*7 }}", "event-1")
        expected = {
            "expand rows": ({PAIRS[0], PAIRS[1], template}, set()),
            "partial rows": ({PAIRS[0], template}, {PAIRS[0], template}),
            "expand_kwargs rows": ({template}, {PAIRS[0]}),
        }
        assert (ghl.state.pairs(attended), ghl.state.pairs(there, other)) == expected[how]
