"""Values in a form that every store can hold, and reasons that are counted together."""

from __future__ import annotations

import json
import uuid
from datetime import date
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.load.reasons import without_details, without_keys
from airflow_provider_ghl.load.results.outcomes import storable


class _Colour(StrEnum):
    RED = "red"


class _Level(IntEnum):
    LOW = 3


class _Mute:
    def __str__(self) -> str:
        raise AttributeError("no text")


def nested(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("K-1", "K-1"),
        ("Zoë 😀 \\x00 \x7f", "Zoë 😀 \\x00 \x7f"),
        ("", ""),
        ("a\x00b", "a\\x00b"),
        ("tab\tline\r\n\x1f", "tab\\x09line\\x0d\\x0a\\x1f"),
        ("\ud800 and \udfff", "\\ud800 and \\udfff"),
        (np.str_("a\x00"), "a\\x00"),
        (_Colour.RED, "red"),
        (_Level.LOW, 3),
        (7, 7),
        (True, True),
        (np.bool_(False), False),
        (np.int8(-5), -5),
        (np.uint64(7), 7),
        (np.uint64(2**64 - 1), str(2**64 - 1)),
        (2**63 - 1, 2**63 - 1),
        (2**63, str(2**63)),
        (-(2**63), -(2**63)),
        (-(2**63) - 1, str(-(2**63) - 1)),
        (10**30, "1" + "0" * 30),
        (10**4999, "an int of 16607 bits"),
        (-(10**4999), "an int of 16607 bits"),
        (1.0, "1.0"),
        (np.float64(7.5), "7.5"),
        (float("inf"), "inf"),
        (None, None),
        (float("nan"), None),
        (np.float32("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
        (np.datetime64("NaT", "s"), None),
        (Decimal("NaN"), None),
        (Decimal("1.50"), "1.50"),
        (date(2026, 1, 31), "2026-01-31"),
        (np.timedelta64(5, "s"), "5 seconds"),
        (b"\x00", "b'\\x00'"),
        (["\ud800", None], "['\\ud800', None]"),
        (np.array([1, 2]), "[1 2]"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([10**5000], "a value of type list"),
        (nested(100_000), "a value of type list"),
        (_Mute(), "a value of type _Mute"),
    ],
    ids=lambda value: f"of {type(value).__name__}",
)
def test_values_become_what_every_store_can_hold(value: Any, stored: Any) -> None:
    assert storable(value) == stored
    assert type(storable(value)) is type(stored)


KEYS = st.one_of(
    st.text(st.characters()), st.text(st.characters(categories=["Cs", "Cc"])), st.integers(), st.floats(), st.decimals()
)


@given(key=KEYS)
def test_what_is_stored_is_sound_json(key: Any) -> None:
    text = json.dumps({"row_key": storable(key)}, allow_nan=False, ensure_ascii=False)
    assert json.loads(text.encode("utf-8")) == {"row_key": storable(key)}
    assert "\\u0000" not in text
    assert "\x00" not in text


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("line 17 of the file has 4 fields, the header has 3", "line … of the file has 4 fields, the header has 3"),
        ("lines 7 to 18 of the file have 2 fields, the header has 3", "lines … of the file have 2 fields, the header has 3"),
        ("line 3 of the file is not JSON", "line … of the file is not JSON"),
        (
            "line 3 of the file: field larger than field limit (131072)",
            "line … of the file: field larger than field limit (131072)",
        ),
        (
            "column 'line 2': 7.5 is a float; cast it to text in the query",
            "column 'line 2': … is a float; cast it to text in the query",
        ),
        (
            "column 'a': True is a bool; cast it to text in the query; column 'b': 1E+2 is a Decimal; cast it to text",
            "column 'a': … is a bool; cast it to text in the query; column 'b': … is a Decimal; cast it to text",
        ),
        (
            "this row is a list of 3 values, and the first row was a pair",
            "this row is a list of 3 values, and the first row was a pair",
        ),
        ("column 'record_id_2' is empty", "column 'record_id_2' is empty"),
        ("column 'a': 2 contacts have it: Xk2v7QpLr9TfBz4NwHd1, Yk2", "column 'a': … contacts have it"),
        (
            "column 'a': HighLevel finds Xk2v7QpLr9TfBz4NwHd1 for it, and has no such record",
            "column 'a': HighLevel finds … for it, and has no such record",
        ),
        ("column 'a': a value of type bytes; cast it", "column 'a': a value of type bytes; cast it"),
        ("column 'b64_identifier_1' is empty", "column 'b64_identifier_1' is empty"),
    ],
)
def test_our_own_reasons_stay_readable(reason: str, expected: str) -> None:
    assert without_details(reason) == expected


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("No. 7/ü (NO. 7/Ü) is full", "<key> (<key>) is full"),
        ("record 12 of abc12def, 12-3", "record <key> of abc12def, <key>-3"),
        ('the name is"Bird" & Co', "the name is<key> & Co"),
        ("somebody has No. 7…", "somebody has <key>…"),
        ("somebody has No.…", "somebody has No.…"),
        ("nothing of it", "nothing of it"),
    ],
)
def test_what_highlevel_says_repeats_no_key(reason: str, expected: str) -> None:
    assert without_keys(reason, ["No. 7/ü", "12", '"Bird"', ""]) == expected
