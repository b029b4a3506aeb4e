"""Whose relations a mirror may delete: those of parents that stand in the table, if every row of theirs is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from airflow_provider_ghl.load.columns import Chunk, Codes, Flags, Numbers, Objects, Words
from airflow_provider_ghl.load.kind import RowHandler
from airflow_provider_ghl.load.ledger.pairs import is_among
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Outcome

__all__ = ["ClosedScope", "MirroredLocation", "Scope"]

#: Outcomes of rows that say nothing about what HighLevel should hold: their parents keep everything.
_UNACCOUNTED = (Outcome.INVALID, Outcome.UNRESOLVED, Outcome.FAILED, Outcome.NOT_ATTEMPTED)
_CODES = [OUTCOMES.index(outcome) for outcome in _UNACCOUNTED]
_UNKNOWN = np.uint64(0)
_NO_WORDS: Words = np.empty(0, dtype=np.uint64)


class Scope:
    """The parents of one location's rows, with 12 bytes a row.

    :param column: the column of the parents, in the source's order; ``None``: the parent of every row is the target itself.
    :param hashed: hashes ids; two ids have the same hash with a probability of 2**-64.
    :param keeps_ids: whether :meth:`ids` will be asked for.
    """

    def __init__(self, column: int | None, hashed: Callable[[Objects], Words], *, keeps_ids: bool = False) -> None:
        self._column = column
        self._hashed = hashed
        self._rows: list[np.ndarray[tuple[int], np.dtype[np.uint32]]] = []
        self._parents: list[Words] = []
        self._ids: dict[str, None] | None = {} if keeps_ids else None
        self._excused: set[int] = set()

    @classmethod
    def nothing(cls) -> Scope:
        """One that keeps nothing in memory, where nothing is to be deleted."""
        return _NoScope(None, lambda ids: np.zeros(len(ids), dtype=np.uint64))

    def add(self, chunk: Chunk, offsets: Numbers) -> None:
        """Add rows; what is added last of a row counts. A row without a parent's id has an unknown one."""
        if self._column is None:
            words = np.full(len(offsets), 1, dtype=np.uint64)
        else:
            ids = chunk.as_read[self._column][offsets]
            words = self._hashed(ids) | np.uint64(1)
            words[ids == ""] = _UNKNOWN
            if self._ids is not None:
                self._ids.update(dict.fromkeys(ids[ids != ""].tolist()))
        self._rows.append((offsets + chunk.start).astype(np.uint32))
        self._parents.append(words)

    def excuse(self, chunk: Chunk, offsets: Iterable[int]) -> None:
        """These rows are refused, and yet accounted for: what they name is known, and HighLevel should hold it."""
        self._excused.update(chunk.start + offset for offset in offsets)

    def close(self, codes: Codes) -> ClosedScope:
        """The scope, once all rows have their outcomes.

        :param codes: of all rows of the load, as positions in ``OUTCOMES``.
        """
        is_seen = np.zeros(len(codes), dtype=np.bool_)
        is_excused = np.zeros(len(codes), dtype=np.bool_)
        is_excused[list(self._excused)] = True
        parents, blocked = [_NO_WORDS], [_NO_WORDS]
        # The last of each row first; part by part, since all at once would take 40 bytes a row.
        for rows, words in zip(reversed(self._rows), reversed(self._parents), strict=True):
            is_last = ~is_seen[rows]
            is_seen[rows] = True
            is_open = np.isin(codes[rows], _CODES) & ~is_excused[rows]
            parents.append(np.unique(words[is_last]))
            blocked.append(np.unique(words[is_last & is_open]))
        kept = np.unique(np.concatenate(blocked))
        return ClosedScope(self, np.unique(np.concatenate(parents)), kept, is_blocked=bool((kept == _UNKNOWN).any()))

    def hashes(self, ids: Objects) -> Words:
        """The hashes of parents' ids."""
        if self._column is None:
            return np.full(len(ids), 1, dtype=np.uint64)
        return self._hashed(ids) | np.uint64(1)

    @property
    def ids(self) -> list[str]:
        """The parents' ids, where they are kept, in the order of the table."""
        return list(self._ids or ())


class _NoScope(Scope):
    def add(self, chunk: Chunk, offsets: Numbers) -> None:
        """Nothing is to be deleted."""

    def excuse(self, chunk: Chunk, offsets: Iterable[int]) -> None:
        """Nothing is to be deleted."""


class ClosedScope:
    """The parents of a location whose rows are all decided.

    :param parents: their hashes, ascending; of ``blocked`` too, who keep everything.
    :param is_blocked: whether a row's parent is not known: then any parent may be that row's.
    """

    def __init__(self, scope: Scope, parents: Words, blocked: Words, *, is_blocked: bool) -> None:
        self._scope = scope
        self._parents = parents
        self._blocked = blocked
        self.is_blocked = is_blocked
        #: How many parents keep everything, since a row of theirs is not accounted for.
        self.blocked = int((blocked != _UNKNOWN).sum())

    def holds(self, ids: Objects) -> Flags:
        """For each parent, whether it stands in the table."""
        return is_among(self._scope.hashes(ids), self._parents)

    def keeps(self, ids: Objects) -> Flags:
        """For each parent, whether it keeps everything."""
        if self.is_blocked:
            return np.ones(len(ids), dtype=np.bool_)
        return is_among(self._scope.hashes(ids), self._blocked)

    @property
    def open_ids(self) -> list[str]:
        """The ids of the parents that keep nothing, where ids are kept."""
        ids = np.array([*self._scope.ids, None], dtype=object)[:-1]
        return [] if self.is_blocked else list(ids[~self.keeps(ids)]) if ids.size else []


@dataclass(frozen=True, slots=True)
class MirroredLocation:
    """A location whose rows are all decided.

    :param target_id: HighLevel's id of its target, and ``number`` the ledger's.
    :param named: the high words of all that its rows name.
    :param unsent: the same of rows that a plan would send.
    """

    location_id: str
    target_id: str
    number: int
    handler: RowHandler
    scope: Scope
    named: Words
    unsent: Words
