"""What a load deleted, and what was deleted by taking it back: counted, and one by one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.deletions import DONE
from airflow_provider_ghl.load.ledger.tables import deletions
from airflow_provider_ghl.load.ledger.view_values import DeletionGroup

__all__ = ["deletion_groups", "deletion_rows"]


def deletion_groups(connection: sa.Connection, number: int) -> list[DeletionGroup]:
    """As :meth:`~airflow_provider_ghl.load.ledger.views.LedgerViews.deletion_groups`."""
    is_gone = deletions.c.outcome.in_(DONE)
    relation = sa.func.coalesce(deletions.c.relation_id, deletions.c.first_record_id + "/" + deletions.c.second_record_id)
    # What was deleted stays so: another run of an undo finds it gone. Else the last word counts.
    order = sa.case((is_gone, 0), else_=1), sa.case((is_gone, deletions.c.number), else_=-deletions.c.number)
    place = sa.func.row_number().over(partition_by=(deletions.c.why, relation), order_by=order).label("place")
    told = sa.select(deletions.c.why, deletions.c.outcome, deletions.c.at, place).where(deletions.c.load == number).subquery()
    counts = told.c.place == 1
    asked = sa.select(
        told.c.why,
        told.c.outcome,
        sa.func.count().filter(counts).label("relations"),
        sa.func.count().label("rows"),
        sa.func.max(told.c.at).filter(counts).label("last"),
    ).group_by(told.c.why, told.c.outcome)
    found = sorted(connection.execute(asked).all(), key=lambda one: (one.why, -one.relations, one.outcome))
    return [_group(why, list(of_why)) for why, of_why in groupby(found, key=lambda one: str(one.why))]


def _group(why: str, counted: list[sa.Row[Any]]) -> DeletionGroup:
    outcomes = {one.outcome: int(one.relations) for one in counted if one.relations}
    done = [one for one in counted if one.relations and one.outcome in DONE]
    last = max(one.last for one in done or counted if one.last is not None)
    return DeletionGroup(why, outcomes, sum(int(one.relations) for one in done), last, sum(int(one.rows) for one in counted))


def deletion_rows(connection: sa.Connection, number: int, why: str | None, limit: int) -> list[Mapping[str, object]]:
    """As :meth:`~airflow_provider_ghl.load.ledger.views.LedgerViews.deletions`."""
    columns = (column for column in deletions.c if column.name not in ("load", "number"))
    chosen = sa.select(*columns).where(deletions.c.load == number).order_by(deletions.c.number).limit(limit)
    if why is not None:
        chosen = chosen.where(deletions.c.why == why)
    return [dict(row) for row in connection.execute(chosen).mappings()]
