"""Finds the rows that need a request: those that repeat no other row and are not known to exist."""

from __future__ import annotations

import numpy as np

from airflow_provider_ghl.load.columns import Chunk, Flags, Numbers, Words
from airflow_provider_ghl.load.ledger.memory import Memory
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.plan.duplicates import Duplicates

__all__ = ["Difference"]


#: Load the known rows of a location when they are at most this many times the rows seen so far. Looking one row up takes as
#: long as loading some 15 known ones, and more rows will come than came so far.
_WORTH_LOADING = 100
#: A known row takes 20 bytes. This many may always be loaded, and beyond that this many for each row of the input.
_ALWAYS, _PER_ROW = 6_000_000, 1.5


class Difference:
    """Removes from the chunks of one location the rows that need no request.

    The known rows are loaded all at once as soon as looking up each row would take longer. That needs 20 bytes per known row:
    16 for its identity, and 4 for the row that had it first.

    :param memory: what the ledger knows; ``None`` while the target is not known.
    :param expected: about how many rows will come; 0 where that is not known.
    :param always: how many known rows may be loaded in any case.
    """

    def __init__(self, memory: Memory | None, expected: int = 0, always: int = _ALWAYS) -> None:
        self._expected = expected
        self._always = always
        self._there_are_more_than = 0
        self._memory = memory
        self._duplicates = Duplicates()
        self._rows = 0
        self._is_loaded = False
        self._is_ours: Flags = np.empty(0, dtype=np.bool_)

    def plan(self, chunk: Chunk) -> None:
        """Fill in what is known of the rows in ``todo``, and remove those that need no request.

        :raises LedgerError: the ledger cannot be read. The chunk is unchanged then.
        """
        usable = chunk.todo
        self._load_if_worth(len(usable))
        matches = self._duplicates.match(chunk.high[usable], chunk.low[usable], usable + chunk.start)
        chunk.earlier[usable] = matches.earlier
        chunk.repeats = usable[np.flatnonzero(matches.earlier >= 0)]
        is_new = matches.earlier < 0
        is_known = is_new & (matches.expected >= 0)
        places = matches.expected[is_known]
        chunk.knowledge[usable[is_known]] = np.where(self._is_ours[places], Knowledge.OURS, Knowledge.THERE)
        chunk.known = usable[is_known]
        chunk.todo = usable[is_new & ~is_known]

    def look_again(self, chunk: Chunk) -> Numbers:
        """Ask the ledger about the rows in ``todo``: others may have written them. Returns the offsets that were removed.

        :raises LedgerError: the ledger cannot be read.
        """
        memory, todo = self._memory, chunk.todo
        if memory is None or not todo.size:
            return todo[:0]
        found = memory.look_up(chunk.high[todo], chunk.low[todo])
        chunk.knowledge[todo] = found
        is_there = (found == Knowledge.THERE) | (found == Knowledge.OURS)
        chunk.todo = todo[np.flatnonzero(~is_there)]
        return todo[np.flatnonzero(is_there)]

    def highlevel_ids(self, chunk: Chunk, offsets: Numbers) -> dict[int, str]:
        """HighLevel's ids of existing rows, by offset, as far as the ledger has them.

        :raises LedgerError: the ledger cannot be read.
        """
        if self._memory is None or not offsets.size:
            return {}
        ids = self._memory.highlevel_ids(chunk.high[offsets], chunk.low[offsets])
        return {offset: one for offset, one in zip(offsets.tolist(), ids, strict=True) if one}

    def named(self) -> Words:
        """The high words of the identities of all rows so far, in any order."""
        return self._duplicates.all()

    def forget(self) -> None:
        """Stop using the ledger. Repeats are still found."""
        self._memory = None

    def _load_if_worth(self, rows: int) -> None:
        self._rows += rows
        affordable = int(min(_WORTH_LOADING * self._rows, self._always + _PER_ROW * max(self._rows, self._expected)))
        if self._is_loaded or self._memory is None or affordable < 1.5 * self._there_are_more_than:
            return
        if self._memory.count(affordable + 1) > affordable:
            self._there_are_more_than = affordable
            return
        known = self._memory.known()
        self._duplicates.expect(known.high, known.low)
        self._is_ours, self._is_loaded = known.is_ours, True
