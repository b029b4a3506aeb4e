"""Faulty files and their errors. No row is lost without an error."""

from __future__ import annotations

import gzip
import io
import json
import sys
from pathlib import Path
from typing import Any, BinaryIO

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st
from row_batches import COLUMNS, HEAD, KEYED, cells, opened, parquet_bytes, read, until_error

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.source.rows import from_file

ZIP = b"PK\x03\x04\x14\x00\x06\x00"
FRAME = pandas.DataFrame({"n": [1, 2, 3, 4, 5], "teacher_id": list("vwxyz"), "student_id": list("abcde")})

DICTS = FRAME.to_dict("records")
PAIRS = list(zip("abcde", "vwxyz", strict=True))
LINES = "\n".join(map(json.dumps, DICTS)).encode()


@given(
    st.lists(st.tuples(*[st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))] * 2)),
    st.integers(1, 5),
)
def test_csv_gives_back_any_text(pairs: list[tuple[str, str]], size: int) -> None:
    buffer = io.StringIO()
    pandas.DataFrame(pairs, columns=["student_id", "teacher_id"], dtype=object).to_csv(buffer, index=False, quoting=1)
    batches = read(buffer.getvalue().encode(), size=size)
    assert cells(batches) == pairs
    assert [len(batch) for batch in batches[:-1]] == [size] * (len(batches) - 1 if batches else 0)


def test_byte_order_marks_blank_lines_and_windows_line_ends_are_no_rows() -> None:
    text = "\n\nstudent_id,teacher_id\r\na,v\r\n\r\n\r\nb,w"
    assert cells(read(text.encode("utf-8-sig"))) == [("a", "v"), ("b", "w")]
    lines = '\n{"student_id": "a", "teacher_id": "v"}\r\n  \n{"student_id": "b", "teacher_id": "w"}\n\n'
    assert cells(read(lines.encode("utf-8-sig"), "a.jsonl")) == [("a", "v"), ("b", "w")]


def test_a_ragged_line_is_one_unreadable_row_named_by_its_line() -> None:
    batches = read(HEAD + b'a,v,"1\n1"\n\nb,w,2,x\nc,x\n"d\n",y\ne,z,5\n', columns=KEYED, size=3)
    assert cells(batches) == [("a", "v", "1\n1"), (None,) * 3, (None,) * 3, (None,) * 3, ("e", "z", "5")]
    assert batches[0].unreadable == {
        1: "line 5 of the file has 4 fields, the header has 3: quote a field that holds the separator",
        2: "line 6 of the file has 2 fields, the header has 3",
    }
    assert batches[1].unreadable == {0: "lines 7 to 8 of the file have 2 fields, the header has 3"}


def test_a_json_line_that_is_no_object_is_an_unreadable_row() -> None:
    batches = read(LINES + b'\n\n[1]\n{"a\n' + b"[" * 100_000 + b"\nnull\n", "a.jsonl", size=100)
    assert batches[0].unreadable == {
        5: "line 7 of the file is a JSON array, an object is needed",
        6: "line 8 of the file is not JSON",
        7: "line 9 of the file is not JSON",
        8: "line 10 of the file is a JSON null, an object is needed",
    }
    assert cells(batches) == [*PAIRS, *[(None, None)] * 4]


@pytest.mark.parametrize("name", ["a.xlsx", "a", "a.parquet.gz", "csv", "s3://user:secret@bucket/a.txt?sig=secret"])
def test_an_unknown_format_is_refused_and_names_no_secret(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"its name must end in \.csv, \.tsv") as caught:
        read(b"", name)
    assert "secret" not in str(caught.value)
    assert cells(read(HEAD + b"a,v,1\n", "https://host/a.csv?sig=x")) == [("a", "v")]


def test_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    missing, locked = tmp_path / "missing.csv", PermissionError(13, "denied")

    def refuse() -> BinaryIO:
        raise locked

    for open_file, why in [
        (lambda: missing.open("rb"), "there is no such file"),
        (lambda: tmp_path.open("rb"), "it is a directory"),
        (refuse, "permission denied"),
    ]:
        rows, message = until_error(from_file(open_file, "x/pairs.csv", COLUMNS, 2), ConfigurationError)
        assert rows == []
        assert message.startswith(f"cannot read x/pairs.csv: {why}")


