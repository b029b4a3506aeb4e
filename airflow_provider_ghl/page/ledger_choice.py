"""Which ledger a request looks at: that of the configuration, or one that a HighLevel connection of Airflow's names."""

from __future__ import annotations

from airflow.models.connection import Connection
from airflow.utils.session import create_session
from fastapi import HTTPException, Request
from sqlalchemy import select

from airflow_provider_ghl.hooks.settings import Settings
from airflow_provider_ghl.page.query import Query

__all__ = ["chosen_ledger", "ledger_conn_ids"]

_KIND = "ghl"


def chosen_ledger(request: Request) -> str | None:
    """The connection that ``?ledger=`` names; ``None`` without it.

    :raises HTTPException: 404: no HighLevel connection in Airflow's database names it as its ledger.
    """
    named = Query.of(request).text("ledger")
    if named is not None and named not in request.app.state.ledger_conn_ids():
        raise HTTPException(404)
    return named


def ledger_conn_ids() -> list[str]:
    """The ledgers that HighLevel connections in Airflow's database name, sorted."""
    with create_session() as session:
        connections = session.scalars(select(Connection).where(Connection.conn_type == _KIND)).all()
        return sorted({named for connection in connections if (named := _ledger_of(connection))})


def _ledger_of(connection: Connection) -> str | None:
    try:
        return Settings.of(connection).ledger_conn_id
    except Exception:  # noqa: BLE001 - it cannot be decrypted or is no JSON: this one can name nothing, the others can
        return None
