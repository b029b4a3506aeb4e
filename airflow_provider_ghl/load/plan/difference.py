"""Which rows need a request: not those that are invalid, that repeat another, or whose relation is known to be there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from airflow_provider_ghl.load.columns import Codes, Flags, Numbers, Objects, Words
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness, Knowledge
from airflow_provider_ghl.load.ledger.relations import Side
from airflow_provider_ghl.load.plan.duplicates import Seen

__all__ = ["Chunk", "Diff", "Memory"]


#: To look a pair up takes as long as to load some 15 known ones, and more rows will come than came so far.
_WORTH_LOADING = 100
#: A known pair takes 20 bytes. So many of them always may, and beyond that so many for each row of the input.
_ALWAYS, _PER_ROW = 6_000_000, 1.5
_NONE: Numbers = np.empty(0, dtype=np.int64)


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
    """Rows of one location that were read together, as offsets in columns that all locations share. ``first`` and ``second``
    are text, ``""`` where an id was refused.
    """

    start: int
    first: Objects
    second: Objects
    #: The pairs' identities; zeros where a row has none.
    high: Words
    low: Words
    #: By row: the earlier row with the same pair, or -1; and what is known, a :class:`Knowledge`.
    earlier: Numbers
    knowledge: Codes
    #: Offsets of rows: those that need requests, as far as nobody has taken them (at first all that can be sent); those whose
    #: pair stood earlier; and those that are there by the ledger. All of one location.
    todo: Numbers
    #: Why rows were refused, by offset.
    problems: dict[int, str] = field(default_factory=dict)
    repeats: Numbers = field(default_factory=lambda: _NONE)
    known: Numbers = field(default_factory=lambda: _NONE)


class Diff:
    """Plans chunk by chunk, for one association.

    What a memory knows is loaded as a whole when so many rows came up that looking each of them up would take longer: 16 bytes
    a known pair, and 4 to tell repeats.

    :param memory: ``None`` where it is not known what the rows are about, so that nothing else is either.
    :param expected: about how many rows will come, where that is known.
    :param always: known pairs that may be loaded in any case.
    """

    def __init__(self, memory: Memory | None, expected: int = 0, always: int = _ALWAYS) -> None:
        self._expected = expected
        self._always = always
        self._there_are_more_than = 0
        self._memory = memory
        self._seen = Seen()
        self._rows = 0
        self._is_loaded = False
        self._is_ours: Flags = np.empty(0, dtype=np.bool_)

    def plan(self, chunk: Chunk) -> None:
        """Fill in what is known of the rows to do, and take those off that need no requests.

        :raises LedgerError: the ledger cannot be read. Nothing was filled in then.
        """
        usable = chunk.todo
        self._load_if_worth(len(usable))
        sight = self._seen.look(chunk.high[usable], chunk.low[usable], usable + chunk.start)
        chunk.earlier[usable] = sight.earlier
        chunk.repeats = usable[np.flatnonzero(sight.earlier >= 0)]
        is_new = sight.earlier < 0
        is_known = is_new & (sight.expected >= 0)
        places = sight.expected[is_known]
        chunk.knowledge[usable[is_known]] = np.where(self._is_ours[places], Knowledge.OURS, Knowledge.THERE)
        chunk.known = usable[is_known]
        chunk.todo = usable[is_new & ~is_known]

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

    def count_there(self, side: Side, records: list[str]) -> Numbers:
        """For each record, how many relations of it are known to be there.

        :raises LedgerError: the ledger cannot be read.
        """
        if (memory := self._memory) is None:
            return np.zeros(len(records), dtype=np.int64)
        return memory.ledger.relations.count_of_records(memory.target_id, side, records, memory.freshness)

    def forget(self) -> None:
        """Know nothing any more, but for repeats."""
        self._memory = None

    def _load_if_worth(self, rows: int) -> None:
        self._rows += rows
        affordable = int(min(_WORTH_LOADING * self._rows, self._always + _PER_ROW * max(self._rows, self._expected)))
        if self._is_loaded or self._memory is None or affordable < 1.5 * self._there_are_more_than:
            return
        relations = self._memory.ledger.relations
        if relations.count(self._memory.target_id, affordable + 1) > affordable:
            self._there_are_more_than = affordable
            return
        known = relations.known(self._memory.target_id, self._memory.freshness, self._memory.load_number)
        self._seen.expect(known.high, known.low)
        self._is_ours, self._is_loaded = known.is_ours, True
