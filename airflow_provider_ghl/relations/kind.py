"""The kind of row that becomes a relation."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import numpy as np

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.exceptions import ConfigurationError, Unauthorized
from airflow_provider_ghl.load.columns import Batch, Chunk, Columns, Numbers, Valid
from airflow_provider_ghl.load.kind import GroupRead, KeyFinder, ReadResult, Target, TargetResult
from airflow_provider_ghl.load.ledger.memory import Memory
from airflow_provider_ghl.load.ledger.notes import Knowledge
from airflow_provider_ghl.load.ledger.relations import Side
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import RowResult
from airflow_provider_ghl.load.results.removals import RemovalResult
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.search import LookupBy
from airflow_provider_ghl.lookups.values import INDEX_LAG, Lookup
from airflow_provider_ghl.relations.association import StoredAssociation, read_association
from airflow_provider_ghl.relations.cardinality import Cardinality
from airflow_provider_ghl.relations.create import create
from airflow_provider_ghl.relations.fields import KEY_FIELDS, RELATION_FIELDS
from airflow_provider_ghl.relations.id_shapes import hint_at_swap
from airflow_provider_ghl.relations.orientation import Sides
from airflow_provider_ghl.relations.reading import (
    ReadingPolicy,
    count_groups,
    groups_by_record,
    read_all_relations,
    read_relations,
)
from airflow_provider_ghl.relations.remove import MadeRelation, remove
from airflow_provider_ghl.relations.validation import validate

__all__ = ["RelationHandler", "RelationRows"]

T = TypeVar("T")
_WAS_THERE = (Knowledge.STALE, Knowledge.OURS_STALE)


@dataclass(frozen=True, kw_only=True)
class RelationRows:
    """Rows that are pairs of records: a :class:`~airflow_provider_ghl.load.kind.RowKind`.

    :param columns: the columns of the first and the second record.
    :param sides: which sides of the association the columns hold.
    :param association_id: the association's id. Give this or ``association_key``.
    :param association_key: the association's key.
    :param lookups: for each column what its keys are looked up by; ``None`` for a column of ids.
    :param lookup_by: how keys are looked for that are not known: ``search``, ``page``, or whichever is ``cheaper``.
    :param phone_region: the country of phone numbers without a country code, such as ``US``.
    :param index_lag: seconds until a new record can be found by a key.
    :param has_keys_in_file: whether the results file has the keys.
    :param max_per_first: how many relations one first record may have; ``None``: only HighLevel's own limit applies.
    :param max_per_second: the same for second records.
    :raises ConfigurationError: neither or both of id and key are given, a limit is not a whole number from 1 on, or keys would
        stand in every result as the row's own key.
    """

    columns: Columns
    sides: Sides = field(default_factory=Sides)
    association_id: str | None = None
    association_key: str | None = None
    lookups: tuple[Lookup | None, Lookup | None] = (None, None)
    lookup_by: LookupBy = "cheaper"
    phone_region: str | None = None
    index_lag: float = INDEX_LAG
    has_keys_in_file: bool = False
    max_per_first: int | None = None
    max_per_second: int | None = None

    def __post_init__(self) -> None:
        if bool(self.association_id) == bool(self.association_key):
            raise ConfigurationError("give exactly one of association_id and association_key")
        Cardinality(self.max_per_first, self.max_per_second)  # raises for a wrong limit before any request
        for name, is_key in zip(self.columns.values, self._holds_keys, strict=True):
            if is_key and name == self.columns.row_key:
                raise ConfigurationError(
                    f"row_key_column={name!r} holds keys, which stand in no XCom: for the results file pass "
                    "results_include_keys=True, or name another column"
                )

    @property
    def fields(self) -> ResultFields:
        """See :class:`~airflow_provider_ghl.load.kind.RowKind`, here and below."""
        if not self.has_keys_in_file:
            return RELATION_FIELDS
        first, second = (name if is_key else None for name, is_key in zip(KEY_FIELDS, self._holds_keys, strict=True))
        return replace(RELATION_FIELDS, keys=(first, second))

    @property
    def has_keys(self) -> bool:
        """Whether a column holds keys. An id is no key."""
        return any(self._holds_keys)

    @property
    def _holds_keys(self) -> tuple[bool, ...]:
        return tuple(lookup is not None and lookup.by != "id" for lookup in self.lookups)

    def key_finders(self, location_id: str) -> Sequence[KeyFinder | None]:
        """A finder for each column with keys."""
        finder = partial(
            Finder,
            location_id=location_id,
            phone_region=self.phone_region,
            lookup_by=self.lookup_by,
            index_lag=self.index_lag,
        )
        return [
            finder(lookup) if lookup is not None and is_key else None
            for lookup, is_key in zip(self.lookups, self._holds_keys, strict=True)
        ]

    @property
    def target_name(self) -> str:
        """The association's id or key."""
        return self.association_id or self.association_key or ""

    @property
    def target_id(self) -> str | None:
        """The association's id, where the user gave it."""
        return self.association_id

    def validate(self, batch: Batch) -> Valid:
        """Convert ids and keys to text, and refuse values that are neither."""
        return validate(batch, self.columns, self._holds_keys)

    def find_target(self, location_id: str) -> Generator[Call, Answer, TargetResult]:
        """Read the association."""
        named = {"association_id": self.association_id, "association_key": self.association_key}
        return read_association(location_id, **named, sides=self.sides)

    def handler(self, target: Target, memory: Memory) -> RelationHandler:
        """The handler of one location's pairs."""
        return RelationHandler(self, target, memory)


