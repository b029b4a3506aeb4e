"""Chunks of any keys, any base, any lies: never a wrong id, always an end, one verdict for every key."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from interleaved import converse_interleaved
from simulated_records import LOCATION, POLICY, HighLevel, Lies, contact, people, policy

from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.lookups import Contact, CustomObject, Lookup
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.outcomes import Resolution
from airflow_provider_ghl.lookups.search import LOOKUP_BY

FIELDS = {POLICY: [{"id": "f1", "fieldKey": f"{POLICY}.policy_no", "dataType": "TEXT"}]}
EXAMPLES = 60 * int(os.environ.get("GHL_SOAK", "1"))
MANY = [f"p{at}@example.org" for at in range(240)]
LONG = "x" * 80 + "@example.org"

asked = st.lists(
    st.integers(0, 239).map(lambda at: MANY[at:]) | st.sampled_from([["P3@Example.org", "a@b@c"], [LONG], MANY[:12], []]),
    min_size=1,
    max_size=4,
)
lying = st.builds(
    Lies,
    ignores_filters=st.booleans(),
    misses_all=st.booleans(),
    adds=st.none() | st.builds(contact, st.just("added"), st.just("added@example.org")),
    repeats_pages=st.booleans(),
    keeps_cursor=st.booleans(),
    has_no_cursor=st.booleans(),
    total=st.sampled_from([lambda total: total, lambda _: None, lambda _: 0, lambda total: 3 * total + 7]),
    largest_group=st.sampled_from([0, 1, 7, 1_000]),
    refuses=st.frozensets(st.sampled_from(MANY[:12]), max_size=6),
    refuses_paging=st.booleans(),
    largest_page=st.sampled_from([1, 90, 500]),
    largest_limit=st.sampled_from([50, 100, 500]),
    status=st.sampled_from([400, 404, 413, 422, 500]),
)
honest = st.builds(Lies, largest_group=st.sampled_from([1, 30, 1_000]), largest_page=st.sampled_from([90, 500]))


def find(ghl: HighLevel, lookup: Lookup, chunks: Sequence[Sequence[str]], how: Any, seed: int, expected: float) -> Any:
    """The verdicts of each chunk, and those after the second looks."""
    finder, random = Finder(lookup, LOCATION, lookup_by=how), Random(seed)
    first: list[dict[str, Resolution]] = []
    final: dict[str, Resolution] = {}
    for chunk in chunks:
        first.append(converse_interleaved(finder.find(chunk, expected), ghl.answer, ghl.wait, random))
        assert list(first[-1]) == list(chunk)
        final |= first[-1]
        if random.random() < 0.3:  # a second look may come between two first ones
            early = [key for key, one in final.items() if one.is_missing]
            final |= converse_interleaved(finder.find_again(early), ghl.answer, ghl.wait, random)
    missing = [key for key, one in final.items() if one.is_missing]
    final |= converse_interleaved(finder.find_again(missing), ghl.answer, ghl.wait, random)
    return first, final


def check(final: dict[str, Resolution]) -> None:
    for key, one in final.items():
        assert (one.record_id is None) != (one.reason is None)
        assert len(one.candidates) != 1
        assert not one.is_missing
        assert one.reason is None or key.lower() not in one.reason.lower()


@settings(max_examples=EXAMPLES)
@given(asked, st.integers(0, 240), st.sampled_from(LOOKUP_BY), honest | lying, st.integers(0, 99), st.sampled_from([1.0, 50.0]))
def test_no_lie_makes_a_wrong_contact(
    chunks: list[list[str]], there: int, how: Any, lies: Lies, seed: int, expected: float
) -> None:
    twins = [contact(f"twin{at}", MANY[at]) for at in range(0, 12, 3)]
    records = [*people(there), *twins, contact("long", LONG), *people(600, first=1_000)]
    owners: dict[str, set[str]] = {}
    for record in records:
        owners.setdefault(record["email"], set()).add(record["id"])
    ghl = HighLevel(records={"contact": records}, lies=lies)
    try:
        _, final = find(ghl, Contact(by="email"), chunks, how, seed, expected)
    except GHLError:
        return
    check(final)
    for key, one in final.items():
        if one.record_id is not None:
            assert one.record_id in owners[key.lower()]
            # Of several contacts that filters miss, search/duplicate gives one.
            assert len(owners[key.lower()]) == 1 or lies.misses_all


@settings(max_examples=EXAMPLES)
@given(asked, st.integers(0, 240), st.integers(0, 240), st.sampled_from(LOOKUP_BY), honest, st.integers(0, 99))
def test_an_honest_highlevel_is_understood(
    chunks: list[list[str]], old: int, new: int, how: Any, lies: Lies, seed: int
) -> None:
    records = [policy(f"r{at}", key) for at, key in enumerate(MANY)] + [policy("twin", MANY[5])]
    there = [*records[:old], *[policy(f"other{at}", f"other{at}") for at in range(600)]]
    late = records[old : old + new]
    ghl = HighLevel({POLICY: list(there)}, {POLICY: late}, FIELDS, lies)
    finder, random = Finder(CustomObject(POLICY, by="policy_no"), LOCATION, lookup_by=how), Random(seed)
    final: dict[str, Resolution] = {}
    for chunk in chunks:
        final |= converse_interleaved(finder.find(chunk), ghl.answer, ghl.wait, random)
    ghl.wait(finder.index_lag)
    missing = [key for key, one in final.items() if one.is_missing]
    final |= converse_interleaved(finder.find_again(missing), ghl.answer, ghl.wait, random)
    check(final)
    for key, one in final.items():
        right = {record["id"] for record in records[: old + new] if record["properties"]["policy_no"] == key}
        old_ones = {record["id"] for record in records[:old] if record["properties"]["policy_no"] == key}
        if old_ones and old_ones != right:  # the second one was too new for the first look
            right = old_ones if len(old_ones) == 1 else right
        assert (one.record_id, set(one.candidates)) == ((*right, set()) if len(right) == 1 else (None, right))
