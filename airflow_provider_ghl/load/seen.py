"""Repeats over the whole input, in a few bytes a row.

A pair is known by 128 bits of it. They are kept in sorted runs, few and of growing size: a batch becomes a run, and runs of
like size are merged into one, but never so many rows at once that the copy would count. A sieve of some bits a pair answers
for most new pairs that they are new, since searching all runs for each would take half of the time.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy
from pandas.util import hash_array

__all__ = ["Seen", "keyed_identity"]

Objects = numpy.ndarray[Any, numpy.dtype[numpy.object_]]
Flags = numpy.ndarray[Any, numpy.dtype[numpy.bool_]]
Words = numpy.ndarray[Any, numpy.dtype[numpy.uint64]]
Numbers = numpy.ndarray[Any, numpy.dtype[numpy.int64]]
Identity = Callable[[Objects, Objects], tuple[Words, Words]]

_MERGED_FREELY = 1 << 16
_LARGEST_SHARE = 8
_ODD = numpy.uint64(0x9E3779B97F4A7C15)


class Seen:
    """Which row first held a pair.

    Needs 21 to 22 bytes for each different pair, some 26 at the peak of a merge (measured). Two different pairs are taken for
    one with odds of 2**-128, so among n pairs of n**2 / 2 times that: 2**-82 for ten million. The hashes' keys are random for
    each instance, so nobody can prepare rows that collide; the answers do not depend on them.
    """

    def __init__(self, identity: Identity | None = None):
        self._identity = identity or keyed_identity()
        self._runs: list[_Run] = []
        self._sieve = _Sieve(_MERGED_FREELY)

    def first_rows(self, first: Objects, second: Objects, start: int, usable: Flags) -> Numbers:
        """For each row of a batch the number of the earlier row with the same pair (same order, same case), or -1.

        ``start`` is the number of the batch's first row. The batch is remembered; rows that are not usable get -1 and are not.
        """
        answer = numpy.full(len(first), -1, dtype=numpy.int64)
        offsets = numpy.flatnonzero(usable)
        if not offsets.size:
            return answer
        high, low = self._identity(first[offsets], second[offsets])
        order = numpy.lexsort((low, high))
        high, low, offsets = high[order], low[order], offsets[order]
        leads = _starts_of_groups(high, low)
        batch = _Run(high[leads], low[leads], _compact(offsets[leads] + start))
        known = self._look_up(batch)
        earliest = numpy.where(known < 0, batch.rows, known)[numpy.cumsum(leads) - 1]
        answer[offsets] = numpy.where(earliest == offsets + start, -1, earliest)
        self._remember(batch.only(known < 0))
        return answer

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
        if not run.rows.size:
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
        at = numpy.searchsorted(self.high, batch.high)
        asked = numpy.flatnonzero(self.high.take(at, mode="clip") == batch.high)
        while asked.size:
            here = at[asked]
            same = self.low[here] == batch.low[asked]
            known[asked[same]] = self.rows[here[same]]
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


def keyed_identity() -> Identity:
    """128 bits of a pair: two SipHashes, with random keys, of both ids together and the place where the second begins."""
    keys = secrets.token_hex(8), secrets.token_hex(8)

    def identity(first: Objects, second: Objects) -> tuple[Words, Words]:
        together = first + second
        border = numpy.fromiter(map(len, first), dtype=numpy.uint64, count=len(first)) * _ODD
        high, low = (hash_array(together, hash_key=key, categorize=False) + border for key in keys)
        return high, low

    return identity


def _starts_of_groups(high: Words, low: Words) -> Flags:
    starts = numpy.ones(len(high), dtype=numpy.bool_)
    starts[1:] = (high[1:] != high[:-1]) | (low[1:] != low[:-1])
    return starts


def _compact(rows: numpy.ndarray[Any, Any]) -> numpy.ndarray[Any, Any]:
    return rows.astype(numpy.uint32 if rows.max() < 1 << 32 else numpy.int64)
