"""Any keys, any base, any lies: never a wrong id, always an end, one verdict for every key."""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_records import POLICY, HighLevel, Lies, contact, policy

from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.lookups.outcomes import Resolution, Resolutions
from airflow_provider_ghl.lookups.search import LOOKUP_BY

BY_EMAIL = Contact(by="email")
BY_NUMBER = CustomObject(POLICY, by="policy_no")
FIELDS = {POLICY: [{"id": "f1", "fieldKey": f"{POLICY}.policy_no", "dataType": "TEXT"}]}
EXAMPLES = 60 * int(os.environ.get("GHL_SOAK", "1"))

NAMES = [f"p{at}@example.org" for at in range(12)] + ["P3@Example.org", "x" * 80 + "@example.org"]
emails = st.sampled_from(NAMES)
keys = st.lists(emails | st.sampled_from(["", None, "a@b@c", "two words@x", 7, 1.5, True]) | st.text(max_size=8), max_size=400)
#: How often a base is filled up with contacts that nobody asks for: several pages of them.
fillings = st.sampled_from([0, 1, 480, 499, 500, 501, 1_300])
lookup_by = st.sampled_from(LOOKUP_BY)

bases = st.lists(st.tuples(emails, st.lists(emails, max_size=2)), max_size=25)

honest = st.builds(
    Lies,
    largest_group=st.sampled_from([1, 2, 7, 50, 1_000]),
    refuses=st.frozensets(emails.map(str.lower), max_size=2),
    refuses_paging=st.booleans(),
    largest_page=st.sampled_from([90, 500]),
    largest_limit=st.sampled_from([100, 500]),
    status=st.sampled_from([400, 413, 422]),
)
lying = st.builds(
    Lies,
    ignores_filters=st.booleans(),
    adds=st.none() | st.builds(contact, st.just("added"), st.just("added@example.org")),
    repeats_pages=st.booleans(),
    keeps_cursor=st.booleans(),
    has_no_cursor=st.booleans(),
    total=st.sampled_from([lambda total: total, lambda _: None, lambda _: 0, lambda total: 3 * total + 7]),
    largest_group=st.sampled_from([0, 1, 7, 1_000]),
    refuses=st.frozensets(emails.map(str.lower), max_size=3),
    refuses_paging=st.booleans(),
    largest_page=st.sampled_from([1, 90, 500]),
    largest_limit=st.sampled_from([50, 100, 500]),
    status=st.sampled_from([400, 404, 413, 422, 500]),
)


def people(base: list[tuple[str, list[str]]], filling: int) -> list[dict[str, Any]]:
    there = [contact(f"c{at}", own, additionalEmails=further) for at, (own, further) in enumerate(base)]
    return there + [contact(f"other{at}", f"other{at}@example.org") for at in range(filling)]


def expected(key: Any, records: list[dict[str, Any]]) -> set[str]:
    """The contacts whose own e-mail it is, else those that have it beside that."""
    wanted = key.strip().lower()
    own = {one["id"] for one in records if one["email"].lower() == wanted}
    return own or {one["id"] for one in records if wanted in map(str.lower, one.get("additionalEmails", []))}


def check_each(found: Resolutions, given_keys: list[Any]) -> None:
    assert len(found.in_order) == len(given_keys)
    for key, one in zip(given_keys, found.in_order, strict=True):
        assert found[key] == one
        assert (one.record_id is None) != (one.reason is None)
        assert len(one.candidates) != 1
        if one.reason and isinstance(key, str) and len(key.strip()) > 12:
            assert key.strip().lower() not in one.reason.lower()


