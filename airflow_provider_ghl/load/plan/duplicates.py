"""Finds rows that repeat an earlier one, over the whole input, and rows that were expected, with a few bytes per row.

A row is known by its identity: a hash of 128 bits, in two words. A Bloom filter recognises most new rows as new; searching all
runs for each row would take half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from airflow_provider_ghl.load.columns import Flags, Numbers, Words
from airflow_provider_ghl.load.sorted_runs import Run, SortedRuns, find_pairs

__all__ = ["Duplicates", "Matches"]

_SMALLEST_FILTER = 1 << 16
_NEVER = np.uint32((1 << 32) - 1)
_NO_WORDS = np.empty(0, dtype=np.uint64)


class Matches(NamedTuple):
    """For each of some rows, where its identity came up before."""

    #: The number of the earlier row with the same identity, or -1.
    earlier: Numbers
    #: The position of its identity among the expected ones, or -1.
    expected: Numbers


class Duplicates:
    """Remembers the first row of each identity, and which identities were expected.

    Needs 21 to 22 bytes for each different row, some 26 at the peak of a merge (measured), and 20 for each expected one. Two
    different rows are mistaken for one with a probability of 2**-128. For any two among n rows it is n**2 / 2 times that, so
    2**-82 for ten million rows.
    """

    def __init__(self) -> None:
        self._seen = SortedRuns()
        self._filter = _BloomFilter(_SMALLEST_FILTER)
        self._expected = _Identities(_NO_WORDS, _NO_WORDS, np.empty(0, dtype=np.uint32))

    def expect(self, high: Words, low: Words) -> None:
        """Set the identities to expect, sorted by ``high`` and ``low``, each once."""
        self._expected = _Identities(high, low, np.full(len(high), _NEVER, dtype=np.uint32))

    def match(self, high: Words, low: Words, rows: Numbers) -> Matches:
        """Find for each row whether its identity came up before or was expected. Remembers the rows.

        :param rows: the rows' numbers, ascending.
        """
        matches = Matches(np.full(len(rows), -1, dtype=np.int64), np.full(len(rows), -1, dtype=np.int64))
        if not rows.size:
            return matches
        order = _order(high, low)
        high, low, numbers = high[order], low[order], rows[order]
        is_first = _is_first_of_group(high, low)
        batch = _Identities(high[is_first], low[is_first], numbers[is_first])
        first_rows = self._first_rows(batch)
        places = self._find_expected(batch, first_rows)
        groups = np.cumsum(is_first) - 1
        earliest = np.where(first_rows < 0, batch.rows, first_rows)[groups]
        matches.earlier[order] = np.where(earliest == numbers, -1, earliest)
        matches.expected[order] = places[groups]
        self._remember(batch.only((first_rows < 0) & (places < 0)))
        return matches

    def all(self) -> Words:
        """The high words of all identities that came up, in any order; some may come twice."""
        expected = self._expected
        return np.concatenate([expected.high[expected.rows != _NEVER], *(run.keys for run in self._seen)])

    def _first_rows(self, batch: _Identities) -> Numbers:
        """For each identity of the batch, the earlier row that had it, or -1."""
        first_rows = np.full(len(batch.rows), -1, dtype=np.int64)
        maybe = np.flatnonzero(self._filter.may_hold(batch.high))
        if maybe.size:
            high, low = batch.high[maybe], batch.low[maybe]
            for run in self._seen:
                low_words, rows = run.columns
                places, found = find_pairs(run.keys, low_words, high, low)
                first_rows[maybe[found]] = rows[places]
        return first_rows

    def _find_expected(self, batch: _Identities, first_rows: Numbers) -> Numbers:
        """The positions of the batch's identities among those expected, or -1. Fills in ``first_rows`` for these."""
        expected = self._expected
        places = np.full(len(batch.rows), -1, dtype=np.int64)
        at, found = find_pairs(expected.high, expected.low, batch.high, batch.low)
        places[found] = at
        before = expected.rows[at]
        is_new = before == _NEVER
        first_rows[found[~is_new]] = before[~is_new]
        new, at = found[is_new], at[is_new]
        # Row numbers above this are cut: then only the row number in a repeat's reason would be wrong.
        first = np.where(first_rows[new] < 0, batch.rows[new], first_rows[new])
        expected.rows[at] = np.minimum(first, _NEVER - 1)
        return places

    def _remember(self, new: _Identities) -> None:
        if not new.high.size:
            return
        self._seen.add(Run(new.high, (new.low, _compact(new.rows))))
        total = len(self._seen)
        if total <= self._filter.room:
            self._filter.add(new.high)
            return
        self._filter = _BloomFilter(2 * total)
        for run in self._seen:
            self._filter.add(run.keys)


@dataclass(frozen=True, slots=True)
class _Identities:
    """Identities in two words each, and the rows that had them first."""

    high: Words
    low: Words
    rows: np.ndarray[Any, Any]

    def only(self, chosen: Flags) -> _Identities:
        return _Identities(self.high[chosen], self.low[chosen], self.rows[chosen])


class _BloomFilter:
    """Answers *maybe* for what was added, and *no* for nearly everything else.

    It uses one hash, and 4 to 8 bits for each identity that it has room for.
    """

    def __init__(self, room: int):
        self.room = room
        width = (4 * room - 1).bit_length()
        self._shift = np.uint64(64 - width)
        self._bits = np.zeros(1 << (width - 3), dtype=np.uint8)

    def add(self, high: Words) -> None:
        octet, bit = self._places(high)
        np.bitwise_or.at(self._bits, octet, bit)

    def may_hold(self, high: Words) -> Flags:
        octet, bit = self._places(high)
        flags: Flags = (self._bits[octet] & bit) != 0
        return flags

    def _places(self, high: Words) -> tuple[Words, np.ndarray[Any, np.dtype[np.uint8]]]:
        place = high >> self._shift
        return place >> np.uint64(3), np.uint8(1) << (place & np.uint64(7)).astype(np.uint8)


def _order(high: Words, low: Words) -> Numbers:
    """The positions that sort by ``high`` and then by ``low``. The sort is stable."""
    order = np.argsort(high)
    ordered = high[order]
    if not (ordered[1:] == ordered[:-1]).any():
        return order
    # Five times as long, and needed where rows repeat.
    order = np.argsort(high, kind="stable")
    # Sorting by both takes three times as long, and is needed once in 2**64 rows.
    ordered, low_ordered = high[order], low[order]
    if ((ordered[1:] == ordered[:-1]) & (low_ordered[1:] != low_ordered[:-1])).any():
        return np.lexsort((low, high))
    return order


def _is_first_of_group(high: Words, low: Words) -> Flags:
    starts = np.ones(len(high), dtype=np.bool_)
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return starts


def _compact(rows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return rows.astype(np.uint32 if not rows.size or rows.max() < 1 << 32 else np.int64)
