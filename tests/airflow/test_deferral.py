"""A load whose day is spent: what it leaves behind, when it comes back, and how it goes on."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from connecting import Connect
from requests_mock import ANY
from running import TaskInstance, defer, fail, run
from waiting import A_DAY, OUTCOMES, another_day, bulk, bulk_of, pairs, rows_of, wait_of, writes

from airflow_provider_ghl.operators.errors import GHLQuotaSpent, GHLRetryable, GHLStopped
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = [
    pytest.mark.usefixtures("attended"),
    pytest.mark.parametrize("sandbox", [{"daily_limit": A_DAY, "daily_resets_in": 3600.0}], indirect=True),
]
STATE = "SELECT end, deferred_since IS NOT NULL FROM ghl_loads"


def counts(summary: dict[str, Any]) -> dict[str, int]:
    assert summary["rows"] == sum(summary[outcome] for outcome in OUTCOMES)
    return {outcome: summary[outcome] for outcome in OUTCOMES if summary[outcome]}


def sent_twice(ghl: Sandbox) -> int:
    """HighLevel's answer to a pair that is there is a 400."""
    return ghl.stats()["by_status"].get("400", 0)


class TestBefore:
    """What stands when the slot is freed."""

    def test_it_waits_for_the_reset_that_highlevel_announces(self, ghl: Sandbox, ledger: Path) -> None:
        deferred = defer(bulk())
        assert type(deferred.trigger) is DateTimeTrigger
        assert 3500 < wait_of(deferred) < 3600 + 60
        assert deferred.trigger.moment.utcoffset() == timedelta(0)
        assert (deferred.method_name, deferred.kwargs) == ("resume", None)
        assert deferred.timeout == timedelta(days=7, hours=1)

    def test_results_are_pushed_written_and_noted(self, ghl: Sandbox, ledger: Path, tmp_path: Path) -> None:
        ti, results = TaskInstance(), tmp_path / "results.csv"
        defer(bulk(results_path=results), ti)
        assert list(ti.xcoms) == ["results", "return_value"]
        summary = ti.xcoms["return_value"]
        assert (summary["stopped_by"], summary["results_path"]) == ("quota", str(results))
        assert counts(summary) == {"created": A_DAY - 1, "not_attempted": 31}
        assert ghl.state.count_relations() == A_DAY - 1
        with results.open(newline="") as file:
            written = [row["outcome"] for row in csv.DictReader(file)]
        assert (len(written), written.count("created")) == (80, A_DAY - 1)
        assert rows_of(ledger, STATE) == [("deferred", 1)]
        assert rows_of(ledger, "SELECT count(*) FROM ghl_relations WHERE state = 0") == [(0,)], "claims were given back"

    def test_nothing_is_pushed_where_xcom_is_off(self, ghl: Sandbox, ledger: Path) -> None:
        ti = TaskInstance()
        defer(bulk(do_xcom_push=False), ti)
        assert ti.xcoms == {}

    def test_the_log_says_until_when(self, ghl: Sandbox, ledger: Path, capsys: pytest.CaptureFixture[str]) -> None:
        deferred = defer(bulk())
        until = deferred.trigger.moment.strftime("%Y-%m-%d %H:%M:%S")
        assert f"Waiting in the triggerer until {until} UTC." in capsys.readouterr().out

    def test_the_very_first_request_may_find_it_spent(self, ghl: Sandbox, ledger: Path) -> None:
        ghl.spend_daily(A_DAY)
        ti = TaskInstance()
        assert 3500 < wait_of(defer(bulk(), ti)) < 3600 + 60
        assert counts(ti.xcoms["return_value"]) == {"not_attempted": 80}
        assert ti.xcoms["return_value"]["requests"] == ghl.stats()["requests"] == 1
        assert rows_of(ledger, STATE) == [("deferred", 1)]

    def test_what_is_left_to_others_is_waited_for_as_well(self, ghl: Sandbox, ledger: Path, connect: Connect) -> None:
        said = json.loads(ghl.connection_json)
        connect(ghl_default=json.dumps({**said, "extra": {"location_id": ghl.location_id, "daily_reserve": 20}}))
        ti = TaskInstance()
        assert 3500 < wait_of(defer(bulk(), ti)) < 3600 + 60
        assert ghl.stats()["requests"] == A_DAY - 20
        assert ti.xcoms["return_value"]["daily_remaining"] == 20
        ghl.spend_daily(-30)
        defer(bulk(), ti, is_resumed=True)
        assert ghl.stats()["requests"] == 2 * (A_DAY - 20)
        assert counts(ti.xcoms["return_value"]) == {"created": 58, "not_attempted": 22}


