"""The commands as data: their names, their arguments, what runs.

Airflow imports this module at every command, so it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from airflow_provider_ghl.commands.arguments import Command, argument, count, duration, time
from airflow_provider_ghl.commands.sandbox_arguments import SANDBOX

__all__ = ["COMMANDS", "STATES"]

_JSON = argument("--json", action="store_true", help="one JSON document on stdout, and nothing else there")
_LEDGER = argument("--ledger-conn-id", metavar="ID", help="the ledger's own connection")
_COMMON = (
    argument("--conn-id", metavar="ID", help="the ghl connection whose ledger it is (default: ghl_default, if there is one)"),
    _LEDGER,
    _JSON,
)
_ID = argument("load", metavar="ID", help="the load's number, or its whole id")
_TIME_HELP = "2026-11-30 or 2026-11-30T18:00 (UTC), or an age, such as 7d or 12h"
#: States of loads as people know them, and what they are in JSON.
STATES: Mapping[str, tuple[str, ...]] = {
    "success": ("green",),
    "failed": ("final", "retryable"),
    "deferred": ("deferred",),
    "running": ("running",),
    "lost": ("lost",),
}
_OLDER_THAN_HELP = "days or hours, such as 30d or 12h"

_LOADS = Command(
    "loads",
    "List the latest loads; show or export what became of one",
    run="commands.loads:latest",
    arguments=(
        argument("--limit", type=count, default=20, metavar="N", help="at most so many (default: %(default)s)"),
        argument("--dag", metavar="ID", help="of this DAG: those whose id begins with ID/"),
        argument("--state", choices=tuple(STATES), metavar="STATE", help=f"in this state: {', '.join(STATES)}"),
        argument("--since", type=time, metavar="TIME", help=f"that began then or later: {_TIME_HELP}"),
        argument("--before", type=time, metavar="TIME", help="that began earlier than that"),
        *_COMMON,
    ),
    commands=(
        Command(
            "show",
            "Show a load: its counts, its message, and why rows failed",
            run="commands.loads:show",
            arguments=(
                _ID,
                argument("--rows", type=count, default=5, metavar="N", help="rows for each reason (default: %(default)s)"),
                *_COMMON,
            ),
        ),
        Command(
            "export",
            "Write a load's results, as far as the ledger keeps them, into a file",
            run="commands.loads:export",
            arguments=(
                _ID,
                argument("file", metavar="FILE", help="ends in .csv, .jsonl or .parquet; there whole or not at all"),
                *_COMMON,
            ),
        ),
    ),
)
_LEDGERS = Command(
    "ledger",
    "Show what loads remember, and make them forget",
    commands=(
        Command("show", "Show where the ledger is, how big and how old", run="commands.ledger:show", arguments=_COMMON),
        Command(
            "forget",
            "Forget relations that match all that is given: the next load asks HighLevel for them",
            run="commands.ledger:forget",
            arguments=(
                argument("--association", metavar="KEY", help="of this association, by its key or its id"),
                argument("--record", metavar="ID", help="with this record on either side"),
                argument("--location", metavar="ID", help="of this sub-account"),
                argument("--relation", metavar="ID", help="with this id"),
                argument("--older-than", type=duration, metavar="TIME", help=f"not confirmed for {_OLDER_THAN_HELP}"),
                argument("--everything", action="store_true", help="all of them"),
                argument("--yes", action="store_true", help="do not ask"),
                *_COMMON,
            ),
        ),
        Command(
            "prune",
            "Delete the results of old loads; relations stay known",
            run="commands.ledger:prune",
            arguments=(
                argument(
                    "--older-than",
                    type=duration,
                    default=timedelta(days=90),
                    metavar="TIME",
                    help=f"that did nothing for {_OLDER_THAN_HELP} (default: 90d)",
                ),
                *_COMMON,
            ),
        ),
    ),
)
_PLAN = Command(
    "plan",
    "Count and price a file's rows; nothing is written to HighLevel",
    run="commands.plan:plan",
    arguments=(
        argument("file", metavar="FILE", help="CSV, TSV, JSON Lines or Parquet; local, or any URL of Airflow's object storage"),
        argument("--conn-id", default="ghl_default", metavar="ID", help="the ghl connection (default: %(default)s)"),
        argument("--association-key", metavar="KEY", help="the association, by its key"),
        argument("--association-id", metavar="ID", help="or by its id"),
        argument("--first-record-column", default="first_record_id", metavar="NAME", help="(default: %(default)s)"),
        argument("--second-record-column", default="second_record_id", metavar="NAME", help="(default: %(default)s)"),
        argument("--row-key-column", metavar="NAME", help="your own row id, for the rows that are shown"),
        argument("--location-id", metavar="ID", help="the sub-account, instead of the connection's"),
        argument("--location-column", metavar="NAME", help="the column of each row's own sub-account"),
        argument(
            "--diff-against",
            choices=("ledger", "highlevel", "none"),
            default="ledger",
            help="what says which relations are there (default: %(default)s)",
        ),
        _LEDGER,
        _JSON,
    ),
)
_LOGIN = Command(
    "login",
    "Have HighLevel authorise the connection's OAuth app, and store its tokens",
    run="commands.login:login",
    arguments=(
        argument("--conn-id", default="ghl_default", metavar="ID", help="the ghl connection (default: %(default)s)"),
        argument("--redirect-uri", metavar="URL", help="one of those that the app has registered: HighLevel needs it"),
        argument("--scopes", metavar="TEXT", help="with blanks between (default: those that loads need)"),
        argument(
            "--code", metavar="TEXT", help="what HighLevel has given, or the whole URL it has led to; else it is asked for"
        ),
        _JSON,
    ),
)

#: Those of ``airflow ghl`` and of ``python -m airflow_provider_ghl``.
COMMANDS = (_LOADS, _LEDGERS, _PLAN, _LOGIN, SANDBOX)
