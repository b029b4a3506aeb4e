"""Sorted runs keep what was added, and keys are found at their positions."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.load.sorted_runs import Run, SortedRuns, find_keys, find_pairs

#: Few different and large numbers, so that words collide and the last bit matters.
WORD = st.sampled_from([0, 1, 2, 3, 2**63, 2**64 - 1])
PAIRS = st.lists(st.tuples(WORD, WORD), max_size=30)


def words(numbers: Any) -> Any:
    return np.fromiter(numbers, dtype=np.uint64)


@given(st.sets(WORD), st.lists(WORD, max_size=12))
def test_keys_are_found_at_their_positions(keys: set[int], wanted: list[int]) -> None:
    at, found = find_keys(words(sorted(keys)), words(wanted))
    assert list(zip(at.tolist(), found.tolist(), strict=True)) == [
        (sorted(keys).index(key), position) for position, key in enumerate(wanted) if key in keys
    ]


@given(PAIRS, PAIRS, st.randoms())
def test_pairs_are_found_though_high_words_are_equal(
    pairs: list[tuple[int, int]], wanted: list[tuple[int, int]], draw: Any
) -> None:
    there = list(set(pairs))
    draw.shuffle(there)
    there.sort(key=lambda pair: pair[0])
    at, found = find_pairs(
        *(words(pair[side] for pair in there) for side in (0, 1)), *(words(pair[side] for pair in wanted) for side in (0, 1))
    )
    places = dict(zip(found.tolist(), at.tolist(), strict=True))
    assert places == {position: there.index(pair) for position, pair in enumerate(wanted) if pair in there}
    assert len(places) == len(found)


def test_runs_are_few_and_hold_every_row() -> None:
    runs, chance, most = SortedRuns(), np.random.default_rng(5), 0
    keys = chance.permutation(400_000).astype(np.uint64)
    for start in range(0, len(keys), 1_000):
        some = np.sort(keys[start : start + 1_000])
        runs.add(Run(some, ((some * 3).astype(np.uint32), np.full(len(some), start))))
        most = max(most, len(list(runs)))
        assert len(runs) == start + 1_000
    assert most < 30
    assert max(map(len, runs)) <= max(1 << 16, len(keys) // 8)
    seen = []
    for run in runs:
        assert (run.keys[1:] > run.keys[:-1]).all()
        threes, starts = run.columns
        assert threes.dtype == np.uint32
        assert (threes == run.keys * 3).all()
        assert all(keys[begin : begin + 1_000].min() <= key for key, begin in zip(run.keys[:50], starts[:50], strict=True))
        seen.append(run.keys)
    assert (np.sort(np.concatenate(seen)) == np.arange(400_000)).all()


def test_a_column_that_outgrows_its_type_gets_the_larger_one() -> None:
    small, large = np.array([1], dtype=np.uint32), np.array([2**40], dtype=np.int64)
    merged = Run(words([2]), (small,)).merge(Run(words([1]), (large,)))
    assert [column.tolist() for column in merged.columns] == [[2**40, 1]]
