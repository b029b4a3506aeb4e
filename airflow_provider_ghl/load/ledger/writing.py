"""Writes notes into the tables, in one transaction."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.bulk import BulkRows
from airflow_provider_ghl.load.ledger.counts import add_to_problems, problems_of_last, problems_of_rows
from airflow_provider_ghl.load.ledger.liveness import alive_attempts
from airflow_provider_ghl.load.ledger.loads import Attempt, beat
from airflow_provider_ghl.load.ledger.notes import Learned, Notes
from airflow_provider_ghl.load.ledger.pairs import per_statement, phases
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import SENT, THERE, relations, results
from airflow_provider_ghl.load.ledger.upkeep import times_forgotten
from airflow_provider_ghl.load.reasons import Problems

__all__ = ["NotesWriter"]

_RESULT = tuple(column.name for column in results.c if column.name != "load")


def _is_another(relation_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether HighLevel has another relation of the pair now: whoever made that is unknown."""
    return sa.and_(relation_id.is_not(None), relations.c.relation_id.is_not(None), relation_id != relations.c.relation_id)


class NotesWriter:
    """Writes the notes of one attempt, all at one moment.

    :param now: unix seconds by the database's clock.
    :param here: the process that writes.
    """

    def __init__(self, connection: sa.Connection, attempt: Attempt, now: float, here: Process) -> None:
        self._connection = connection
        self._attempt = attempt
        self._now = now
        self._here = here

    def write(self, notes: Mapping[int | None, Notes]) -> None:
        """Write all of the notes, the totals of the last ones, and the heartbeat.

        :param notes: by the target of their pairs; ``None`` where they name no pair.
        """
        named = {target_id: one for target_id, one in notes.items() if target_id is not None and one.names_rows}
        self._write_there(named)
        for target_id, one in named.items():
            self._write_refused(target_id, sorted(one.refused))
            if one.learned and (one.times_forgotten is None or one.times_forgotten == times_forgotten(self._connection)):
                self._write_learned(target_id, one.learned, self._confirmed(one))
            for side, missing in zip((relations.c.first_record_id, relations.c.second_record_id), one.missing, strict=True):
                self._write_missing(target_id, side, sorted(missing))
        self._write_results([result for one in notes.values() for result in one.results])
        if notes:
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
            some = [one for one in there if one[3] is is_made]
            if not some:
                continue
            names = ("target_id", "pair", "relation_id", "confirmed")
            targets, pairs, ids, _, confirmed = zip(*some, strict=True)
            rows = BulkRows(self._connection, relations, dict(zip(names, (targets, pairs, ids, confirmed), strict=True)))
            load = relations.c.load
            # Whoever made what turns out to have been there before the claim is unknown.
            is_others = sa.or_(relations.c.state == SENT, _is_another(rows["relation_id"]))
            made_by = sa.literal(mine.load_number) if is_made else sa.case((is_others, sa.null()), else_=load)
            change = sa.update(relations).where(relations.c.target_id == rows["target_id"], relations.c.pair == rows["pair"])
            rows.run(
                change.values(
                    state=THERE,
                    confirmed=rows["confirmed"],
                    confirmed_by=mine.load_number,
                    relation_id=sa.func.coalesce(rows["relation_id"], relations.c.relation_id),
                    load=made_by,
                    attempt=self._owner_after(),
                )
            )

    def _owner_after(self) -> sa.ColumnElement[Any]:
        """With the answer our own claim is over; a claim of another attempt stays."""
        is_ours = relations.c.attempt == self._attempt.number
        return sa.case((is_ours, sa.null()), else_=relations.c.attempt)

    def _write_refused(self, target_id: int, refused: Sequence[bytes]) -> None:
        is_ours = sa.and_(relations.c.target_id == target_id, relations.c.attempt == self._attempt.number)
        for some in per_statement(refused):
            self._connection.execute(sa.delete(relations).where(is_ours, relations.c.pair.in_(some)))

    def _write_learned(self, target_id: int, learned: Sequence[Learned], confirmed: float) -> None:
        # PostgreSQL takes no row twice in one INSERT, and HighLevel's pages may overlap.
        pairs = sorted({one[0]: one for one in learned}.values(), key=lambda one: one[0])
        keys = [one[0] for one in pairs]
        columns: dict[str, Sequence[Any]] = {
            "pair": keys,
            "phase": phases(keys),
            "first_record_id": [first for _, (first, _), _ in pairs],
            "second_record_id": [second for _, (_, second), _ in pairs],
            "relation_id": [relation_id for _, _, relation_id in pairs],
        }
        rows = BulkRows(self._connection, relations, columns)
        insert = rows.insert(target_id=target_id, state=THERE, confirmed=confirmed, confirmed_by=self._attempt.load_number)
        is_kept = sa.or_(relations.c.state == THERE, relations.c.load == self._attempt.load_number)
        change = {
            "state": THERE,
            "confirmed": confirmed,
            "confirmed_by": self._attempt.load_number,
            "relation_id": sa.func.coalesce(insert.excluded.relation_id, relations.c.relation_id),
            "load": sa.case(
                (_is_another(insert.excluded.relation_id), sa.null()), (is_kept, relations.c.load), else_=sa.null()
            ),
            "attempt": self._owner_after(),
        }
        rows.run(insert.on_conflict_do_update(index_elements=[relations.c.target_id, relations.c.pair], set_=change))

    def _write_missing(self, target_id: int, side: sa.ColumnElement[str], records: Sequence[str]) -> None:
        for some in per_statement(records):
            # "+ 0" keeps SQLite from going through all of the target's pairs instead of the records' index.
            is_meant = sa.and_(side.in_(some), relations.c.target_id + 0 == target_id)
            asked = sa.select(relations.c.attempt).where(is_meant, relations.c.attempt.is_not(None)).distinct()
            owners = set(self._connection.scalars(asked)) - {self._attempt.number, None}
            held = alive_attempts(self._connection, owners, self._now, self._here)
            is_held = sa.and_(relations.c.attempt.is_not(None), relations.c.attempt.in_(sorted(held)))
            self._connection.execute(sa.delete(relations).where(is_meant, sa.not_(is_held)))

    def _write_results(self, noted: Sequence[dict[str, Any]]) -> None:
        # Once another attempt has followed, the load's results are that one's.
        if not noted:
            return
        known = problems_of_last(self._connection, self._attempt.load_number, self._attempt.number)
        if known is None:
            return
        latest = sorted({result["row"]: result for result in noted}.values(), key=lambda result: int(result["row"]))
        columns: dict[str, list[Any]] = {name: [result.get(name) for result in latest] for name in _RESULT}
        columns["problem"] = self._count(latest, known)
        columns["row_key"] = [None if key is None else json.dumps(key) for key in columns["row_key"]]
        rows = BulkRows(self._connection, results, columns)
        insert = rows.insert(load=self._attempt.load_number)
        change = {name: insert.excluded[name] for name in _RESULT if name != "row"}
        rows.run(insert.on_conflict_do_update(index_elements=[results.c.load, results.c.row], set_=change))

    def _count(self, written: Sequence[Mapping[str, Any]], known: Problems) -> list[int]:
        """Count results by problem, before they are written. A result that is there already is counted no more.

        :returns: the number of each one's problem.
        """
        load_number = self._attempt.load_number
        numbers = [known.number(result) for result in written]
        there = problems_of_rows(self._connection, load_number, [result["row"] for result in written])
        add_to_problems(self._connection, load_number, known, numbers, there.values())
        return numbers
