"""Keys of pairs: 16 bytes each in the ledger, two columns of 64-bit words in a load."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from airflow_provider_ghl.load.columns import Flags, Words
from airflow_provider_ghl.load.sorted_runs import find_pairs

__all__ = ["CHUNK", "Known", "PairColumns", "chunks", "keys_of", "phases_of", "sorted_words", "words_of"]


#: Keys in one statement: SQLite takes 32,766 parameters.
CHUNK = 5_000
_KEY = 16


@dataclass(frozen=True, slots=True)
class Known:
    """Pairs that are there, sorted by ``high``, then ``low``."""

    high: Words
    low: Words
    #: Made by the load that asks.
    is_ours: Flags


def keys_of(high: Words, low: Words) -> list[bytes]:
    """The 16 bytes of each pair: high word, low word, big endian, so that they sort as the words do."""
    together = np.empty((len(high), 2), dtype=">u8")
    together[:, 0], together[:, 1] = high, low
    data = together.tobytes()
    return [data[at : at + _KEY] for at in range(0, len(data), _KEY)]


def words_of(data: bytes) -> tuple[Words, Words]:
    """The words of keys that follow each other."""
    together = np.frombuffer(data, dtype=">u8").reshape(-1, 2)
    return together[:, 0].astype(np.uint64), together[:, 1].astype(np.uint64)


def sorted_words(high: Words, low: Words) -> tuple[Words, Words]:
    """The same pairs, sorted; what is sorted already costs a look."""
    if (high[1:] > high[:-1]).all():
        return high, low
    order = np.lexsort((low, high))
    return high[order], low[order]


def phases_of(keys: Iterable[bytes]) -> list[int]:
    """When in a period a pair comes due: the first 16 bits of its low word, which do not count when pairs are sorted."""
    return [int.from_bytes(key[8:10], "big") for key in keys]


def chunks(keys: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    """As many as fit into one statement at a time."""
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]


class PairColumns:
    """Gathers sorted pieces of pairs into two columns, with no second copy of all at the end."""

    def __init__(self) -> None:
        self._high, self._low = bytearray(), bytearray()

    def add(self, data: bytes) -> None:
        """Keys that follow each other, in any order, all above those before."""
        high, low = sorted_words(*words_of(data))
        self._high += high.data
        self._low += low.data

    def known(self, ours: tuple[Words, Words] | None = None) -> Known:
        """All of them; ``ours`` are flagged."""
        high, low = np.frombuffer(self._high, np.uint64), np.frombuffer(self._low, np.uint64)
        is_ours = np.zeros(len(high), dtype=np.bool_)
        if ours is not None:
            places, _ = find_pairs(high, low, *ours)
            is_ours[places] = True
        return Known(high, low, is_ours)
