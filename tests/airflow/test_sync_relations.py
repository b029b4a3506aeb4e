"""``SyncRelationsOperator``: what leaves the table leaves HighLevel, and every morning tells what was done."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas
import pytest
from agencies import Agency
from airflow.sdk import DAG
from keyed_tables import BY_EMAIL, BY_NUMBER, add_people, holds
from running import PAIRS, TaskInstance, defer, fail, run

from airflow_provider_ghl.exceptions import ConfigurationError, RequestRejected
from airflow_provider_ghl.operators.errors import GHLGuardTripped, GHLRowsRefused, GHLTokenRefused, GHLUnavailable
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, SyncRelationsOperator
from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("ledger")

FREE: dict[str, Any] = {"max_deletes": None, "max_delete_share": None}
Pair = tuple[str, str]
HAND = ("contact-1", "by hand")
#: After so many of them in a row a request has failed.
FAILURES = 6
MANY = [(f"contact-{number % 5}", f"event-{number}") for number in range(60)]


def sync(rows: Any, **arguments: Any) -> SyncRelationsOperator:
    arguments = {"association_key": "attended", **FREE, **arguments}
    return SyncRelationsOperator(task_id="sync", rows=rows, **arguments)


def morning(rows: Any, day: str, ti: TaskInstance | None = None, **arguments: Any) -> Any:
    ti = ti or TaskInstance()
    ti.run_id = day
    return run(sync(rows, **arguments), ti)


def pairs(ghl: Sandbox) -> set[Pair]:
    return {(str(one["firstRecordId"]), str(one["secondRecordId"])) for one in ghl.state.relations()}


def deletes(summary: Any) -> dict[str, int]:
    return {name: count for name, count in summary["deletes"].items() if count}


def watched(operator: SyncRelationsOperator, watch: Callable[[Any, Callable[[Any], Any]], Any]) -> SyncRelationsOperator:
    """The operator, with something that happens around each request."""
    client: Any = operator.hook.get_conn()
    send = client.send_once
    client.send_once = lambda call, *args: watch(call, lambda sent: send(sent, *args))
    return operator


@pytest.fixture
def monday(ghl: Sandbox, attended: str) -> str:
    """After a first morning, and a relation that somebody made by hand. The association's id."""
    summary = morning(MANY, "monday")
    assert (summary["created"], deletes(summary)) == (60, {})
    ghl.state.add_relation(attended, *HAND)
    return attended


def test_three_mornings(ghl: Sandbox, monday: str) -> None:
    """Rows leave, one is corrected, and what was made by hand stays."""
    corrected = [*MANY[2:], ("contact-0", "the right event")]
    ti = TaskInstance()
    summary = morning(corrected, "tuesday", ti)
    assert (summary["created"], deletes(summary)) == (1, {"planned": 2, "deleted": 2})
    assert pairs(ghl) == {*corrected, HAND}
    last = sorted(ti.xcoms["results"][-2:], key=lambda one: str(one["second_record_id"]))
    assert [(one["row"], one["second_record_id"], one["outcome"]) for one in last] == [
        (None, "event-0", "deleted"),
        (None, "event-1", "deleted"),
    ]
    before = ghl.stats()["requests"]
    summary = morning(corrected, "wednesday")
    assert (summary["already_exists"], deletes(summary), ghl.stats()["requests"] - before) == (59, {}, 1)
    # What comes back is made again.
    summary = morning(MANY, "thursday")
    assert (summary["created"], deletes(summary)) == (2, {"planned": 1, "deleted": 1})
    assert pairs(ghl) == {*MANY, HAND}


def test_what_a_bulk_load_made_before_is_its_own(ghl: Sandbox, attended: str) -> None:
    run(BulkCreateRelationsOperator(task_id="sync", rows=MANY, association_key="attended"), TaskInstance(run_id="sunday"))
    assert deletes(morning(MANY[1:], "monday")) == {}
    assert deletes(morning(MANY[1:], "tuesday")) == {"planned": 1, "deleted": 1}


