"""Claims: a pair is written down as sent before its request goes out, so that two loads do not send it twice.

What this does not do: a claim is respected for as long as its owner is alive, and an owner that was silent for a minute is
taken for dead. If it comes back and sends, HighLevel answers the second of the two that the relation is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Codes, Flags
from airflow_provider_ghl.load.ledger.bulk import Given
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.liveness import alive_among
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Claim, Freshness
from airflow_provider_ghl.load.ledger.pairs import chunks, phases_of
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.schema import SENT, THERE, attempts, relations

__all__ = ["Claims"]


#: How often others may put a pair in and take it away while we look, before it counts as theirs.
_ROUNDS = 10


class Claims:
    """Makes claims and gives them back."""

    def __init__(self, database: Database, process: Process) -> None:
        self._database = database
        self._process = process

    def claim(
        self,
        attempt: Attempt,
        target_id: int,
        keys: Sequence[bytes],
        first: Sequence[str],
        second: Sequence[str],
        freshness: Freshness,
    ) -> Codes:
        """See :meth:`~airflow_provider_ghl.load.ledger.relations.LedgerRelations.claim`."""
        # Everybody takes keys in one order, so that on PostgreSQL no two wait for each other.
        records = dict(sorted(zip(keys, zip(first, second, strict=True), strict=True)))
        found = self._database.write(
            lambda connection: _Claiming(connection, self._database, self._process, attempt, target_id, freshness).of(records)
        )
        return np.array([found[key] for key in keys], dtype=np.uint8)

    def release(self, attempt: Attempt, target_id: int, keys: Sequence[bytes], again: Flags) -> None:
        """See :meth:`~airflow_provider_ghl.load.ledger.relations.LedgerRelations.release`."""
        kept = {key for key, is_again in zip(keys, again.tolist(), strict=True) if is_again}

        def give_back(connection: sa.Connection) -> None:
            is_mine = sa.and_(relations.c.target_id == target_id, relations.c.attempt == attempt.number)
            new = sorted(set(keys) - kept)
            for some in chunks(new):
                is_new = sa.and_(relations.c.pair.in_(some), relations.c.state == SENT)
                connection.execute(sa.delete(relations).where(is_mine, is_new))
            for some in chunks(sorted(keys)):
                connection.execute(sa.update(relations).where(is_mine, relations.c.pair.in_(some)).values(attempt=None))

        self._database.write(give_back)


class _Claiming:
    """One transaction of claims."""

    def __init__(
        self,
        connection: sa.Connection,
        database: Database,
        process: Process,
        attempt: Attempt,
        target_id: int,
        freshness: Freshness,
    ) -> None:
        self._connection = connection
        self._now = database.now(connection)
        self._process = process
        self._attempt = attempt
        self._target_id = target_id
        self._freshness = freshness
        self._owners: dict[int, bool] = {attempt.number: False}
        self._answers: dict[bytes, Claim] = {}

    def of(self, records: dict[bytes, tuple[str, str]]) -> dict[bytes, Claim]:
        missing = list(records)
        for _ in range(_ROUNDS):
            # Who was there first shows in the next round, once its transaction is over.
            missing = [key for key in missing if key not in self._answers]
            if not missing:
                break
            self._look_at(missing)
            missing = [key for key in missing if key not in self._answers]
            self._insert({key: records[key] for key in missing})
        # What is claimed is respected for as long as its owner is alive, so the claim is a sign of life.
        mine = sa.update(attempts).where(attempts.c.number == self._attempt.number)
        self._connection.execute(mine.values(heartbeat=self._now))
        return {key: self._answers.get(key, Claim.HELD) for key in records}

    def _look_at(self, keys: list[bytes]) -> None:
        columns = (relations.c.pair, relations.c.state, relations.c.load, relations.c.attempt, relations.c.claimed_at)
        for some in chunks(keys):
            asked = sa.select(*columns, self._freshness.condition()).order_by(relations.c.pair).with_for_update()
            mine = asked.where(relations.c.target_id == self._target_id, relations.c.pair.in_(some))
            rows = self._connection.execute(mine).all()
            self._ask_for_owners({row.attempt for row in rows if row.attempt is not None})
            taken = [row for row in rows if self._answer(row)]
            self._take([row.pair for row in taken if row.state == THERE], {})
            fresh_claim = {"load": self._attempt.load_number, "claimed_at": self._now}
            self._take([row.pair for row in taken if row.state == SENT and row.load == self._attempt.load_number], {})
            self._take([row.pair for row in taken if row.state == SENT and row.load != self._attempt.load_number], fresh_claim)

    def _ask_for_owners(self, numbers: set[int]) -> None:
        unknown = numbers - self._owners.keys()
        alive = alive_among(self._connection, unknown, self._now, self._process)
        self._owners |= {number: number in alive for number in unknown}

    def _answer(self, row: sa.Row[Any]) -> bool:
        """Settle what a row means; whether its claim changes hands."""
        pair, state, load, owner, claimed_at, is_fresh = tuple(row)
        is_of_load = load == self._attempt.load_number
        if state == THERE and is_fresh:
            self._answers[pair] = Claim.OURS if is_of_load else Claim.THERE
            return False
        if owner is not None and self._owners[owner]:
            self._answers[pair] = Claim.HELD
            return False
        is_mine = owner == self._attempt.number
        # What was taken over from an earlier attempt keeps its time, so that the same question gets the same answer again.
        is_again = is_of_load and (state == THERE or not is_mine or claimed_at < self._attempt.began)
        self._answers[pair] = Claim.AGAIN if is_again else Claim.CLAIMED
        return not is_mine

    def _take(self, keys: list[bytes], also: dict[str, Any]) -> None:
        if keys:
            mine = sa.update(relations).where(relations.c.target_id == self._target_id, relations.c.pair.in_(keys))
            self._connection.execute(mine.values(attempt=self._attempt.number, **also))

    def _insert(self, records: dict[bytes, tuple[str, str]]) -> None:
        keys = list(records)
        columns: dict[str, Sequence[Any]] = {
            "pair": keys,
            "phase": phases_of(keys),
            "first_record_id": [first for first, _ in records.values()],
            "second_record_id": [second for _, second in records.values()],
        }
        given = Given(self._connection, relations, columns)
        claim = {"load": self._attempt.load_number, "attempt": self._attempt.number, "claimed_at": self._now}
        insert = given.insert(target_id=self._target_id, state=SENT, **claim).on_conflict_do_nothing()
        if self._connection.dialect.name == "sqlite":
            given.run(insert)  # nobody else writes meanwhile: what was missing is ours
            self._answers |= dict.fromkeys(keys, Claim.CLAIMED)
            return
        inserted = given.run(insert.returning(relations.c.pair))
        if inserted is not None:
            self._answers |= dict.fromkeys((bytes(pair) for (pair,) in inserted), Claim.CLAIMED)
