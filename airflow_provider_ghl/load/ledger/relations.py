"""What is known to be there: all pairs at once, some pairs, or how many there are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Codes, Flags, Numbers, Words
from airflow_provider_ghl.load.ledger.claims import ClaimWriter
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.joined import joined
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Freshness, Knowledge
from airflow_provider_ghl.load.ledger.pairs import (
    KnownPairs,
    KnownPairsBuilder,
    keys_from_words,
    per_statement,
    sort_words,
    words_from_keys,
)
from airflow_provider_ghl.load.ledger.pieces import count_up_to, pieces
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.schema import find_or_make
from airflow_provider_ghl.load.ledger.tables import THERE, relations, targets

__all__ = ["KnownPairs", "LedgerRelations", "OwnedRelation", "Side"]

#: Where a record stands in a relation.
Side = Literal["first", "second"]

#: Pairs in one value from the database. PostgreSQL may read the whole table for each, so there they are larger.
_PAIRS_IN_A_PIECE = {True: 1 << 16, False: 1 << 19}


@dataclass(frozen=True, slots=True)
class OwnedRelation:
    """A relation that a load made.

    :param values: its records, in HighLevel's order.
    :param confirmed: when HighLevel last confirmed it, in unix seconds.
    :param load: the load that made it, or has claimed it; ``None`` where nobody knows.
    """

    pair: bytes
    values: tuple[str, ...]
    relation_id: str | None
    confirmed: float | None
    load: int | None


class LedgerRelations:
    """The relations that the ledger remembers. Made by :class:`~airflow_provider_ghl.load.ledger.ledger.Ledger`."""

    def __init__(self, database: Database, process: Process, pairs_in_a_piece: int | None = None) -> None:
        self._database = database
        self._piece = pairs_in_a_piece or _PAIRS_IN_A_PIECE[database.is_sqlite]
        self._claims = ClaimWriter(database, process)

    def target(self, host: str, location_id: str, association_id: str) -> int:
        """The number of a target; made where missing.

        :param host: base URL of the API.
        """
        return find_or_make(self._database, targets, host=host, location_id=location_id, association_id=association_id)

    def count(self, target_id: int, at_most: int) -> int:
        """Pairs that are there, fresh or not, counted up to a number: see :func:`count_up_to`."""
        return self._database.read(lambda connection: count_up_to(connection, relations.c.pair, _is_there(target_id), at_most))

    def known(self, target_id: int, freshness: Freshness, load_number: int | None) -> KnownPairs:
        """All pairs that are there and fresh. Needs 17 bytes a pair, and some MB.

        :param load_number: whose pairs are flagged as its own; ``None`` flags none, and saves a look at all of them.
        """
        return self._database.read(lambda connection: self._known(connection, target_id, freshness, load_number))

    def look_up(self, target_id: int, high: Words, low: Words, freshness: Freshness, load_number: int | None) -> Codes:
        """The :class:`Knowledge` of each pair, by position."""
        keys = keys_from_words(high, low)
        is_fresh = freshness.condition(relations)
        columns = (relations.c.pair, relations.c.state, relations.c.load, is_fresh)
        found: dict[bytes, Knowledge] = {}

        def look(connection: sa.Connection) -> None:
            for pair, state, load, fresh in map(tuple, _select_pairs(connection, target_id, keys, columns)):
                is_ours = load is not None and load == load_number
                found[pair] = _knowledge(state == THERE, bool(fresh), is_ours=is_ours)

        self._database.read(look)
        codes = [found.get(key, Knowledge.UNKNOWN) for key in keys]
        return np.array(codes, dtype=np.uint8)

    def owned(self, target_id: int) -> tuple[Words, Words]:
        """High and low words of all pairs that are there and that a load made, fresh or not. 16 bytes each."""

        def look(connection: sa.Connection) -> tuple[Words, Words]:
            is_owned = sa.and_(_is_there(target_id), relations.c.load.is_not(None))
            parts = [
                words_from_keys(joined(connection, relations.c.pair, piece))
                for piece in pieces(connection, relations.c.pair, is_owned, self._piece)
            ]
            return np.concatenate([high for high, _ in parts]), np.concatenate([low for _, low in parts])

        return self._database.read(look)

    def owned_rows(self, target_id: int, high: Words, low: Words) -> list[OwnedRelation]:
        """What is known of some of these pairs, in any order."""
        columns = (
            *(relations.c.pair, relations.c.first_record_id, relations.c.second_record_id),
            *(relations.c.relation_id, relations.c.confirmed, relations.c.load),
        )

        def look(connection: sa.Connection) -> list[OwnedRelation]:
            found = _select_pairs(connection, target_id, keys_from_words(high, low), columns)
            return [OwnedRelation(bytes(pair), (first, second), *rest) for pair, first, second, *rest in map(tuple, found)]

        return self._database.read(look)

    def relation_ids(self, target_id: int, high: Words, low: Words) -> list[str | None]:
        """HighLevel's id of each relation, by position; ``None`` where it is not known."""
        keys = keys_from_words(high, low)
        columns = (relations.c.pair, relations.c.relation_id)

        def look(connection: sa.Connection) -> dict[bytes, str | None]:
            return dict(map(tuple, _select_pairs(connection, target_id, keys, columns)))

        found = self._database.read(look)
        return [found.get(key) for key in keys]

    def count_by_record(self, target_id: int, side: Side, records: Sequence[str], freshness: Freshness) -> Numbers:
        """How many relations of each record are there and fresh, by position; claims do not count.

        :param side: where in the relations the records stand.
        """
        record_id = relations.c[f"{side}_record_id"]
        # An expression, since SQLite would else go through the primary key: through all relations of the target.
        is_of_target = relations.c.target_id + 0 == target_id
        is_meant = sa.and_(is_of_target, relations.c.state == THERE, freshness.condition(relations))
        counts = sa.select(record_id, sa.func.count()).where(is_meant).group_by(record_id)
        found: dict[str, int] = {}

        def look(connection: sa.Connection) -> None:
            for some in per_statement(records):
                asked = counts.where(record_id.in_(some))
                found.update((record, count) for record, count in connection.execute(asked))

        self._database.read(look)
        return np.fromiter((found.get(record, 0) for record in records), np.int64, len(records))

    def claim(
        self,
        attempt: Attempt,
        target_id: int,
        high: Words,
        low: Words,
        first: Sequence[str],
        second: Sequence[str],
        freshness: Freshness,
    ) -> Codes:
        """Claim pairs for the attempt before it sends them; the :class:`ClaimResult` of each, by position.

        The same call again has the same results, except for pairs that are there by then.
        """
        return self._claims.claim(attempt, target_id, keys_from_words(high, low), first, second, freshness)

    def release(self, attempt: Attempt, target_id: int, high: Words, low: Words, again: Flags) -> None:
        """Give back claims of the attempt that were never sent.

        :param again: which of them were :attr:`ClaimResult.AGAIN`. These stay as claims, for whose answer somebody has to ask.
        """
        self._claims.release(attempt, target_id, keys_from_words(high, low), again)

    def doubt(self, target_id: int, pairs: Sequence[bytes]) -> None:
        """Note, before these are deleted, that they may be gone: whoever needs one of them asks HighLevel.

        Who made them stays known. What is deleted is forgotten afterwards, and what is not is learned anew.
        """

        def write(connection: sa.Connection) -> None:
            for some in per_statement(sorted(pairs)):
                is_meant = sa.and_(relations.c.target_id == target_id, relations.c.pair.in_(some))
                connection.execute(sa.update(relations).where(is_meant, relations.c.state == THERE).values(confirmed=0.0))

        self._database.write(write)

    def _known(self, connection: sa.Connection, target_id: int, freshness: Freshness, load_number: int | None) -> KnownPairs:
        is_there = _is_there(target_id)
        builder = KnownPairsBuilder()
        for is_in_piece in pieces(connection, relations.c.pair, is_there, self._piece):
            builder.add(joined(connection, relations.c.pair, sa.and_(is_in_piece, freshness.condition(relations))))
        if load_number is None:
            return builder.build()
        ours = joined(connection, relations.c.pair, sa.and_(is_there, relations.c.load == load_number))
        return builder.build(sort_words(*words_from_keys(ours)))


def _knowledge(is_there: bool, is_fresh: bool, *, is_ours: bool) -> Knowledge:
    if not is_there:
        return Knowledge.OURS_SENT if is_ours else Knowledge.SENT
    if not is_fresh:
        return Knowledge.OURS_STALE if is_ours else Knowledge.STALE
    return Knowledge.OURS if is_ours else Knowledge.THERE


def _is_there(target_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(relations.c.target_id == target_id, relations.c.state == THERE)


def _select_pairs(
    connection: sa.Connection, target_id: int, keys: list[bytes], columns: tuple[sa.ColumnElement[Any], ...]
) -> Iterator[sa.Row[Any]]:
    for some in per_statement(keys):
        query = sa.select(*columns).where(relations.c.target_id == target_id, relations.c.pair.in_(some))
        yield from connection.execute(query)
