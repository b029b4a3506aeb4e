"""The shape of ids in a column, and the hint that two columns are swapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.relations.id_shapes import IdShape, find_shape, hint_at_swap

CONTACTS = [f"ZxT4kQ1nWc8RfPq2{n:04d}" for n in range(200)]
RECORDS = [f"64f1a2b3c4d5e6f70819{n:04x}" for n in range(200)]
OBJECTS = ("contact", "custom_objects.pet")
COLUMNS = ("owner", "pet")


def test_contacts_and_records() -> None:
    assert find_shape(CONTACTS) is IdShape.CONTACT
    assert find_shape(RECORDS) is IdShape.RECORD
    assert find_shape(CONTACTS[:1]) is IdShape.CONTACT


@pytest.mark.parametrize(
    "ids", [[], ["", ""], ["contact-1"], ["A" * 19], ["A" * 21], ["64F1A2B3C4D5E6F708192A3B"], ["ü" * 20], ["g" * 24]]
)
def test_ids_without_a_shape(ids: list[str]) -> None:
    assert find_shape(ids) is None


def test_nearly_all_ids_decide_and_missing_ones_do_not_count() -> None:
    assert find_shape([*CONTACTS[:19], "x"]) is IdShape.CONTACT
    assert find_shape([*CONTACTS[:18], "x", "y"]) is None
    assert find_shape(["", *CONTACTS[:1], ""]) is IdShape.CONTACT
    assert find_shape([*CONTACTS[:50], *RECORDS[:50]]) is None


def test_the_first_hundred_ids_are_looked_at() -> None:
    assert find_shape([*CONTACTS[:100], *RECORDS]) is IdShape.CONTACT
    assert find_shape(iter([*RECORDS[:100], *CONTACTS])) is IdShape.RECORD


@given(st.lists(st.text(max_size=30)))
def test_any_text_is_accepted(ids: list[str]) -> None:
    assert find_shape(ids) in (None, *IdShape)


def test_swapped_columns_are_named() -> None:
    assert hint_at_swap(COLUMNS, (RECORDS, CONTACTS), OBJECTS) == (
        "column 'owner' holds what look like ids of custom object records, and column 'pet' those of contacts, but the "
        "association links contact (first) to custom_objects.pet (second): swap the two column arguments"
    )
    assert hint_at_swap(("pet", "owner"), (CONTACTS, RECORDS), OBJECTS[::-1]) == (
        "column 'pet' holds what look like ids of contacts, and column 'owner' those of custom object records, but the "
        "association links custom_objects.pet (first) to contact (second): swap the two column arguments"
    )


@pytest.mark.parametrize(
    ("ids", "objects"),
    [
        ((CONTACTS, RECORDS), OBJECTS),
        ((RECORDS, RECORDS), OBJECTS),
        ((CONTACTS, CONTACTS), OBJECTS),
        ((RECORDS, ["x"]), OBJECTS),
        ((RECORDS, CONTACTS), ("contact", "opportunity")),
        ((RECORDS, CONTACTS), ("contact", "contact")),
        ((RECORDS, CONTACTS), ("custom_objects.a", "custom_objects.b")),
    ],
)
def test_columns_that_may_be_right_get_no_hint(ids: tuple[list[str], list[str]], objects: tuple[str, str]) -> None:
    assert hint_at_swap(COLUMNS, ids, objects) is None
