"""Assets of the scheme ``ghl``, and the counts in their events."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.models.asset import AssetEvent, AssetModel
from airflow.sdk import Asset, AssetAlias
from airflow.sdk.providers_manager_runtime import ProvidersManagerTaskRuntime
from airflow.utils.session import create_session
from dag_runs import dag_of, run_dag
from running import PAIRS, run
from seeing import Seen
from sqlalchemy import select

from airflow_provider_ghl.assets import create_asset
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, UndoLoadOperator
from airflow_provider_ghl.sandbox import Sandbox

LOCATION = "Xk2v7QpLr9TfBz4NwHd1"
URI = f"ghl://{LOCATION}/attended"


class TestUris:
    @pytest.mark.parametrize("uri", [URI, f"GHL://{LOCATION}/attended", f"ghl://{LOCATION}/Attended/", f"{URI}#part"])
    def test_one_name_for_one_association(self, uri: str) -> None:
        assert Asset(uri).uri == URI

    @pytest.mark.parametrize(
        "uri", [f"ghl://{LOCATION}", "ghl:///attended", f"{URI}/more", f"{URI}?a=b", f"ghl://me@{LOCATION}/a", "ghl://a:1/b"]
    )
    def test_what_cannot_be_right_is_told_where_the_dag_is_parsed(self, uri: str) -> None:
        with pytest.raises(ValueError, match="must be ghl://<location id>/<association key>"):
            Asset(uri)

    def test_the_factory(self) -> None:
        made = create_asset(location_id=LOCATION, association_key="Attended", extra={"a": 1})
        assert (made.uri, made.extra) == (URI, {"a": 1})
        with pytest.raises(ValueError, match="must be ghl://"):
            create_asset(location_id=LOCATION, association_key="")

    def test_airflow_knows_the_scheme(self) -> None:
        manager = ProvidersManagerTaskRuntime()  # type: ignore[no-untyped-call]
        assert manager.asset_factories["ghl"] is create_asset
        assert "ghl" in manager.asset_uri_handlers
        assert "ghl" in manager.asset_to_openlineage_converters


def ended(operator: Any) -> dict[Any, Any]:
    """What the events of a task's assets have when it has ended."""
    ti = Seen()
    run(operator, ti)
    return {asset: event.extra for asset, event in ti.events.items()}


class TestExtra:
    def bulk(self, *outlets: Any, **arguments: Any) -> BulkCreateRelationsOperator:
        arguments = {"rows": PAIRS, **arguments}
        return BulkCreateRelationsOperator(task_id="load", association_key="attended", outlets=[*outlets], **arguments)

    def test_every_asset_has_the_counts_and_an_alias_is_left_alone(self, ghl: Sandbox, attended: str) -> None:
        ours, theirs = Asset(f"ghl://{ghl.location_id}/attended"), Asset("s3://bucket/flag")
        found = ended(self.bulk(ours, theirs, AssetAlias("some")))
        assert set(found) == {ours, theirs}
        assert found[ours] == found[theirs]
        assert (found[ours]["load_id"], found[ours]["rows"], found[ours]["created"]) == ("a_dag/a_run/load/-1", 3, 3)
        assert set(found[ours]) & {"results_path", "locations", "plan_only", "daily_remaining"} == set()

    def test_of_several_sub_accounts_only_how_many(self, ghl: Sandbox, attended: str) -> None:
        rows = [{"first_record_id": "contact-1", "second_record_id": "event-1", "location": ghl.location_id}]
        asset = Asset("table")
        assert ended(self.bulk(asset, rows=rows, location_column="location"))[asset]["locations"] == 1

    def test_a_plan_says_that_it_is_one(self, ghl: Sandbox, attended: str) -> None:
        asset = Asset("table")
        assert ended(self.bulk(asset, plan_only=True))[asset]["plan_only"] is True

    def test_a_load_that_is_taken_back(self, ghl: Sandbox, attended: str) -> None:
        run(self.bulk())
        asset = Asset("table")
        found = ended(UndoLoadOperator(task_id="undo", load_id="1", outlets=[asset]))[asset]
        assert (found["load"], found["deletes"]["deleted"]) == (1, 3)

    def test_an_asset_that_nobody_knows_is_no_failure(self, ghl: Sandbox, attended: str, shown: Any) -> None:
        class Broken:
            def __getitem__(self, key: Any) -> Any:
                raise RuntimeError("a secret")

        assert run(self.bulk(Asset("table")), Seen(events=Broken()))["created"] == 3
        assert "has no counts (RuntimeError)" in shown()


@pytest.mark.usefixtures("database", "attended")
def test_airflow_keeps_the_counts(ghl: Sandbox) -> None:
    uri = f"ghl://{ghl.location_id}/attended"

    def build() -> None:
        for name, rows in (("green", PAIRS), ("red", [("", "event-1")])):
            BulkCreateRelationsOperator(task_id=name, association_key="attended", rows=rows, outlets=[Asset(uri)])

    run_dag(dag_of(build, "has_assets"))
    with create_session() as session:
        events = session.scalars(select(AssetEvent).join(AssetModel, AssetModel.id == AssetEvent.asset_id)).all()
        found = [(event.source_task_id, event.extra["rows"], event.extra["created"]) for event in events]
    assert found == [("green", 3, 3)]
