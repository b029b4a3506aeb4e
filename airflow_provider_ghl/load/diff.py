"""Which rows need a request: not those that are invalid, that repeat another, or whose relation is known to be there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from airflow_provider_ghl.load.arrays import Codes, Flags, Numbers, Objects, Words
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness, Knowledge
from airflow_provider_ghl.load.seen import Seen, keyed_identity
from airflow_provider_ghl.load.validate import Valid

__all__ = ["Chunk", "Diff", "Memory"]


#: To look a pair up takes as long as to load some 15 known ones, and more rows will come than came so far.
_WORTH_LOADING = 100
#: A known pair takes 20 bytes. So many of them always may, and beyond that so many for each row of the input.
_ALWAYS, _PER_ROW = 6_000_000, 1.5


@dataclass(frozen=True, slots=True)
class Memory:
    """A part of a ledger: what it knows of one association, as far as this load believes it."""

    ledger: Ledger
    target_id: int
    freshness: Freshness
    #: The load whose relations are its own; ``None`` where it has made none yet.
    load_number: int | None


@dataclass(slots=True)
class Chunk:
    """Rows that were read together, as columns. ``first`` and ``second`` are text, ``""`` where an id was refused."""

    start: int
    first: Objects
    second: Objects
    #: The pairs' identities; zeros where a row has none.
    high: Words
    low: Words
    #: By row: the earlier row with the same pair, or -1; and what is known, a :class:`Knowledge`.
    earlier: Numbers
    knowledge: Codes
    #: Offsets of the rows that are there by the ledger, and of those that need requests, as far as nobody has taken them.
    known: Numbers
    todo: Numbers


class Diff:
    """Plans chunk by chunk.

    What a memory knows is loaded as a whole when so many rows came up that looking each of them up would take longer: 16 bytes
    a known pair, and 4 to tell repeats.

    :param memory: ``None`` where it is not known what the load is about, so that nothing is either.
    :param expected: about how many rows will come, where that is known.
    """

    def __init__(self, memory: Memory | None, expected: int = 0) -> None:
        self._expected = expected
        self._there_are_more_than = 0
        self._memory = memory
        self._identity = memory.ledger.identity if memory is not None else keyed_identity()
        self._seen = Seen()
        self._rows = 0
        self._is_loaded = False
        self._is_ours: Flags = np.empty(0, dtype=np.bool_)

    def plan(self, valid: Valid, start: int) -> Chunk:
        """What is known of a chunk's rows, and which of them need requests.

        :raises LedgerError: the ledger cannot be read.
        """
        size = len(valid.first)
        chunk = Chunk(
            start,
            valid.first,
            valid.second,
            np.zeros(size, dtype=np.uint64),
            np.zeros(size, dtype=np.uint64),
            np.full(size, -1, dtype=np.int64),
            np.zeros(size, dtype=np.uint8),
            np.empty(0, dtype=np.int64),
            np.flatnonzero(valid.usable),
        )
        self._load_if_worth(size)
        usable = chunk.todo
        high, low = self._identity(valid.first[usable], valid.second[usable])
        chunk.high[usable], chunk.low[usable] = high, low
        sight = self._seen.look(high, low, usable + start)
        chunk.earlier[usable] = sight.earlier
        is_new = sight.earlier < 0
        is_known = is_new & (sight.expected >= 0)
        places = sight.expected[is_known]
        chunk.knowledge[usable[is_known]] = np.where(self._is_ours[places], Knowledge.OURS, Knowledge.THERE)
        chunk.todo = usable[is_new & ~is_known]
        learned = self.look_again(chunk)
        chunk.known = np.concatenate((usable[is_known], learned))
        return chunk

    def look_again(self, chunk: Chunk) -> Numbers:
        """Ask the ledger for what is still to do: others may have learned something. Offsets that are not to do any more.

        :raises LedgerError: the ledger cannot be read.
        """
        memory, todo = self._memory, chunk.todo
        if memory is None or not todo.size:
            return todo[:0]
        found = memory.ledger.relations.look_up(
            memory.target_id, chunk.high[todo], chunk.low[todo], memory.freshness, memory.load_number
        )
        chunk.knowledge[todo] = found
        is_there = (found == Knowledge.THERE) | (found == Knowledge.OURS)
        chunk.todo = todo[np.flatnonzero(~is_there)]
        return todo[np.flatnonzero(is_there)]

    def relation_ids(self, chunk: Chunk, offsets: Numbers) -> dict[int, str]:
        """HighLevel's ids of relations that are there, by offset, as far as the ledger has them.

        :raises LedgerError: the ledger cannot be read.
        """
        if self._memory is None or not offsets.size:
            return {}
        relations = self._memory.ledger.relations
        ids = relations.relation_ids(self._memory.target_id, chunk.high[offsets], chunk.low[offsets])
        return {offset: relation_id for offset, relation_id in zip(offsets.tolist(), ids, strict=True) if relation_id}

    def forget(self) -> None:
        """Know nothing any more, but for repeats."""
        self._memory = None

    def _load_if_worth(self, rows: int) -> None:
        self._rows += rows
        affordable = int(min(_WORTH_LOADING * self._rows, _ALWAYS + _PER_ROW * max(self._rows, self._expected)))
        if self._is_loaded or self._memory is None or affordable < 1.5 * self._there_are_more_than:
            return
        relations = self._memory.ledger.relations
        if relations.count(self._memory.target_id, affordable + 1) > affordable:
            self._there_are_more_than = affordable
            return
        known = relations.known(self._memory.target_id, self._memory.freshness, self._memory.load_number)
        self._seen.expect(known.high, known.low)
        self._is_ours, self._is_loaded = known.is_ours, True
