"""The buttons on a task instance, and the page that a message names."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import BaseOperator, task
from connecting import Connect
from dag_runs import dag_of, run_dag
from running import PAIRS, TaskInstance, fail, run

from airflow_provider_ghl.api.app_pages import contact_page
from airflow_provider_ghl.get_provider_info import get_provider_info
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.operators import links
from airflow_provider_ghl.operators.associations import GetAssociationOperator
from airflow_provider_ghl.operators.errors import (
    GHLMisconfigured,
    GHLRequestRefused,
    GHLRowsRefused,
    GHLTokenRefused,
    GHLTooFewRows,
)
from airflow_provider_ghl.operators.locations import ListLocationsOperator
from airflow_provider_ghl.operators.relations import (
    BulkCreateRelationsOperator,
    CreateRelationOperator,
    DeleteRelationOperator,
    SyncRelationsOperator,
    UndoLoadOperator,
)
from airflow_provider_ghl.sandbox import Sandbox

APP = "https://app.gohighlevel.com"
BAD = ("", "event-1")
CONTACT, EVENT = "abcDEFghiJKLmnoPQRst", "65f0c0ffee65f0c0ffee65f0"
AIRFLOW = "https://airflow.example.com/base/"


def buttons(operator: BaseOperator, ti: TaskInstance | None = None) -> dict[str, str]:
    """The buttons that Airflow shows after the task, by their class."""
    key: Any = ti or TaskInstance()
    found = {type(link).__name__: link.get_link(operator, ti_key=key) for link in operator.operator_extra_links}
    return {name: address for name, address in found.items() if address}


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    arguments = {"association_key": "attended", **arguments}
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **arguments)


def sub_account(ghl: Sandbox, app: str = APP) -> str:
    return f"{app}/v2/location/{ghl.location_id}/dashboard"


@pytest.fixture
def base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", AIRFLOW)


class TestLoads:
    @pytest.mark.parametrize(("base", "before"), [(None, ""), ("/", ""), (AIRFLOW, "https://airflow.example.com/base")])
    def test_the_page_below_airflows_own_address(
        self, ghl: Sandbox, attended: str, monkeypatch: pytest.MonkeyPatch, base: str | None, before: str
    ) -> None:
        if base is not None:
            monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
        load = bulk()
        ti = TaskInstance(run_id="manual__2026-11-27T20:00:00+00:00", map_index=2)
        run(load, ti)
        query = "dag_id=a_dag&run_id=manual__2026-11-27T20%3A00%3A00%2B00%3A00"
        assert buttons(load, ti) == {
            "GHLLoadLink": f"{before}/ghl/task?{query}&task_id=load&map_index=2",
            "GHLLocationLink": sub_account(ghl),
        }
        assert buttons(load, TaskInstance())["GHLLoadLink"].endswith("run_id=a_run&task_id=load")

    def test_after_a_red_end(self, ghl: Sandbox, attended: str) -> None:
        load = bulk([BAD])
        fail(load, GHLRowsRefused)
        assert set(buttons(load)) == {"GHLLoadLink", "GHLLocationLink"}

    def test_a_connection_that_cannot_be_right(self, ghl: Sandbox) -> None:
        load = bulk(ghl_conn_id="nowhere")
        fail(load, GHLMisconfigured)
        assert set(buttons(load)) == {"GHLLoadLink"}

    def test_before_the_connection_is_read(self) -> None:
        assert set(buttons(bulk())) == {"GHLLoadLink"}

    def test_of_several_sub_accounts_there_is_no_one_to_open(self, ghl: Sandbox, attended: str) -> None:
        rows = [{"first_record_id": "contact-1", "second_record_id": "event-1", "location": ghl.location_id}]
        load = bulk(rows, location_column="location")
        run(load)
        assert set(buttons(load)) == {"GHLLoadLink"}

    def test_none_where_xcom_is_off(self, ghl: Sandbox, attended: str) -> None:
        load = bulk(do_xcom_push=False)
        run(load)
        assert list(load.operator_extra_links) == []

    def test_a_mirror_has_the_same(self) -> None:
        assert SyncRelationsOperator.operator_extra_links == BulkCreateRelationsOperator.operator_extra_links


class TestUndo:
    PAGE = "https://airflow.example.com/base/ghl/loads/1"

    @pytest.mark.parametrize("load_id", ["1", "a_dag/a_run/load/-1"])
    def test_the_page_of_the_load_that_is_taken_back(self, ghl: Sandbox, attended: str, base_url: None, load_id: str) -> None:
        run(bulk())
        undo = UndoLoadOperator(task_id="undo", load_id=load_id)
        assert buttons(undo) == ({"GHLLoadLink": self.PAGE} if load_id == "1" else {})
        run(undo)
        assert buttons(undo) == {"GHLLoadLink": self.PAGE}

    def test_a_red_one_names_it(self, ghl: Sandbox, attended: str, base_url: None) -> None:
        run(bulk())
        ghl.revoke(ghl.token)
        message = fail(UndoLoadOperator(task_id="undo", load_id="1"), GHLTokenRefused)
        assert message.endswith(f"\nSee {self.PAGE}")


class TestMessages:
    def test_a_red_load_names_its_page(self, ghl: Sandbox, attended: str, base_url: None) -> None:
        message = fail(bulk([*PAIRS, BAD]), GHLRowsRefused)
        page = "https://airflow.example.com/base/ghl/task?dag_id=a_dag&run_id=a_run&task_id=load"
        assert message.splitlines()[-1] == f"See {page}"

    def test_not_where_airflows_address_is_unknown(self, ghl: Sandbox, attended: str) -> None:
        assert "See " not in fail(bulk([BAD]), GHLRowsRefused)

    def test_not_where_the_ledger_has_no_such_load(self, ghl: Sandbox, attended: str, base_url: None) -> None:
        assert "See " not in fail(bulk([BAD], association_id="both"), GHLMisconfigured)
        assert "See " not in fail(bulk([BAD], min_rows=2), GHLTooFewRows)

    def test_a_green_load_with_failures_logs_it(
        self, ghl: Sandbox, attended: str, base_url: None, shown: Callable[[], str]
    ) -> None:
        run(bulk([*PAIRS, BAD], failure_tolerance=1))
        assert shown().count("See https://airflow.example.com/base/ghl/task?") == 1
        run(bulk(), TaskInstance(run_id="another"))
        assert "run_id=another" not in shown()


class TestRecords:
    """A record is offered only where it is known to be a contact: nothing else has an address that is certain."""

    @pytest.fixture(autouse=True)
    def records(self, ghl: Sandbox, attended: str) -> None:
        ghl.state.add_record("contact", CONTACT)
        ghl.state.add_record("custom_objects.event", EVENT)

    def one(self, kind: type[Any] = CreateRelationOperator, **arguments: Any) -> Any:
        ids = {"first_record_id": CONTACT, "second_record_id": EVENT}
        if "association_id" not in arguments:
            arguments["association_key"] = "attended"
        return kind(task_id="one", **{**ids, **arguments})

    def contact(self, ghl: Sandbox) -> str:
        return f"{APP}/v2/location/{ghl.location_id}/contacts/detail/{CONTACT}"

    @pytest.mark.parametrize("kind", [CreateRelationOperator, DeleteRelationOperator])
    def test_the_contact(self, ghl: Sandbox, kind: type[Any]) -> None:
        operator = self.one(kind)
        run(operator)
        assert buttons(operator) == {"GHLLocationLink": sub_account(ghl), "GHLFirstContactLink": self.contact(ghl)}

    def test_the_other_way_round(self, ghl: Sandbox) -> None:
        operator = self.one(first_record_id=EVENT, second_record_id=CONTACT, second_object_key="contact")
        run(operator)
        assert buttons(operator) == {"GHLLocationLink": sub_account(ghl), "GHLSecondContactLink": self.contact(ghl)}

    def test_by_keys_the_link_has_the_id(self, ghl: Sandbox) -> None:
        ann = ghl.add("contact", email="ann@example.org")
        ghl.add("custom_objects.event", code="E1")
        lookups: dict[str, Any] = {
            "first_lookup": Contact(by="email"),
            "second_lookup": CustomObject("custom_objects.event", by="code"),
        }
        operator = self.one(first_record_id="ann@example.org", second_record_id="E1", **lookups)
        run(operator)
        assert buttons(operator)["GHLFirstContactLink"] == contact_page(APP, ghl.location_id, ann)
        assert "example.org" not in str(buttons(operator))

    def test_after_a_refusal(self, ghl: Sandbox) -> None:
        operator = self.one(second_record_id=EVENT[::-1])
        fail(operator, GHLRequestRefused)
        assert "GHLFirstContactLink" in buttons(operator)

    def test_not_where_the_objects_are_unknown(self, ghl: Sandbox, attended: str) -> None:
        operator = self.one(association_id=attended)
        run(operator)
        assert set(buttons(operator)) == {"GHLLocationLink"}

    def test_not_what_cannot_be_an_id(self, ghl: Sandbox) -> None:
        operator = self.one(first_record_id="no id at all")
        fail(operator, GHLRequestRefused)
        assert set(buttons(operator)) == {"GHLLocationLink"}


class TestApp:
    def test_an_agencys_own_domain(self, ghl: Sandbox, attended: str, connect: Connect) -> None:
        fields = json.loads(ghl.connection_json)
        fields["extra"]["app_url"] = "https://crm.example.com/"
        connect(ghl_default=json.dumps(fields))
        operator = GetAssociationOperator(task_id="get", association_key="attended")
        run(operator)
        assert buttons(operator) == {"GHLLocationLink": sub_account(ghl, "https://crm.example.com")}

    def test_ids_are_quoted(self) -> None:
        assert contact_page(APP, "a/b", "c?d") == f"{APP}/v2/location/a%2Fb/contacts/detail/c%3Fd"

    def test_a_list_of_sub_accounts_has_none(self) -> None:
        assert list(ListLocationsOperator(task_id="list").operator_extra_links) == []


def test_airflow_is_told_of_all() -> None:
    told = {name.rpartition(".")[2] for name in get_provider_info()["extra-links"]}
    assert told == set(links.__all__)


@pytest.mark.usefixtures("database", "attended")
def test_airflow_keeps_them(ghl: Sandbox) -> None:
    def build() -> None:
        @task
        def tables() -> list[list[tuple[str, str]]]:
            return [PAIRS, [BAD]]

        BulkCreateRelationsOperator.partial(task_id="mapped", association_key="attended").expand(rows=tables())
        BulkCreateRelationsOperator(task_id="quiet", association_key="attended", rows=PAIRS, do_xcom_push=False)

    finished = run_dag(dag_of(build, "has_links"))
    assert finished.states["mapped", 1] == "failed"
    for index in (0, 1):
        assert f"&map_index={index}" in finished.xcom("mapped", "_link_GHLLoadLink", index)
        assert finished.xcom("mapped", "_link_GHLLocationLink", index) == sub_account(ghl)
    assert finished.xcom("quiet", "_link_GHLLoadLink") is None
