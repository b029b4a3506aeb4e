"""Pairs as keys of 16 bytes, which the ledger has, and as two 64-bit words, which a load has in two columns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from airflow_provider_ghl.load.columns import Flags, Words
from airflow_provider_ghl.load.sorted_runs import find_pairs

__all__ = [
    "KnownPairs",
    "KnownPairsBuilder",
    "ascending",
    "is_among",
    "keys_from_words",
    "per_statement",
    "phases",
    "sort_words",
    "words_from_keys",
]

T = TypeVar("T")

#: Values that go into one statement: SQLite takes 32,766.
_PER_STATEMENT = 5_000
_KEY = 16


@dataclass(frozen=True, slots=True)
class KnownPairs:
    """Pairs that are there, sorted by ``high``, then ``low``."""

    high: Words
    low: Words
    #: Made by the load that asks.
    is_ours: Flags


def keys_from_words(high: Words, low: Words) -> list[bytes]:
    """A key for each pair: high word, low word, big endian, so that keys sort as the words do."""
    together = np.empty((len(high), 2), dtype=">u8")
    together[:, 0], together[:, 1] = high, low
    data = together.tobytes()
    return [data[at : at + _KEY] for at in range(0, len(data), _KEY)]


def words_from_keys(data: bytes) -> tuple[Words, Words]:
    """The high and the low words.

    :param data: keys, one after the other.
    """
    together = np.frombuffer(data, dtype=">u8").reshape(-1, 2)
    return together[:, 0].astype(np.uint64), together[:, 1].astype(np.uint64)


def sort_words(high: Words, low: Words) -> tuple[Words, Words]:
    """The same pairs, sorted by high word, then by low word. What is sorted already is left as it is."""
    if (high[1:] > high[:-1]).all():
        return high, low
    order = np.lexsort((low, high))
    return high[order], low[order]


def ascending(words: Words) -> Words:
    """Each of them once. ``np.unique`` hashes them, which takes a hundred times as long where they are sorted."""
    ordered = np.sort(words)
    is_new = np.ones(len(ordered), dtype=np.bool_)
    is_new[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_new]


def is_among(words: Words, ordered: Words) -> Flags:
    """Which of the words are among others. ``np.isin`` would sort these for every call.

    :param ordered: ascending.
    """
    if not len(ordered):
        return np.zeros(len(words), dtype=np.bool_)
    places = np.minimum(np.searchsorted(ordered, words), len(ordered) - 1)
    found: Flags = ordered[places] == words
    return found


def phases(keys: Iterable[bytes]) -> list[int]:
    """The phase of each pair: when in a period it comes due, from 0 to 65,535.

    It is the first 16 bits of the low word, and pairs are sorted by their high words: so pairs that stand together come due at
    different times.
    """
    return [int.from_bytes(key[8:10], "big") for key in keys]


def per_statement(values: Sequence[T]) -> Iterator[Sequence[T]]:
    """The values, in parts that fit into one statement."""
    for start in range(0, len(values), _PER_STATEMENT):
        yield values[start : start + _PER_STATEMENT]


class KnownPairsBuilder:
    """Puts pieces of sorted pairs together, and never holds two copies of all of them."""

    def __init__(self) -> None:
        self._high, self._low = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        """Take in the next piece.

        :param data: keys, one after the other, in any order. All are greater than those of earlier pieces.
        """
        high, low = sort_words(*words_from_keys(data))
        self._high += high.data
        self._low += low.data

    def build(self, ours: tuple[Words, Words] | None = None) -> KnownPairs:
        """All pairs.

        :param ours: which of them were made by the load that asks.
        """
        high, low = np.frombuffer(self._high, np.uint64), np.frombuffer(self._low, np.uint64)
        is_ours = np.zeros(len(high), dtype=np.bool_)
        if ours is not None:
            places, _ = find_pairs(high, low, *ours)
            is_ours[places] = True
        return KnownPairs(high, low, is_ours)
