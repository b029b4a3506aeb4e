"""A faulty quote costs only its own row, and text inside a quoted field is never read as a row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.rows import from_file

COLUMNS = Columns("student_id", "teacher_id")
HEAD = b"student_id,teacher_id,note\n"
MEBIBYTE = 1 << 20


def read_batches(body: bytes, size: int = 2, name: str = "pairs.csv") -> Iterator[Batch]:
    return from_file(lambda: io.BytesIO(HEAD + body), name, COLUMNS, size)


def until_end(body: bytes, size: int = 2) -> tuple[list[tuple[Any, ...]], dict[int, str], str]:
    """The rows, the reasons of unreadable rows, and the error that ended the source."""
    rows: list[tuple[Any, ...]] = []
    unreadable: dict[int, str] = {}
    try:
        for batch in read_batches(body, size):
            rows.extend(zip(*batch.cells, strict=True))
            unreadable |= {batch.start + at: why for at, why in batch.unreadable.items()}
    except ConfigurationError as error:
        return rows, unreadable, str(error)
    return rows, unreadable, ""


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (b'a,"v"v,1\n', "line 3 of the file: "),
        (b'a,v,"Foo" Inc\n', "line 3 of the file: "),
        (b"a,v\r1,2\n", "line 3 of the file: "),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_faulty_line_whose_quotes_are_even_is_one_unreadable_row(fault: bytes, message: str, size: int) -> None:
    rows, unreadable, ended = until_end(b"p,q,0\n" + fault + b"c,x,3\n", size)
    assert rows == [("p", "q"), (None, None), ("c", "x")]
    assert list(unreadable) == [1]
    assert unreadable[1].startswith(message)
    assert "is a quote left open" in unreadable[1]
    assert ended == ""


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        (b'a,v,"1\nb,w,2\n', "lines 3 to 5 of the file: "),
        (b'a,v,"1\nb,w,"2"\n', "lines 3 to 4 of the file: "),
        (b'a,v,"said\n "hi"\nb,w,2\n', "lines 3 to 4 of the file: "),
        (b'a,v,"Foo" Inc"\n', "line 3 of the file: "),
        (b'"a","v","1\n"b","w","2\nevil1,evil2,3"\n', "lines 3 to 4 of the file: "),
        (b'a,5" pipe,"open\n', "lines 3 to 4 of the file: "),
        (b'\n\na,v,"' + b"x\n" * 70_000, "lines 5 to 70005 of the file: "),
    ],
)
@pytest.mark.parametrize("size", [1, 2, 100])
def test_a_quote_that_is_left_open_ends_the_source_after_the_rows_before_it(fault: bytes, lines: str, size: int) -> None:
    rows, unreadable, ended = until_end(b"p,q,0\n" + fault + b"c,x,3\n", size)
    assert rows == [("p", "q")]
    assert unreadable == {}
    assert ended.startswith(f"cannot read pairs.csv beyond {lines}")
    assert "is a quote left open" in ended


def test_a_long_field_is_read() -> None:
    note = b"x," * (MEBIBYTE // 2) + b'\nevil1,evil2,""3""\n' * 10_000
    rows, unreadable, ended = until_end(b'a,v,"' + note + b'"\nb,w,' + b"y" * MEBIBYTE + b"\nc,x,3\n")
    assert rows == [("a", "v"), ("b", "w"), ("c", "x")]
    assert (unreadable, ended) == ({}, "")


@pytest.mark.parametrize("quote", [b'"', b""])
def test_a_field_that_is_far_too_long_ends_the_source(quote: bytes) -> None:
    inside = b"\nevil1,evil2,3\n" if quote else b""
    note = b"x" * (16 * MEBIBYTE + 1) + inside
    rows, unreadable, ended = until_end(b"a,v,1\nb,w," + quote + note + quote + b"\nc,x,3\n")
    assert rows == [("a", "v")]
    assert unreadable == {}
    assert ended.startswith("cannot read pairs.csv beyond line 3 of the file: field larger than field limit (16777216)")
    assert "is a quote left open" in ended


def test_a_larger_field_limit_of_the_process_is_kept() -> None:
    before = csv.field_size_limit(32 * MEBIBYTE)
    try:
        assert until_end(b"a,v," + b"x" * (17 * MEBIBYTE) + b"\n") == ([("a", "v")], {}, "")
        assert csv.field_size_limit() == 32 * MEBIBYTE
    finally:
        csv.field_size_limit(before)


NOTES = st.lists(st.sampled_from(["evil1,evil2,3\n", '"', "\n", ",", "a"]), max_size=6).map("".join)


@given(st.lists(NOTES, min_size=1, max_size=6), st.integers(0, 5), st.integers(1, 4))
def test_a_closing_quote_that_is_missing_makes_no_row_out_of_text(notes: list[str], where: int, size: int) -> None:
    where %= len(notes)
    lines = [f'"s{n}","t{n}","' + note.replace('"', '""') + '"\n' for n, note in enumerate(notes)]
    lines[where] = lines[where].removesuffix('"\n') + "\n"
    rows, unreadable, ended = until_end("".join(lines).encode(), size)
    assert rows == [(f"s{n}", f"t{n}") for n in range(where)]
    assert unreadable == {}
    assert "is a quote left open" in ended
