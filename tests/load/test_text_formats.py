"""Separators and encodings: which are allowed, how files are read with them, and what an error proposes."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.files import from_file
from airflow_provider_ghl.load.source.text_format import TextFormat

COLUMNS = Columns("student_id", "teacher_id")
HEAD = "student_id,teacher_id,note\n"


TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))


def cells(batches: Iterable[Batch]) -> list[tuple[Any, ...]]:
    return [tuple(row) for batch in batches for row in zip(*batch.cells, strict=True)]


def read(content: bytes, text: TextFormat = TextFormat(), name: str = "pairs.csv", size: int = 100) -> list[tuple[Any, ...]]:  # noqa: B008 - frozen
    batches = from_file(lambda: io.BytesIO(content), name, COLUMNS, size, text)
    return cells(batches)


def fault(content: bytes, text: TextFormat = TextFormat(), name: str = "pairs.csv") -> str:  # noqa: B008 - frozen
    with pytest.raises(ConfigurationError) as caught:
        read(content, text, name)
    return str(caught.value)


class TestEncodings:
    @pytest.mark.parametrize(
        ("encoding", "word"),
        [
            *[(name, "Zoë") for name in ("utf-8", "UTF8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7")],
            *[(name, "Zoë") for name in ("cp1252", "latin-1", "cp037", "gb18030")],
            ("shift_jis", "先生"),
            ("iso2022_jp", "先生"),
            ("ascii", "Zoe"),
        ],
    )
    def test_are_read(self, encoding: str, word: str) -> None:
        table = HEAD + f"{word},v,1\n" * 3 + f'"a\n{word}",w,"x,y"\n'
        expected = [(word, "v")] * 3 + [(f"a\n{word}", "w")]
        assert read(table.encode(encoding), TextFormat(encoding=encoding)) == expected
        assert read(gzip.compress(table.encode(encoding)), TextFormat(encoding=encoding), "a.csv.gz", 1) == expected
        lines = json.dumps({"student_id": word, "teacher_id": "v"}, ensure_ascii=False) + "\n"
        assert read(lines.encode(encoding), TextFormat(encoding=encoding), "a.jsonl") == [(word, "v")]

    @given(
        st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0")), min_size=1), st.integers(1, 9)
    )
    def test_any_text_is_given_back(self, notes: list[str], size: int) -> None:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([["student_id", "teacher_id"], *([note, "v"] for note in notes)])
        assert read(text.getvalue().encode("utf-16"), TextFormat(encoding="utf-16"), size=size) == [(n, "v") for n in notes]

    def test_a_large_file_is_read_in_pieces(self) -> None:
        table = HEAD + "".join(f"ü{n},v,1\n" for n in range(50_000))
        assert read(table.encode("utf-16"), TextFormat(encoding="utf-16")) == [(f"ü{n}", "v") for n in range(50_000)]

    @pytest.mark.parametrize("name", ["nope", "", "a\0b", "hex", "rot13", "zlib", "idna", "punycode", "undefined", 5, True])
    def test_a_name_that_is_none(self, name: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            TextFormat(encoding=name)
        assert str(caught.value) == (
            f"encoding must be one that Python has for text, such as 'utf-8', 'utf-16' or 'cp1252', not {name!r}"
        )

    @pytest.mark.parametrize("size", [1, 2, 1000])
    @pytest.mark.parametrize(
        ("encoding", "bad"),
        [
            ("cp1252", b"\x81"),
            ("ascii", "é".encode()),
            ("utf-16-le", b"\x00\xd8"),
            ("shift_jis", b"\x81\x00"),
            ("utf-32-le", b"\xff" * 4),
        ],
    )
    def test_rows_before_a_line_that_is_not_of_the_encoding_are_read(self, encoding: str, bad: bytes, size: int) -> None:
        table = (HEAD + "a,v,1\n" * 3 + "b").encode(encoding) + bad + ",x,1\nc,x,1\n".encode(encoding)
        batches: list[Batch] = []
        with pytest.raises(ConfigurationError) as caught:
            batches.extend(from_file(lambda: io.BytesIO(table), "p.csv", COLUMNS, size, TextFormat(encoding=encoding)))
        assert cells(batches) == [("a", "v")] * 3
        assert str(caught.value) == (
            f"cannot read p.csv: line 5 of the file is not {encoding} (character 2 of it); pass the file's own encoding="
        )

    def test_a_file_that_is_cut_in_a_character(self) -> None:
        assert "line 2 of the file is not utf-16 (character 4 of it)" in fault(
            (HEAD + "a,v").encode("utf-16") + b"x", TextFormat(encoding="utf-16")
        )

    @pytest.mark.parametrize(
        ("encoding", "proposed"), [("utf-16", "utf-16"), ("utf-32", "utf-32"), ("utf-16-be", "utf-16"), ("utf-32-be", "utf-32")]
    )
    def test_a_mark_of_another_encoding_is_named(self, encoding: str, proposed: str) -> None:
        table = HEAD if encoding == proposed else f"\ufeff{HEAD}"
        message = f"this looks like {proposed.upper()}: pass encoding='{proposed}'"
        assert fault(table.encode(encoding)) == f"cannot read pairs.csv: {message}"
        assert fault(table.encode(encoding), name="a.jsonl") == f"cannot read a.jsonl: {message}"
        assert read((table + "a,v,1\n").encode(encoding), TextFormat(encoding=proposed)) == [("a", "v")]

    def test_bytes_that_are_not_utf8_are_named_with_what_to_do(self) -> None:
        assert fault((HEAD + "a,é,1\n").encode("cp1252")) == (
            "cannot read pairs.csv: line 2 of the file is not UTF-8 (byte 3 of it is 0xe9); "
            "pass the file's own encoding=, such as encoding='cp1252'"
        )


class TestSeparators:
    @pytest.mark.parametrize("separator", [";", "\t", "|", " ", "\x1f", ",", "§"])
    @pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
    def test_are_read(self, separator: str, name: str) -> None:
        text = io.StringIO()
        rows = [("a", "v"), ("b", "w")] * 3 + [(f"c{separator}d", "x"), ('"', "y")]
        csv.writer(text, delimiter=separator).writerows([["teacher_id", "student_id"], *(row[::-1] for row in rows)])
        table = text.getvalue().encode()
        assert read(gzip.compress(table) if name.endswith("gz") else table, TextFormat(separator=separator), name) == rows

    @pytest.mark.parametrize("separator", ["", ";;", '"', "\n", "\r", "\\t", 5, b";"])
    def test_a_separator_that_cannot_be_one(self, separator: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            TextFormat(separator=separator)
        assert str(caught.value) == f"separator must be one character, no quote and no line end, not {separator!r}"

    @pytest.mark.parametrize(
        ("table", "name", "separator"),
        [
            ("student_id;teacher_id\na;v\n", "a.csv", ";"),
            ("student_id\tteacher_id\tnote\na\tv\t\n", "a.csv", "\t"),
            ("student_id|teacher_id\n", "a.csv", "|"),
            ("student_id,teacher_id\n", "a.tsv", ","),
            ("student_id;teacher_id\n", "a.tsv", ";"),
        ],
    )
    def test_another_one_is_proposed(self, table: str, name: str, separator: str) -> None:
        message = fault(table.encode(), name=name)
        assert message.startswith(f"no column 'student_id' in {name}; its columns are: ")
        assert message.endswith(f"; the header looks separated by {separator!r}: pass separator={separator!r}")
        assert "did you mean" not in message
        assert read(table.encode(), TextFormat(separator=separator), name) == [("a", "v")] * (table.count("\n") - 1)

    @pytest.mark.parametrize("separator", [";", "\t", "|"])
    def test_another_one_is_proposed_for_a_header_in_quotes(self, separator: str) -> None:
        table = f'"student_id"{separator}"teacher_id"\n"a"{separator}"v"\n'.encode()
        assert fault(table) == (
            "cannot read the header of pairs.csv: line 1 of the file: ',' expected after '\"'; "
            f"the header looks separated by {separator!r}: pass separator={separator!r}"
        )
        assert read(table, TextFormat(separator=separator)) == [("a", "v")]
        assert "is a quote left open" in fault(b'"student_id"x,"teacher_id"\n')

    def test_none_is_proposed_where_there_is_none(self) -> None:
        assert "separator" not in fault(b"student\na\n")
        assert "separator" not in fault(b"student;id,teacher_id\na,b\n")
        assert "separator" not in fault(b"student;teacher_id\n", TextFormat(separator=";"))


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (TextFormat(separator=";"), "a.jsonl", "cannot read a.jsonl: JSON Lines have no separator; leave out separator="),
        (TextFormat(separator=";"), "a.parquet", "cannot read a.parquet: Parquet has no separator; leave out separator="),
        (TextFormat(encoding="cp1252"), "a.parquet", "cannot read a.parquet: Parquet has no encoding; leave out encoding="),
    ],
)
def test_what_a_format_does_not_have_is_refused(text: TextFormat, name: str, message: str) -> None:
    assert fault(b"", text, name) == message
