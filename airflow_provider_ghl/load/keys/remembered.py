"""The keys whose records the ledger knows: all of them in memory where that pays, else asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from airflow_provider_ghl.load.columns import Objects, Words
from airflow_provider_ghl.load.ledger.keys import KnownKeys
from airflow_provider_ghl.load.ledger.memory import KeyMemory
from airflow_provider_ghl.load.sorted_runs import Run, SortedRuns, find_pairs

__all__ = ["RememberedKeys"]

#: To ask for one key takes as long as loading some 15. Load the known keys when they are at most so many times the keys that
#: are likely to be asked for, or the second number times those asked for so far: more are likely to come.
_WORTH_LOADING, _WORTH_IN_HOPE = 15, 50
#: A known key takes some 40 bytes.
_MOST_LOADED = 2_000_000


class RememberedKeys:
    """What the ledger knows of the keys of one look-up in one location. Every method raises ``LedgerError`` where it fails.

    :param most_loaded: how many known keys may be in memory.
    """

    def __init__(self, memory: KeyMemory, most_loaded: int = _MOST_LOADED) -> None:
        self._memory = memory
        self._most_loaded = most_loaded
        self._known: KnownKeys | None = None
        self._asked = 0
        self._there_are_more_than = 0
        self._forgotten: set[str] = set()
        self._added = SortedRuns()

    def record_ids(self, high: Words, low: Words, expected: float = 1.0) -> Objects:
        """The record of each key, by position; ``""`` where it is not known.

        :param expected: about how many times as many keys will be asked for in all as were so far.
        """
        ids = np.full(len(high), "", dtype=object)
        self._asked += len(high)
        self._load_if_worth(expected)
        if (known := self._known) is not None:
            order = np.argsort(high)  # a search in order touches neighbours, and takes a third of the time
            places, found = find_pairs(known.high, known.low, high[order], low[order])
            ids[order[found]] = _as_texts(known.record_ids[places])
            self._drop_forgotten(ids)
        for run in self._added:
            low_words, record_ids = run.columns
            places, found = find_pairs(run.keys, low_words, high, low)
            ids[found] = record_ids[places].astype("U").astype(object)
        if (rest := np.flatnonzero(ids == "")).size:
            # Known since: this load or another one has found them.
            ids[rest] = [one or "" for one in self._memory.look_up(high[rest], low[rest])]
            self._drop_forgotten(ids)
        return ids

    def add(self, high: Words, low: Words, record_ids: Sequence[str]) -> None:
        """Know these too, which the ledger is not told. Each takes some 40 bytes.

        :param record_ids: ASCII.
        """
        order = np.argsort(high)
        self._added.add(Run(high[order], (low[order], np.array(record_ids, dtype="S")[order])))

    def forget(self, record_id: str) -> None:
        """Name this record no more, whatever the ledger says."""
        self._forgotten.add(record_id)

    def _drop_forgotten(self, ids: Objects) -> None:
        if self._forgotten:
            ids[np.fromiter((one in self._forgotten for one in ids), np.bool_, len(ids))] = ""

    def _load_if_worth(self, expected: float) -> None:
        affordable = min(int(max(_WORTH_LOADING * expected, _WORTH_IN_HOPE) * self._asked), self._most_loaded)
        if self._known is not None or affordable < 1.5 * self._there_are_more_than:
            return
        if self._memory.count(affordable + 1) > affordable:
            self._there_are_more_than = affordable
            return
        self._known = self._memory.known()


def _as_texts(record_ids: np.ndarray[Any, np.dtype[np.bytes_]]) -> Objects:
    """ASCII bytes as text, in a third of the time that NumPy takes to decode them."""
    octets = np.ascontiguousarray(record_ids).view(np.uint8)
    texts: Objects = octets.astype(np.uint32).view(f"U{record_ids.itemsize}").astype(object)
    return texts
