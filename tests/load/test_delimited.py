"""Blocks of plain lines and the ``csv`` module read a table alike, wherever the blocks end."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Columns
from airflow_provider_ghl.load.source.delimited import from_delimited
from airflow_provider_ghl.load.source.lines import Lines

COLUMNS = Columns("b", "a", row_key="c")
HEADER = ["a", "b", "c"]
CELLS = st.text(st.sampled_from('xyz ü😀\t,"\n\x00\u2028'), max_size=4)
ROWS = st.lists(st.one_of(st.lists(CELLS, min_size=3, max_size=3), st.lists(CELLS, max_size=5)), max_size=20)


def read(data: bytes, block: int, batch_size: int, columns: Columns = COLUMNS) -> list[tuple[object, ...] | str]:
    """All rows in order, or the reason of an unreadable one; and the error that ended the source."""
    rows: list[tuple[object, ...] | str] = []
    try:
        for batch in from_delimited(Lines(io.BufferedReader(io.BytesIO(data)), "t.csv", block), ",", columns, batch_size):
            assert batch.start == len(rows)
            assert 0 < len(batch) <= batch_size
            for at, row in enumerate(zip(*batch.cells, strict=True)):
                rows.append(batch.unreadable.get(at, row))
    except ConfigurationError as error:
        rows.append(str(error))
    return rows


@given(rows=ROWS, block=st.integers(1, 60), batch_size=st.integers(1, 7), newline=st.sampled_from(["\n", "\r\n"]))
def test_what_csv_writes_is_read_back(rows: list[list[str]], block: int, batch_size: int, newline: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=newline).writerows([HEADER, *rows])
    expected = [tuple(row[at] for at in (1, 0, 2)) if len(row) == 3 else "ragged" for row in rows if row]
    found = read(text.getvalue().encode(), block, batch_size)
    assert [row if isinstance(row, tuple) else "ragged" for row in found] == expected


@given(
    lines=st.lists(st.text(st.sampled_from('xy ,,"\r'), max_size=8), max_size=12),
    block=st.integers(1, 40),
    batch_size=st.integers(1, 5),
)
@example(lines=["a,b,c", "", "x,y,z"], block=100, batch_size=3)
def test_blocks_of_any_size_give_the_same_rows(lines: list[str], block: int, batch_size: int) -> None:
    data = "\n".join(["a,b,c", *lines]).encode()
    # A block of one line at most is what the csv module would read.
    assert read(data, block, batch_size) == read(data, 1, 1000)


def test_a_line_that_is_not_utf8_is_named_in_any_position() -> None:
    data = b"a,b,c\n" + b"x,y,z\n" * 5 + b"x,\xff,z\n"
    for block in (1, 10, 1000):
        rows = read(data, block, 100)
        assert "line 7 of the file is not UTF-8 (byte 3 of it is 0xff)" in str(rows[-1])


@pytest.mark.parametrize("block", [1, 16, 1000])
def test_lines_are_numbered_through_blocks_of_both_kinds(block: int) -> None:
    data = b'a,b,c\nx,y,z\n"x",y,z\nx,y,z\nx,y\n"x\n",y,z\nx,y,z\nx,y,z,w\n'
    rows = read(data, block, 100)
    assert [row for row in rows if isinstance(row, str)] == [
        "line 5 of the file has 2 fields, the header has 3",
        "line 9 of the file has 4 fields, the header has 3: quote a field that holds the separator",
    ]
    assert len(rows) == 7


@pytest.mark.parametrize("block", [1, 1000])
def test_one_column_may_have_blank_lines(block: int) -> None:
    assert read(b"a\nx\n\ny\n", block, 10, Columns("a", "a")) == [("x", "x"), ("y", "y")]


@pytest.mark.parametrize("block", [1, 1000])
def test_one_field_is_one_field(block: int) -> None:
    assert read(b"a,b,c\nx\n", block, 10) == ["line 2 of the file has 1 field, the header has 3"]
    assert read(b'a\n"x\n",y\n', block, 10, Columns("a", "a")) == [
        "lines 2 to 3 of the file have 2 fields, the header has 1: quote a field that holds the separator"
    ]
