"""Which ledger a command is about."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_ghl.hooks.ledger import find_ledger
from airflow_provider_ghl.hooks.settings import Settings, connection_of, has_connection
from airflow_provider_ghl.load.ledger.ledger import Ledger

__all__ = ["opened"]

_DEFAULT_CONNECTION = "ghl_default"


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[tuple[str, Ledger | None]]:
    """Where the ledger is, and the ledger; ``None`` where there is none yet.

    It is the one of ``--ledger-conn-id``; else that of the connection ``--conn-id``, or of ``ghl_default`` if Airflow has that;
    else the one that loads use by default.
    """
    where, ledger = find_ledger(arguments.ledger_conn_id or _named_by(arguments.conn_id))
    try:
        yield where, ledger
    finally:
        if ledger is not None:
            ledger.close()


def _named_by(conn_id: str | None) -> str | None:
    if conn_id is None and not has_connection(_DEFAULT_CONNECTION):
        return None
    return Settings.of(connection_of(conn_id or _DEFAULT_CONNECTION)).ledger_conn_id
