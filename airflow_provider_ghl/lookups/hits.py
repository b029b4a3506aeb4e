"""What was read back of the keys that are looked for."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from airflow_provider_ghl.lookups.key_field import Entry

__all__ = ["Hits"]


class Hits:
    """Records by the normal forms that stand in them. A record whose value differs from what was asked for is no hit.

    A key that is one record's own and another's further value (a second e-mail address) names the first: it is its own value
    that HighLevel finds a record by.
    """

    def __init__(self) -> None:
        self._own: dict[str, dict[str, None]] = {}
        self._further: dict[str, dict[str, None]] = {}
        #: Keys for which HighLevel refused to search, each with the status.
        self.refused: dict[str, int] = {}
        #: Keys that no filter takes, and that were not found by paging either.
        self.unsearched: set[str] = set()

    def note(self, entry: Entry) -> None:
        """Note that a record has a key."""
        normal, record_id, is_own = entry
        (self._own if is_own else self._further).setdefault(normal, {})[record_id] = None

    def add(self, entries: Iterable[Entry], wanted: Collection[str]) -> int:
        """Note those of the wanted keys, and return how many records have one."""
        found = set()
        for entry in entries:
            if entry[0] in wanted:
                self.note(entry)
                found.add(entry[1])
        return len(found)

    def update(self, others: Hits) -> None:
        """Note what others have noted of records."""
        for mine, theirs in ((self._own, others._own), (self._further, others._further)):
            for normal, ids in theirs.items():
                mine.setdefault(normal, {}).update(ids)

    def ids(self, normal: str) -> tuple[str, ...]:
        """The records that have this key."""
        return tuple(self._own.get(normal) or self._further.get(normal) or ())

    def __bool__(self) -> bool:
        """Whether any record has one of the keys."""
        return bool(self._own or self._further)

    def missing(self, normals: Sequence[str]) -> list[str]:
        """Those that were looked for, and that no record has."""
        known = (self._own, self._further, self.refused, self.unsearched)
        return [normal for normal in normals if not any(normal in each for each in known)]
