"""Rows as columns: a row stays a position in these until it is sent or has a problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Batch", "Chunk", "Codes", "Columns", "Flags", "Numbers", "Objects", "Valid", "Words"]

Codes = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Objects = np.ndarray[Any, np.dtype[np.object_]]
Words = np.ndarray[Any, np.dtype[np.uint64]]

_NONE: Numbers = np.empty(0, dtype=np.int64)


class Columns:
    """The names of the source's columns that a load reads.

    :param values: those that say what a row is.
    :param row_key: what the source calls a row.
    :param location: the row's location, where a load is about several.
    """

    __slots__ = ("location", "row_key", "values")

    def __init__(self, *values: str, row_key: str | None = None, location: str | None = None) -> None:
        self.values = values
        self.row_key = row_key
        self.location = location

    @property
    def needed(self) -> list[str]:
        """All of them, in the order of a batch's cells."""
        return [*self.values, *(name for name in (self.row_key, self.location) if name is not None)]


@dataclass(slots=True)
class Batch:
    """Rows read together, as columns of values just as the source gave them.

    :param start: the number of the first row in the source, from 0. Headers and blank lines are no rows.
    :param cells: the columns that were asked for, in their order (see :attr:`Columns.needed`).
    :param unreadable: why a row could not be read, by its offset in the batch. Its cells are ``None``.
    """

    start: int
    cells: list[Objects]
    unreadable: dict[int, str]

    def __len__(self) -> int:
        return len(self.cells[0])

    def row_keys(self, columns: Columns) -> list[Any] | None:
        """What the source calls the rows, where that was asked for."""
        return self.cells[len(columns.values)].tolist() if columns.row_key is not None else None

    def locations(self, columns: Columns) -> Objects | None:
        """The rows' locations, where these were asked for."""
        return self.cells[-1] if columns.location is not None else None


@dataclass(slots=True)
class Valid:
    """A batch's values as text, ``""`` where a value was refused, and by offset all reasons of each refused row.

    ``locations``: those of the rows, where the source names them.
    """

    values: tuple[Objects, ...]
    problems: dict[int, str]
    locations: Objects | None = None

    def __len__(self) -> int:
        return len(self.values[0])

    @property
    def usable(self) -> Flags:
        """Which rows have no problem."""
        usable = np.ones(len(self), dtype=np.bool_)
        usable[list(self.problems)] = False
        return usable


@dataclass(slots=True)
class Chunk:
    """Rows of one location that were read together, as offsets in columns that all locations of the batch share."""

    #: Number in the source of the row at offset 0.
    start: int
    #: The columns that say what a row is, as text, ``""`` where a value was refused.
    values: tuple[Objects, ...]
    #: The rows' identities, 128 bits in two words; zeros where a row has none.
    high: Words
    low: Words
    #: By row: the earlier row with the same identity, or -1; and what is known of it, a ``Knowledge``.
    earlier: Numbers
    knowledge: Codes
    #: Offsets of the rows that still need requests; at first all that can be sent.
    todo: Numbers
    #: Why rows were refused, by offset.
    problems: dict[int, str] = field(default_factory=dict)
    #: Offsets of rows that repeat an earlier one, and of those that are there by the ledger.
    repeats: Numbers = field(default_factory=lambda: _NONE)
    known: Numbers = field(default_factory=lambda: _NONE)

    def row(self, offset: int) -> tuple[str, ...]:
        """A row's values."""
        return tuple(column[offset] for column in self.values)

    def rows(self, offsets: Numbers) -> tuple[Objects, ...]:
        """The values of some rows, column by column."""
        return tuple(column[offsets] for column in self.values)
