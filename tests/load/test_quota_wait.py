"""How long a load waits for its daily quota."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from relation_specs import relation_report

from airflow_provider_ghl.exceptions import QuotaExhausted
from airflow_provider_ghl.load.quota_wait import QuotaWait
from airflow_provider_ghl.load.results.outcomes import End, StoppedBy
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.results.verdict import Ending, judge
from airflow_provider_ghl.load.tolerance import Tolerance

NOON = datetime(2026, 12, 31, 12, tzinfo=UTC)
WEEK = timedelta(days=7)


@pytest.mark.parametrize(
    ("resets_in", "drawn", "seconds"),
    [(3600.0, 0.0, 3600.0), (3600.0, 0.5, 3630.0), (0.0, 0.0, 60.0), (59.0, 0.5, 90.0), (None, 0.0, 43_200.0)],
)
def test_it_waits_until_the_reset_plus_a_random_part(resets_in: float | None, drawn: float, seconds: float) -> None:
    assert QuotaWait(WEEK).seconds(resets_in, NOON, lambda: drawn) == seconds


def test_the_shortest_wait_can_be_set() -> None:
    assert QuotaWait(WEEK, shortest=timedelta(seconds=2)).seconds(0.0, NOON, lambda: 0.5) == 3.0


@pytest.mark.parametrize(("waited", "is_allowed"), [(0.0, True), (3600.0, True), (3600.5, False), (7200.0, False)])
def test_the_timeout_is_for_all_waits(waited: float, is_allowed: bool) -> None:
    wait = QuotaWait(timedelta(hours=2), waited).seconds(3600.0, NOON, lambda: 0.0)
    assert wait == (3600.0 if is_allowed else None)


def test_the_random_part_is_drawn_once() -> None:
    """A second random part could be larger, and the wait longer than allowed."""
    drawn = iter([0.0, 0.9, 0.9])
    spent = QuotaExhausted("spent")
    spent.resets_in = 3600.0
    stoppage = Stoppage(StoppedBy.QUOTA, spent)
    ending = Ending(stoppage=stoppage, quota_wait=QuotaWait(timedelta(hours=1)), at=NOON, draw=lambda: next(drawn))
    report = relation_report(10)
    verdict = judge(report, ending, {"rows": 0} | report.counts(), Tolerance(0), 0)
    assert (verdict.end, verdict.wait) == (End.DEFERRED, 3600.0)
