"""What one load made, by the results that are kept of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.tables import relations, results, targets

__all__ = ["Made", "made_by"]

#: The evidence of a row that its load made: HighLevel said so, to this attempt or to an earlier one. What is presumed may be
#: somebody else's.
_CERTAIN = ("answer", "ledger")
_PAGE = 1_000


@dataclass(frozen=True, slots=True)
class Made:
    """A relation that a load made.

    :param values: its records: in HighLevel's order where the ledger knows the relation still, else in the table's.
    :param pair: its key in the ledger, and ``target_id`` the number of its target; ``None`` where the ledger forgot it.
    :param host: base URL of the API; ``None`` where the ledger forgot it.
    :param confirmed: when HighLevel last confirmed it (unix seconds); ``None`` where the ledger forgot it.
    """

    row: int
    location_id: str
    association_id: str
    relation_id: str
    values: tuple[str, str]
    pair: bytes | None
    target_id: int | None
    host: str | None
    confirmed: float | None


def made_by(database: Database, load_number: int) -> Iterator[Made]:
    """What a load has made, by row, as far as its results are kept."""
    known = sa.outerjoin(results, relations, relations.c.relation_id == results.c.relation_id)
    known = sa.outerjoin(known, targets, targets.c.id == relations.c.target_id)
    chosen = (
        sa.select(
            results.c.row,
            results.c.location_id,
            results.c.association_id,
            results.c.relation_id,
            sa.func.coalesce(relations.c.first_record_id, results.c.first_record_id).label("first"),
            sa.func.coalesce(relations.c.second_record_id, results.c.second_record_id).label("second"),
            relations.c.pair,
            relations.c.target_id,
            targets.c.host,
            relations.c.confirmed,
        )
        .select_from(known)
        .where(results.c.load == load_number, results.c.outcome == "created", results.c.evidence.in_(_CERTAIN))
        .where(results.c.relation_id.is_not(None))
        .order_by(results.c.row)
    )
    last = -1
    while True:
        page = chosen.where(results.c.row > last).limit(_PAGE)
        rows = database.read(lambda connection, page=page: connection.execute(page).all())  # type: ignore[misc]
        for row in rows:
            yield Made(
                row.row, row.location_id, row.association_id, row.relation_id, (row.first, row.second),
                None if row.pair is None else bytes(row.pair), row.target_id, row.host, row.confirmed,
            )  # fmt: skip
        if len(rows) < _PAGE:
            return
        last = rows[-1].row
