"""The records of one object in one location, with indexes, so that a search among a million is fast."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

__all__ = ["Record", "Records"]


@dataclass(frozen=True, slots=True)
class Record:
    """A record.

    :param number: records are numbered in the order in which they were added.
    :param added: when, in milliseconds since 1970.
    :param values: by the names that HighLevel gives to the fields; those of its custom fields by short key.
    """

    id: str
    number: int
    added: int
    values: dict[str, Any]
    custom: dict[str, Any]

    @property
    def cursor(self) -> list[int | str]:
        """What ``searchAfter`` takes, to go on after this record."""
        return [self.added, self.id]


class Records:
    """Not thread-safe: :class:`State` has the lock."""

    def __init__(self) -> None:
        self._by_id: dict[str, Record] = {}
        self._in_order: list[Record] = []
        self._indexes: dict[str, tuple[Callable[[Record], Iterable[Hashable]], dict[Hashable, list[Record]]]] = {}
        self._next = 0

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_id)

    def __contains__(self, record_id: object) -> bool:
        return record_id in self._by_id

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, record_id: str) -> Record | None:
        """The record with this id."""
        return self._by_id.get(record_id)

    def put(self, record_id: str, values: dict[str, Any], custom: dict[str, Any], added: int) -> None:
        """Add a record. Time never goes backwards from one record to the next."""
        if self._in_order:
            added = max(added, self._in_order[-1].added)
        record = Record(record_id, self._next, added, values, custom)
        self._next += 1
        self._by_id[record_id] = record
        self._in_order.append(record)
        for keys_of, index in self._indexes.values():
            _enter(record, keys_of, index)

    def drop(self, record_id: str) -> None:
        """Remove a record."""
        del self._by_id[record_id]
        self._in_order = list(self._by_id.values())
        self._indexes.clear()

    def until(self, added: float) -> list[Record]:
        """The records that were added until then, oldest first."""
        if not self._in_order or self._in_order[-1].added <= added:
            return self._in_order
        return self._in_order[: bisect_right(self._in_order, added, key=attrgetter("added"))]

    def with_key(self, name: str, keys_of: Callable[[Record], Iterable[Hashable]], key: Hashable) -> list[Record]:
        """The records that have this key, oldest first.

        :param name: of the index, which is built when it is first used.
        :param keys_of: a record's keys in this index.
        """
        if name not in self._indexes:
            index: dict[Hashable, list[Record]] = {}
            for record in self._in_order:
                _enter(record, keys_of, index)
            self._indexes[name] = keys_of, index
        return self._indexes[name][1].get(key, [])


def _enter(record: Record, keys_of: Callable[[Record], Iterable[Hashable]], index: dict[Hashable, list[Record]]) -> None:
    for key in dict.fromkeys(keys_of(record)):
        index.setdefault(key, []).append(record)
