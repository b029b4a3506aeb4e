"""What a load sends to Airflow's metrics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.observability import stats
from running import PAIRS, TaskInstance, defer, fail, run
from waiting import A_DAY, another_day
from waiting import bulk as waits

from airflow_provider_ghl.operators.errors import GHLRowsRefused
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, SyncRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

BAD = ("", "event-1")
TAGS = {"dag_id": "a_dag", "task_id": "load"}


class Backend:
    """Remembers what Airflow would send: (name, outcome) and value; the other tags are always the same."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str | None], float] = {}

    def incr(self, name: str, count: int = 1, tags: Any = None, **more: Any) -> None:
        self._note(name, count, tags)

    def gauge(self, name: str, value: float, tags: Any = None, **more: Any) -> None:
        self._note(name, value, tags)

    def timing(self, name: str, dt: float, tags: Any = None) -> None:
        self._note(name, dt, tags)

    def _note(self, name: str, value: float, tags: dict[str, str]) -> None:
        outcome = {**tags}.pop("outcome", None)
        assert {key: tag for key, tag in tags.items() if key != "outcome"} == TAGS
        self.sent[name, outcome] = self.sent.get((name, outcome), 0) + value


class Ti(TaskInstance):
    stats_tags = TAGS


@pytest.fixture
def backend() -> Iterator[Backend]:
    made = Backend()
    stats.initialize(factory=lambda: made, export_legacy_names=True)  # type: ignore[arg-type,return-value]
    yield made
    stats.initialize(factory=stats_off, export_legacy_names=True)


def stats_off() -> Any:
    from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger

    return NoStatsLogger()


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", rows=rows, **arguments)


class TestNumbers:
    def test_of_a_red_load(self, ghl: Sandbox, attended: str, backend: Backend) -> None:
        fail(bulk([*PAIRS, BAD]), GHLRowsRefused, Ti())
        rows = {outcome: count for (name, outcome), count in backend.sent.items() if name == "ghl.load.rows" and count}
        assert rows == {"created": 3, "invalid": 1}
        assert backend.sent["ghl.load.rows.created", None] == 3
        assert backend.sent["ghl.load.rows.failed", None] == 0
        assert backend.sent["ghl.load.requests", None] == 4 == ghl.stats()["requests"]
        assert backend.sent["ghl.load.rate_limited", None] == 0
        assert backend.sent["ghl.load.retries", None] == 0
        assert backend.sent["ghl.load.duration", None] > 0
        assert 0 <= backend.sent["ghl.load.limit_share", None] <= 1
        assert backend.sent["ghl.load.daily_remaining", None] == 200_000 - 4

    def test_airflows_switch_for_names_without_tags(
        self, ghl: Sandbox, attended: str, backend: Backend, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIRFLOW__METRICS__LEGACY_NAMES_ON", "False")
        run(bulk(), Ti())
        assert ("ghl.load.rows", "created") in backend.sent
        assert ("ghl.load.rows.created", None) not in backend.sent

    def test_of_a_mirror(self, ghl: Sandbox, attended: str, backend: Backend) -> None:
        for rows in (PAIRS, PAIRS[1:]):
            operator = SyncRelationsOperator(
                task_id="load", association_key="attended", rows=rows, parent="second", max_delete_share=None
            )
            run(operator, Ti(run_id=f"run {len(rows)}"))
        deletes = {outcome: count for (name, outcome), count in backend.sent.items() if name == "ghl.load.deletes"}
        assert (deletes["deleted"], deletes["kept"], "planned" in deletes) == (1, 0, False)

    @pytest.mark.parametrize("sandbox", [{"daily_limit": A_DAY, "daily_resets_in": 3600.0}], indirect=True)
    def test_a_load_that_waits_counts_requests_once_and_rows_at_its_end(
        self, ghl: Sandbox, attended: str, backend: Backend
    ) -> None:
        defer(waits(), Ti())
        assert backend.sent["ghl.load.requests", None] == ghl.stats()["requests"]
        assert ("ghl.load.rows", "created") not in backend.sent
        another_day(ghl)
        summary = run(waits(), Ti(), is_resumed=True)
        assert backend.sent["ghl.load.requests", None] == summary["requests"] == ghl.stats()["requests"]
        assert backend.sent["ghl.load.rows", "created"] == summary["created"] == 80


class TestFailures:
    """No load fails for its metrics."""

    def test_a_backend_that_raises(self, ghl: Sandbox, attended: str) -> None:
        def broken() -> Any:
            raise OSError("no such host")

        stats.initialize(factory=broken, export_legacy_names=True)
        try:
            assert run(bulk(), Ti())["created"] == 3
        finally:
            stats.initialize(factory=stats_off, export_legacy_names=True)

    def test_without_a_task_instance(self, ghl: Sandbox, attended: str, backend: Backend) -> None:
        bulk().execute({})
        assert backend.sent == {}
