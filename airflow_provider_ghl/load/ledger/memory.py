"""What the ledger knows of one target, or of the keys of one look-up, as far as a load believes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from airflow_provider_ghl.load.columns import Codes, Flags, Objects, Words
from airflow_provider_ghl.load.ledger.identity import Identity
from airflow_provider_ghl.load.ledger.keys import KnownKeys
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.ledger.pairs import KnownPairs
from airflow_provider_ghl.load.ledger.relations import LedgerRelations

__all__ = ["KeyMemory", "Memories", "Memory"]


@dataclass(frozen=True, slots=True)
class Memory:
    """The relations of one association in one location. Where the database fails, every method raises ``LedgerError``.

    :param load_number: the load whose relations are its own; ``None`` where it has made none yet.
    """

    ledger: Ledger
    target_id: int
    freshness: Freshness
    load_number: int | None

    @property
    def relations(self) -> LedgerRelations:
        """The ledger's relations, of all targets."""
        return self.ledger.relations

    def count(self, at_most: int) -> int:
        """How many it knows, fresh or not, counted up to a number."""
        return self.relations.count(self.target_id, at_most)

    def known(self) -> KnownPairs:
        """All that are there and fresh."""
        return self.relations.known(self.target_id, self.freshness, self.load_number)

    def look_up(self, high: Words, low: Words) -> Codes:
        """The ``Knowledge`` of each, by position."""
        return self.relations.look_up(self.target_id, high, low, self.freshness, self.load_number)

    def highlevel_ids(self, high: Words, low: Words) -> list[str | None]:
        """HighLevel's id of each, by position; ``None`` where it is not known."""
        return self.relations.relation_ids(self.target_id, high, low)

    def claim(self, attempt: Attempt, high: Words, low: Words, values: Sequence[Objects]) -> Codes:
        """Claim rows for the attempt before it sends them; the ``ClaimResult`` of each, by position."""
        first, second = (column.tolist() for column in values)
        return self.relations.claim(attempt, self.target_id, high, low, first, second, self.freshness)

    def release(self, attempt: Attempt, high: Words, low: Words, again: Flags) -> None:
        """Give back claims of the attempt that were never sent.

        :param again: which of them an earlier attempt may have sent.
        """
        self.relations.release(attempt, self.target_id, high, low, again)


@dataclass(frozen=True, slots=True)
class KeyMemory:
    """The keys of one look-up in one location. Where the database fails, every method raises ``LedgerError``."""

    ledger: Ledger
    lookup_id: int
    freshness: Freshness

    def count(self, at_most: int) -> int:
        """How many it knows, fresh or not, counted up to a number."""
        return self.ledger.keys.count(self.lookup_id, at_most)

    def known(self) -> KnownKeys:
        """All that are fresh, with their records."""
        return self.ledger.keys.known(self.lookup_id, self.freshness)

    def look_up(self, high: Words, low: Words) -> list[str | None]:
        """The id of each key's record, by position; ``None`` where it is not known, or not fresh."""
        return self.ledger.keys.look_up(self.lookup_id, high, low, self.freshness)


@dataclass(frozen=True, slots=True)
class Memories:
    """What a load believes of the ledger: what it has learned itself, and what is young enough. Makes a :class:`Memory` of each
    target, and a :class:`KeyMemory` of each look-up.

    :param attempt: ``None``: nothing is to be sent, and the ledger has no note of the load.
    :param host: base URL of the API.
    :param max_age: seconds for which others' word on relations is believed; ``None``: not at all.
    :param key_max_age: the same for keys.
    """

    ledger: Ledger
    attempt: Attempt | None
    host: str
    max_age: float | None
    key_max_age: float | None = None

    @property
    def identity(self) -> Identity:
        """Hashes rows, in HighLevel's order, or keys, with the ledger's own secret."""
        return self.ledger.identity

    def open(self, location_id: str, target_id: str) -> Memory:
        """What is believed of one target, such as an association.

        :raises LedgerError: the ledger cannot be read.
        """
        number = self.ledger.relations.target(self.host, location_id, target_id)
        freshness = self._freshness(self.max_age)
        return Memory(self.ledger, number, freshness, freshness.load_number)

    def open_keys(self, location_id: str, name: str) -> KeyMemory:
        """What is believed of the keys of one look-up.

        :param name: what is looked up by what, such as ``contact by email``.
        :raises LedgerError: the ledger cannot be read.
        """
        number = self.ledger.keys.lookup(self.host, location_id, name)
        return KeyMemory(self.ledger, number, self._freshness(self.key_max_age))

    def _freshness(self, max_age: float | None) -> Freshness:
        if (attempt := self.attempt) is None:
            now = self.ledger.time()
            return Freshness(now, now, max_age)
        # What others learned before this attempt began, somebody may have undone since.
        load = attempt.load_number if attempt.has_earlier else None
        return Freshness(attempt.began, attempt.began, max_age, load, attempt.chain_began)