class RelationHandler:
    """Handles the pairs of one location: a :class:`~airflow_provider_ghl.load.kind.RowHandler`."""

    def __init__(self, rows: RelationRows, target: Target, memory: Memory) -> None:
        self._target = target
        self._memory = memory
        # In this class first and second are the sides as HighLevel stores them.
        self._is_swapped = isinstance(target, StoredAssociation) and target.is_swapped
        self._object_keys = target.object_keys if isinstance(target, StoredAssociation) else ("", "")
        first, second = rows.columns.values
        self._names = self._ordered((first, second))
        limits = self._ordered((rows.max_per_first, rows.max_per_second))
        self._cardinality = Cardinality(*limits, self._ordered(("max_per_first", "max_per_second")))
        self._policy = ReadingPolicy()
        self._duplicates: set[str] = set()
        #: How many of a record's relations were read for earlier chunks; ``None``: all, so no other relation of it exists.
        self._read_to: dict[str, int | None] = {}
        #: Warnings for the user.
        self.warnings: list[str] = []

    def as_stored(self, values: tuple[T, ...]) -> tuple[T, ...]:
        """Swap the columns where the location stores the association's sides the other way round."""
        first, second = values
        return self._ordered((first, second))

    def objection(self, chunk: Chunk) -> str | None:
        """Object where the columns seem to hold each other's records: HighLevel would refuse every row."""
        first, second = chunk.rows(chunk.todo)
        hint = hint_at_swap(self._names, (first.tolist(), second.tolist()), self._object_keys)
        if hint is None:
            return None
        side = self._ordered(("first", "second"))[0]
        return f"{hint}, or pass {side}_object_key={self._object_keys[1]!r}"

    def _ordered(self, pair: tuple[T, T]) -> tuple[T, T]:
        return (pair[1], pair[0]) if self._is_swapped else pair

    def conversation(self, values: tuple[str, ...], *, is_again: bool) -> Generator[Call, Answer, RowResult]:
        """Create the relation of one pair."""
        first, second = values
        where = self._target.location_id, self._target.id
        return create(*where, first, second, is_again=is_again, duplicates=self._duplicates)

    def remove(self, values: tuple[str, ...], made_id: str | None, *, is_read: bool) -> Generator[Call, Answer, RemovalResult]:
        """Delete the relation of one pair."""
        first, second = values
        return remove(MadeRelation(self._target.location_id, self._target.id, first, second, made_id, is_read))

    def read_parent(self, parent: str) -> Generator[Call, Answer, ReadResult]:
        """Read a record's relations by the association."""
        return read_all_relations(self._target.location_id, self._target.id, parent)

    def count_reads(self, chunk: Chunk, offsets: Numbers) -> int:
        """One request for each record that several rows name. Reading costs no more than that on top of sending the rows."""
        return count_groups(*chunk.rows(offsets)) if offsets.size else 0

    def reads(self, chunk: Chunk, offsets: Numbers) -> Iterator[GroupRead]:
        """Read the relations of records that several rows name, where that is likely to be cheaper than sending the rows."""
        for record, positions in groups_by_record(*chunk.rows(offsets)):
            start = self._read_to.get(record, 0)
            if not self._policy.is_worthwhile(len(positions)) or start is None:
                continue
            asked = offsets[positions].tolist()
            wanted = [chunk.row(offset) for offset in asked]
            yield GroupRead(record, asked, read_relations(self._target.location_id, self._target.id, record, wanted, start))

    def stored_ids(self, chunk: Chunk, read: GroupRead, result: ReadResult) -> dict[int, str | None]:
        """The ids of the rows whose relations were read, by offset."""
        self._read_to[read.subject] = result.read_to
        ids = {one.values: one.id for one in result.stored}
        there = {offset: ids[chunk.row(offset)] for offset in read.offsets if chunk.row(offset) in ids}
        if result.error is None:
            self._policy.note(len(read.offsets), len(there))
        elif isinstance(result.error, Unauthorized) and self._policy.is_allowed:
            self._policy.is_allowed = False
            self.warnings.append(f"What is there could not be read, so that all rows are sent: {result.error.explain()}")
        self._cardinality.note_existing(*chunk.rows(np.array(list(there), dtype=np.int64)))
        return there

    def refusals(self, chunk: Chunk) -> dict[int, str]:
        """Refuse the rows that exceed a record's limit of relations."""
        was_there = np.isin(chunk.knowledge[chunk.todo], _WAS_THERE)
        # Pairs that existed and are only checked again keep their room, whatever rows come before them.
        self._refuse(chunk, chunk.todo[np.flatnonzero(was_there)])
        new = chunk.todo[np.flatnonzero(~was_there)]
        return {int(new[at]): reason for at, reason in self._refuse(chunk, new).items()}

    def take_back(self, chunk: Chunk) -> None:
        """These pairs cannot be. They use nothing of the limits of their records."""
        first, second = (column[chunk.todo] for column in self.as_stored(chunk.as_read))
        self._cardinality.give_back(first, second)

    def _refuse(self, chunk: Chunk, offsets: Numbers) -> dict[int, str]:
        first, second = chunk.rows(offsets)
        return self._cardinality.refuse(first, second, self._count_existing, self._names)

    def _count_existing(self, side: Side, records: list[str]) -> Numbers:
        """How many relations each record is known to have.

        :raises LedgerError: the ledger cannot be read.
        """
        memory = self._memory
        return memory.relations.count_by_record(memory.target_id, side, records, memory.freshness)