class TestMoment:
    @pytest.mark.parametrize("said", [None, "", "soon", "-5", "1795000000000"], ids=str)
    def test_without_a_word_that_makes_sense_it_is_midnight(
        self, ghl: Sandbox, ledger: Path, requests_mock: Any, said: str | None
    ) -> None:
        headers = {"x-ratelimit-daily-remaining": "0", "x-ratelimit-limit-daily": "200000"}
        headers |= {} if said is None else {"x-ratelimit-daily-reset": said}
        requests_mock.get(ANY, status_code=429, json={"message": "Too Many Requests"}, headers=headers)
        before = datetime.now(UTC)
        moment = defer(bulk()).trigger.moment
        midnight = before.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        least = max(midnight, before + timedelta(minutes=1))
        assert least <= moment <= least + timedelta(minutes=1, seconds=30)

    def test_it_is_a_minute_at_least(self, ghl: Sandbox, ledger: Path, requests_mock: Any) -> None:
        headers = {"x-ratelimit-daily-remaining": "0", "x-ratelimit-daily-reset": "5"}
        requests_mock.get(ANY, status_code=429, json={}, headers=headers)
        waits = [wait_of(defer(bulk())) for _ in range(5)]
        assert all(30 < wait < 121 for wait in waits)
        assert len({round(wait, 3) for wait in waits}) > 1, "tasks that wait for the same moment come one after the other"


