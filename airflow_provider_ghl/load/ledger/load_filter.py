"""Which loads a person wants to see."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.tables import loads

__all__ = ["LoadFilter"]


@dataclass(frozen=True, slots=True)
class LoadFilter:
    """Loads that match all of it; by default every load. Moments are unix seconds.

    :param id_prefix: how ``load_id`` begins; case counts.
    :param began_from: began then or later.
    :param began_before: began earlier than that.
    :param states: as in :meth:`~airflow_provider_ghl.load.ledger.loads.LedgerLoads.list`; ``None``: any.
    """

    id_prefix: str = ""
    began_from: float | None = None
    began_before: float | None = None
    states: Collection[str] | None = None

    def condition(self) -> sa.ColumnElement[bool]:
        """On ``ghl_loads``. The state is not in it, since it depends on who is alive."""
        conditions: list[sa.ColumnElement[bool]] = []
        if self.id_prefix:  # not LIKE, which takes no notice of case on SQLite
            conditions.append(sa.func.substr(loads.c.load_id, 1, len(self.id_prefix)) == self.id_prefix)
        if self.began_from is not None:
            conditions.append(loads.c.chain_began >= self.began_from)
        if self.began_before is not None:
            conditions.append(loads.c.chain_began < self.began_before)
        return sa.and_(sa.true(), *conditions)

    def has_state(self, state: str) -> bool:
        """Whether a load in this state is wanted."""
        return self.states is None or state in self.states
