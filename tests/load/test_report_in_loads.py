"""Results of whole loads: durable before a red end, whatever the disk does, and small in memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from simulated_highlevel import SimulatedServer
from simulated_load import COLUMNS, load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.results.file import ResultsFile, local_results_file
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.relations.fields import RESULT_FIELDS


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


class _FullDisk(ResultsFile):
    """A results file that fails after this many blocks."""

    blocks = 1

    def append(self, frame: pd.DataFrame) -> None:
        if not self.blocks:
            raise OSError(28, "No space left on device: /secret/path")
        self.blocks -= 1
        super().append(frame)


class _NoPublishing(ResultsFile):
    def commit(self) -> None:
        raise PermissionError("/secret/path")


@pytest.mark.parametrize("kind", [_FullDisk, _NoPublishing])
def test_a_results_file_that_fails_loses_no_outcome(tmp_path: Path, kind: type[ResultsFile]) -> None:
    file = kind("results.csv", RESULT_FIELDS, lambda path: None, tmp_path)
    load = load_pairs([(f"s{n}", f"t{n}") for n in range(100)], SimulatedServer(FakeClock()), results_file=file, batch_size=10)
    assert load.verdict.end is End.RETRYABLE
    assert load.summary["created"] == len(load.results) == 100
    assert "the results file could not be written" in load.verdict.message
    assert "secret" not in load.verdict.message
    assert load.verdict.cause is not None
    assert isinstance(load.verdict.cause.__cause__, OSError)
    assert list(tmp_path.iterdir()) == []


def test_the_file_of_a_load_that_ends_red_is_there_too(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    rows = [("", "x"), ("a", "b"), ("a", "b"), ("c", "d"), ("e", "f")]
    load = load_pairs(
        rows, SimulatedServer(FakeClock()), results_file=local_results_file(path, RESULT_FIELDS), max_requests=2, keep_results=2
    )
    assert [row["outcome"] for row in read_rows(path)] == ["invalid", "created", "repeated", "not_attempted", "not_attempted"]
    assert {row["association_id"] for row in read_rows(path)} == {"6758b5c1f5e2a1d3c4b5a697"}
    assert [result["row"] for result in load.results] == [0, 3]
    assert load.summary["results_cut"] is True
    assert load.verdict.end is End.FINAL


def test_the_users_own_row_id_is_in_every_result() -> None:
    columns = Columns("first", "second", row_key="key")
    rows = [{"first": f"s{n}", "second": "t", "key": f"K{n}"} for n in range(3)]
    batches: list[Batch] = list(from_data(rows, columns, 2))
    load = load_pairs(iter(batches), SimulatedServer(FakeClock()), columns=columns)
    assert [result["row_key"] for result in load.results] == ["K0", "K1", "K2"]


def new_pairs(rows: int) -> Iterator[Any]:
    for number in range(rows):
        yield f"6758b5c1f5e2a1d3{number:08x}", "b5c1f5e2a1d3c4b5a6971234"


def same_pairs(rows: int) -> Iterator[Any]:
    return (("6758b5c1f5e2a1d3c4b5a697", "b5c1f5e2a1d3c4b5a6971234") for _ in range(rows))


@pytest.mark.parametrize("source", [new_pairs, same_pairs])
def test_rows_that_need_no_request_take_a_few_bytes(source: Any) -> None:
    """About 40 bytes at the peak. A row kept as a Python object, or as its result, would take ten times as many."""

    def peak(rows: int) -> int:
        batches = from_data(source(rows), COLUMNS, 1000)
        tracemalloc.start()
        try:
            load = load_pairs(batches, SimulatedServer(FakeClock()), max_requests=20, keep_results=100)
            assert load.summary["rows"] == rows
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1_000)
    assert peak(60_000) - peak(20_000) <= 40_000 * 100
