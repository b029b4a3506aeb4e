"""Claims: a pair is noted as sent before its request goes out, so that two loads do not both send it.

What this does not do: a claim is respected for as long as its attempt is alive, and an attempt that was silent for a minute
counts as dead. If it comes back and sends, HighLevel answers the second of the two requests with "duplicate".
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.columns import Codes, Flags
from airflow_provider_ghl.load.ledger.bulk import BulkRows
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.liveness import alive_attempts
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import ClaimResult, Freshness
from airflow_provider_ghl.load.ledger.pairs import per_statement, phases
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import SENT, THERE, attempts, relations

__all__ = ["ClaimWriter"]


#: How often others may insert a pair and delete it while we look, before it counts as theirs.
_ROUNDS = 10


class ClaimWriter:
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

        def work(connection: sa.Connection) -> dict[bytes, ClaimResult]:
            return _ClaimTransaction(connection, self._database, self._process, attempt, target_id, freshness).run(records)

        found = self._database.write(work)
        return np.array([found[key] for key in keys], dtype=np.uint8)

    def release(self, attempt: Attempt, target_id: int, keys: Sequence[bytes], again: Flags) -> None:
        """See :meth:`~airflow_provider_ghl.load.ledger.relations.LedgerRelations.release`."""
        kept = {key for key, is_again in zip(keys, again.tolist(), strict=True) if is_again}

        def give_back(connection: sa.Connection) -> None:
            is_mine = sa.and_(relations.c.target_id == target_id, relations.c.attempt == attempt.number)
            new = sorted(set(keys) - kept)
            for some in per_statement(new):
                is_new = sa.and_(relations.c.pair.in_(some), relations.c.state == SENT)
                connection.execute(sa.delete(relations).where(is_mine, is_new))
            for some in per_statement(sorted(keys)):
                connection.execute(sa.update(relations).where(is_mine, relations.c.pair.in_(some)).values(attempt=None))

        self._database.write(give_back)


class _ClaimTransaction:
    """The claims of one transaction."""

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
        self._answers: dict[bytes, ClaimResult] = {}

    def run(self, records: dict[bytes, tuple[str, str]]) -> dict[bytes, ClaimResult]:
        missing = list(records)
        for _ in range(_ROUNDS):
            # Who claimed a pair first shows in the next round, once that transaction is over.
            missing = [key for key in missing if key not in self._answers]
            if not missing:
                break
            self._read(missing)
            missing = [key for key in missing if key not in self._answers]
            self._insert({key: records[key] for key in missing})
        # A claim is respected for as long as its attempt is alive, so to claim is a sign of life.
        mine = sa.update(attempts).where(attempts.c.number == self._attempt.number)
        self._connection.execute(mine.values(heartbeat=self._now))
        return {key: self._answers.get(key, ClaimResult.HELD) for key in records}

    def _read(self, keys: list[bytes]) -> None:
        columns = (relations.c.pair, relations.c.state, relations.c.load, relations.c.attempt, relations.c.claimed_at)
        for some in per_statement(keys):
            asked = sa.select(*columns, self._freshness.condition(relations)).order_by(relations.c.pair).with_for_update()
            mine = asked.where(relations.c.target_id == self._target_id, relations.c.pair.in_(some))
            rows = self._connection.execute(mine).all()
            self._find_owners({row.attempt for row in rows if row.attempt is not None})
            taken = [row for row in rows if self._answer(row)]
            self._take([row.pair for row in taken if row.state == THERE], {})
            fresh_claim = {"load": self._attempt.load_number, "claimed_at": self._now}
            self._take([row.pair for row in taken if row.state == SENT and row.load == self._attempt.load_number], {})
            self._take([row.pair for row in taken if row.state == SENT and row.load != self._attempt.load_number], fresh_claim)

    def _find_owners(self, numbers: set[int]) -> None:
        unknown = numbers - self._owners.keys()
        alive = alive_attempts(self._connection, unknown, self._now, self._process)
        self._owners |= {number: number in alive for number in unknown}

    def _answer(self, row: sa.Row[Any]) -> bool:
        """Decide what a row means for the claim; whether the row becomes the attempt's."""
        pair, state, load, owner, claimed_at, is_fresh = tuple(row)
        is_of_load = load == self._attempt.load_number
        if state == THERE and is_fresh:
            self._answers[pair] = ClaimResult.OURS if is_of_load else ClaimResult.THERE
            return False
        if owner is not None and self._owners[owner]:
            self._answers[pair] = ClaimResult.HELD
            return False
        is_mine = owner == self._attempt.number
        # What was taken over from an earlier attempt keeps its time, so that the same question gets the same answer again.
        is_again = is_of_load and (state == THERE or not is_mine or claimed_at < self._attempt.began)
        self._answers[pair] = ClaimResult.AGAIN if is_again else ClaimResult.CLAIMED
        return not is_mine

    def _take(self, keys: list[bytes], also: dict[str, Any]) -> None:
        if keys:
            mine = sa.update(relations).where(relations.c.target_id == self._target_id, relations.c.pair.in_(keys))
            self._connection.execute(mine.values(attempt=self._attempt.number, **also))

    def _insert(self, records: dict[bytes, tuple[str, str]]) -> None:
        keys = list(records)
        columns: dict[str, Sequence[Any]] = {
            "pair": keys,
            "phase": phases(keys),
            "first_record_id": [first for first, _ in records.values()],
            "second_record_id": [second for _, second in records.values()],
        }
        rows = BulkRows(self._connection, relations, columns)
        claim = {"load": self._attempt.load_number, "attempt": self._attempt.number, "claimed_at": self._now}
        insert = rows.insert(target_id=self._target_id, state=SENT, **claim).on_conflict_do_nothing()
        if self._connection.dialect.name == "sqlite":
            rows.run(insert)  # nobody else writes meanwhile: what was missing is ours
            self._answers |= dict.fromkeys(keys, ClaimResult.CLAIMED)
            return
        inserted = rows.run(insert.returning(relations.c.pair))
        if inserted is not None:
            self._answers |= dict.fromkeys((bytes(pair) for (pair,) in inserted), ClaimResult.CLAIMED)
