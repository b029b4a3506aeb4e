"""Rows that come after the others: those whose keys have no record yet, and those whose record is gone."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np

from airflow_provider_ghl.load.columns import Chunk

__all__ = ["LateRows"]


class LateRows:
    """Rows of one location that wait for another look at their keys."""

    def __init__(self) -> None:
        self._missing: list[Chunk] = []
        self._gone: dict[int, tuple[Chunk, list[int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._missing or self._gone)

    @property
    def has_gone(self) -> bool:
        """Whether rows wait whose record is gone. These may be looked up at once."""
        return bool(self._gone)

    @property
    def has_missing(self) -> bool:
        """Whether rows wait whose keys have no record yet."""
        return bool(self._missing)

    def add_missing(self, chunk: Chunk, offsets: list[int]) -> None:
        """Add rows whose keys have no record yet."""
        if offsets:
            self._missing.append(_only(chunk, offsets))

    def add_gone(self, chunk: Chunk, offset: int) -> None:
        """Add a row whose record is gone."""
        self._gone.setdefault(chunk.start, (chunk, []))[1].append(offset)

    def take_gone(self) -> list[Chunk]:
        """Remove and return the rows whose record is gone."""
        gone, self._gone = self._gone, {}
        return [_only(chunk, offsets) for chunk, offsets in gone.values()]

    def take_missing(self) -> list[Chunk]:
        """Remove and return the rows whose keys have no record yet."""
        missing, self._missing = self._missing, []
        return missing

    def take_all(self) -> Iterator[Chunk]:
        """Remove and return all rows."""
        yield from self.take_gone()
        yield from self.take_missing()


def _only(chunk: Chunk, offsets: list[int]) -> Chunk:
    """A chunk of some of the rows."""
    return dataclasses.replace(
        chunk, values=chunk.as_read, todo=np.array(sorted(offsets), dtype=np.int64), problems={}, repeats=_NONE, known=_NONE
    )


_NONE = np.empty(0, dtype=np.int64)
