"""Sorted tables that grow batch by batch, in a few bytes a row: a look-up searches few runs, and no row is merged often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from airflow_provider_ghl.load.columns import Numbers, Words

__all__ = ["Run", "SortedRuns", "find_keys", "find_pairs"]

#: Two runs are merged if they have no more rows than this together, or than an eighth of all rows: while they are merged, both
#: exist twice.
_SMALL = 1 << 16
_SHARE = 8
_NOWHERE: Numbers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows that are sorted by their keys.

    :param columns: what else the rows hold, each as long as the keys.
    """

    keys: Words
    columns: tuple[np.ndarray[Any, Any], ...]

    def __len__(self) -> int:
        return len(self.keys)

    def merge(self, other: Run) -> Run:
        """The rows of both. Where a column's types differ, it gets the larger one."""
        keys = np.concatenate((self.keys, other.keys))
        order = np.argsort(keys, kind="stable")
        columns = zip(self.columns, other.columns, strict=True)
        return Run(keys[order], tuple(np.concatenate(column)[order] for column in columns))


class SortedRuns:
    """The runs of one table, few and of growing size: a batch becomes a run, and two runs of like size are merged into one."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        """Rows of all runs."""
        return sum(map(len, self._runs))

    def add(self, run: Run) -> None:
        """Take in new rows. A run that was got before may be no part of the table any more."""
        self._runs.append(run)
        largest = max(_SMALL, len(self) // _SHARE)
        while (at := self._like_the_next(largest)) is not None:
            self._runs[at : at + 2] = [self._runs[at].merge(self._runs[at + 1])]

    def _like_the_next(self, largest: int) -> int | None:
        """The position of a run that is to be merged with the next larger one."""
        self._runs.sort(key=len)
        for at, (smaller, larger) in enumerate(pairwise(map(len, self._runs))):
            if larger < 2 * smaller and smaller + larger <= largest:
                return at
        return None


def find_keys(keys: Words, wanted: Words) -> tuple[Numbers, Numbers]:
    """Where wanted keys stand.

    :param keys: sorted. Of equal ones the first is found.
    :returns: positions among ``keys``, and for each of them the position among ``wanted``. Who is not there is left out.
    """
    if not keys.size:
        return _NOWHERE, _NOWHERE
    at = keys.searchsorted(wanted)
    found = np.flatnonzero(keys.take(at, mode="clip") == wanted)
    return at[found], found


def find_pairs(high: Words, low: Words, wanted_high: Words, wanted_low: Words) -> tuple[Numbers, Numbers]:
    """As :func:`find_keys`, for keys of two words each.

    :param high: sorted. Where high words are equal, which of 2**64 hashes hardly any two are, low words are in any order.
    """
    at, wanted = find_keys(high, wanted_high)
    is_same = low[at] == wanted_low[wanted]
    if is_same.all():
        return at, wanted
    places, positions = [at[is_same]], [wanted[is_same]]
    while (rest := np.flatnonzero(~is_same)).size:
        at, wanted = at[rest] + 1, wanted[rest]
        rest = np.flatnonzero(high.take(at, mode="clip") == wanted_high[wanted])
        rest = rest[at[rest] < len(high)]
        at, wanted = at[rest], wanted[rest]
        is_same = low[at] == wanted_low[wanted]
        places.append(at[is_same])
        positions.append(wanted[is_same])
    return np.concatenate(places), np.concatenate(positions)
