"""What OpenLineage is told of a load. Its provider is played here; none of it is asked for without it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import Asset
from connecting import Connect
from running import PAIRS, TaskInstance, fail, run
from seeing import OperatorLineage, RunFacet
from waiting import Hasty, pairs

from airflow_provider_ghl.assets import convert_asset_to_openlineage
from airflow_provider_ghl.hooks import sources
from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLRowsRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, SyncRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

BAD = ("", "event-1")


def bulk(**arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", **{"association_key": "attended", **arguments})


def told(operator: Any) -> OperatorLineage:
    found = operator.get_openlineage_facets_on_complete(TaskInstance())
    assert isinstance(found, OperatorLineage)
    return found


def names(datasets: list[Any]) -> list[tuple[str, str]]:
    return [(one.namespace, one.name) for one in datasets]


@pytest.mark.usefixtures("openlineage")
class TestOutputs:
    def test_the_association_in_its_sub_account(self, ghl: Sandbox, attended: str) -> None:
        operator = bulk(rows=[*PAIRS, BAD], failure_tolerance=1)
        run(operator)
        found = told(operator)
        assert names(found.outputs) == [(f"ghl://{ghl.location_id}", "attended")]
        assert found.outputs[0].outputFacets["outputStatistics"].rowCount == 3
        told_of: Any = found.run_facets["ghl_load"]
        assert type(told_of).__mro__[1] is RunFacet
        assert (told_of.loadId, told_of.loadNumber, told_of.rows, told_of.requests) == ("a_dag/a_run/load/-1", 1, 4, 4)
        assert {name: count for name, count in told_of.outcomes.items() if count} == {"created": 3, "invalid": 1}
        assert found.inputs == []

    def test_of_a_red_load(self, ghl: Sandbox, attended: str) -> None:
        operator = bulk(rows=[*PAIRS, BAD])
        fail(operator, GHLRowsRefused)
        found = operator.get_openlineage_facets_on_failure(TaskInstance())
        assert found is not None
        assert found.outputs[0].outputFacets["outputStatistics"].rowCount == 3

    def test_every_sub_account(self, ghl: Sandbox, attended: str, connect: Connect) -> None:
        rows = [{"first_record_id": "contact-1", "second_record_id": "event-1", "location": ghl.location_id}]
        operator = bulk(rows=rows, location_column="location")
        run(operator)
        assert names(told(operator).outputs) == [(f"ghl://{ghl.location_id}", "attended")]

    def test_a_mirror_tells_its_deletes(self, ghl: Sandbox, attended: str) -> None:
        operator = SyncRelationsOperator(task_id="load", association_key="attended", rows=PAIRS)
        run(operator)
        assert told(operator).run_facets["ghl_load"].deletes["deleted"] == 0

    def test_a_load_that_waited(self, ghl: Sandbox, attended: str) -> None:
        """Its end is in another process than its beginning."""
        with_little = Hasty(task_id="load", association_key="attended", rows=pairs(5), deferrable=True)
        run(with_little, is_resumed=True)
        assert told(with_little).outputs[0].outputFacets["outputStatistics"].rowCount == 5

    @pytest.mark.parametrize("arguments", [{"plan_only": True}, {"association_id": "both"}])
    def test_nothing_of_what_wrote_nothing(self, ghl: Sandbox, attended: str, arguments: dict[str, Any]) -> None:
        operator = bulk(rows=PAIRS, **arguments)
        run(operator) if "plan_only" in arguments else fail(operator, GHLMisconfigured)
        assert told(operator) == OperatorLineage()

    def test_an_asset_has_the_same_name(self, ghl: Sandbox) -> None:
        asset = Asset(f"ghl://{ghl.location_id}/Attended")
        converted = convert_asset_to_openlineage(asset, None)
        assert (converted.namespace, converted.name) == (f"ghl://{ghl.location_id}", "attended")


@pytest.mark.usefixtures("openlineage")
class TestInputs:
    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("{folder}/a.csv", ("file", "{folder}/a.csv")),
            ("file://{folder}/a.csv", ("file", "{folder}/a.csv")),
            ("s3://bucket/in/a.csv", ("s3://bucket", "in/a.csv")),
            ("s3://my_aws@bucket/in/a.csv", ("s3://bucket", "in/a.csv")),
            ("abfss://container@account/a.csv", ("abfss://container@account", "a.csv")),
        ],
    )
    def test_files(self, ghl: Sandbox, attended: str, tmp_path: Path, path: str, name: tuple[str, str]) -> None:
        (tmp_path / "a.csv").write_text("first_record_id,second_record_id\ncontact-1,event-1\n")
        operator = bulk(path=str(tmp_path / "a.csv"))
        run(operator)
        operator.path = path.format(folder=tmp_path)
        assert names(told(operator).inputs) == [tuple(part.format(folder=tmp_path) for part in name)]

    def query(self, warehouse: Callable[..., None]) -> BulkCreateRelationsOperator:
        warehouse([(1, *PAIRS[0])])
        columns = {"first_record_column": "contact_id", "second_record_column": "event_id"}
        operator = bulk(sql="SELECT * FROM attendance", source_conn_id="warehouse", **columns)
        run(operator)
        return operator

    def test_a_query_on_a_database_that_says_where_its_tables_are(
        self, ghl: Sandbox, attended: str, warehouse: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        operator = self.query(warehouse)
        hook = SimpleNamespace(
            get_openlineage_database_info=lambda connection: f"postgres://{connection.conn_id}:5432",
            get_openlineage_database_dialect=lambda connection: "postgres",
            get_openlineage_default_schema=lambda: "public",
        )
        monkeypatch.setattr(sources, "sql_hook", lambda connection: hook)
        found = told(operator)
        assert names(found.inputs) == [("postgres://warehouse:5432", "shop.public.attendance")]
        assert (found.run_facets["parsed"], found.job_facets) == ("postgres", {"sql": "SELECT * FROM attendance"})
        assert set(found.run_facets) == {"parsed", "ghl_load"}

    def test_a_query_on_another(self, ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
        found = told(self.query(warehouse))
        assert found.inputs == []
        assert found.job_facets["sql"].query == "SELECT * FROM attendance"

    def test_a_hook_that_fails(self, ghl: Sandbox, attended: str, warehouse: Callable[..., None], connect: Connect) -> None:
        operator = self.query(warehouse)
        connect(warehouse=json.dumps({"conn_type": "no such"}))
        assert told(operator).job_facets["sql"].query == "SELECT * FROM attendance"


def test_without_the_provider_nothing_is_told(ghl: Sandbox, attended: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "airflow.providers.openlineage.extractors", None)
    operator = bulk(rows=PAIRS)
    run(operator)
    assert operator.get_openlineage_facets_on_complete(TaskInstance()) is None
