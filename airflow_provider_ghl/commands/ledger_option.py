"""Which ledger a command works with."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_ghl.hooks.ledger import find_ledger
from airflow_provider_ghl.hooks.settings import Settings, get_connection, has_connection
from airflow_provider_ghl.load.ledger.ledger import Ledger

__all__ = ["DEFAULT_CONNECTION", "open_ledger"]

#: The Airflow connection of those who name none.
DEFAULT_CONNECTION = "ghl_default"


@contextmanager
def open_ledger(arguments: argparse.Namespace) -> Iterator[tuple[str, Ledger | None]]:
    """Where the ledger is, and the ledger itself; ``None`` if it does not exist yet.

    The ledger is that of ``--ledger-conn-id``; else that of the connection ``--conn-id``, or of ``ghl_default`` if Airflow has
    it; else the one that loads use by default.
    """
    where, ledger = find_ledger(arguments.ledger_conn_id or _ledger_conn_id(arguments.conn_id))
    try:
        yield where, ledger
    finally:
        if ledger is not None:
            ledger.close()


def _ledger_conn_id(conn_id: str | None) -> str | None:
    if conn_id is None and not has_connection(DEFAULT_CONNECTION):
        return None
    return Settings.of(get_connection(conn_id or DEFAULT_CONNECTION)).ledger_conn_id
