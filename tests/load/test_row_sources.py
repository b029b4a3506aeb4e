"""Every source yields the same batches: all its rows, with the values it has."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from typing import Any

import pandas
import pytest
from row_batches import COLUMNS, HEAD, KEYED, cells, opened, parquet_bytes, read, until_error

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.rows import from_data, from_file, from_records

FRAME = pandas.DataFrame({"n": [1, 2, 3, 4, 5], "teacher_id": list("vwxyz"), "student_id": list("abcde")})
NAMES = ["n", "teacher_id", "student_id"]
DICTS = FRAME.to_dict("records")
PAIRS = list(zip("abcde", "vwxyz", strict=True))
LINES = "\n".join(map(json.dumps, DICTS)).encode()


@pytest.mark.parametrize(
    "source",
    [
        lambda size: from_data(FRAME, COLUMNS, size),
        lambda size: from_data(DICTS, COLUMNS, size),
        lambda size: from_data(iter(DICTS), COLUMNS, size),
        lambda size: from_data(PAIRS, COLUMNS, size),
        lambda size: from_data([list(pair) for pair in PAIRS], COLUMNS, size),
        lambda size: from_data([FRAME[:3], FRAME[3:]], COLUMNS, size),
        lambda size: from_records(NAMES, [FRAME.values.tolist()[:4], [], FRAME.values.tolist()[4:]], COLUMNS, size),
        lambda size: from_file(opened(FRAME.to_csv(index=False).encode()), "a.csv", COLUMNS, size),
        lambda size: from_file(opened(FRAME.to_csv(index=False, sep="\t").encode()), "a.TSV", COLUMNS, size),
        lambda size: from_file(opened(gzip.compress(FRAME.to_csv(index=False).encode())), "a.csv.gz", COLUMNS, size),
        lambda size: from_file(opened(LINES), "a.jsonl", COLUMNS, size),
        lambda size: from_file(opened(gzip.compress(LINES)), "a.ndjson.gz", COLUMNS, size),
        lambda size: from_file(opened(parquet_bytes(FRAME, row_group_size=2)), "a.parquet", COLUMNS, size),
    ],
)
def test_every_source_gives_full_batches_in_order(source: Callable[[int], Iterator[Batch]]) -> None:
    for size in (1, 2, 5, 6):
        batches = list(source(size))
        assert cells(batches) == PAIRS
        assert [batch.start for batch in batches] == list(range(0, 5, size))
        assert {len(batch) for batch in batches[:-1]} <= {size}
        assert all(column.dtype == object for batch in batches for column in batch.cells)
        assert not any(batch.unreadable for batch in batches)


def test_values_come_as_they_are() -> None:
    odd = [{"student_id": value, "teacher_id": [value]} for value in ("00123", " a ", 7, 1.5, None, True, [1], [2], {"x": 1})]
    assert cells(from_data(odd, COLUMNS, 100)) == [(row["student_id"], row["teacher_id"]) for row in odd]
    assert cells(read(b"student_id,teacher_id\n00123, x \n,NA\n")) == [("00123", " x "), ("", "NA")]
    assert cells(read(b'{"student_id": 7, "teacher_id": 1.5}\n{}', "a.jsonl")) == [(7, 1.5), (None, None)]
    typed = pandas.DataFrame({"student_id": [7, None], "teacher_id": ["00123", None]}, dtype=object)
    typed["student_id"] = typed["student_id"].astype("Int64")
    assert cells(read(parquet_bytes(typed), "a.parquet")) == [(7, "00123"), (None, None)]
    assert cells(from_data(typed, COLUMNS, 5)) == [(7, "00123"), (pandas.NA, None)]


def test_the_row_key_is_carried() -> None:
    assert [row[2] for row in cells(from_data(FRAME, KEYED, 2))] == [1, 2, 3, 4, 5]
    assert [row[2] for row in cells(from_data(DICTS, KEYED, 2))] == [1, 2, 3, 4, 5]
    assert [row[2] for row in cells(read(FRAME.to_csv(index=False).encode(), columns=KEYED))] == list("12345")
    assert [row[2] for row in cells(read(parquet_bytes(FRAME), "a.parquet", KEYED))] == [1, 2, 3, 4, 5]
    with pytest.raises(ConfigurationError, match="pairs have no column 'n'"):
        list(from_data(PAIRS, KEYED, 2))


def test_one_column_may_serve_twice() -> None:
    both = Columns("student_id", "student_id", row_key="student_id")
    assert cells(read(parquet_bytes(FRAME[:1]), "a.parquet", both)) == [("a", "a", "a")]
    assert cells(from_data(FRAME[:1], both, 5)) == [("a", "a", "a")]


def test_an_element_of_another_kind_is_an_unreadable_row() -> None:
    dicts = list(from_data([*DICTS, ("a", "b"), "ab", None], COLUMNS, 100))
    assert list(dicts[0].unreadable) == [5, 6, 7]
    assert dicts[0].unreadable[5] == "this row is of type tuple, and the first row was a dict"
    pairs = list(from_data([*PAIRS, "ab", ("a",), {"a": 1, "b": 2}], COLUMNS, 100))
    assert list(pairs[0].unreadable) == [5, 6, 7]
    assert pairs[0].unreadable[6] == "this row is a tuple of 1 value, and the first row was a pair"
    assert cells(pairs) == [*PAIRS, *[(None, None)] * 3]


@pytest.mark.parametrize(
    ("first", "what"),
    [(("a", "b", "c"), "a tuple of 3 values"), (["a", "b", "c"], "a list of 3 values"), (("a",), "a tuple of 1 value")],
)
def test_a_first_row_that_is_a_longer_tuple_says_how_columns_are_named(first: Any, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(from_data([first, first], COLUMNS, 2))
    assert str(caught.value) == f"the first row is {what}, and a pair has 2: give dicts, whose keys name their columns"


@pytest.mark.parametrize("data", [5, None, "ab", {"student_id": "a"}, ["ab", "cd"], [1], b"ab"])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(ConfigurationError, match="a list of dicts, a list of pairs, a DataFrame"):
        list(from_data(data, COLUMNS, 2))


@pytest.mark.parametrize(
    "source",
    [
        lambda columns: from_data(FRAME, columns, 2),
        lambda columns: from_data(FRAME[:0], columns, 2),
        lambda columns: from_data([FRAME], columns, 2),
        lambda columns: from_data(DICTS, columns, 2),
        lambda columns: from_records(NAMES, [], columns, 2),
        lambda columns: from_file(opened(b"n,teacher_id,student_id\n"), "a.csv", columns, 2),
        lambda columns: from_file(opened(LINES), "a.jsonl", columns, 2),
        lambda columns: from_file(opened(parquet_bytes(FRAME[:0])), "a.parquet", columns, 2),
    ],
)
def test_an_unknown_column_is_named_with_the_existing_ones(source: Callable[[Columns], Iterator[Batch]]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(source(Columns("Student ID", "teacher_id")))
    assert "no column 'Student ID' in " in str(caught.value)
    assert "its columns are: n, teacher_id, student_id; did you mean 'student_id'?" in str(caught.value)


def test_a_needed_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"column 'teacher_id' stands 2 times in pairs\.csv"):
        read(b"student_id,teacher_id,teacher_id\n")
    assert cells(read(b"student_id,teacher_id,x,x\na,v,1,2\n")) == [("a", "v")]
    with pytest.raises(ConfigurationError, match="stands 2 times in the query's result"):
        list(from_records(["student_id", "teacher_id", "student_id"], [], COLUMNS, 2))


@pytest.mark.parametrize("data", [[], (), iter([]), FRAME[:0], [FRAME[:0]]])
def test_an_empty_source_yields_no_batch(data: Any) -> None:
    assert list(from_data(data, COLUMNS, 2)) == []
    assert read(HEAD) == read(b"\n\n", "a.jsonl") == read(parquet_bytes(FRAME[:0]), "a.parquet") == []


def test_an_optional_key_may_be_missing_in_a_dict() -> None:
    rows = [{"student_id": "a"}, {"teacher_id": "v"}]
    assert cells(from_data(rows, COLUMNS, 2)) == [("a", None), (None, "v")]
    later = [{"student_id": "a", "teacher_id": "v"}, {}, {}]
    assert cells(from_data(later, COLUMNS, 1)) == [("a", "v"), (None, None), (None, None)]


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("gap", [1, 999])
def test_a_missing_column_is_found_with_any_batch_size(size: int, gap: int) -> None:
    rows = [*[{"student_id": "a"}] * gap, {"student_id": "b", "teacher_id": "v"}]
    expected = [*[("a", None)] * gap, ("b", "v")]
    assert cells(from_data(rows, COLUMNS, size)) == cells(from_data(iter(rows), COLUMNS, size)) == expected
    assert cells(read("\n".join(map(json.dumps, rows)).encode(), "a.jsonl", size=size)) == expected
    with pytest.raises(ConfigurationError, match="no column 'teacher' in the rows; its columns are: student_id, teacher_id;"):
        list(from_data(rows, Columns("student_id", "teacher"), size))
    with pytest.raises(ConfigurationError, match=r"no column 'teacher_id' in a\.jsonl; its columns are: student_id$"):
        read("\n".join(map(json.dumps, (rows[:gap] * 1001)[:1001])).encode(), "a.jsonl", size=size)


def test_a_needed_column_is_not_proposed_for_another() -> None:
    with pytest.raises(ConfigurationError, match=r"its columns are: student_id$"):
        list(from_data([{"student_id": "a"}], Columns("student_id", "students_id"), 2))
    with pytest.raises(ConfigurationError, match=r"did you mean 'students_ids'\?$"):
        list(from_data([{"student_id": "a", "students_ids": "b"}], Columns("student_id", "students_id"), 2))


@pytest.mark.parametrize("size", [1, 3])
def test_errors_while_columns_are_looked_for_pass_through_after_the_rows(size: int) -> None:
    def failing() -> Iterator[dict[str, str]]:
        yield from [{"student_id": "a"}] * 4
        raise ConnectionError("gone")

    assert until_error(from_data(failing(), COLUMNS, size), ConnectionError) == ([("a", None)] * 4, "gone")


def test_errors_of_an_iterator_pass_through_after_its_rows() -> None:
    def failing() -> Iterator[tuple[str, str]]:
        yield from PAIRS
        raise ConnectionError("gone")

    assert until_error(from_data(failing(), COLUMNS, 3), ConnectionError) == (PAIRS, "gone")
    chunks = ([row] for row in failing())
    assert until_error(from_records(["student_id", "teacher_id"], chunks, COLUMNS, 3), ConnectionError) == (PAIRS, "gone")


def test_a_generator_is_read_no_further_than_the_batch() -> None:
    taken: list[int] = []

    def source() -> Iterator[tuple[int, int]]:
        for n in range(10):
            taken.append(n)
            yield n, n

    batches = from_data(source(), COLUMNS, 3)
    next(batches)
    assert taken == [0, 1, 2]
