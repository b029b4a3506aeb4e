"""Sorted tables that grow batch by batch, with a few bytes per row. A search visits few runs, and no row is merged often."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from airflow_provider_ghl.load.columns import Numbers, Words

__all__ = ["Run", "SortedRuns", "find_keys", "find_pairs"]

#: Two runs are merged only while they are small: together at most this many rows, or an eighth of all rows. A merge needs the
#: memory of both runs twice.
_SMALL = 1 << 16
_SHARE = 8
_NOWHERE: Numbers = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Run:
    """Rows that are sorted by their keys.

    :param keys: sorted.
    :param columns: the rows' other columns, each as long as ``keys``.
    """

    keys: Words
    columns: tuple[np.ndarray[Any, Any], ...]

    def __len__(self) -> int:
        return len(self.keys)

    def merge(self, other: Run) -> Run:
        """A run with the rows of both. Where the types of a column differ, it gets the larger one."""
        keys = np.concatenate((self.keys, other.keys))
        order = np.argsort(keys, kind="stable")
        columns = zip(self.columns, other.columns, strict=True)
        return Run(keys[order], tuple(np.concatenate(column)[order] for column in columns))


class SortedRuns:
    """The runs of one table. Each batch becomes a run, and two runs of similar size are merged, so that runs stay few."""

    def __init__(self) -> None:
        self._runs: list[Run] = []

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        """How many rows all runs have."""
        return sum(map(len, self._runs))

    def add(self, run: Run) -> None:
        """Add a run. Runs that were iterated over before may have been merged into others."""
        self._runs.append(run)
        largest = max(_SMALL, len(self) // _SHARE)
        while (at := self._like_the_next(largest)) is not None:
            self._runs[at : at + 2] = [self._runs[at].merge(self._runs[at + 1])]

    def _like_the_next(self, largest: int) -> int | None:
        """The position of a run that should be merged with the next larger one; ``None`` where there is none."""
        self._runs.sort(key=len)
        for at, (smaller, larger) in enumerate(pairwise(map(len, self._runs))):
            if larger < 2 * smaller and smaller + larger <= largest:
                return at
        return None


def find_keys(keys: Words, wanted: Words) -> tuple[Numbers, Numbers]:
    """Find the positions of wanted keys.

    :param keys: sorted. Of equal keys the first is found.
    :returns: positions in ``keys``, and for each the position in ``wanted``. Keys that are not found are left out.
    """
    if not keys.size:
        return _NOWHERE, _NOWHERE
    at = keys.searchsorted(wanted)
    found = np.flatnonzero(keys.take(at, mode="clip") == wanted)
    return at[found], found


def find_pairs(high: Words, low: Words, wanted_high: Words, wanted_low: Words) -> tuple[Numbers, Numbers]:
    """As :func:`find_keys`, for keys of two words each.

    :param high: sorted. Rows with equal high words, which are very rare, may have their low words in any order.
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
