"""Finds the records that the keys of one location's rows name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.load.columns import Chunk, Objects
from airflow_provider_ghl.load.keys.column import KeyColumn
from airflow_provider_ghl.load.keys.remembered import RememberedKeys
from airflow_provider_ghl.load.kind import FoundKey, RowKind
from airflow_provider_ghl.load.ledger.memory import Memories
from airflow_provider_ghl.load.ledger.notes import KeyNotes

__all__ = ["KeyStage", "Unnamed", "open_key_stage"]

#: Characters of a reason.
_LONGEST = 200


@dataclass(slots=True)
class Unnamed:
    """Rows of which a key names no record, by offset: those refused before any request, and the others, with their reasons.

    :param missing: rows of which a key has no record so far, and whose other keys have one or may have one.
    """

    invalid: dict[int, str] = field(default_factory=dict)
    unresolved: dict[int, str] = field(default_factory=dict)
    missing: list[int] = field(default_factory=list)

    @property
    def offsets(self) -> list[int]:
        """All of them."""
        return [*self.invalid, *self.unresolved, *self.missing]


class KeyStage:
    """The look-ups of one location.

    :param names: the columns' names, in the source's order.
    :param columns: for each of them, its keys; ``None`` for a column that holds none. Two columns of one look-up share theirs.
    """

    def __init__(self, names: Sequence[str], columns: Sequence[KeyColumn | None]) -> None:
        self._names = names
        self._columns = [(at, column) for at, column in enumerate(columns) if column is not None]
        self._places: dict[KeyColumn, list[int]] = {}
        for at, column in self._columns:
            self._places.setdefault(column, []).append(at)

    @property
    def looked_up(self) -> int:
        """How many keys HighLevel was asked for."""
        return sum(column.looked_up for column in self._places)

    @property
    def index_lag(self) -> float:
        """Seconds after which a new record can be found."""
        return max(column.index_lag for column in self._places)

    def resolve(self, chunk: Chunk, expected: float = 1.0, *, is_last_look: bool = False) -> Steps[Unnamed]:
        """Fill in the record ids of the rows in ``todo``. Rows that get none are removed from it.

        :param expected: about how many times as many rows will come in all.
        :param is_last_look: no row is left ``missing``.
        """
        todo = chunk.todo
        problems: dict[int, list[tuple[str, FoundKey]]] = {}
        for column, places in self._places.items() if todo.size else ():
            named = yield from column.resolve(_keys(chunk, places), expected)
            for nth, at in enumerate(places):
                of_column = slice(nth * len(todo), (nth + 1) * len(todo))
                chunk.as_read[at][todo] = named.record_ids[of_column]
                chunk.is_remembered[at][todo] = named.is_remembered[of_column]
            for position, found in named.others.items():
                nth, row = divmod(position, len(todo))
                problems.setdefault(int(todo[row]), []).append((self._names[places[nth]], found))
        unnamed = _sort(problems, is_last_look)
        if problems:
            chunk.todo = np.setdiff1d(todo, unnamed.offsets, assume_unique=True)
        return unnamed

    def resolve_again(self, chunks: Sequence[Chunk]) -> Steps[None]:
        """Look once more for the keys of the rows in ``todo`` that no record had. Then :meth:`resolve` them."""
        for column, places in self._places.items():
            yield from column.resolve_again([key for chunk in chunks for key in _keys(chunk, places)])

    def keys(self, chunk: Chunk, offsets: Sequence[int]) -> set[str]:
        """The keys of these rows."""
        columns = [keys for at, _ in self._columns if (keys := chunk.keys[at]) is not None]
        return {keys[offset] for keys in columns for offset in offsets}

    def is_remembered(self, chunk: Chunk, offset: int) -> bool:
        """Whether the ledger has named a record of the row's."""
        return any(chunk.is_remembered[at][offset] for at, _ in self._columns)

    def names_gone(self, chunk: Chunk, offset: int) -> bool:
        """Whether HighLevel does not have a record that one of the row's keys named."""
        return any(column.gone and chunk.as_read[at][offset] in column.gone for at, column in self._columns)

    def note_gone(self, chunk: Chunk, offset: int, record_ids: Sequence[str]) -> bool:
        """Forget these records, where the ledger named them for the row's keys. Returns whether it named any of them."""
        is_any = False
        for at, column in self._columns:
            record_id = chunk.as_read[at][offset]
            if record_id in record_ids and chunk.is_remembered[at][offset]:
                is_any = True
                column.note_gone(record_id)
        return is_any


def open_key_stage(
    kind: RowKind,
    location_id: str,
    memories: Memories,
    key_notes: Callable[[int], KeyNotes] | None,
    most_loaded: int,
) -> KeyStage | None:
    """The look-ups of a location; ``None`` where no column holds keys.

    :param key_notes: where to note what becomes of a look-up's keys; ``None`` where nothing is to be written.
    :param most_loaded: how many known keys of each column may be in memory.
    :raises LedgerError: the ledger cannot be read.
    """
    finders = kind.key_finders(location_id)
    columns: dict[str, KeyColumn] = {}
    for finder in finders:
        if finder is None or finder.name in columns:
            continue
        memory = memories.open_keys(location_id, finder.name)
        notes = None if key_notes is None else partial(key_notes, memory.lookup_id)
        columns[finder.name] = KeyColumn(finder, memories.identity, RememberedKeys(memory, most_loaded), notes)
    if not columns:
        return None
    return KeyStage(kind.columns.values, [None if finder is None else columns[finder.name] for finder in finders])


def _keys(chunk: Chunk, places: Sequence[int]) -> Objects:
    """The keys of the rows in ``todo``, column by column."""
    columns = [keys[chunk.todo] for at in places if (keys := chunk.keys[at]) is not None]
    return np.concatenate(columns) if len(columns) > 1 else columns[0]


def _sort(problems: dict[int, list[tuple[str, FoundKey]]], is_last_look: bool) -> Unnamed:
    unnamed = Unnamed()
    for offset, found in problems.items():
        invalid = [(name, one) for name, one in found if one.is_invalid]
        if invalid:
            unnamed.invalid[offset] = _reason(invalid)
        elif is_last_look or not all(one.is_missing for _, one in found):
            unnamed.unresolved[offset] = _reason(found)
        else:
            unnamed.missing.append(offset)
    return unnamed


def _reason(found: Sequence[tuple[str, FoundKey]]) -> str:
    text = "; ".join(f"column '{name}': {one.reason}" for name, one in found)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