@settings(max_examples=EXAMPLES)
@given(keys, bases, fillings, lookup_by, st.floats(0, 1))
def test_an_honest_highlevel_is_understood(
    asked: list[Any], base: list[tuple[str, list[str]]], filling: int, how: Any, old: float
) -> None:
    ghl = HighLevel()
    records = people(base, filling)
    cut = int(old * len(records))  # the others are too new for the search
    ghl.records["contact"], ghl.new["contact"] = records[:cut], []
    found = ghl.resolve(BY_EMAIL, asked, lookup_by=how)
    check_each(found, asked)
    for key, one in zip(asked, found.in_order, strict=True):
        if not one.is_invalid:
            # By a further e-mail no filter finds anybody, and search/duplicate one contact alone.
            right = expected(key, records[:cut])
            own = {record["id"] for record in records[:cut] if record["email"].lower() == key.strip().lower()}
            if own or how == "page":
                assert one == verdict(one, right)
            else:
                named = {one.record_id} - {None} or set(one.candidates)
                assert named <= right
                assert bool(named) == bool(right)


def verdict(one: Resolution, right: set[str]) -> Resolution:
    """What is to be said of a key that these records have."""
    if not right:
        return Resolution(reason="no contact has this e-mail")
    if len(right) == 1:
        return Resolution(next(iter(right)))
    assert set(one.candidates) == right
    return Resolution(reason=one.reason, candidates=one.candidates)


@settings(max_examples=EXAMPLES)
@given(keys, bases, fillings, lookup_by, honest | lying)
def test_no_lie_makes_a_wrong_contact(
    asked: list[Any], base: list[tuple[str, list[str]]], filling: int, how: Any, lies: Lies
) -> None:
    records = people(base, filling)
    ghl = HighLevel(records={"contact": records}, lies=lies)
    try:
        found = ghl.resolve(BY_EMAIL, asked, lookup_by=how)
    except GHLError:
        return
    check_each(found, asked)
    for key, one in zip(asked, found.in_order, strict=True):
        if one.record_id is not None:
            right = expected(key, records)
            own = {record["id"] for record in records if record["email"].lower() == key.strip().lower()}
            assert one.record_id in right
            assert len(own) <= 1


@settings(max_examples=EXAMPLES)
@given(
    st.lists(st.sampled_from(["A-1", "a-1", "A-2", "B", "", None, 7]), max_size=300),
    st.lists(st.sampled_from(["A-1", "a-1", "A-2", "C", 7, "7", None]), max_size=20),
    st.integers(0, 20),
    fillings,
    lookup_by,
    st.none() | honest | lying,
)
def test_nor_a_wrong_record(asked: list[Any], numbers: list[Any], old: int, filling: int, how: Any, lies: Lies | None) -> None:
    records = [policy(f"r{at}", number) for at, number in enumerate(numbers)]
    others = [policy(f"other{at}", f"other{at}") for at in range(filling)]
    ghl = HighLevel({POLICY: others + records[:old]}, {POLICY: records[old:]}, FIELDS, lies or Lies())
    try:
        found = ghl.resolve(BY_NUMBER, asked, lookup_by=how)
    except GHLError:
        assert lies is not None
        return
    check_each(found, asked)
    for key, one in zip(asked, found.in_order, strict=True):
        # What a filter for a text finds of numbers, HighLevel's search decides.
        right = {record["id"] for record in records if str(record["properties"]["policy_no"]) == str(key)}
        if one.record_id is not None:
            assert one.record_id in right
        if lies is None and key and key != 7 and old >= len(records):
            assert (one.record_id, set(one.candidates)) == ((*right, set()) if len(right) == 1 else (None, right))


@pytest.mark.parametrize("lookup_by", LOOKUP_BY)
def test_a_search_without_an_end_is_ended(lookup_by: Any) -> None:
    """New records on every page, for ever."""
    ghl = HighLevel(records={"contact": people([], 60_000)}, lies=Lies(total=lambda _: 600, ignores_filters=True))
    with pytest.raises(GHLError):
        ghl.resolve(BY_EMAIL, NAMES * 20, lookup_by=lookup_by)
    assert len(ghl.calls) < 30