class TestAfter:
    """What ``resume`` makes of it, on another instance of the operator."""

    def test_it_goes_on_and_sends_nothing_twice(
        self, ghl: Sandbox, ledger: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        ti = TaskInstance()
        defer(bulk(), ti)
        another_day(ghl)
        capsys.readouterr()
        results = tmp_path / "results.csv"
        summary = run(bulk(results_path=results), ti, is_resumed=True)
        assert counts(summary) == {"created": 80}
        assert summary["stopped_by"] is None
        assert (writes(ghl), sent_twice(ghl), ghl.state.count_relations()) == (80, 0, 80)
        assert summary["requests"] == ghl.stats()["requests"] == 82
        assert "80 rows: 32 requests, " in capsys.readouterr().out, "what is ahead, and not what was spent another day"
        told = [(result["outcome"], result["evidence"]) for result in ti.xcoms["results"]]
        assert told == [("created", "ledger")] * (A_DAY - 1) + [("created", "answer")] * 31
        assert len(results.read_text().splitlines()) == 81
        assert rows_of(ledger, "SELECT end, ended_well FROM ghl_loads") == [("green", 1)]
        assert rows_of(ledger, "SELECT try_number, is_resumed FROM ghl_attempts ORDER BY number") == [(1, 0), (1, 1)]

    def test_it_may_wait_again(self, ghl: Sandbox, ledger: Path) -> None:
        ti = TaskInstance()
        defer(bulk(120), ti)
        since = rows_of(ledger, "SELECT deferred_since FROM ghl_loads")
        for day, made in ((2, 98), (3, 120)):
            another_day(ghl)
            if day == 2:
                assert 3400 < wait_of(defer(bulk(120), ti, is_resumed=True)) < 3600 + 60
                assert counts(ti.xcoms["return_value"]) == {"created": made, "not_attempted": 120 - made}
                assert rows_of(ledger, "SELECT deferred_since FROM ghl_loads") == since, "it counts from the first wait on"
            else:
                assert counts(run(bulk(120), ti, is_resumed=True)) == {"created": made}
        assert (writes(ghl), sent_twice(ghl)) == (120, 0)

    def test_what_was_refused_before_is_asked_again(self, ghl: Sandbox, ledger: Path) -> None:
        for contact, _ in pairs(80):
            ghl.state.add_record("contact", contact)
        ghl.state.add_record("custom_objects.event", "another-event")
        rows = [*pairs(80)[:10], ("contact-1", "no-event"), *pairs(80)[10:]]
        ghl.state.add_record("custom_objects.event", "event-1")
        operator = bulk_of(rows, failure_tolerance=1)
        ti = TaskInstance()
        defer(operator, ti)
        assert counts(ti.xcoms["return_value"])["rejected"] == 1
        another_day(ghl)
        ghl.state.add_record("custom_objects.event", "no-event")
        assert counts(run(bulk_of(rows), ti, is_resumed=True)) == {"created": 81}

    def test_max_requests_holds_over_the_wait(self, ghl: Sandbox, ledger: Path) -> None:
        ti = TaskInstance()
        defer(bulk(max_requests=60), ti)
        another_day(ghl)
        summary = run(bulk(max_requests=60), ti, is_resumed=True)
        assert (summary["stopped_by"], summary["requests"], ghl.stats()["requests"]) == ("max_requests", 60, 60)
        assert counts(summary) == {"created": 58, "not_attempted": 22}

    def test_a_load_that_was_cleared_meanwhile_is_none_that_goes_on(self, ghl: Sandbox, ledger: Path) -> None:
        """It is executed and not resumed: what it may spend counts anew, what it has learned does not."""
        ti = TaskInstance()
        defer(bulk(max_requests=60), ti)
        another_day(ghl)
        summary = run(bulk(max_requests=60), TaskInstance(try_number=2))
        assert (summary["requests"], counts(summary)) == (32, {"created": 80})

    def test_without_the_ledger_of_before_nothing_is_lost(self, ghl: Sandbox, ledger: Path, connect: Connect) -> None:
        ti = TaskInstance()
        defer(bulk(), ti)
        another_day(ghl)
        connect(ledger=json.dumps({"conn_type": "sqlite", "host": str(ledger.with_name("another.db"))}))
        summary = defer(bulk(), ti, is_resumed=True)
        assert ghl.state.count_relations() == A_DAY - 1, "all of the second day's requests found what was there"
        assert (sent_twice(ghl), bool(summary)) == (A_DAY - 1, True)


class TestTooLong:
    def test_a_reset_beyond_the_timeout_is_not_waited_for(self, ghl: Sandbox, ledger: Path) -> None:
        ti = TaskInstance()
        message = fail(bulk(defer_timeout=timedelta(minutes=30)), GHLQuotaSpent, ti)
        assert issubclass(GHLQuotaSpent, GHLRetryable)
        assert message.startswith("The day's requests are spent; they are back in ")
        assert "To wait for them would take longer than defer_timeout=0:30:00 allows." in message
        assert counts(ti.xcoms["return_value"]) == {"created": A_DAY - 1, "not_attempted": 31}
        assert rows_of(ledger, STATE) == [("retryable", 0)]

    @pytest.mark.parametrize(("hours_ago", "may_wait"), [(0.5, True), (1.5, False)])
    def test_all_waits_count_since_the_first_began(self, ghl: Sandbox, ledger: Path, hours_ago: float, may_wait: bool) -> None:
        ti, timeout = TaskInstance(), timedelta(hours=2)
        defer(bulk(120, defer_timeout=timeout), ti)
        rows_of(ledger, f"UPDATE ghl_loads SET deferred_since = deferred_since - {hours_ago * 3600}")
        another_day(ghl)
        operator = bulk(120, defer_timeout=timeout)
        if may_wait:
            defer(operator, ti, is_resumed=True)
        else:
            assert "defer_timeout=2:00:00" in fail(operator, GHLQuotaSpent, ti, is_resumed=True)
        assert ti.xcoms["return_value"]["created"] == 98

    def test_another_try_is_patient_again(self, ghl: Sandbox, ledger: Path) -> None:
        defer(bulk(120, defer_timeout=timedelta(hours=2)))
        rows_of(ledger, "UPDATE ghl_loads SET deferred_since = deferred_since - 6000")
        defer(bulk(120, defer_timeout=timedelta(hours=2)), TaskInstance(try_number=2))
        assert rows_of(ledger, "SELECT deferred_since > updated - 60 FROM ghl_loads") == [(1,)]

    def test_none_at_all(self, ghl: Sandbox, ledger: Path) -> None:
        assert "defer_timeout=0:00:00" in fail(bulk(defer_timeout=timedelta(0)), GHLQuotaSpent)

    def test_for_ever(self, ghl: Sandbox, ledger: Path) -> None:
        timeout = defer(bulk(defer_timeout=timedelta.max)).timeout
        assert timeout is not None
        assert datetime.now(UTC) + timeout < datetime(2100, 1, 1, tzinfo=UTC)

    def test_not_deferrable(self, ghl: Sandbox, ledger: Path) -> None:
        message = fail(bulk(deferrable=False), GHLQuotaSpent)
        assert "they are back in " in message
        assert "(at 20" in message
        assert "defer_timeout" not in message


class TestStops:
    def test_on_kill_after_a_wait(self, ghl: Sandbox, ledger: Path) -> None:
        ti = TaskInstance()
        defer(bulk(), ti)
        another_day(ghl)
        ghl.set_latency(0.5)
        operator = bulk()
        killer = threading.Timer(0.8, operator.on_kill)
        killer.start()
        message = fail(operator, GHLStopped, ti, is_resumed=True)
        killer.join()
        assert message.startswith("The load was told to stop.")
        self.the_next_try_finishes(ghl, ti)

    def test_execution_timeout_after_a_wait(self, ghl: Sandbox, ledger: Path) -> None:
        ti = TaskInstance()
        defer(bulk(), ti)
        another_day(ghl)
        ghl.set_latency(0.5)
        message = fail(bulk(execution_timeout=timedelta(seconds=2)), GHLStopped, ti, is_resumed=True)
        assert "before its execution_timeout=0:00:02" in message
        self.the_next_try_finishes(ghl, ti)

    @staticmethod
    def the_next_try_finishes(ghl: Sandbox, ti: TaskInstance) -> None:
        assert sum(counts(ti.xcoms["return_value"]).values()) == 80
        ghl.set_latency(0.0)
        another_day(ghl)
        assert counts(run(bulk(), TaskInstance(try_number=2))) == {"created": 80}
        assert ghl.state.count_relations() == 80


def test_the_default_is_airflows_own(tmp_path: Path, sandbox: Sandbox) -> None:
    code = (
        "from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator as Bulk\n"
        "print(Bulk(task_id='load', association_key='a', rows=[]).deferrable)"
    )
    env = {**os.environ, "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True", "AIRFLOW_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "True"
    assert BulkCreateRelationsOperator(task_id="load", association_key="a", rows=[]).deferrable is False
