"""Which values are ids, and why others are not."""

from __future__ import annotations

import datetime
import enum
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.load.columns import Batch, Columns, Valid
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.relations.validation import validate

COLUMNS = Columns("student_id", "teacher_id")


class Colour(enum.StrEnum):
    RED = "red"


def checked(*pairs: tuple[Any, Any]) -> Valid:
    (batch,) = from_data(list(pairs), COLUMNS, len(pairs))
    return validate(batch, COLUMNS)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("64f1a2b3c4d5e6f708192a3b", "64f1a2b3c4d5e6f708192a3b"),
        ("00123", "00123"),
        ("\t aB\u00a0\r\n", "aB"),
        ("a b", "a b"),
        ("NaN", "NaN"),
        ("ü", "ü"),
        (123, "123"),
        (-1, "-1"),
        (2**70, str(2**70)),
        (numpy.int64(7), "7"),
        (numpy.uint8(7), "7"),
        (numpy.str_(" a "), "a"),
        (Colour.RED, "red"),
        (Decimal("12.00"), "12"),
        (Decimal("1E5"), "100000"),
        (UUID(int=5), "00000000-0000-0000-0000-000000000005"),
    ],
)
def test_what_is_an_id(value: Any, text: str) -> None:
    for pair in ((value, "x"), ("x", value), (value, None)):
        valid = checked(pair, ("y", "y"))
        assert text in (valid.values[0][0], valid.values[1][0])
        assert list(valid.problems) == [0] * (None in pair)


@pytest.mark.parametrize(
    "value",
    [
        *("", "  ", "\u2003\n", None, float("nan"), numpy.float32("nan"), Decimal("NaN"), Decimal("sNaN")),
        *(pandas.NaT, pandas.NA, numpy.datetime64("NaT", "s"), numpy.timedelta64("NaT", "s")),
    ],
)
def test_what_is_missing(value: Any) -> None:
    valid = checked((value, "x"), ("y", "y"))
    assert valid.problems == {0: "column 'student_id' is empty"}
    assert (valid.values[0][0], valid.values[1][0]) == ("", "x")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (12.5, "12.5 is a float"),
        (12.0, "12.0 is a float"),
        (numpy.float64(12.5), "12.5 is a float64"),
        (float("inf"), "inf is a float"),
        (491511234567.0, "a float"),
        (True, "True is a bool"),
        (numpy.bool_(False), "False is a bool"),
        (Decimal("12.5"), "12.5 is a Decimal"),
        (Decimal("Infinity"), "Infinity is a Decimal"),
        (Decimal("1E+999999"), "1E+999999 is a Decimal"),
        (Decimal("1." + "1" * 60), "a Decimal"),
        (b"ann@example.com", "a value of type bytes"),
        (datetime.date(2000, 1, 31), "a value of type date"),
        (pandas.Timestamp(2000, 1, 31), "a value of type Timestamp"),
        (numpy.timedelta64(5, "s"), "a value of type timedelta64"),
        ({"name": "Ann"}, "a value of type dict"),
        (["Ann"], "a value of type list"),
        (numpy.array([1, 2]), "a value of type ndarray"),
    ],
)
def test_what_must_be_cast(value: Any, message: str) -> None:
    valid = checked((value, "x"), ("y", value), ("y", "y"))
    assert valid.problems[0].startswith(f"column 'student_id': {message}")
    assert valid.problems[0].endswith("; cast it to text in the query")
    assert valid.problems[1] == valid.problems[0].replace("student_id", "teacher_id")
    assert list(valid.values[0]) == ["", "y", "y"]
    assert not any(secret in valid.problems[0] for secret in ("Ann", "ann", "491511", "2000", "1111111"))


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_text_that_cannot_be_sent_is_refused(value: str) -> None:
    valid = checked((value, "x"), ("y", "y"))
    assert valid.problems == {0: "column 'student_id' holds text that is not Unicode"}


