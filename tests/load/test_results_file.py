"""A results file has every row in order, and is published whole or not at all."""

from __future__ import annotations

import csv
import json
import stat
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from soak import LONGER

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.results.file import ResultsFile, local_results_file
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

NUMBERS = {"row", "status_code", "requests", "try_number"}
ENDINGS = [".csv", ".jsonl", ".parquet"]


def result(row: int, **values: Any) -> dict[str, Any]:
    return dict.fromkeys(RESULT_FIELDS) | {"row": row, "requests": 1, "try_number": 1, "first_record_id": "00123"} | values


def block(*results: dict[str, Any]) -> pandas.DataFrame:
    return pandas.DataFrame(list(results), columns=list(RESULT_FIELDS), dtype=object)


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [{k: _number(k, v) for k, v in row.items()} for row in csv.DictReader(file, strict=True)]
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    from pyarrow import parquet

    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    return rows


def _number(name: str, text: str) -> int | str | None:
    return None if text == "" else int(text) if name in NUMBERS else text


def written(folder: Path, ending: str, *blocks: pandas.DataFrame) -> list[dict[str, Any]]:
    with local_results_file(folder / f"out{ending}", RESULT_FIELDS) as results:
        for one in blocks:
            results.append(one)
    return read(folder / f"out{ending}")


@pytest.mark.parametrize("ending", ENDINGS)
def test_rows_come_back_in_order_and_with_their_types(tmp_path: Path, ending: str) -> None:
    rows = [
        result(0, outcome="created", status_code=201, relation_id="r0"),
        result(1, outcome="invalid", reason='a "quoted", reason\nof\rtwo lines\r\nü 😀 / \\', requests=0),
        result(2, row_key="NA", outcome="rejected", status_code=400, trace_id="t"),
    ]
    assert written(tmp_path, ending, block(*rows[:2]), block(), block(rows[2])) == rows


@pytest.mark.parametrize("ending", ENDINGS)
def test_all_missing_values_and_all_column_types_are_accepted(tmp_path: Path, ending: str) -> None:
    frame = block(*[result(row) for row in range(4)])
    frame["status_code"] = [201.0, numpy.nan, None, 400.0]
    frame["requests"] = pandas.array([1, None, 2, 3], dtype="Int64")
    frame["relation_id"] = pandas.Series(["a", None, numpy.nan, pandas.NA], dtype=object)
    frame["outcome"] = pandas.Categorical(["created", "failed", None, "created"])
    frame["row_key"] = [7, "7", 1.5, None]
    frame["reason"] = pandas.Series(["\ud800", "x", None, "ü"], dtype=object)
    got = written(tmp_path, ending, frame[frame.columns[::-1]])
    assert [row["status_code"] for row in got] == [201, None, None, 400]
    assert [row["requests"] for row in got] == [1, None, 2, 3]
    assert [row["relation_id"] for row in got] == ["a", None, None, None]
    assert [row["outcome"] for row in got] == ["created", "failed", None, "created"]
    assert [row["row_key"] for row in got] == ["7", "7", "1.5", None]
    assert [row["reason"] for row in got] == ["\\ud800", "x", None, "ü"]
    assert list(got[0]) == list(RESULT_FIELDS)


CELLS = st.none() | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


@pytest.mark.parametrize("ending", ENDINGS)
@settings(max_examples=40 * LONGER)
@given(cells=st.lists(st.tuples(CELLS, CELLS), max_size=12), size=st.integers(1, 5))
def test_any_text_comes_back(ending: str, cells: list[tuple[str | None, str | None]], size: int) -> None:
    rows = [result(row, row_key=key, reason=reason) for row, (key, reason) in enumerate(cells)]
    with tempfile.TemporaryDirectory() as folder:
        blocks = [block(*rows[start : start + size]) for start in range(0, len(rows), size)]
        assert written(Path(folder), ending, *blocks) == rows


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_load_writes_a_readable_file(tmp_path: Path, ending: str) -> None:
    assert written(tmp_path, ending) == []
    assert (tmp_path / f"out{ending}").exists()
    if ending == ".csv":
        assert (tmp_path / "out.csv").read_text() == ",".join(RESULT_FIELDS) + "\n"


