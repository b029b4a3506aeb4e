"""Rows over a limit are refused as in a count row by row, however the input is divided into chunks."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.columns import Numbers
from airflow_provider_ghl.load.ledger.relations import Side
from airflow_provider_ghl.relations.cardinality import Cardinality

Pair = tuple[str, str]
Record = tuple[Side, str]
SIDES: tuple[Side, Side] = ("first", "second")
NAMES = ("teacher_id", "student_id")


def objects(values: list[str]) -> Any:
    return np.fromiter(values, dtype=object, count=len(values))


@dataclass
class Memory:
    """A ledger that knows some relations, and learns at once of each new one."""

    there: Counter[Record] = field(default_factory=Counter)
    asked: Counter[Record] = field(default_factory=Counter)
    calls: int = 0

    def count(self, side: Side, records: list[str]) -> Numbers:
        self.calls += 1
        self.asked.update((side, record) for record in records)
        return np.array([self.there[side, record] for record in records], dtype=np.int64)

    def made(self, pair: Pair) -> None:
        self.there.update(zip(SIDES, pair, strict=True))


@dataclass
class Load:
    """Puts chunks of pairs through the same limits, and creates the accepted ones at once."""

    limits: Cardinality
    memory: Memory = field(default_factory=Memory)

    def refused(self, *pairs: Pair) -> dict[int, str]:
        """The reasons of the refused pairs of one chunk, by offset."""
        first, second = (objects([pair[at] for pair in pairs]) for at in (0, 1))
        refused = self.limits.refuse(first, second, self.memory.count, NAMES)
        for offset, pair in enumerate(pairs):
            if offset not in refused:
                self.memory.made(pair)
        return refused

    def in_chunks(self, pairs: list[Pair], cuts: list[int]) -> dict[int, str]:
        """The reasons of the refused pairs of all chunks, by row."""
        borders = list(zip([0, *cuts], [*cuts, len(pairs)], strict=True))
        return {start + at: why for start, end in borders for at, why in self.refused(*pairs[start:end]).items()}


def model(pairs: list[Pair], limits: tuple[int | None, int | None], there: Counter[Record]) -> dict[int, str]:
    """The reasons by a count row by row."""
    taken: Counter[Record] = Counter()
    refused: dict[int, str] = {}
    for row, pair in enumerate(pairs):
        records = list(zip(SIDES, pair, strict=True))
        reasons = [
            f"column '{name}': max_per_{record[0]}={most} is reached "
            f"(known to be there: {there[record]}, earlier rows: {taken[record]})"
            for record, most, name in zip(records, limits, NAMES, strict=True)
            if most is not None and there[record] + taken[record] >= most
        ]
        if reasons:
            refused[row] = "; ".join(reasons)
        else:
            taken.update(records)
    return refused


LIMITS = st.one_of(st.none(), st.integers(1, 4))
IDS = st.sampled_from(["a", "A", "b", "aa", "ü", "c"])


@st.composite
def inputs(draw: st.DrawFn) -> tuple[list[Pair], list[int], Counter[Record]]:
    pairs = draw(st.lists(st.tuples(IDS, IDS), max_size=40, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, len(pairs)), max_size=6)))
    return pairs, cuts, Counter(draw(st.dictionaries(st.tuples(st.sampled_from(SIDES), IDS), st.integers(1, 6), max_size=8)))


@given(inputs(), LIMITS, LIMITS)
def test_chunks_of_any_size_give_the_result_of_a_count_row_by_row(
    given_input: tuple[list[Pair], list[int], Counter[Record]], per_first: int | None, per_second: int | None
) -> None:
    pairs, cuts, there = given_input
    load = Load(Cardinality(per_first, per_second), Memory(Counter(there)))
    assert load.in_chunks(pairs, cuts) == model(pairs, (per_first, per_second), there)
    limited = {side for side, most in zip(SIDES, (per_first, per_second), strict=True) if most}
    assert load.memory.asked == Counter(
        {record for pair in pairs for record in zip(SIDES, pair, strict=True) if record[0] in limited}
    )


@pytest.mark.parametrize("size", [1_000, 16_384, 200_000])
def test_a_large_input_with_many_rows_per_record(size: int) -> None:
    chance = random.Random(size)
    drawn = ((f"{chance.randrange(60_000):024x}", f"{chance.randrange(60_000):024x}") for _ in range(200_000))
    pairs = list(dict.fromkeys(drawn))
    there: Counter[Record] = Counter({("first", f"{at:024x}"): chance.randrange(7) for at in range(0, 60_000, 3)})
    load = Load(Cardinality(5, 3), Memory(Counter(there)))
    refused = load.in_chunks(pairs, list(range(size, len(pairs), size)))
    assert refused == model(pairs, (5, 3), there)
    assert 10_000 < len(refused) < 100_000
    assert max(load.memory.asked.values()) == 1
    assert load.memory.calls <= 2 * -(-len(pairs) // size)


def test_a_reason_names_the_column_the_limit_and_the_count() -> None:
    load = Load(Cardinality(3, None), Memory(Counter({("first", "t"): 2})))
    assert load.refused(("t", "a"), ("t", "b"), ("u", "b")) == {
        1: "column 'teacher_id': max_per_first=3 is reached (known to be there: 2, earlier rows: 1)"
    }


def test_a_row_over_one_limit_uses_nothing_of_the_other() -> None:
    load = Load(Cardinality(1, 1), Memory(Counter({("second", "full"): 1})))
    refused = load.refused(("t", "full"), ("t", "a"), ("t", "full"), ("u", "a"))
    assert [why.count("is reached") for why in refused.values()] == [1, 2, 1]
    assert list(refused) == [0, 2, 3]


def test_each_side_has_its_own_count() -> None:
    load = Load(Cardinality(1, 1), Memory())
    assert not load.refused(("a", "b"), ("b", "a"))


def test_relations_of_an_earlier_attempt_count() -> None:
    memory = Memory()
    rows = [("t", "a"), ("t", "b"), ("t", "c"), ("t", "d")]
    assert list(Load(Cardinality(3, None), memory).refused(*rows)) == [3]
    # Only new pairs are counted; one of the known relations was removed.
    memory.there["first", "t"] -= 1
    assert list(Load(Cardinality(3, None), memory).refused(("t", "b"), ("t", "d"))) == [1]


def test_without_limits_nothing_is_asked() -> None:
    load = Load(Cardinality(None, None))
    assert not load.refused(("a", "b"), ("a", "c"))
    assert not load.memory.calls


def test_no_rows() -> None:
    assert not Load(Cardinality(1, 1)).refused()


@pytest.mark.parametrize("failing", SIDES)
def test_a_ledger_that_fails_leaves_nothing_behind(failing: Side) -> None:
    limits = Cardinality(2, 2)
    load = Load(limits)
    load.refused(("t", "a"))

    def fails(side: Side, records: list[str]) -> Numbers:
        if side == failing:
            raise LedgerError("it is locked")
        return load.memory.count(side, records)

    with pytest.raises(LedgerError):
        limits.refuse(objects(["t", "u"]), objects(["b", "b"]), fails, NAMES)
    assert list(load.refused(("t", "b"), ("t", "c"), ("u", "b"), ("v", "b"))) == [1, 3]


@pytest.mark.parametrize("most", [65_535, 65_536, 80_000])
def test_a_limit_beyond_16_bits(most: int) -> None:
    load = Load(Cardinality(most, None), Memory(Counter({("first", "t"): 5})))
    refused = load.in_chunks([("t", str(at)) for at in range(80_001)], [10, 70_000])
    assert list(refused) == list(range(most - 5, 80_001))


@pytest.mark.parametrize(("most", "there"), [(65_535, 10**6), (1, 10**6), (1, 2**40), (10**6, 2**40)])
def test_a_count_too_large_to_store_is_still_over_the_limit(most: int, there: int) -> None:
    load = Load(Cardinality(most, None), Memory(Counter({("first", "t"): there})))
    assert list(load.refused(("t", "a"), ("u", "a"))) == [0]
    assert list(load.refused(("t", "b"))) == [0]


def test_a_limit_that_nobody_reaches() -> None:
    load = Load(Cardinality(10**30, None), Memory(Counter({("first", "t"): 2**40})))
    assert not load.refused(("t", "a"))
    assert not load.refused(("t", "b"))


@pytest.mark.parametrize("most", [0, -1, True, 2.0, "3"])
@pytest.mark.parametrize("name", ["max_per_first", "max_per_second"])
def test_a_limit_is_a_whole_number_from_1_on(name: str, most: Any) -> None:
    limits = {"max_per_first": None, "max_per_second": None} | {name: most}
    with pytest.raises(ConfigurationError, match=f"{name} must be a whole number, 1 or more"):
        Cardinality(**limits)
