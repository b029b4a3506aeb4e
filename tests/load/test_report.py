"""The report: each row counted once, results in input order, failures first where not all can be kept."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from relation_specs import begin_batch, relation_report

from airflow_provider_ghl.load.results.file import local_results_file
from airflow_provider_ghl.load.results.outcomes import FAILURES, OUTCOMES, Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

CREATED = RowResult(Outcome.CREATED, Evidence.ANSWER, "relation", 201, None, "trace", 1)


def ids(*values: str) -> Any:
    return np.array(values, dtype=object)


def begin(report: Report, size: int, row_keys: list[Any] | None = None) -> int:
    """Begin a batch of new pairs. Returns the number of its first row."""
    start = report.rows
    names = [str(start + at) for at in range(size)]
    begin_batch(report, ids(*(f"a{name}" for name in names)), ids(*(f"b{name}" for name in names)), row_keys)
    return start


def offsets(*values: int) -> Any:
    return np.array(values, dtype=np.int64)


def by_row(report: Report) -> list[dict[str, Any]]:
    return sorted(report.kept()[0], key=lambda result: int(result["row"]))


def counted_reasons(report: Report) -> list[tuple[str, str, int]]:
    return [(str(reason.outcome), reason.text, reason.rows) for reason in report.reasons()]


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_result_has_all_its_fields() -> None:
    report = relation_report(10)
    begin(report, 2, ["K-1", 7.5])
    report.decide(0, CREATED)
    report.decide_invalid(0, {1: "column 'a' is empty"})
    assert (by_row(report), report.kept()[1]) == (
        [
            {
                "row": 0,
                "row_key": "K-1",
                "location_id": "location",
                "association_id": "association",
                "first_record_id": "a0",
                "second_record_id": "b0",
                "outcome": "created",
                "evidence": "answer",
                "relation_id": "relation",
                "status_code": 201,
                "reason": None,
                "requests": 1,
                "try_number": 2,
                "trace_id": "trace",
            },
            {
                "row": 1,
                "row_key": "7.5",
                "location_id": "location",
                "association_id": "association",
                "first_record_id": "a1",
                "second_record_id": "b1",
                "outcome": "invalid",
                "evidence": None,
                "relation_id": None,
                "status_code": None,
                "reason": "column 'a' is empty",
                "requests": 0,
                "try_number": 2,
                "trace_id": None,
            },
        ],
        False,
    )
    assert tuple(by_row(report)[0]) == RESULT_FIELDS


def test_results_can_be_stored_with_any_row_key(tmp_path: Path) -> None:
    keys = ["\ud800", "a\x00b", 10**30, 10**5000, float("nan"), pd.NA, np.int64(5), 1.0]
    file = local_results_file(tmp_path / "results.jsonl", RESULT_FIELDS)
    report = relation_report(10, file)
    begin(report, len(keys), keys)
    for row in range(len(keys)):
        report.decide(row, RowResult(Outcome.CREATED, Evidence.READ, "relation\ud800\x00"))
    stored = ["\\ud800", "a\\x00b", "1" + "0" * 30, "an int of 16610 bits", None, None, 5, "1.0"]
    kept = report.kept()[0]
    assert [result["row_key"] for result in kept] == stored
    assert {result["relation_id"] for result in kept} == {"relation\\ud800\\x00"}
    text = json.dumps(kept, allow_nan=False, ensure_ascii=False)
    text.encode("utf-8")
    assert "\\u0000" not in text
    file.commit()
    written = read_rows(tmp_path / "results.jsonl")
    assert [row["row_key"] for row in written] == [key if key is None else str(key) for key in stored]
    assert {row["relation_id"] for row in written} == {"relation\\ud800\\x00"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_the_file_holds_every_row_in_input_order(tmp_path: Path, ending: str, seed: int) -> None:
    draw = random.Random(seed)
    path = tmp_path / f"results.{ending}"
    file = local_results_file(path, RESULT_FIELDS)
    report = relation_report(1000, file)
    waiting: list[int] = []
    for size in (3, 0, 7, 1, 20):
        start = begin(report, size)
        if size == 7:
            report.decide_repeats(start, offsets(1, 4), offsets(0, 4))
            report.decide_not_attempted(start, offsets(0, 2), "not reached")
            waiting += [start + at for at in (3, 5, 6)]
        else:
            waiting += range(start, start + size)
    draw.shuffle(waiting)
    for row in waiting:
        report.decide(row, RowResult(draw.choice([Outcome.CREATED, Outcome.REJECTED]), reason="why", requests=2))
    file.commit()
    read = pd.DataFrame(read_rows(path)) if ending == "jsonl" else getattr(pd, f"read_{ending}")(path)
    kept, cut = by_row(report), report.kept()[1]
    assert not cut
    assert list(read.columns) == list(RESULT_FIELDS)
    for name in ("row", "outcome", "first_record_id", "second_record_id", "reason", "requests", "try_number"):
        assert read[name].tolist() == [result[name] for result in kept], name
    assert read["row"].tolist() == list(range(31))


def test_rows_are_written_when_all_before_them_are_known(tmp_path: Path) -> None:
    file = local_results_file(tmp_path / "results.jsonl", RESULT_FIELDS)
    report = relation_report(10, file)
    for _ in range(2):
        begin(report, 2)
    for row in (3, 2, 1):
        report.decide(row, CREATED)
    assert report.kept()[0] == []
    report.decide(0, CREATED)
    file.commit()
    assert [row["row"] for row in read_rows(tmp_path / "results.jsonl")] == [0, 1, 2, 3]


OUTCOME_LISTS = st.lists(st.sampled_from([*Outcome]), max_size=60)


@settings(deadline=None)
@given(outcomes=OUTCOME_LISTS, keep=st.integers(0, 20), size=st.integers(1, 9), draw=st.randoms(use_true_random=False))
def test_rows_that_need_attention_are_kept_first(outcomes: list[Outcome], keep: int, size: int, draw: Any) -> None:
    report = relation_report(keep)
    for start in range(0, len(outcomes), size):
        begin(report, min(size, len(outcomes) - start))
    for row in draw.sample(range(len(outcomes)), len(outcomes)):
        report.decide(row, RowResult(outcomes[row]))
    kept, cut = report.kept()
    rank = [0 if one in FAILURES else 1 if one is Outcome.NOT_ATTEMPTED else 2 for one in outcomes]
    chosen = sorted(range(len(outcomes)), key=lambda row: (rank[row], row))[:keep]
    expected = sorted(chosen, key=lambda row: (rank[row] > 0, row))
    assert [result["row"] for result in kept] == expected
    assert cut == (len(outcomes) > keep)
    assert report.counts() == {str(one): outcomes.count(one) for one in OUTCOMES}
    assert report.failures() == sum(one in FAILURES for one in outcomes)
    assert report.done == report.rows == len(outcomes)


def test_a_repeat_counts_as_the_row_that_it_repeats() -> None:
    report = relation_report(10)
    begin(report, 6)
    report.decide_repeats(0, offsets(3, 4, 5), offsets(0, 1, 2))
    for row, outcome in enumerate((Outcome.REJECTED, Outcome.CREATED, Outcome.NOT_ATTEMPTED)):
        report.decide(row, RowResult(outcome))
    assert report.failures() == 2
    assert report.counts()["repeated"] == 3
    assert by_row(report)[3]["reason"] == "the same pair as row 0"


def test_a_row_gets_one_outcome() -> None:
    report = relation_report(10)
    begin(report, 3)
    report.decide(0, CREATED)
    again_and_again: list[Callable[[], object]] = [
        lambda: report.decide(0, CREATED),
        lambda: report.decide_invalid(0, {0: "no"}),
        lambda: report.decide_repeats(0, offsets(0), offsets(5)),
        lambda: report.decide_not_attempted(0, offsets(2, 0), "why"),
    ]
    for again in again_and_again:
        with pytest.raises(RuntimeError, match="has an outcome already"):
            again()
    report.decide(1, CREATED)
    report.decide(2, CREATED)
    with pytest.raises(RuntimeError, match="has an outcome already"):
        report.decide(2, CREATED)
    assert report.counts()["created"] == report.done == 3


@pytest.mark.parametrize("row", [3, 1000, -1])
def test_a_row_that_was_never_read_has_no_outcome(row: int) -> None:
    report = relation_report(10)
    begin(report, 3)
    with pytest.raises(RuntimeError, match="never read"):
        report.decide(row, CREATED)


def test_a_row_without_an_outcome_raises() -> None:
    report = relation_report(10)
    begin(report, 2)
    report.decide(1, CREATED)
    with pytest.raises(RuntimeError, match="1 of 2 rows have no outcome"):
        report.counts()


def test_a_batch_must_follow_the_last_one() -> None:
    report = relation_report(10)
    begin(report, 2)
    with pytest.raises(RuntimeError, match="begins with row 3, and 2 rows were read"):
        report.begin(3, (ids("a"), ids("b")), None, offsets(0))


def test_reasons_are_counted_without_their_ids() -> None:
    report = relation_report(0)
    begin(report, 100)
    for row in range(99):
        report.decide(row, RowResult(Outcome.REJECTED, status_code=404, reason=f"record a{row} of b{row} not found"))
    report.decide(99, RowResult(Outcome.FAILED, reason="record"))
    assert counted_reasons(report) == [("rejected", "404: record <id> of <id> not found", 99), ("failed", "record", 1)]
    assert [result["row"] for result in report.reasons()[0].first] == [0, 1, 2]


def test_our_own_reasons_are_counted_without_lines_and_values() -> None:
    report = relation_report(0)
    begin(report, 60)
    report.decide_invalid(0, {at: f"line {at + 2} has 4 fields, the header has 3" for at in range(30)})
    report.decide_invalid(0, {at: f"column 'a1': {at}.5 is a float; cast it to text in the query" for at in range(30, 59)})
    report.decide(59, CREATED)
    assert counted_reasons(report) == [
        ("invalid", "line … has 4 fields, the header has 3", 30),
        ("invalid", "column 'a1': … is a float; cast it to text in the query", 29),
    ]


def test_rare_reasons_are_counted_together() -> None:
    report = relation_report(0)
    begin(report, 80)
    for row in range(80):
        report.decide(row, RowResult(Outcome.REJECTED, reason="word " + "x" * row))
    assert len(report.reasons()) == 51
    assert counted_reasons(report)[0] == ("rejected", "other reasons", 30)


def test_rows_wait_for_the_one_before_them() -> None:
    report = relation_report(10)
    assert report.waiting == 0
    for _ in range(3):
        begin(report, 2)
    assert report.waiting == 6
    for row in (5, 4, 3, 2, 1):
        report.decide(row, CREATED)
    assert report.waiting == 6
    report.decide(0, CREATED)
    assert report.waiting == 0
