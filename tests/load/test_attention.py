"""The rows that need attention after a load, as short log lines."""

from __future__ import annotations

import random

import pytest
import simulated_agency
from relation_specs import begin_batch, relation_report
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report

GHOST = "6758b5c1f5e2a1d3c4b5a697"


def ids(*values: str) -> object:
    import numpy as np

    return np.array([*values, None], dtype=object)[:-1]


def test_each_reason_has_its_count_and_first_rows(ledger: Ledger) -> None:
    pairs = [(f"student{n}", f"teacher{n}") for n in range(8)]
    missing = frozenset({"student1", "student3", "student5", "student6"})
    load = load_pairs([*pairs, ("", "teacher9")], SimulatedServer(FakeClock(), missing=missing), ledger=ledger)
    assert load.verdict.attention == [
        "5 of 9 rows failed:",
        "  4 rejected: 400: Contact with id <id> not found",
        "      row 1: student1, teacher1",
        "      row 3: student3, teacher3",
        "      row 5: student5, teacher5",
        "      and 1 more",
        "  1 invalid: column 'first_record_id' is empty",
        "      row 8: (none), teacher9",
        "All of them: airflow ghl loads show 1",
    ]
    assert load.verdict.headline == "5 of 9 rows failed, 4 of them rejected: 400: Contact with id <id> not found."


def test_without_failed_rows_there_are_no_lines(ledger: Ledger) -> None:
    assert load_pairs([("student", "teacher")], SimulatedServer(FakeClock()), ledger=ledger).verdict.attention == []


@pytest.mark.parametrize("seed", range(3))
def test_the_first_rows_do_not_depend_on_the_order_of_answers(seed: int) -> None:
    report = relation_report(0)
    names = [f"r{row}" for row in range(50)]
    begin_batch(report, ids(*names), ids(*names))
    for row in random.Random(seed).sample(range(50), 50):
        report.decide(row, RowResult(Outcome.REJECTED, reason="no"))
    assert [result["row"] for result in report.reasons()[0].first] == [0, 1, 2]


def lines(report: Report, *keys: object) -> list[str]:
    from airflow_provider_ghl.load.results.attention import attention_lines

    return attention_lines(report.reasons(), report.fields, failures=report.failures(), rows=report.rows, load_number=None)


def test_a_key_that_may_be_personal_is_hidden() -> None:
    report = relation_report(0)
    names = ids("a", "b", "c")
    begin_batch(report, names, names, ["ann@example.com", "+49 151 1234567", 12345678])
    for row in range(3):
        report.decide(row, RowResult(Outcome.REJECTED, reason="no"))
    assert [line.strip() for line in lines(report)[2:]] == [
        "row 0 (hidden): a, a",
        "row 1 (hidden): b, b",
        "row 2 (12345678): c, c",
    ]


def test_a_phone_number_in_the_place_of_an_id_is_hidden() -> None:
    report = relation_report(0)
    begin_batch(report, ids("+49 151 1234567"), ids("teacher"))
    report.decide(0, RowResult(Outcome.REJECTED, reason="no"))
    assert lines(report)[2].strip() == "row 0: hidden, teacher"


def test_lines_stay_short_and_few_with_many_reasons() -> None:
    report = relation_report(0)
    names = ids(*(f"{GHOST}{row}" for row in range(40)))
    begin_batch(report, names, names)
    for row in range(40):
        report.decide(row, RowResult(Outcome.REJECTED, reason=f"{'x' * row} " + "no " * 60))
    found = lines(report)
    assert max(map(len, found)) <= 110
    assert len(found) <= 25
    assert found[-1] == "  and 30 other reasons"


def test_of_several_locations_each_row_is_shown_with_its_own() -> None:
    agency = simulated_agency.SimulatedAgency.build(["a", "b"])
    agency["b"].missing = frozenset({"b0"})
    rows = [simulated_agency.row(*one) for one in (("a", "a0", "t"), ("b", "b0", "t"), ("b", "b1", "t"))]
    load = simulated_agency.load_rows(rows, agency)
    assert load.verdict.attention[1:] == ["  1 rejected: Contact with id b0 not found", "      row 1 of b: b0, t"], (
        "and no command: there is no ledger"
    )
