"""The verdict's messages: whole sentences, also with text from others in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from relation_specs import begin_batch, relation_report

from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    LedgerError,
    QuotaExhausted,
    ResultsError,
    ServerError,
    TransportError,
    Unauthorized,
)
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, End, Outcome, RowResult, StoppedBy
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.results.verdict import Ending, Verdict, judge
from airflow_provider_ghl.load.tolerance import Tolerance


def make_verdict(ending: Ending, *results: RowResult, min_rows: int = 0, tolerance: int = 0) -> Verdict:
    """The verdict of a load with a row for each of these results."""
    report = relation_report(10)
    ids = np.array([f"r{n}" for n in range(len(results))], dtype=object)
    begin_batch(report, ids, ids)
    for row, result in enumerate(results):
        report.decide(row, result)
    summary: dict[str, Any] = {"rows": report.rows} | report.counts()
    return judge(report, ending, summary, Tolerance(tolerance), min_rows)


def test_a_source_with_too_few_rows() -> None:
    verdict = make_verdict(Ending(too_few=True), RowResult(Outcome.NOT_ATTEMPTED), min_rows=1500)
    assert verdict.end is End.RETRYABLE
    assert verdict.message == "The source has 1 row, fewer than min_rows=1,500: nothing was sent."


CREATED = RowResult(Outcome.CREATED)
REFUSED = RowResult(Outcome.REJECTED, status_code=400, reason="no such record.")
ASKING = RowResult(Outcome.INVALID, reason="is a quote left open?")
ENDINGS = [
    Ending(),
    Ending(is_stop_requested=True),
    Ending(stoppage=Stoppage(StoppedBy.QUOTA, QuotaExhausted("the day's requests are spent"))),
    Ending(stoppage=Stoppage(StoppedBy.TOKEN, Unauthorized("no."))),
    Ending(stoppage=Stoppage(StoppedBy.ABORT, text="400: no such record.")),
    Ending(stoppage=Stoppage(StoppedBy.ABORT, ConfigurationError("there is no association."))),
    Ending(stoppage=Stoppage(StoppedBy.MAX_REQUESTS)),
    Ending(broken_by=OSError("a secret")),
    Ending(broken_by=ConfigurationError("cannot read it.")),
    Ending(broken_by=ResultsError("the results file could not be written")),
    Ending(too_few=True),
]


@pytest.mark.parametrize("min_rows", [0, 9])
@pytest.mark.parametrize("results", [(), (CREATED,), (REFUSED,), (REFUSED, ASKING, CREATED), (ASKING,)], ids=len)
@pytest.mark.parametrize("ending", ENDINGS, ids=lambda one: str(one.stopped_by or one.broken_by))
def test_every_message_ends_with_one_full_stop(ending: Ending, results: tuple[RowResult, ...], min_rows: int) -> None:
    message = make_verdict(ending, *results, min_rows=min_rows).message
    assert message.endswith(".")
    assert ".." not in message
    assert ".;" not in message
    assert ". ." not in message


def test_a_foreign_exception_is_named_by_its_class_alone() -> None:
    verdict = make_verdict(Ending(broken_by=OSError("person@example.com")))
    assert verdict.message == "The load could not go on: the source failed (OSError). 0 rows: none."


def test_rows_that_were_not_reached_have_no_reason_of_their_own() -> None:
    ending = Ending(stoppage=Stoppage(StoppedBy.ABORT, ConfigurationError("there is no association")))
    verdict = make_verdict(ending, *[RowResult(Outcome.NOT_ATTEMPTED)] * 2)
    assert verdict.message == "there is no association. 2 rows: 2 not_attempted."


def test_a_green_end_does_not_mention_failures() -> None:
    verdict = make_verdict(Ending(), CREATED, CREATED)
    assert verdict.is_green
    assert verdict.message == "2 rows: 2 created."


@given(outcomes=st.lists(st.sampled_from(OUTCOMES), max_size=20), allowed=st.integers(0, 20))
def test_within_the_tolerance_it_is_green_and_above_it_red(outcomes: list[Outcome], allowed: int) -> None:
    verdict = make_verdict(Ending(), *map(RowResult, outcomes), tolerance=allowed)
    failures = sum(outcomes.count(one) for one in (Outcome.INVALID, Outcome.UNRESOLVED, Outcome.REJECTED, Outcome.FAILED))
    assert verdict.is_green == (failures <= allowed)
    assert verdict.message.endswith(".")


FAILED = RowResult(Outcome.FAILED)


@pytest.mark.parametrize(
    ("ending", "results", "failure"),
    [
        (Ending(), (REFUSED,), Failure.ROWS_REFUSED),
        (Ending(stoppage=Stoppage(StoppedBy.ABORT, text="400: no")), (REFUSED,), Failure.ROWS_REFUSED),
        (Ending(stoppage=Stoppage(StoppedBy.TOKEN)), (), Failure.TOKEN_REFUSED),
        (Ending(stoppage=Stoppage(StoppedBy.TOKEN, Unauthorized("no"))), (), Failure.TOKEN_REFUSED),
        (Ending(stoppage=Stoppage(StoppedBy.ABORT, ConfigurationError("x"))), (), Failure.MISCONFIGURED),
        (Ending(stoppage=Stoppage(StoppedBy.ABORT, ServerError("x"))), (), Failure.FINAL),
        (Ending(), (FAILED, REFUSED), Failure.ROWS_FAILED),
        (Ending(stoppage=Stoppage(StoppedBy.ABORT, text="none", is_outage=True)), (FAILED,), Failure.ROWS_FAILED),
        (Ending(too_few=True), (), Failure.TOO_FEW_ROWS),
        (Ending(is_stop_requested=True), (FAILED,), Failure.STOPPED),
        (Ending(stoppage=Stoppage(StoppedBy.QUOTA, QuotaExhausted("x"))), (), Failure.QUOTA_SPENT),
        (Ending(broken_by=TransportError("x")), (), Failure.UNAVAILABLE),
        (Ending(broken_by=LedgerError("x")), (), Failure.LEDGER_FAILED),
        (Ending(broken_by=ConfigurationError("x")), (), Failure.MISCONFIGURED),
        (Ending(broken_by=OSError("the disk")), (), Failure.SOURCE_FAILED),
        (Ending(), (CREATED,), None),
        (Ending(stoppage=Stoppage(StoppedBy.MAX_REQUESTS)), (CREATED,), None),
    ],
)
def test_a_red_end_says_how_the_task_fails(ending: Ending, results: tuple[RowResult, ...], failure: Failure | None) -> None:
    assert make_verdict(ending, *results, min_rows=1 if ending.too_few else 0).failure is failure
