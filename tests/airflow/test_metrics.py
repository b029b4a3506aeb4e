"""What a load sends to Airflow's metrics."""

from __future__ import annotations

from typing import Any

import pytest
from running import PAIRS, defer, fail, run
from seeing import Backend, Seen, sending_to
from waiting import A_DAY, another_day
from waiting import bulk as waits

from airflow_provider_ghl.operators.errors import GHLRowsRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, SyncRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

BAD = ("", "event-1")


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", rows=rows, **arguments)


class TestNumbers:
    def test_of_a_red_load(self, ghl: Sandbox, attended: str, metrics: Backend) -> None:
        fail(bulk([*PAIRS, BAD]), GHLRowsRefused, Seen())
        rows = {outcome: count for (name, outcome), count in metrics.sent.items() if name == "ghl.load.rows" and count}
        assert rows == {"created": 3, "invalid": 1}
        assert metrics.sent["ghl.load.rows.created", None] == 3
        assert metrics.sent["ghl.load.rows.failed", None] == 0
        assert metrics.sent["ghl.load.requests", None] == 4 == ghl.stats()["requests"]
        assert metrics.sent["ghl.load.rate_limited", None] == 0
        assert metrics.sent["ghl.load.retries", None] == 0
        assert metrics.sent["ghl.load.duration", None] > 0
        assert 0 <= metrics.sent["ghl.load.limit_share", None] <= 1
        assert metrics.sent["ghl.load.daily_remaining", None] == 200_000 - 4

    def test_airflows_switch_for_names_without_tags(
        self, ghl: Sandbox, attended: str, metrics: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__METRICS__LEGACY_NAMES_ON", "False")
        run(bulk(), Seen())
        assert ("ghl.load.rows", "created") in metrics.sent
        assert ("ghl.load.rows.created", None) not in metrics.sent

    def test_of_a_mirror(self, ghl: Sandbox, attended: str, metrics: Backend) -> None:
        for rows in (PAIRS, PAIRS[1:]):
            operator = SyncRelationsOperator(
                task_id="load", association_key="attended", rows=rows, parent="second", max_delete_share=None
            )
            run(operator, Seen(run_id=f"run {len(rows)}"))
        deletes = {outcome: count for (name, outcome), count in metrics.sent.items() if name == "ghl.load.deletes"}
        assert (deletes["deleted"], deletes["kept"], "planned" in deletes) == (1, 0, False)

    @pytest.mark.parametrize("sandbox", [{"daily_limit": A_DAY, "daily_resets_in": 3600.0}], indirect=True)
    def test_a_load_that_waits_counts_requests_once_and_rows_at_its_end(
        self, ghl: Sandbox, attended: str, metrics: Backend
    ) -> None:
        defer(waits(), Seen())
        assert metrics.sent["ghl.load.requests", None] == ghl.stats()["requests"]
        assert ("ghl.load.rows", "created") not in metrics.sent
        another_day(ghl)
        summary = run(waits(), Seen(), is_resumed=True)
        assert metrics.sent["ghl.load.requests", None] == summary["requests"] == ghl.stats()["requests"]
        assert metrics.sent["ghl.load.rows", "created"] == summary["created"] == 80


class TestFailures:
    """No load fails for its metrics."""

    def test_a_backend_that_raises(self, ghl: Sandbox, attended: str) -> None:
        def broken() -> Any:
            raise OSError("no such host")

        with sending_to(broken):
            assert run(bulk(), Seen())["created"] == 3

    def test_without_a_task_instance(self, ghl: Sandbox, attended: str, metrics: Backend) -> None:
        bulk().execute({})
        assert metrics.sent == {}