@pytest.mark.parametrize("others", [("y", "y"), ("y", None)])
@pytest.mark.parametrize("value", ["\0", "a\0b", " a\0", numpy.str_("a\0b")])
def test_text_with_a_nul_is_refused(value: str, others: tuple[Any, Any]) -> None:
    valid = checked((value, "x"), ("y", value), others)
    assert valid.problems[0] == "column 'student_id' holds a NUL character"
    assert valid.problems[1] == "column 'teacher_id' holds a NUL character"
    assert (list(valid.values[0]), valid.values[1][1]) == (["", "y", "y"], "")
    assert len(valid.problems) == 2 + (None in others)


@pytest.mark.parametrize("others", [("y", "y"), ("ü", 7), ("y", None)])
@pytest.mark.parametrize("value", ["ann@example.com", " ann@example.com ", "@", "ü@x", numpy.str_("a@b")])
def test_text_with_an_at_sign_is_a_key_and_no_id(value: str, others: tuple[Any, Any]) -> None:
    valid = checked((value, "x"), ("y", value), others)
    assert valid.problems[0] == "column 'student_id' looks like an e-mail address; keys need a look-up"
    assert valid.problems[1] == "column 'teacher_id' looks like an e-mail address; keys need a look-up"
    assert (list(valid.values[0][:2]), valid.values[1][1]) == (["", "y"], "")
    assert len(valid.problems) == 2 + (None in others)


def test_an_int_too_long_for_text_is_refused_alone() -> None:
    valid = checked((10**5000, 1), (5, 2))
    assert valid.problems == {0: "column 'student_id' holds an int of too many digits"}
    assert list(valid.values[0]) == ["", "5"]


def test_all_reasons_of_a_row_are_given() -> None:
    assert checked(("", None)).problems == {0: "column 'student_id' is empty; column 'teacher_id' is empty"}


def test_an_unreadable_row_has_that_reason_alone_and_is_not_usable() -> None:
    cells = [numpy.array(column, dtype=object) for column in (["a", None, "c"], ["a", None, ""])]
    valid = validate(Batch(0, cells, {1: "line 3 has 1 field, the header has 2"}), COLUMNS)
    assert valid.problems == {1: "line 3 has 1 field, the header has 2", 2: "column 'teacher_id' is empty"}
    assert valid.usable.tolist() == [True, False, False]


ANYTHING = st.one_of(
    st.text(max_size=5),
    st.integers(),
    st.floats(),
    st.none(),
    st.booleans(),
    st.binary(max_size=3),
    st.decimals(),
    st.uuids(),
    st.dates(),
    st.lists(st.integers(), max_size=1),  # two of them would be a pair, and a list of pairs is no pair
    st.sampled_from([pandas.NA, pandas.NaT, numpy.int32(5), numpy.float64(0.5)]),
)


@given(st.lists(st.tuples(ANYTHING, ANYTHING), min_size=1, max_size=30))
def test_a_row_has_two_sendable_ids_or_a_reason(pairs: list[tuple[Any, Any]]) -> None:
    valid = checked(*pairs)
    for at, (first, second) in enumerate(zip(valid.values[0], valid.values[1], strict=True)):
        assert (at in valid.problems) == (first == "" or second == "")
        assert valid.usable[at] == (at not in valid.problems)
        for text in (first, second):
            assert type(text) is str
            assert text == text.strip()
            assert text.encode().decode() == text
            assert not {"\0", "@"} & set(text)


@given(st.lists(ANYTHING, min_size=1, max_size=30))
def test_a_value_is_judged_alone(values: list[Any]) -> None:
    together = checked(*[(value, "x") for value in values])
    for at, value in enumerate(values):
        alone = checked((value, "x"))
        assert alone.values[0][0] == together.values[0][at]
        assert alone.problems.get(0) == together.problems.get(at)


@pytest.mark.parametrize("other", ["x", "ü", 7])
def test_a_text_that_is_no_id_by_its_length(other: object) -> None:
    """No database could index it, so one such cell would end the whole load."""
    valid = checked(("a" * 500, "x"), ("b" * 501, "x"), (other, "x"))
    assert list(valid.problems) == [1]
    assert valid.problems[1].endswith("holds 501 characters, and no record's id is longer than 500")
