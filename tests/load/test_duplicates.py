"""Repeats are found as a dict of all pairs would find them, however the input is divided into batches."""

from __future__ import annotations

import random
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.load.ledger.identity import Identity, keyed_identity
from airflow_provider_ghl.load.plan.duplicates import Duplicates

Pair = tuple[str, str]


def objects(values: list[str]) -> Any:
    return numpy.fromiter(values, dtype=object, count=len(values))


def earlier(pairs: list[Pair], cuts: list[int], usable: list[bool], identity: Identity | None = None) -> list[int]:
    identity, seen = identity or keyed_identity(), Duplicates()
    answers: list[int] = []
    for start, end in zip([0, *cuts], [*cuts, len(pairs)], strict=True):
        part = pairs[start:end]
        first, second = objects([pair[0] for pair in part]), objects([pair[1] for pair in part])
        offsets = numpy.flatnonzero(numpy.array(usable[start:end], dtype=bool))
        found = numpy.full(len(part), -1)
        found[offsets] = seen.match(*identity((first[offsets], second[offsets])), offsets + start).earlier
        answers.extend(found.tolist())
    return answers


def expected(pairs: list[Pair], usable: list[bool]) -> list[int]:
    firsts: dict[Pair, int] = {}
    return [
        -1 if not use or firsts.setdefault(pair, row) == row else firsts[pair]
        for row, (pair, use) in enumerate(zip(pairs, usable, strict=True))
    ]


IDS = st.text("aA\0ü", max_size=3)


@st.composite
def inputs(draw: st.DrawFn) -> tuple[list[Pair], list[int], list[bool]]:
    pairs = draw(st.lists(st.tuples(IDS, IDS), max_size=60))
    cuts = sorted(draw(st.lists(st.integers(0, len(pairs)), max_size=8)))
    return pairs, cuts, draw(st.lists(st.booleans(), min_size=len(pairs), max_size=len(pairs)))


@given(inputs())
def test_batches_of_any_size_give_the_result_of_a_dict(given_input: tuple[list[Pair], list[int], list[bool]]) -> None:
    pairs, cuts, usable = given_input
    assert earlier(pairs, cuts, usable) == expected(pairs, usable)


def weak(values: Any) -> tuple[Any, Any]:
    """An identity whose high words often collide, and whose low words are unique."""
    words = [int.from_bytes(f"{a}\1{b}".encode(), "big") for a, b in zip(*values, strict=True)]
    low = numpy.array([word % 2**64 for word in words], dtype=numpy.uint64)
    return numpy.array([(word % 3) << 62 for word in words], dtype=numpy.uint64), low


@given(st.lists(st.tuples(st.text("ab", max_size=2), st.text("ab", max_size=2)), max_size=80), st.integers(1, 20))
def test_high_words_may_collide(pairs: list[Pair], size: int) -> None:
    usable = [True] * len(pairs)
    assert earlier(pairs, list(range(size, len(pairs), size)), usable, weak) == expected(pairs, usable)


@pytest.mark.parametrize("size", [1_000, 30_000, 300_000])
def test_a_large_input_with_many_repeats(size: int) -> None:
    chance = random.Random(size)
    pairs = [(f"{chance.randrange(600):024x}", f"{chance.randrange(600):024x}") for _ in range(300_000)]
    usable = [chance.random() < 0.9 for _ in pairs]
    assert earlier(pairs, list(range(size, len(pairs), size)), usable) == expected(pairs, usable)


def test_order_case_and_the_border_between_values_matter() -> None:
    pairs = [("a", "b"), ("b", "a"), ("A", "b"), ("ab", ""), ("", "ab"), ("a", "b")]
    assert earlier(pairs, [], [True] * 6) == [-1, -1, -1, -1, -1, 0]


def words(*numbers: int) -> Any:
    return numpy.array(numbers, dtype=numpy.uint64)


def test_rows_beyond_four_thousand_million_keep_their_numbers() -> None:
    seen, start = Duplicates(), 2**32 - 1
    for row in (start, start + 1, start + 2):
        assert seen.match(words(7), words(row), numpy.array([row])).earlier.tolist() == [-1]
    for row in (start, start + 1, start + 2):
        assert seen.match(words(7), words(row), numpy.array([2**33])).earlier.tolist() == [row]


@given(st.data())
def test_what_was_expected_is_found_and_its_repeats_too(data: st.DataObject) -> None:
    numbers = st.integers(0, 12)
    pairs = st.tuples(numbers, numbers)
    known = sorted(data.draw(st.sets(pairs)))
    batches = data.draw(st.lists(st.lists(pairs, max_size=8), max_size=6))
    learned_before = data.draw(st.integers(0, 2))  # this many batches
    seen = Duplicates()
    firsts: dict[tuple[int, int], int] = {}
    start = 0
    for number, batch in enumerate(batches):
        if number == learned_before:
            seen.expect(words(*(high for high, _ in known)), words(*(low for _, low in known)))
        rows = range(start, start + len(batch))
        matches = seen.match(
            words(*(high for high, _ in batch)), words(*(low for _, low in batch)), numpy.array(rows, dtype=int)
        )
        is_late = number < learned_before
        assert matches.expected.tolist() == [-1 if is_late or pair not in known else known.index(pair) for pair in batch]
        expected_rows = [
            -1 if firsts.setdefault(pair, row) == row else firsts[pair] for pair, row in zip(batch, rows, strict=True)
        ]
        assert matches.earlier.tolist() == expected_rows
        start += len(batch)


def test_it_needs_few_bytes_per_row_and_few_runs() -> None:
    seen, count, size = Duplicates(), 400_000, 2_000
    chance = numpy.random.default_rng(2)
    for start in range(0, count, size):
        high, low = chance.integers(0, 2**64, (2, size), dtype=numpy.uint64)
        seen.match(high, low, numpy.arange(start, start + size))
    runs = list(seen._seen)
    assert sum(map(len, runs)) == count
    assert sum(run.keys.nbytes + sum(column.nbytes for column in run.columns) for run in runs) == 20 * count
    assert seen._filter._bits.nbytes <= 4 * count
    assert len(runs) < 30
    fresh = numpy.random.default_rng(1).integers(0, 2**64, 100_000, dtype=numpy.uint64)
    assert seen._filter.may_hold(fresh).mean() < 0.3
