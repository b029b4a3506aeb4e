"""Notes become rows, inside of one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.bulk import Given
from airflow_provider_ghl.load.ledger.liveness import alive_among
from airflow_provider_ghl.load.ledger.loads import Attempt, beat, is_last
from airflow_provider_ghl.load.ledger.notes import Learned, Notes
from airflow_provider_ghl.load.ledger.pairs import chunks, phases_of
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.schema import SENT, THERE, loads, relations, results
from airflow_provider_ghl.load.ledger.upkeep import forgets

__all__ = ["Writing"]

_RESULT = tuple(column.name for column in results.c if column.name != "load")


class Writing:
    """The notes of one attempt, written at one moment.

    :param now: unix seconds by the database's clock.
    :param here: the process that writes.
    """

    def __init__(self, connection: sa.Connection, attempt: Attempt, now: float, here: Process) -> None:
        self._connection = connection
        self._attempt = attempt
        self._now = now
        self._here = here

    def write(self, notes: Mapping[int | None, Notes]) -> None:
        """All of the notes, by the target that their pairs are of; the totals of the last ones, and the heartbeat."""
        named = {target_id: one for target_id, one in notes.items() if target_id is not None and one.names_rows}
        self._write_there(named)
        for target_id, one in named.items():
            self._write_refused(target_id, sorted(one.refused))
            if one.learned and (one.forgets is None or one.forgets == forgets(self._connection)):
                self._write_learned(target_id, one.learned, self._confirmed(one))
            for side, missing in zip((relations.c.first_record_id, relations.c.second_record_id), one.missing, strict=True):
                self._write_missing(target_id, side, sorted(missing))
        self._write_results([result for one in notes.values() for result in one.results])
        last = list(notes.values())[-1]
        beat(self._connection, self._attempt, self._now, (last.requests, last.retries, last.rate_limited))

    def _confirmed(self, notes: Notes) -> float:
        return self._now if notes.confirmed_at is None else notes.confirmed_at

    def _write_there(self, notes: Mapping[int, Notes]) -> None:
        mine = self._attempt
        # Everybody takes rows in one order, so that on PostgreSQL no two wait for each other.
        there = [
            (target_id, *pair, self._confirmed(notes[target_id]))
            for target_id in sorted(notes)
            for pair in sorted(notes[target_id].there, key=lambda one: one[0])
        ]
        for is_made in (True, False):
            chosen = [one for one in there if one[3] is is_made]
            if not chosen:
                continue
            names = ("target_id", "pair", "relation_id", "confirmed")
            targets, pairs, ids, _, confirmed = zip(*chosen, strict=True)
            given = Given(self._connection, relations, dict(zip(names, (targets, pairs, ids, confirmed), strict=True)))
            load = relations.c.load
            # A claim that turns out to have been there before was made by nobody that is known.
            made_by = sa.literal(mine.load_number) if is_made else sa.case((relations.c.state == SENT, sa.null()), else_=load)
            change = sa.update(relations).where(relations.c.target_id == given["target_id"], relations.c.pair == given["pair"])
            given.run(
                change.values(
                    state=THERE,
                    confirmed=given["confirmed"],
                    confirmed_by=mine.load_number,
                    relation_id=sa.func.coalesce(given["relation_id"], relations.c.relation_id),
                    load=made_by,
                    attempt=self._owner_after(),
                )
            )

    def _owner_after(self) -> sa.ColumnElement[Any]:
        """A claim of ours is over with its answer; one of another attempt stays its own."""
        is_ours = relations.c.attempt == self._attempt.number
        return sa.case((is_ours, sa.null()), else_=relations.c.attempt)

    def _write_refused(self, target_id: int, refused: Sequence[bytes]) -> None:
        is_ours = sa.and_(relations.c.target_id == target_id, relations.c.attempt == self._attempt.number)
        for some in chunks(refused):
            self._connection.execute(sa.delete(relations).where(is_ours, relations.c.pair.in_(some)))

    def _write_learned(self, target_id: int, learned: Sequence[Learned], confirmed: float) -> None:
        # PostgreSQL takes no row twice in one INSERT, and pages of HighLevel's may overlap.
        rows = sorted({one[0]: one for one in learned}.values(), key=lambda one: one[0])
        keys = [one[0] for one in rows]
        columns: dict[str, Sequence[Any]] = {
            "pair": keys,
            "phase": phases_of(keys),
            "first_record_id": [first for _, (first, _), _ in rows],
            "second_record_id": [second for _, (_, second), _ in rows],
            "relation_id": [relation_id for _, _, relation_id in rows],
        }
        given = Given(self._connection, relations, columns)
        insert = given.insert(target_id=target_id, state=THERE, confirmed=confirmed, confirmed_by=self._attempt.load_number)
        is_kept = sa.or_(relations.c.state == THERE, relations.c.load == self._attempt.load_number)
        change = {
            "state": THERE,
            "confirmed": confirmed,
            "confirmed_by": self._attempt.load_number,
            "relation_id": sa.func.coalesce(insert.excluded.relation_id, relations.c.relation_id),
            "load": sa.case((is_kept, relations.c.load), else_=sa.null()),
            "attempt": self._owner_after(),
        }
        given.run(insert.on_conflict_do_update(index_elements=[relations.c.target_id, relations.c.pair], set_=change))

    def _write_missing(self, target_id: int, side: sa.ColumnElement[str], records: Sequence[str]) -> None:
        for start in range(0, len(records), _RECORDS):
            some = records[start : start + _RECORDS]
            # "+ 0" keeps SQLite from going through all of the target's pairs instead of the records' index.
            is_meant = sa.and_(side.in_(some), relations.c.target_id + 0 == target_id)
            asked = sa.select(relations.c.attempt).where(is_meant, relations.c.attempt.is_not(None)).distinct()
            owners = set(self._connection.scalars(asked)) - {self._attempt.number, None}
            held = alive_among(self._connection, owners, self._now, self._here)
            is_held = sa.and_(relations.c.attempt.is_not(None), relations.c.attempt.in_(sorted(held)))
            self._connection.execute(sa.delete(relations).where(is_meant, sa.not_(is_held)))

    def _write_results(self, rows: Sequence[dict[str, Any]]) -> None:
        # An attempt that others have followed is no longer asked: its load's results are theirs.
        if not rows or not self._connection.execute(sa.select(loads.c.number).where(is_last(self._attempt))).all():
            return
        given = sorted({row["row"]: row for row in rows}.values(), key=lambda row: int(row["row"]))
        columns: dict[str, list[Any]] = {name: [row.get(name) for row in given] for name in _RESULT}
        columns["row_key"] = [None if key is None else json.dumps(key) for key in columns["row_key"]]
        table = Given(self._connection, results, columns)
        insert = table.insert(load=self._attempt.load_number)
        change = {name: insert.excluded[name] for name in _RESULT if name != "row"}
        table.run(insert.on_conflict_do_update(index_elements=[results.c.load, results.c.row], set_=change))


_RECORDS = 5_000
