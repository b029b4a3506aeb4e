"""What was read back of the keys that are looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from airflow_provider_ghl.lookups.key_field import KeyField

__all__ = ["Hits"]


class Hits:
    """Records by the normal forms that stand in them. A record whose value differs from what was asked for is no hit.

    A key that is one record's own and another's further value (a second e-mail address) names the first: it is its own value
    that HighLevel finds a record by.
    """

    def __init__(self, field: KeyField) -> None:
        self._field = field
        self._own: dict[str, dict[str, None]] = {}
        self._further: dict[str, dict[str, None]] = {}

    def add(self, records: Iterable[Mapping[str, Any]], wanted: Collection[str]) -> int:
        """Note those that have one of the wanted keys, and return how many these are."""
        count = 0
        for record in records:
            is_hit = False
            for normal, is_own in self._field.keys_in(record):
                if normal in wanted:
                    is_hit = True
                    (self._own if is_own else self._further).setdefault(normal, {})[record["id"]] = None
            count += is_hit
        return count

    def update(self, others: Hits) -> None:
        """Note what others have noted."""
        for mine, theirs in ((self._own, others._own), (self._further, others._further)):
            for normal, ids in theirs.items():
                mine.setdefault(normal, {}).update(ids)

    def ids(self, normal: str) -> tuple[str, ...]:
        """The records that have this key."""
        return tuple(self._own.get(normal) or self._further.get(normal) or ())
