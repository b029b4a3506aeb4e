"""A mapped task returns a sequence of lists of rows: one level of lists is removed, and no pair is split."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product
from typing import Any

import pandas
import pytest

from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.rows import count_rows, from_data

COLUMNS = Columns("student_id", "teacher_id")
AV = {"student_id": "a", "teacher_id": "v"}
BW = {"student_id": "b", "teacher_id": "w"}
FRAME = pandas.DataFrame([AV, BW])


class LazySequence(Sequence[Any]):
    """Like Airflow's lazy sequence: it fetches items one by one, and is no subclass of list."""

    def __init__(self, items: Sequence[Any]) -> None:
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, at: Any) -> Any:
        return self._items[at]


#: The types that may contain the rows.
SEQUENCES: tuple[Callable[[Any], Any], ...] = (list, tuple, iter, LazySequence)


def cells(batches: list[Batch]) -> list[tuple[Any, ...]]:
    return [tuple(row) for batch in batches for row in zip(*batch.cells, strict=True)]


def unreadable(batches: list[Batch]) -> dict[int, str]:
    return {batch.start + at: why for batch in batches for at, why in batch.unreadable.items()}


def read(data: Any, size: int = 10) -> list[Batch]:
    return list(from_data(data, COLUMNS, size))


@pytest.mark.parametrize(
    "data",
    [
        [("a", "v"), ("b", "w")],
        [["a", "v"], ["b", "w"]],
        [[("a", "v"), ("b", "w")]],
        [[["a", "v"], ["b", "w"]]],
        [[["a", "v"]], [["b", "w"]]],
        ((("a", "v"),), (("b", "w"),)),
        [[], [], [("a", "v")], [], [("b", "w")], []],
        [[("a", "v")], ("b", "w")],
        [AV, BW],
        [[AV, BW]],
        [[AV], [BW]],
        [[AV], BW],
        [[], [AV], [], [BW], []],
        [FRAME[:1], FRAME[1:]],
    ],
)
def test_lists_of_rows_are_joined(data: Any) -> None:
    for wrap, size in product(SEQUENCES, (1, 2, 3)):
        batches = read(wrap(data), size)
        assert cells(batches) == [("a", "v"), ("b", "w")], (wrap, size)
        assert [batch.start for batch in batches] == list(range(0, 2, size)), (wrap, size)
        assert unreadable(batches) == {}, (wrap, size)
        assert count_rows(wrap(data)) in (None, 2), wrap


@pytest.mark.parametrize("data", [[[]], [[], []], LazySequence([]), LazySequence([[], ()])])
def test_lists_without_rows_are_an_empty_source(data: Any) -> None:
    assert read(data) == []
    assert count_rows(data) in (None, 0)


def test_a_pair_of_ids_with_two_letters_stays_a_pair() -> None:
    assert cells(read([["ab", "cd"], ("ef", "gh")])) == [("ab", "cd"), ("ef", "gh")]


def test_a_faulty_row_in_a_list_is_one_unreadable_row() -> None:
    dicts = read([[AV, None, BW], [["x"], AV]])
    assert cells(dicts) == [("a", "v"), (None, None), ("b", "w"), (None, None), ("a", "v")]
    assert list(unreadable(dicts)) == [1, 3]
    pairs = read([[("a", "v"), ("b",)], [1, 2, 3], [("c", "x")]])
    assert cells(pairs) == [("a", "v"), (None, None), (None, None), ("c", "x")]
    assert list(unreadable(pairs)) == [1, 2]


def test_an_empty_list_among_pairs_is_an_unreadable_row() -> None:
    assert list(unreadable(read([[], ("a", "v"), []]))) == [0, 2]


def test_a_dict_in_a_pair_is_a_value_that_is_no_id() -> None:
    assert cells(read([(AV, "x"), ("y", [1, 2])])) == [(AV, "x"), ("y", [1, 2])]


def test_a_sequence_of_lists_is_read_no_further_than_the_batch() -> None:
    taken: list[int] = []

    def source() -> Iterator[list[dict[str, Any]]]:
        for n in range(10):
            taken.append(n)
            yield [AV, BW]

    next(from_data(source(), COLUMNS, 4))
    assert taken == [0, 1]


@pytest.mark.parametrize(
    ("data", "count"),
    [
        (FRAME, 2),
        ([FRAME, FRAME], 4),
        ([AV, BW, AV], 3),
        ([("a", "v")], 1),
        (LazySequence([("a", "v"), ("b", "w")]), 2),
        (iter([AV]), None),
        ([[AV, BW]], None),
        ([[("a", "v"), ("b", "w")]], None),
        ([[], [AV, BW]], None),
        ([], 0),
    ],
)
def test_the_count_is_right_or_none(data: Any, count: int | None) -> None:
    assert count_rows(data) == count
