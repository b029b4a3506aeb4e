"""Repeats over the whole input, in a few bytes a row; and the pairs that were expected.

A pair is known by 128 bits of it. They are kept in sorted runs, few and of growing size: a batch becomes a run, and runs of
like size are merged into one, but never so many rows at once that the copy would count. A sieve of some bits a pair answers
for most new pairs that they are new, since searching all runs for each would take half of the time.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy

from airflow_provider_ghl.load.columns import Flags, Numbers, Words

__all__ = ["Duplicates", "Sight"]

_MERGED_FREELY = 1 << 16
_LARGEST_SHARE = 8
_NEVER = numpy.uint32((1 << 32) - 1)
_NO_WORDS = numpy.empty(0, dtype=numpy.uint64)
_NO_ROWS = numpy.empty(0, dtype=numpy.uint32)


class Sight(NamedTuple):
    """What is known of each of some rows."""

    #: The number of the earlier row with the same pair, or -1.
    earlier: Numbers
    #: The position of its pair among the expected ones, or -1.
    expected: Numbers


class Duplicates:
    """Which row first held a pair, and which pairs were expected.

    Needs 21 to 22 bytes for each different pair, some 26 at the peak of a merge (measured), and 20 for each expected one. Two
    different pairs are taken for one with odds of 2**-128, so among n pairs of n**2 / 2 times that: 2**-82 for ten million.
    """

    def __init__(self) -> None:
        self._runs: list[_Run] = []
        self._sieve = _Sieve(_MERGED_FREELY)
        self._expected = _Run(_NO_WORDS, _NO_WORDS, _NO_ROWS)

    def expect(self, high: Words, low: Words) -> None:
        """Take in identities that are known before they come up, sorted by ``high`` and ``low``, each once."""
        self._expected = _Run(high, low, numpy.full(len(high), _NEVER, dtype=numpy.uint32))

    def look(self, high: Words, low: Words, rows: Numbers) -> Sight:
        """For each row, whether its pair (same order, same case) was seen or expected. The rows are remembered.

        :param rows: the rows' numbers, ascending, above those that were looked at before.
        """
        sight = Sight(numpy.full(len(rows), -1, dtype=numpy.int64), numpy.full(len(rows), -1, dtype=numpy.int64))
        if not rows.size:
            return sight
        order = _order(high, low)
        high, low, numbers = high[order], low[order], rows[order]
        leads = _starts_of_groups(high, low)
        batch = _Run(high[leads], low[leads], numbers[leads])
        known = self._look_up(batch)
        places = self._among_expected(batch, known)
        groups = numpy.cumsum(leads) - 1
        earliest = numpy.where(known < 0, batch.rows, known)[groups]
        sight.earlier[order] = numpy.where(earliest == numbers, -1, earliest)
        sight.expected[order] = places[groups]
        new = batch.only((known < 0) & (places < 0))
        self._remember(_Run(new.high, new.low, _compact(new.rows)))
        return sight

    def _among_expected(self, batch: _Run, known: Numbers) -> Numbers:
        """Where the batch's identities stand among those expected. Fills in who held them first, here or there."""
        places = numpy.full(len(batch.rows), -1, dtype=numpy.int64)
        self._expected.locate(batch, places)
        found = numpy.flatnonzero(places >= 0)
        first_rows = self._expected.rows
        before = first_rows[places[found]]
        again = found[before != _NEVER]
        known[again] = first_rows[places[again]]
        fresh = found[before == _NEVER]
        # Beyond that number a repeat would name a row that is too low, which is all that would be wrong.
        held_first = numpy.where(known[fresh] < 0, batch.rows[fresh], known[fresh])
        first_rows[places[fresh]] = numpy.minimum(held_first, _NEVER - 1)
        return places

    def _look_up(self, batch: _Run) -> Numbers:
        known = numpy.full(len(batch.rows), -1, dtype=numpy.int64)
        doubtful = numpy.flatnonzero(self._sieve.may_hold(batch.high))
        if doubtful.size:
            asked = batch.only(doubtful)
            found = known[doubtful]
            for run in self._runs:
                run.find(asked, found)
            known[doubtful] = found
        return known

    def _remember(self, run: _Run) -> None:
        if not run.high.size:
            return
        self._runs.append(run)
        total = sum(len(one.rows) for one in self._runs)
        self._mark(run, total)
        largest = max(_MERGED_FREELY, total // _LARGEST_SHARE)
        while (at := self._alike(largest)) is not None:
            self._runs[at : at + 2] = [self._runs[at].merged(self._runs[at + 1])]

    def _mark(self, run: _Run, total: int) -> None:
        if total <= self._sieve.room:
            self._sieve.add(run.high)
            return
        self._sieve = _Sieve(2 * total)
        for one in self._runs:
            self._sieve.add(one.high)

    def _alike(self, largest: int) -> int | None:
        self._runs.sort(key=lambda run: len(run.rows))
        sizes = [len(run.rows) for run in self._runs]
        for at, (smaller, larger) in enumerate(pairwise(sizes)):
            if larger < 2 * smaller and smaller + larger <= largest:
                return at
        return None


@dataclass(frozen=True, slots=True)
class _Run:
    """Identities, sorted by their high words, with the rows that held them first."""

    high: Words
    low: Words
    rows: numpy.ndarray[Any, Any]

    def only(self, chosen: Flags | Numbers) -> _Run:
        return _Run(self.high[chosen], self.low[chosen], self.rows[chosen])

    def merged(self, other: _Run) -> _Run:
        high = numpy.concatenate((self.high, other.high))
        order = numpy.argsort(high, kind="stable")
        low = numpy.concatenate((self.low, other.low))[order]
        return _Run(high[order], low, numpy.concatenate((self.rows, other.rows))[order])

    def find(self, batch: _Run, known: Numbers) -> None:
        """Write into ``known`` the rows of those of the batch's identities that stand here."""
        places = numpy.full(len(batch.high), -1, dtype=numpy.int64)
        self.locate(batch, places)
        here = numpy.flatnonzero(places >= 0)
        known[here] = self.rows[places[here]]

    def locate(self, batch: _Run, places: Numbers) -> None:
        """Write into ``places`` where those of the batch's identities stand that stand here."""
        if not self.high.size:
            return
        at = numpy.searchsorted(self.high, batch.high)
        asked = numpy.flatnonzero(self.high.take(at, mode="clip") == batch.high)
        while asked.size:
            here = at[asked]
            same = self.low[here] == batch.low[asked]
            places[asked[same]] = here[same]
            asked = asked[~same]
            at[asked] += 1
            asked = asked[at[asked] < len(self.high)]
            asked = asked[self.high[at[asked]] == batch.high[asked]]


class _Sieve:
    """Of what was added it says *maybe*, of nearly all else *no*; 4 to 8 bits for each identity there is room for."""

    def __init__(self, room: int):
        self.room = room
        width = (4 * room - 1).bit_length()
        self._shift = numpy.uint64(64 - width)
        self._bits = numpy.zeros(1 << (width - 3), dtype=numpy.uint8)

    def add(self, high: Words) -> None:
        octet, bit = self._places(high)
        numpy.bitwise_or.at(self._bits, octet, bit)

    def may_hold(self, high: Words) -> Flags:
        octet, bit = self._places(high)
        flags: Flags = (self._bits[octet] & bit) != 0
        return flags

    def _places(self, high: Words) -> tuple[Words, numpy.ndarray[Any, numpy.dtype[numpy.uint8]]]:
        place = high >> self._shift
        return place >> numpy.uint64(3), numpy.uint8(1) << (place & numpy.uint64(7)).astype(numpy.uint8)


def _order(high: Words, low: Words) -> Numbers:
    """What sorts them by ``high`` and then by ``low``; equal ones stay in their order."""
    order = numpy.argsort(high, kind="stable")
    # To sort by both takes three times as long, and is needed once in 2**64 pairs.
    ordered, low_ordered = high[order], low[order]
    if ((ordered[1:] == ordered[:-1]) & (low_ordered[1:] != low_ordered[:-1])).any():
        return numpy.lexsort((low, high))
    return order


def _starts_of_groups(high: Words, low: Words) -> Flags:
    starts = numpy.ones(len(high), dtype=numpy.bool_)
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return starts


def _compact(rows: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    return rows.astype(numpy.uint32 if not rows.size or rows.max() < 1 << 32 else numpy.int64)
