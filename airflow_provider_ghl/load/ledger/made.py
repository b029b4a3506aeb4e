"""What one load made, by the results that are kept of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.pairs import keys_from_words
from airflow_provider_ghl.load.ledger.tables import relations, results, targets

if TYPE_CHECKING:
    from airflow_provider_ghl.load.ledger.identity import Identity

__all__ = ["Made", "made_by"]

#: The evidence of a row that its load made: HighLevel said so, to this attempt or to an earlier one. What is presumed may be
#: somebody else's.
_CERTAIN = ("answer", "ledger")
_PAGE = 1_000
#: Where the rows that are read have their records.
_FIRST, _SECOND = 4, 5


@dataclass(frozen=True, slots=True)
class Made:
    """A relation that a load made.

    :param values: its records: in HighLevel's order where the ledger knows the relation by its id, else in the table's.
    :param pairs: the keys that it may have in the ledger: one where the ledger knows it by its id; else one for each order of
        its records, since only the table's order is known.
    :param target_id: the number of its target; ``None`` where the ledger has no such target.
    :param host: base URL of the API; ``None`` where the ledger does not know the relation by its id.
    :param confirmed: when HighLevel last confirmed its id (unix seconds); ``None`` where the ledger does not know that.
    """

    row: int
    location_id: str
    association_id: str
    relation_id: str
    values: tuple[str, str]
    pairs: tuple[bytes, ...]
    target_id: int | None
    host: str | None
    confirmed: float | None


def made_by(database: Database, load_number: int, host: str, identity: Identity) -> Iterator[Made]:
    """What a load has made, by row, as far as its results are kept.

    :param host: base URL of the API to which the load was sent.
    :param identity: makes the keys of pairs.
    """
    place = targets.alias()
    known = sa.outerjoin(results, relations, relations.c.relation_id == results.c.relation_id)
    known = sa.outerjoin(known, targets, targets.c.id == relations.c.target_id)
    is_place = sa.and_(place.c.host == host, place.c.location_id == results.c.location_id)
    known = sa.outerjoin(known, place, sa.and_(is_place, place.c.association_id == results.c.association_id))
    chosen = (
        sa.select(
            results.c.row,
            results.c.location_id,
            results.c.association_id,
            results.c.relation_id,
            sa.func.coalesce(relations.c.first_record_id, results.c.first_record_id).label("first"),
            sa.func.coalesce(relations.c.second_record_id, results.c.second_record_id).label("second"),
            relations.c.pair,
            sa.func.coalesce(relations.c.target_id, place.c.id).label("target_id"),
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
        for row, pairs in zip(rows, _pairs(rows, identity), strict=True):
            yield Made(
                row.row, row.location_id, row.association_id, row.relation_id, (row.first, row.second), pairs,
                row.target_id, row.host, row.confirmed,
            )  # fmt: skip
        if len(rows) < _PAGE:
            return
        last = rows[-1].row


def _pairs(rows: Sequence[sa.Row[Any]], identity: Identity) -> list[tuple[bytes, ...]]:
    known: list[tuple[bytes, ...]] = [() if row.pair is None else (bytes(row.pair),) for row in rows]
    if all(known):
        return known
    first, second = (np.array([*(row[at] for row in rows), None], dtype=object)[:-1] for at in (_FIRST, _SECOND))
    orders = zip(*(keys_from_words(*identity(order)) for order in ((first, second), (second, first))), strict=True)
    return [pair or either for pair, either in zip(known, orders, strict=True)]
