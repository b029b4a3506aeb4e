"""Rows as columns. A row is a position in these until it is sent or has a problem."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Batch", "Chunk", "Codes", "Columns", "Flags", "Numbers", "Objects", "Valid", "Words"]

Codes = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Objects = np.ndarray[Any, np.dtype[np.object_]]
#: Words of 64 bits: the halves of hashes.
Words = np.ndarray[Any, np.dtype[np.uint64]]

_NONE: Numbers = np.empty(0, dtype=np.int64)


class Columns:
    """The names of the source's columns that a load reads.

    :param values: the columns with the row's values, such as ids of records.
    :param row_key: the column with the source's own key of a row, if any.
    :param location: the column with the row's location, where a load has several.
    """

    __slots__ = ("location", "row_key", "values")

    def __init__(self, *values: str, row_key: str | None = None, location: str | None = None) -> None:
        self.values = values
        self.row_key = row_key
        self.location = location

    @property
    def needed(self) -> list[str]:
        """All these columns, in the order of :attr:`Batch.cells`."""
        return [*self.values, *(name for name in (self.row_key, self.location) if name is not None)]


@dataclass(slots=True)
class Batch:
    """Rows read together, as columns with the source's own values.

    :param start: the number of the first row in the source, from 0. Headers and blank lines do not count.
    :param cells: the columns of :attr:`Columns.needed`, in that order.
    :param unreadable: why a row could not be read, by its offset in the batch. Its cells are ``None``.
    """

    start: int
    cells: list[Objects]
    unreadable: dict[int, str]

    def __len__(self) -> int:
        return len(self.cells[0])

    def row_keys(self, columns: Columns) -> list[Any] | None:
        """The source's keys of the rows; ``None`` where no column has them."""
        return self.cells[len(columns.values)].tolist() if columns.row_key is not None else None

    def locations(self, columns: Columns) -> Objects | None:
        """The rows' locations; ``None`` where no column has them."""
        return self.cells[-1] if columns.location is not None else None


@dataclass(slots=True)
class Valid:
    """A validated batch.

    :param values: the values as text, column by column; ``""`` where a value was refused.
    :param problems: all reasons of each refused row, by offset.
    :param locations: the rows' locations, where the source names them.
    :param keys: for each column, the keys in it, whose records are to be found; ``None`` for a column that holds the values
        themselves. Empty where all columns do. The values of a column with keys are ``""``.
    """

    values: tuple[Objects, ...]
    problems: dict[int, str]
    locations: Objects | None = None
    keys: tuple[Objects | None, ...] = ()

    def __len__(self) -> int:
        return len(self.values[0])

    @property
    def usable(self) -> Flags:
        """For each row, whether it has no problem."""
        usable = np.ones(len(self), dtype=np.bool_)
        usable[list(self.problems)] = False
        return usable


@dataclass(slots=True)
class Chunk:
    """Rows of one location that were read together, as offsets in columns that all locations of the batch share."""

    #: The number in the source of the row at offset 0.
    start: int
    #: The rows' values as text, column by column; ``""`` where a value was refused.
    values: tuple[Objects, ...]
    #: The rows' identities, 128 bits in two words; zeros where a row has none.
    high: Words
    low: Words
    #: For each row: the number of the earlier row with the same identity, or -1; and what the ledger knows, a ``Knowledge``.
    earlier: Numbers
    knowledge: Codes
    #: Offsets of the rows that still need a request; at first of all rows that can be sent.
    todo: Numbers
    #: Why rows were refused, by offset.
    problems: dict[int, str] = field(default_factory=dict)
    #: Offsets of rows that repeat an earlier one, and of rows that exist according to the ledger.
    repeats: Numbers = field(default_factory=lambda: _NONE)
    known: Numbers = field(default_factory=lambda: _NONE)
    #: As :attr:`Valid.keys`. Until a row's keys are resolved, its values are ``""``.
    keys: tuple[Objects | None, ...] = ()
    #: The columns of ``values`` in the order of the source, which is also that of ``keys``.
    as_read: tuple[Objects, ...] = ()
    #: In that order too: whether the ledger named the row's record for its key.
    is_remembered: tuple[Flags, ...] = ()

    def row(self, offset: int) -> tuple[str, ...]:
        """A row's values."""
        return tuple(column[offset] for column in self.values)

    def rows(self, offsets: Numbers) -> tuple[Objects, ...]:
        """The values of some rows, column by column."""
        return tuple(column[offsets] for column in self.values)
