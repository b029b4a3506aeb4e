"""``loads undo``: plans, asks, and deletes what one load created."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing

from airflow_provider_ghl.commands.ledger_option import DEFAULT_CONNECTION, open_ledger
from airflow_provider_ghl.commands.output import Out
from airflow_provider_ghl.commands.running import WrongUsage
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.relations.undo import Undo, Undone

__all__ = ["undo"]


def undo(arguments: argparse.Namespace, out: Out) -> None:
    """Delete the relations that a load created, after asking."""
    hook = GHLHook(arguments.conn_id or DEFAULT_CONNECTION)
    with open_ledger(arguments) as (where, ledger), closing(hook.get_conn()) as client:
        if ledger is None:
            raise ConfigurationError(f"there is no ledger at {where}: it knows no load")
        plan = Undo(arguments.load, ledger, client).plan()
        if arguments.plan or not plan.summary["deletes"]["planned"]:
            _write(plan, out)
            return
        if not _is_confirmed(plan, arguments, out):
            _write(plan, out)
            return
        done = Undo(arguments.load, ledger, client).run(arguments.max_deletes)
    if done.failure is not None:
        raise GHLError(done.message)
    _write(done, out)


def _is_confirmed(plan: Undone, arguments: argparse.Namespace, out: Out) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise WrongUsage(f"{plan.message} Nobody can be asked here: pass --yes. Nothing was deleted.")
    return out.ask(f"{plan.message} Delete them?")


def _write(undone: Undone, out: Out) -> None:
    out.write({**undone.summary, "results": undone.results}, [undone.message])
