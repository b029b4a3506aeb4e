"""Normal forms: which spellings are one key, and which texts are none."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups.key_texts import read_id, read_key
from airflow_provider_ghl.lookups.normal_forms import (
    Day,
    Email,
    Form,
    InvalidKey,
    Number,
    Option,
    Phone,
    Text,
    check_region,
)

TIERS = Option(frozenset({"gold", "silver"}), {"Gold tier": "gold", "gold": "silver"})
FORMS: list[Form] = [Text(), Email(), Phone(), Phone("US"), Number(), Day(), TIERS]


@pytest.mark.parametrize(
    ("form", "text", "normal"),
    [
        (Text(), "Ab-1", "Ab-1"),
        (Email(), "Ada@Example.ORG", "ada@example.org"),
        (Email(), "straße@example.org", "straße@example.org"),
        (Phone(), "+1 (202) 555-0143", "+12025550143"),
        (Phone("US"), "202.555.0143", "+12025550143"),
        (Phone("DE"), "030/1234567", "+49301234567"),
        (Phone("DE"), "+1 202 555 0143", "+12025550143"),
        (Phone("DE"), "0049 30 1234567", "+49301234567"),
        (Number(), "007", "7"),
        (Number(), "+7.50", "7.5"),
        (Number(), "-0.00", "0"),
        (Number(), "-12", "-12"),
        (Day(), "2026-02-28", "2026-02-28"),
        (Day(), "2026-02-28T23:59:00Z", "2026-02-28"),
        (TIERS, "gold", "gold"),  # a key comes before a label
        (TIERS, "Gold tier", "gold"),
    ],
)
def test_a_key_has_one(form: Form, text: str, normal: str) -> None:
    assert form.of_key(text) == normal
    assert form.of_key(normal) == normal
    assert form.of_value(text) == normal


REFUSED: list[tuple[Form, str, str]] = [
    (Email(), "a@b@c", "more than one e-mail address, or no plain one"),
    (Email(), "a@example.org; b@example.org", "more than one e-mail address, or no plain one"),
    (Email(), "a@example.org,b", "more than one e-mail address, or no plain one"),
    (Email(), "Ada <ada@example.org>", "more than one e-mail address, or no plain one"),
    (Email(), "ada lovelace@example.org", "no e-mail address"),
    (Email(), "ada.example.org", "no e-mail address"),
    (Email(), "ada@", "no e-mail address"),
    (Email(), "a" * 300 + "@example.org", "longer than an e-mail address can be (254 characters)"),
    (Phone("US"), "202 555 0143 / 202 555 0144", "more than one phone number"),
    (Phone("US"), "202 555 0143, 202 555 0144", "more than one phone number"),
    (Phone("US"), "202 555 0143 or 202 555 0144", "more than one phone number"),
    (Phone(), "+12025550143+12025550144", "more than one phone number"),
    (Phone("US"), "2025550143 2025550144", "no phone number"),
    (Phone(), "202 555 0143", "a phone number without a country code, and no phone_region says whose it is"),
    (Phone(), "+999 1234567", "no phone number"),
    (Phone("US"), "unknown", "no phone number"),
    (Phone("US"), "12", "no phone number: too few or too many digits"),
    (Phone("US"), "202 555 0143 ext. 7", "a phone number with an extension: people who share it cannot be told apart"),
    (Phone("US"), "1" * 300, "no phone number"),
    (Number(), "1,000", "no plain number"),
    (Number(), "1e3", "no plain number"),
    (Number(), "NaN", "no plain number"),
    (Number(), "٣", "no plain number"),
    (Day(), "28.02.2026", "no date: YYYY-MM-DD is one"),
    (Day(), "2026-02-30", "no date: YYYY-MM-DD is one"),
    (TIERS, "bronze", "none of the field's options"),
    (TIERS, "GOLD", "none of the field's options"),
]


@pytest.mark.parametrize(("form", "text", "reason"), REFUSED)
def test_other_texts_have_none(form: Form, text: str, reason: str) -> None:
    with pytest.raises(InvalidKey) as invalid:
        form.of_key(text)
    assert str(invalid.value) == reason


@pytest.mark.parametrize(
    ("form", "value", "normal"),
    [
        (Text(), " A-1 ", "A-1"),
        (Text(), 12, "12"),
        (Text(), True, None),
        (Text(), "", None),
        (Text(), ["A-1"], None),
        (Email(), " ADA@example.org", "ada@example.org"),
        (Email(), "a@b@c", "a@b@c"),  # whatever it is, it is no key's
        (Email(), {"email": "x"}, None),
        (Phone("US"), "(202) 555-0143", "+12025550143"),
        (Phone(), "(202) 555-0143", None),
        (Phone(), None, None),
        (Number(), 7, "7"),
        (Number(), 7.0, "7"),
        (Number(), 0.1, "0.1"),
        (Number(), 1e21, "1000000000000000000000"),
        (Number(), float("nan"), None),
        (Number(), "007", "7"),
        (Number(), {"currency": "default", "value": 100}, "100"),
        (Number(), True, None),
        (Day(), 1772236800000, "2026-02-28"),
        (Day(), 10**30, None),
        (Day(), "soon", None),
        (TIERS, ["gold"], "gold"),
        (TIERS, ["gold", "silver"], None),
        (TIERS, 1, None),
    ],
)
def test_values_that_were_read(form: Form, value: Any, normal: str | None) -> None:
    assert form.of_value(value) == normal


@pytest.mark.parametrize("form", FORMS)
@given(text=st.text(min_size=1))
def test_any_text_has_one_or_a_reason_that_does_not_quote_it(form: Form, text: str) -> None:
    text = text.strip()
    if not text:
        return
    normal, reason = tried(form, text)
    assert (normal is None) == (reason in {known for _, _, known in REFUSED})
    assert normal is None or (normal and tried(form, normal) == (normal, None))


def tried(form: Form, text: str) -> tuple[str | None, str | None]:
    try:
        return form.of_key(text), None
    except InvalidKey as invalid:
        return None, str(invalid)


@pytest.mark.parametrize("form", FORMS)
@given(
    value=st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.lists(st.text())
    | st.dictionaries(st.text(), st.text())
)
def test_any_value_can_be_read(form: Form, value: Any) -> None:
    normal = form.of_value(value)
    assert normal is None or normal


def test_filters_take_numbers_without_quotes() -> None:
    assert [Number().for_filter(one) for one in ("7", "-7", "7.5")] == [7, -7, 7.5]
    assert TIERS.for_filter("gold") == "gold"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (" A-1\n", "A-1"),
        (7, "7"),
        (numpy.int64(7), "7"),
        (Decimal("7.00"), "7"),
        (Decimal("7.50"), "7.50"),
        (UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (date(2026, 2, 28), "2026-02-28"),
        (datetime(2026, 2, 28, 1, 2), "2026-02-28T01:02:00"),  # noqa: DTZ001 - as a warehouse gives it
    ],
)
def test_keys_as_a_warehouse_gives_them(key: Any, text: str) -> None:
    assert read_key(key) == text


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        *((key, "no key") for key in ("", "  ", None, float("nan"), numpy.nan, Decimal("NaN"), pandas.NA, pandas.NaT)),
        (True, "a value of type bool: cast it to text in the query"),
        (1.5, "a value of type float: cast it to text in the query"),
        (b"A-1", "a value of type bytes: cast it to text in the query"),
        (["A-1"], "a value of type list: cast it to text in the query"),
        (Decimal("Infinity"), "a value of type Decimal: cast it to text in the query"),
        (Decimal("1e900"), "a number of too many digits"),
        pytest.param(10**5000, "a number of too many digits", id="long int"),
        ("x" * 1_001, "longer than a key may be (1,000 characters)"),
        ("a\0b", "text with a NUL character"),
        pytest.param("\ud800", "text that is not Unicode", id="surrogate"),
    ],
)
def test_what_is_no_key(key: Any, reason: str) -> None:
    with pytest.raises(InvalidKey) as invalid:
        read_key(key)
    assert str(invalid.value) == reason


def test_ids() -> None:
    assert read_id(" ZxT4kQ1nWc8RfPq2LbYs ") == "ZxT4kQ1nWc8RfPq2LbYs"
    for wrong in ("ada@example.org", "two ids"):
        with pytest.raises(InvalidKey, match="no record id"):
            read_id(wrong)


def test_regions() -> None:
    assert [check_region(region) for region in (None, "", " us", "DE")] == [None, None, "US", "DE"]
    with pytest.raises(ConfigurationError, match="a country's code of two letters, such as US, not 'Germany'"):
        check_region("Germany")


@given(st.from_regex(r"\+1[2-9][0-9]{9}", fullmatch=True), st.sampled_from([None, "US", "DE"]))
def test_a_short_way_leads_to_the_same_number(text: str, region: str | None) -> None:
    spelled = f"+1 {text[2:5]} {text[5:]}"  # which takes the long way
    assert Phone(region).of_key(text) == Phone(region).of_key(spelled) == text