def test_parquet_is_typed_and_small_blocks_share_row_groups(tmp_path: Path) -> None:
    from pyarrow import parquet

    frame = block(*[result(row) for row in range(1000)])
    assert len(written(tmp_path, ".parquet", *[frame] * 60)) == 60_000
    file = parquet.ParquetFile(tmp_path / "out.parquet")
    assert file.num_row_groups == 2
    types = {field.name: str(field.type) for field in file.schema_arrow}
    assert {name: types.pop(name) for name in ("row", "status_code", "requests", "try_number")} == {
        "row": "int64",
        "status_code": "int32",
        "requests": "int32",
        "try_number": "int32",
    }
    assert set(types.values()) == {"string"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_nothing_is_there_before_the_commit_nor_after_an_exception(tmp_path: Path, ending: str) -> None:
    target = tmp_path / f"out{ending}"
    target.write_text("old")

    def fail_midway() -> None:
        with local_results_file(target, RESULT_FIELDS) as results:
            results.append(block(result(0)))
            assert target.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_midway()
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_commit_and_discard_may_be_called_again(tmp_path: Path) -> None:
    results = local_results_file(tmp_path / "out.csv", RESULT_FIELDS)
    results.append(block(result(0)))
    results.commit()
    results.commit()
    results.discard()
    results.discard()
    assert len(read(tmp_path / "out.csv")) == 1
    with pytest.raises(ValueError, match="closed"):
        results.append(block(result(1)))


def test_the_published_file_has_usual_permissions(tmp_path: Path) -> None:
    usual = tmp_path / "usual"
    usual.touch()
    written(tmp_path, ".csv")
    assert stat.S_IMODE((tmp_path / "out.csv").stat().st_mode) == stat.S_IMODE(usual.stat().st_mode)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "out.csv").symlink_to(tmp_path / "there" / "real.csv")
    written(tmp_path, ".csv", block(result(0)))
    assert (tmp_path / "out.csv").is_symlink()
    assert len(read(tmp_path / "there" / "real.csv")) == 1


def test_publishing_elsewhere_can_be_repeated_after_an_error() -> None:
    published: list[tuple[Path, str]] = []

    def publish(path: Path) -> None:
        published.append((path, path.read_text()))
        if len(published) == 1:
            raise ConnectionError("gone")

    results = ResultsFile("s3://bucket/folder/out.csv", RESULT_FIELDS, publish)
    results.append(block(result(0)))
    with pytest.raises(ConnectionError):
        results.commit()
    results.commit()
    assert published[0] == published[1]
    assert published[1][1].count("\n") == 2
    assert not published[1][0].exists()


@pytest.mark.parametrize("name", ["out.txt", "out", "out.csv.gz", "out.xlsx"])
def test_an_unknown_format_is_refused_and_known_ones_are_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"must be named \.csv, \.jsonl, \.parquet"):
        local_results_file(tmp_path / name, RESULT_FIELDS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_to_raises_at_once(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigurationError, match="it is a folder"):
        local_results_file(tmp_path / "folder.csv", RESULT_FIELDS)
    with pytest.raises(ConfigurationError, match=rf"no file can be made in the folder {tmp_path} \(File name too long\)"):
        local_results_file(tmp_path / ("x" * 250 + ".csv"), RESULT_FIELDS)


def test_a_missing_folder_is_made(tmp_path: Path) -> None:
    with local_results_file(tmp_path / "2031" / "01" / "out.csv", RESULT_FIELDS) as results:
        results.append(block(result(0)))
    assert (tmp_path / "2031" / "01" / "out.csv").read_text().count("\n") == 2
    with pytest.raises(ConfigurationError, match=r"the folder .*out\.csv cannot be made \("):
        local_results_file(tmp_path / "2031" / "01" / "out.csv" / "out.csv", RESULT_FIELDS)
    with pytest.raises(ConfigurationError, match="must be named"):
        local_results_file(tmp_path / "other" / "out.txt", RESULT_FIELDS)
    assert [path.name for path in tmp_path.iterdir()] == ["2031"]


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'airflow-provider-ghl\[parquet\]'"):
        local_results_file(tmp_path / "out.parquet", RESULT_FIELDS)
    assert list(tmp_path.iterdir()) == []
