"""How a bulk load ends: what is pushed, what is raised, and what the message says."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from racing import wait_until
from running import PAIRS, TaskInstance, fail, run

from airflow_provider_ghl.operators.errors import (
    GHLMisconfigured,
    GHLQuotaSpent,
    GHLRetryable,
    GHLRowsFailed,
    GHLRowsRefused,
    GHLStopped,
    GHLTokenRefused,
    GHLTooFewRows,
)
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Fault, Sandbox

OUTCOMES = ["created", "already_exists", "repeated", "invalid", "unresolved", "rejected", "failed", "not_attempted"]
SUMMARY = {
    *("load_id", "rows", *OUTCOMES, "stopped_by", "requests", "retries", "rate_limited", "seconds", "daily_remaining"),
    *("results_path", "results_cut"),
}
RESULT = {
    *("row", "row_key", "location_id", "association_id", "first_record_id", "second_record_id", "outcome", "evidence"),
    *("relation_id", "status_code", "reason", "requests", "try_number", "trace_id"),
}
BAD = ("", "event-1")
MANY = [(f"contact-{row}", "event-1") for row in range(200)]
#: Seconds within which a load has ended after ``on_kill``; without it, each of these would take half a minute or more.
SOON = 20.0
IN_XCOM = "The rows that need attention are in this task's XCom 'results'."


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    arguments = {"association_key": "attended", **arguments}
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **arguments)


def outcomes(ti: TaskInstance) -> dict[str, int]:
    return {name: ti.xcoms["return_value"][name] for name in OUTCOMES if ti.xcoms["return_value"][name]}


class TestXComs:
    def test_a_green_load_returns_the_summary_and_pushes_results(self, ghl: Sandbox, attended: str) -> None:
        ti = TaskInstance(map_index=3, try_number=2)
        summary = run(bulk(), ti)
        assert set(summary) == SUMMARY
        assert summary["load_id"] == "a_dag/a_run/load/3"
        assert (summary["rows"], summary["created"], summary["requests"], summary["stopped_by"]) == (3, 3, 4, None)
        assert summary["daily_remaining"] == 200_000 - ghl.stats()["requests"]
        assert list(ti.xcoms) == ["results"]  # Airflow itself pushes what is returned
        assert all(set(result) == RESULT for result in ti.xcoms["results"])
        assert [result["row"] for result in ti.xcoms["results"]] == [0, 1, 2]
        assert {(r["location_id"], r["association_id"], r["try_number"]) for r in ti.xcoms["results"]} == {
            (ghl.location_id, attended, 2)
        }
        there = {r["id"]: (r["firstRecordId"], r["secondRecordId"]) for r in ghl.state.relations()}
        assert {r["relation_id"]: (r["first_record_id"], r["second_record_id"]) for r in ti.xcoms["results"]} == there

    def test_a_red_load_pushes_both_before_it_raises(self, ghl: Sandbox, attended: str) -> None:
        ti = TaskInstance()
        message = fail(bulk([*PAIRS, BAD]), GHLRowsRefused, ti)
        assert list(ti.xcoms) == ["results", "return_value"]
        assert set(ti.xcoms["return_value"]) == SUMMARY
        assert outcomes(ti) == {"created": 3, "invalid": 1}
        assert "1 of 4 rows failed" in message
        assert message.startswith("1 of 4 rows failed, all of them invalid: column 'first_record_id' is empty.\n4 rows: ")
        assert message.endswith(f".\n{IN_XCOM}")

    @pytest.mark.parametrize("rows", [PAIRS, [*PAIRS, BAD]])
    def test_nothing_is_pushed_where_xcom_is_off(self, ghl: Sandbox, attended: str, rows: Any) -> None:
        ti = TaskInstance()
        operator = bulk(rows, do_xcom_push=False)
        if rows == PAIRS:
            assert run(operator, ti)["created"] == 3
        else:
            assert "XCom" not in fail(operator, GHLRowsRefused, ti)
        assert ti.xcoms == {}

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({}, ""),
            ({"rows": [*PAIRS, BAD], "failure_tolerance": 1}, IN_XCOM),
            ({"rows": [*PAIRS, BAD], "failure_tolerance": 1, "xcom_results_limit": 0}, ""),
            ({"rows": [*PAIRS, BAD], "failure_tolerance": 1, "do_xcom_push": False}, ""),
            ({"max_requests": 2}, IN_XCOM),
            ({"results_path": "{0}/r.csv"}, "Every row's result is in {0}/r.csv."),
        ],
    )
    def test_where_the_rows_are_that_need_attention(
        self, ghl: Sandbox, attended: str, capsys: pytest.CaptureFixture[str], tmp_path: Any, arguments: Any, said: str
    ) -> None:
        run(bulk(**{name: v.format(tmp_path) if isinstance(v, str) else v for name, v in arguments.items()}))
        logged = capsys.readouterr().out
        assert ("need attention" in logged) is (said == IN_XCOM)
        assert said.format(tmp_path) in logged

    def test_a_red_load_that_keeps_no_rows_does_not_send_one_to_them(self, ghl: Sandbox, attended: str) -> None:
        assert "XCom" not in fail(bulk([*PAIRS, BAD], xcom_results_limit=0), GHLRowsRefused)
        assert "XCom" not in fail(bulk([], min_rows=4), GHLTooFewRows)

    @pytest.mark.parametrize(("limit", "kept"), [(0, []), (1, [1]), (2, [1, 3]), (3, [1, 3, 0]), (9, [1, 3, 0, 2])])
    def test_rows_that_need_attention_are_kept_first(self, ghl: Sandbox, attended: str, limit: int, kept: list[int]) -> None:
        ti = TaskInstance()
        rows = [PAIRS[0], BAD, PAIRS[1], ("contact-9", None)]
        summary = run(bulk(rows, xcom_results_limit=limit, failure_tolerance=2), ti)
        assert [result["row"] for result in ti.xcoms["results"]] == kept
        assert summary["results_cut"] is (limit < 4)

    def test_a_second_load_of_the_same_rows_creates_nothing(self, ghl: Sandbox, attended: str) -> None:
        run(bulk())
        ti = TaskInstance()
        summary = run(bulk(), ti)
        assert (summary["created"], summary["already_exists"]) == (0, 3)
        assert {result["evidence"] for result in ti.xcoms["results"]} == {"ledger"}
        assert (summary["requests"], ghl.state.count_relations()) == (1, 3)

    def test_without_a_task_instance(self, ghl: Sandbox, attended: str) -> None:
        assert bulk().execute({})["load_id"] == "//load/-1"


class TestTolerance:
    @pytest.mark.parametrize(
        ("tolerance", "is_green"), [(0, False), (1, False), (2, True), (0.39, False), (0.4, True), (0.99, True), (0.0, False)]
    )
    def test_rows_or_share(self, ghl: Sandbox, attended: str, tolerance: float, is_green: bool) -> None:
        operator = bulk([*PAIRS, BAD, ("c", None)], failure_tolerance=tolerance)
        if is_green:
            assert run(operator)["invalid"] == 2
        else:
            message = fail(operator, GHLRowsRefused)
            assert (f"More than failure_tolerance={tolerance} allows." in message) is bool(tolerance)

    @pytest.mark.parametrize("tolerance", [True, False, 1.0, 1.5, -1, -0.1, float("nan"), "1", None])
    def test_what_could_be_meant_either_way_is_refused_at_once(self, tolerance: Any) -> None:
        with pytest.raises(ValueError, match="failure_tolerance is a number of rows"):
            bulk(failure_tolerance=tolerance)

    def test_a_repeat_of_a_failed_row_fails_with_it(self, ghl: Sandbox, attended: str) -> None:
        ghl.state.add_record("contact", "somebody-else")
        assert "2 of 2 rows failed" in fail(bulk([PAIRS[0], PAIRS[0]], failure_tolerance=1), GHLRowsRefused)

    def test_failed_rows_are_worth_a_retry(self, ghl: Sandbox, attended: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """One row gets no answer for good; a definite refusal beside it does not make the task final."""
        ghl.add_fault(Fault("html_502", method="POST"))
        operator = bulk([PAIRS[0], BAD])
        operator.hook.get_conn().retry = type(operator.hook.get_conn().retry)(max_failures=1)
        ti = TaskInstance()
        assert "2 of 2 rows failed" in fail(operator, GHLRowsFailed, ti)
        assert outcomes(ti) == {"invalid": 1, "failed": 1}


class TestSource:
    def test_an_empty_source_is_green_with_a_warning(self, ghl: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(bulk([]))["rows"] == 0
        assert "the source has no rows: nothing was sent" in capsys.readouterr().out
        assert ghl.stats()["requests"] == 0

    @pytest.mark.parametrize(("rows", "batch_size"), [([], 1000), (PAIRS, 1000), (PAIRS, 2)])
    def test_fewer_rows_than_min_rows_are_red_before_anything_is_sent(
        self, ghl: Sandbox, attended: str, rows: Any, batch_size: int
    ) -> None:
        ti = TaskInstance()
        message = fail(bulk(rows, min_rows=4, batch_size=batch_size), GHLTooFewRows, ti)
        assert f"The source has {len(rows)} rows, fewer than min_rows=4: nothing was sent" in message
        assert ti.xcoms["return_value"]["not_attempted"] == len(rows)
        assert ghl.stats()["requests"] == 0

    def test_exactly_min_rows(self, ghl: Sandbox, attended: str) -> None:
        assert run(bulk(min_rows=3, batch_size=1))["created"] == 3


class TestStops:
    @pytest.mark.parametrize("most", [1, 2, 50])
    def test_max_requests(self, ghl: Sandbox, attended: str, most: int) -> None:
        ti = TaskInstance()
        summary = run(bulk(MANY, max_requests=most), ti)
        assert (summary["stopped_by"], summary["requests"]) == ("max_requests", most)
        assert (summary["created"], summary["not_attempted"]) == (most - 1, 200 - most + 1)
        assert ghl.stats()["requests"] == most

    @pytest.mark.parametrize("abort_after", [1, 5])
    def test_the_same_refusal_again_and_again(self, ghl: Sandbox, attended: str, abort_after: int) -> None:
        ghl.state.add_record("custom_objects.event", "another-event")
        for contact, _ in MANY:
            ghl.state.add_record("contact", contact)
        rows = [(contact, f"event-{row}") for row, (contact, _) in enumerate(MANY)]
        ti = TaskInstance()
        message = fail(bulk(rows, abort_after=abort_after), GHLRowsRefused, ti)
        assert "The same answer again and again" in message
        assert ti.xcoms["return_value"]["stopped_by"] == "abort"
        assert ghl.stats()["requests"] <= 1 + 2 * abort_after

    @pytest.mark.parametrize("how", ["token", "scope"])
    def test_a_token_that_is_refused_midway(self, ghl: Sandbox, attended: str, how: str) -> None:
        ghl.set_latency(0.005)
        operator = bulk(MANY, abort_after=5)

        def refuse() -> None:
            pause = threading.Event()
            while ghl.state.count_relations() < 20:
                pause.wait(0.001)
            if how == "token":
                ghl.revoke(ghl.token)
            else:
                ghl.set_scopes(ghl.token, {"associations.readonly"})

        watcher = threading.Thread(target=refuse)
        watcher.start()
        ti = TaskInstance()
        message = fail(operator, GHLTokenRefused, ti)
        watcher.join()
        counts = outcomes(ti)
        assert ti.xcoms["return_value"]["stopped_by"] == "token"
        assert sum(counts.values()) == 200
        assert counts["created"] == ghl.state.count_relations() >= 20
        assert ghl.token not in message

    def test_a_token_that_is_refused_at_once_costs_one_request(self, ghl: Sandbox, attended: str) -> None:
        ghl.revoke(ghl.token)
        ti = TaskInstance()
        assert "HighLevel does not accept the token" in fail(bulk(MANY), GHLTokenRefused, ti)
        assert outcomes(ti) == {"not_attempted": 200}
        assert ghl.stats()["requests"] == 1

    @pytest.mark.parametrize("sandbox", [{"daily_limit": 50, "daily_resets_in": 3600.0}], indirect=True)
    def test_the_days_quota(self, ghl: Sandbox, attended: str) -> None:
        ti = TaskInstance()
        message = fail(bulk(MANY), GHLQuotaSpent, ti)
        assert "The day's requests are spent; they are back in " in message
        counts = outcomes(ti)
        assert (ti.xcoms["return_value"]["stopped_by"], sum(counts.values())) == ("quota", 200)
        assert counts["created"] == ghl.state.count_relations()

    def test_a_wrong_association_names_those_there_are(self, ghl: Sandbox, attended: str) -> None:
        for wrong in ({"association_key": "attends"}, {"association_key": None, "association_id": "0" * 24}):
            ti = TaskInstance()
            message = fail(bulk(MANY, **wrong), GHLMisconfigured, ti)
            assert (
                "the keys there are: BUSINESSES_CONTACTS_ASSOCIATION, OPPORTUNITIES_CONTACTS_ASSOCIATION, attended" in message
            )
            assert outcomes(ti) == {"not_attempted": 200}

    @pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
    def test_an_association_of_another_location(self, ghl: Sandbox) -> None:
        other = ghl.state.add_location()
        association = ghl.state.add_association("attended", "contact", "event", "A", "B", location_id=other)
        message = fail(bulk(association_key=None, association_id=association), GHLMisconfigured)
        assert f"belongs to location {other}, not to {ghl.location_id}" in message

    @pytest.mark.parametrize(
        "sandbox", [{"latency": 0.2, "limit": 50}, {"limit": 10, "interval": 60.0}], indirect=True, ids=["slow", "limited"]
    )
    def test_on_kill_ends_it_soon_and_everything_is_accounted_for(self, ghl: Sandbox, attended: str) -> None:
        rows = [(f"contact-{row}", "event-1") for row in range(3000)]
        operator, ti = bulk(rows, batch_size=100), TaskInstance()
        stopped_at: list[float] = []

        def kill() -> None:
            pause = threading.Event()
            while ghl.state.count_relations() < 5:
                pause.wait(0.005)
            operator.on_kill()
            stopped_at.append(time.monotonic())

        killer = threading.Thread(target=kill)
        killer.start()
        message = fail(operator, GHLStopped, ti)
        took = time.monotonic() - stopped_at[0]
        killer.join()
        assert took < SOON
        assert message.startswith("The load was told to stop")
        assert issubclass(GHLStopped, GHLRetryable)
        counts = outcomes(ti)
        assert sum(counts.values()) == ti.xcoms["return_value"]["rows"]
        assert counts["created"] == ghl.state.count_relations()

    def test_on_kill_while_a_request_hangs(self, ghl: Sandbox, attended: str) -> None:
        ghl.add_fault(Fault("hang", method="POST", at={8}))
        operator, ti = bulk(MANY), TaskInstance()
        stopped_at: list[float] = []

        def kill() -> None:
            wait_until("a request hangs", lambda: bool(ghl.stats()["faults"]))
            stopped_at.append(time.monotonic())
            operator.on_kill()

        killer = threading.Thread(target=kill)
        killer.start()
        fail(operator, GHLStopped, ti)
        assert time.monotonic() - stopped_at[0] < SOON
        killer.join()
        counts = outcomes(ti)
        assert counts["failed"] == 1
        assert sum(counts.values()) == 200