@pytest.mark.parametrize("parent", ["first", "second"])
def test_by_keys_whose_sides_are_stored_the_other_way_round(ghl: Sandbox, parent: str) -> None:
    holds(ghl)
    people = add_people(ghl, 6)
    rows = [(f"P-{number}", f"p{number}@example.org") for number in range(6)]
    rows += [("P-0", "p1@example.org"), ("P-1", "p0@example.org")]
    arguments: dict[str, Any] = {
        "association_key": "holds",
        "first_lookup": BY_NUMBER,
        "second_lookup": BY_EMAIL,
        "parent": parent,
    }
    assert morning(rows, "monday", **arguments)["created"] == 8
    ti = TaskInstance()
    summary = morning([*rows[:6], rows[7]], "tuesday", ti, **arguments)
    assert deletes(summary) == {"planned": 1, "deleted": 1}
    assert len(pairs(ghl)) == 7
    assert ti.xcoms["results"][-1]["outcome"] == "deleted"
    assert "@" not in json.dumps(ti.xcoms["results"])
    assert people


def test_two_sub_accounts_one_with_a_parent_that_is_not_known(agency: Agency) -> None:
    state = agency.sandbox.state
    for one in agency.installed:
        state.add_association("attended", "contact", "custom_objects.event", "A", "B", location_id=one)
    first, second = sorted(agency.installed)[:2]

    def rows_of(*pairs: Pair) -> list[dict[str, str]]:
        return [{"at": at, "first_record_id": a, "second_record_id": b} for at in (first, second) for a, b in pairs]

    given: dict[str, Any] = {"ghl_conn_id": "ghl_agency", "location_column": "at", "failure_tolerance": 1}
    assert morning(rows_of(*PAIRS), "monday", **given)["created"] == 6
    bad = {"at": second, "first_record_id": "", "second_record_id": "event-1"}
    summary = morning([*rows_of(*PAIRS[1:]), bad], "tuesday", **given)
    assert deletes(summary) == {"planned": 1, "deleted": 1, "kept": 1}
    counts = [len(state.relations(location_id=one)) for one in (first, second)]
    assert counts == [2, 3]
    # Nobody knows where a row without a sub-account belongs: nothing goes anywhere.
    nowhere = {"at": "", "first_record_id": "contact-1", "second_record_id": "event-1"}
    assert deletes(morning([*rows_of(*PAIRS[2:]), nowhere], "wednesday", **given)) == {}


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_the_results_file_has_deletions_after_the_rows(ghl: Sandbox, monday: str, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"results.{ending}"
    summary = morning(MANY[2:], "tuesday", results_path=path, row_key_column=None)
    assert summary["results_path"] == str(path)
    read: dict[str, Any] = {
        "csv": pandas.read_csv,
        "parquet": pandas.read_parquet,
        "jsonl": lambda file: pandas.read_json(file, lines=True),
    }
    frame = read[ending](path)
    assert len(frame) == 58 + 2
    assert frame["row"][:58].astype(int).tolist() == list(range(58))
    assert frame["row"][58:].isna().all()
    assert frame["outcome"][58:].tolist() == ["deleted", "deleted"]
    assert set(frame["second_record_id"][58:]) == {"event-0", "event-1"}


def test_the_results_are_cut(ghl: Sandbox, monday: str) -> None:
    ti = TaskInstance()
    summary = morning(MANY[3:], "tuesday", ti, xcom_results_limit=58)
    assert (summary["results_cut"], len(ti.xcoms["results"]), summary["deletes"]["deleted"]) == (True, 58, 3)


def test_nothing_is_pushed_where_that_is_not_wanted(ghl: Sandbox, monday: str) -> None:
    ti = TaskInstance()
    assert deletes(morning(MANY[1:], "tuesday", ti, do_xcom_push=False)) == {"planned": 1, "deleted": 1}
    assert ti.xcoms == {}


class TestPlans:
    def test_a_plan_is_applied_as_a_template(self, ghl: Sandbox, monday: str) -> None:
        rows = [*MANY[2:], ("contact-0", "new")]
        before = pairs(ghl)
        plan = morning(rows, "plan", plan_only=True)
        assert pairs(ghl) == before
        assert (deletes(plan), plan["plan"]["requests"]) == ({"planned": 2, "not_attempted": 2}, 1 + 1 + 2)
        with DAG("syncing"):
            operator = sync(rows, apply_plan="{{ params.plan }}")
        operator.render_template_fields({"params": {"plan": plan["plan_id"]}})
        assert deletes(run(operator, TaskInstance(run_id="tuesday"))) == {"planned": 2, "deleted": 2}
        assert pairs(ghl) == {*rows, HAND}

    def test_drift_is_named_before_anything_is_sent(self, ghl: Sandbox, monday: str) -> None:
        plan = morning(MANY[2:], "plan", plan_only=True)["plan_id"]
        writes = ghl.stats()["writes"]
        ti = TaskInstance(run_id="tuesday")
        message = fail(sync([*MANY[3:], ("contact-0", "new")], apply_plan=plan), GHLGuardTripped, ti)
        assert "the table and what would be sent and what would be deleted differ from the plan" in message
        assert ghl.stats()["writes"] == writes
        assert pairs(ghl) == {*MANY, HAND}

    def test_a_plan_that_cannot_be_made_again_sends_nothing(self, ghl: Sandbox, monday: str) -> None:
        rows = [*MANY[2:], ("contact-0", "new")]
        plan = morning(rows, "plan", plan_only=True)["plan_id"]
        ghl.add_fault(Fault("timeout_401", path="/associations/key/*", times=FAILURES))
        fail(sync(rows, apply_plan=plan), GHLUnavailable, TaskInstance(run_id="tuesday"))
        assert pairs(ghl) == {*MANY, HAND}


class TestRed:
    @pytest.mark.parametrize("guard", [{"max_deletes": 9}, {"max_delete_share": 0.1}])
    def test_a_guard(self, ghl: Sandbox, monday: str, guard: dict[str, Any]) -> None:
        ti = TaskInstance(run_id="tuesday")
        message = fail(sync(MANY[10:], **guard), GHLGuardTripped, ti)
        assert "10 " in message
        assert "would be deleted" in message
        assert deletes(ti.xcoms["return_value"]) == {"planned": 10}
        assert pairs(ghl) == {*MANY, HAND}

    def test_the_guards_are_on_unless_they_are_told_otherwise(self, ghl: Sandbox, monday: str) -> None:
        operator = SyncRelationsOperator(task_id="sync", rows=MANY[30:], association_key="attended")
        assert (operator.max_deletes, operator.max_delete_share) == (100, 0.1)
        fail(operator, GHLGuardTripped, TaskInstance(run_id="tuesday"))

    def test_what_is_gone_already(self, ghl: Sandbox, monday: str) -> None:
        for relation in ghl.state.relations():
            if relation["secondRecordId"] == "event-0":
                ghl.state.remove_relation(str(relation["id"]))
        assert deletes(morning(MANY[1:], "tuesday")) == {"planned": 1, "already_gone": 1}

    def test_a_refused_delete(self, ghl: Sandbox, monday: str) -> None:
        """Refused for good: another try would be refused as well."""

        def refuse(call: Any, send: Any) -> Any:
            if call.method != "DELETE":
                return send(call)
            return replace(send(replace(call, path=f"{call.path}0")), result=RequestRejected("Relation is locked", status=400))

        operator, ti = watched(sync(MANY[1:]), refuse), TaskInstance(run_id="tuesday")
        assert "1 of 1 delete failed" in fail(operator, GHLRowsRefused, ti)
        assert deletes(ti.xcoms["return_value"]) == {"planned": 1, "rejected": 1}
        assert "Relation is locked" in ti.xcoms["results"][-1]["reason"]
        assert pairs(ghl) == {*MANY, HAND}

    def test_a_token_that_is_revoked_amid_the_deletes(self, ghl: Sandbox, monday: str) -> None:
        sent: list[str] = []

        def revoke(call: Any, send: Any) -> Any:
            sent.append(call.method)
            if sent.count("DELETE") == 10:
                ghl.revoke(ghl.token)
            return send(call)

        operator, ti = watched(sync(MANY[40:]), revoke), TaskInstance(run_id="tuesday")
        fail(operator, GHLTokenRefused, ti)
        counted = deletes(ti.xcoms["return_value"])
        assert counted["planned"] == 40
        assert counted["deleted"] == 61 - len(pairs(ghl)) < 40
        assert sum(counted.values()) == 80
        assert {*MANY[40:], HAND} <= pairs(ghl)

    @pytest.mark.parametrize("sandbox", [{"daily_limit": 100, "daily_resets_in": 3600.0}], indirect=True)
    def test_a_quota_that_is_spent_amid_the_deletes_is_waited_for(self, ghl: Sandbox, monday: str) -> None:
        ti = TaskInstance(run_id="tuesday")
        deferred = defer(sync(MANY[40:], deferrable=True), ti)
        assert deferred.method_name == "resume"
        counted = deletes(ti.xcoms["return_value"])
        assert counted["deleted"] > 0
        assert counted["not_attempted"] > 0
        ghl.spend_daily(-100)
        summary = run(sync(MANY[40:], deferrable=True), ti, is_resumed=True)
        assert deletes(summary)["deleted"] == 40 - counted["deleted"]
        assert pairs(ghl) == {*MANY[40:], HAND}


class TestOwnedByAll:
    def test_a_parent_with_thousands_of_relations(self, ghl: Sandbox, attended: str) -> None:
        """Also while others add to it."""
        for number in range(2_500):
            ghl.state.add_relation(attended, "hub", f"event-{number}")
        rows = [("hub", f"event-{number}") for number in range(2_450)]
        given: dict[str, Any] = {"owned": "all", "diff_against": "highlevel"}
        assert deletes(morning(rows, "monday", **given)) == {}
        before = ghl.stats()["requests"]
        summary = morning(rows, "tuesday", **given | {"diff_against": "ledger"})
        assert deletes(summary) == {"planned": 50, "deleted": 50}
        assert ghl.stats()["requests"] - before == 1 + 26 + 50  # pages overlap by one
        assert pairs(ghl) == set(rows)

    def test_relations_that_are_added_while_it_reads(self, ghl: Sandbox, attended: str) -> None:
        rows = [("hub", f"event-{number}") for number in range(450)]
        assert deletes(morning(rows, "monday", owned="all")) == {}
        added: list[str] = []

        def add(call: Any, send: Any) -> Any:
            if call.method == "GET" and call.template.endswith("{recordId}") and len(added) < 3:
                added.append(ghl.state.add_relation(attended, "hub", f"new-{len(added)}"))
            return send(call)

        summary = run(watched(sync(rows[5:], owned="all"), add), TaskInstance(run_id="tuesday"))
        assert deletes(summary)["deleted"] >= 5
        assert set(rows[5:]) <= pairs(ghl)
        assert not set(rows[:5]) & pairs(ghl)


@pytest.mark.parametrize(
    "wrong",
    [
        {"parent": "third"},
        {"owned": "mine"},
        {"max_deletes": -1},
        {"max_deletes": True},
        {"max_delete_share": 1.5},
        {"max_delete_share": "0.1"},
        {"parent": "association", "owned": "all"},
    ],
)
def test_arguments_that_are_refused_when_the_dag_is_parsed(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        sync(PAIRS, **wrong)


def test_bad_rows_are_red_and_keep_their_parents(ghl: Sandbox, monday: str) -> None:
    ti = TaskInstance(run_id="tuesday")
    fail(sync([*MANY[2:], ("contact-0", "")], ledger_max_age=timedelta(days=30)), GHLRowsRefused, ti)
    assert deletes(ti.xcoms["return_value"]) == {"planned": 1, "deleted": 1, "kept": 1}
    assert MANY[0] in pairs(ghl)