@pytest.mark.parametrize(
    ("content", "name", "why"),
    [
        (b"", "a.csv", "it is empty, a header"),
        (b"\n\n", "a.tsv", "it is empty"),
        (b'"a', "a.csv", "the header of a.csv: line 1 of the file: "),
        (HEAD, "a.csv.gz", "not a sound gzip file"),
        (HEAD.decode().encode("utf-16"), "a.csv", "this looks like UTF-16: pass encoding="),
        (HEAD, "a.parquet", "not a sound Parquet file"),
        (b"", "a.parquet", "not a sound Parquet file"),
        (parquet_bytes(FRAME)[:-20], "a.parquet", "not a sound Parquet file"),
        (ZIP, "a.csv", r"^cannot read a\.csv: it is an Excel workbook or another zip archive; export the table as CSV$"),
        (ZIP, "a.jsonl", "it is an Excel workbook or another zip archive"),
        (gzip.compress(ZIP), "a.tsv.gz", "it is an Excel workbook or another zip archive"),
        (bytes.fromhex("d0cf11e0a1b11ae1") + bytes(9), "a.csv", "it is an Excel workbook of the old kind"),
        (parquet_bytes(FRAME), "a.csv", r"^cannot read a\.csv: it is a Parquet file; its name must end in \.parquet$"),
        (gzip.compress(HEAD), "a.csv", r"^cannot read a\.csv: it is a gzip file; its name must end in \.gz$"),
        (gzip.compress(gzip.compress(HEAD)), "a.csv.gz", "it is a gzip file"),
    ],
)
def test_a_file_that_is_not_what_its_name_says(content: bytes, name: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        read(content, name)


@pytest.mark.parametrize("column", ["PK", "PAR1", "BZh"])
def test_a_header_may_begin_as_other_files_do(column: str) -> None:
    assert cells(read(column.encode() + b",student_id,teacher_id\n1,a,v\n")) == [("a", "v")]


@pytest.mark.parametrize(
    "name",
    ["exports/*.csv", "exports/2026-??.csv", "exports/[ab].parquet", "exports/*", "s3://bucket/*/a.csv", "memory://b/a*"],
)
def test_a_pattern_is_no_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        list(from_file(lambda: (tmp_path / "missing").open("rb"), name, COLUMNS, 2))
    assert str(caught.value) == (
        f"cannot read {name}: there is no such file, and patterns are not expanded: "
        "name one file, or map the task over the files with .expand(path=[…])"
    )


def test_a_file_whose_name_looks_like_a_pattern_is_read() -> None:
    assert cells(read(HEAD + b"a,v,1\n", "exports/[1]*?.csv")) == [("a", "v")]


def test_a_query_in_a_url_is_no_pattern(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"cannot read https://host/a\.csv: there is no such file$"):
        list(from_file(lambda: (tmp_path / "missing").open("rb"), "https://host/a.csv?x=[1]*", COLUMNS, 2))


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_rows_before_a_fault_are_yielded_before_the_error(size: int) -> None:
    table = HEAD + b"".join(b"a%d,v,1\n" % n for n in range(5))
    rows, message = until_error(from_file(opened(table + b"b,\xe9,1\nc,x,1"), "p.csv", COLUMNS, size), ConfigurationError)
    assert rows == [(f"a{n}", "v") for n in range(5)]
    assert message == (
        "cannot read p.csv: line 7 of the file is not UTF-8 (byte 3 of it is 0xe9); "
        "pass the file's own encoding=, such as encoding='cp1252'"
    )
    rows, message = until_error(from_file(opened(LINES + b"\n\n\xff"), "p.jsonl", COLUMNS, size), ConfigurationError)
    assert rows == PAIRS
    assert "line 7 of the file is not UTF-8" in message


@pytest.mark.parametrize("damage", ["cut", "bytes"])
def test_a_damaged_gzip_file_gives_what_could_be_read(damage: str) -> None:
    table = HEAD + b"".join(b"%032x,%032x,1\n" % (n**9, n**8) for n in range(50_000))
    packed = bytearray(gzip.compress(table))
    if damage == "cut":
        del packed[-1000:]
    else:
        packed[-1000:-500] = b"\xff" * 500
    rows, message = until_error(from_file(opened(bytes(packed)), "a.csv.gz", COLUMNS, 1000), ConfigurationError)
    assert 25_000 < len(rows) < 50_000
    assert rows[20_000] == (f"{20_000**9:032x}", f"{20_000**8:032x}")
    assert "gzip" in message


def test_a_file_like_object_needs_only_read() -> None:
    class OnlyRead:
        def __init__(self) -> None:
            self._inner = io.BytesIO(gzip.compress(HEAD + b"a,v,1\n"))
            self.closed = False

        def read(self, size: int = -1) -> bytes:
            return self._inner.read(min(size, 3))

        def __enter__(self) -> OnlyRead:
            return self

        def __exit__(self, *_: object) -> None:
            self.closed = True

    file: Any = OnlyRead()
    assert cells(from_file(lambda: file, "a.csv.gz", COLUMNS, 2)) == [("a", "v")]
    assert file.closed


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    content = parquet_bytes(FRAME)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'airflow-provider-ghl\[parquet\]'"):
        read(content, "a.parquet")


def test_data_in_place_of_a_header_are_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(b"ann@example.com,+49 151 1234567,x\n")
    assert "example" not in str(caught.value)
    assert "1234567" not in str(caught.value)
    with pytest.raises(ConfigurationError, match=r"c29 and 70 more$"):
        read(",".join(f"c{n}" for n in range(100)).encode())
