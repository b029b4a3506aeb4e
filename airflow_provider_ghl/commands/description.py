"""The commands as data: their names, their arguments, what runs.

Airflow imports this module at every command, so it imports next to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from airflow_provider_ghl.commands.arguments import Command, argument, character, count, duration, lookup, time
from airflow_provider_ghl.commands.sandbox_arguments import SANDBOX

__all__ = ["COMMANDS", "STATES"]

_JSON = argument("--json", action="store_true", help="print one JSON document on stdout, and nothing else")
_LEDGER = argument("--ledger-conn-id", metavar="ID", help="the connection of the ledger's database")
_COMMON = (
    argument(
        "--conn-id", metavar="ID", help="the HighLevel connection that names the ledger (default: ghl_default, if there is one)"
    ),
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
    "List the latest loads; show, export or undo one of them",
    run="commands.loads:latest",
    arguments=(
        argument("--limit", type=count, default=20, metavar="N", help="how many at most (default: %(default)s)"),
        argument("--dag", metavar="ID", help="those of this DAG, whose ids begin with ID/"),
        argument("--state", choices=tuple(STATES), metavar="STATE", help=f"those in this state: {', '.join(STATES)}"),
        argument("--since", type=time, metavar="TIME", help=f"those that began then or later: {_TIME_HELP}"),
        argument("--before", type=time, metavar="TIME", help="those that began before then"),
        *_COMMON,
    ),
    commands=(
        Command(
            "show",
            "Show a load: its counts, its message, and why rows failed",
            run="commands.loads:show",
            arguments=(
                _ID,
                argument(
                    "--rows", type=count, default=5, metavar="N", help="rows to show for each reason (default: %(default)s)"
                ),
                *_COMMON,
            ),
        ),
        Command(
            "undo",
            "Delete the relations that a load created, after asking",
            run="commands.undo:undo",
            arguments=(
                _ID,
                argument("--plan", action="store_true", help="say what would be deleted; delete nothing"),
                argument("--max-deletes", type=count, metavar="N", help="with more than that delete nothing"),
                argument("--yes", action="store_true", help="do not ask"),
                *_COMMON,
            ),
        ),
        Command(
            "export",
            "Write a load's results, as far as the ledger keeps them, to a file",
            run="commands.loads:export",
            arguments=(
                _ID,
                argument("file", metavar="FILE", help="a name that ends in .csv, .jsonl or .parquet"),
                *_COMMON,
            ),
        ),
    ),
)
_LEDGERS = Command(
    "ledger",
    "Show what loads remember, and have them forget it",
    commands=(
        Command(
            "show",
            "Show where the ledger is, how large and how old it is, and what it knows",
            run="commands.ledger:show",
            arguments=_COMMON,
        ),
        Command(
            "forget",
            "Forget the relations that match all options, and the keys of a record or a location: the next load asks HighLevel "
            "for them",
            run="commands.ledger:forget",
            arguments=(
                argument("--association", metavar="KEY", help="those of this association, by its key or its id"),
                argument("--record", metavar="ID", help="those with this record on either side"),
                argument("--location", metavar="ID", help="those of this sub-account"),
                argument("--relation", metavar="ID", help="the one with this id"),
                argument(
                    "--older-than",
                    type=duration,
                    metavar="TIME",
                    help=f"those that HighLevel has not confirmed for {_OLDER_THAN_HELP}",
                ),
                argument("--everything", action="store_true", help="all of them"),
                argument("--yes", action="store_true", help="do not ask"),
                *_COMMON,
            ),
        ),
        Command(
            "prune",
            "Delete old loads and their results, and keys that HighLevel has not confirmed for 90 days; relations stay known",
            run="commands.ledger:prune",
            arguments=(
                argument(
                    "--older-than",
                    type=duration,
                    default=timedelta(days=90),
                    metavar="TIME",
                    help=f"those that have been inactive for {_OLDER_THAN_HELP} (default: 90d)",
                ),
                *_COMMON,
            ),
        ),
    ),
)
_PLAN = Command(
    "plan",
    "Say what loading a file would do and cost; nothing is written to HighLevel",
    run="commands.plan:plan",
    arguments=(
        argument("file", metavar="FILE", help="CSV, TSV, JSON Lines or Parquet; local, or any URL of Airflow's object storage"),
        argument(
            "--separator", type=character, metavar="CHAR", help="between fields, \\t for a tab (default: by the file's name)"
        ),
        argument("--encoding", metavar="NAME", help="of a text file, such as cp1252 (default: UTF-8)"),
        argument("--conn-id", default="ghl_default", metavar="ID", help="the HighLevel connection (default: %(default)s)"),
        argument("--association-key", metavar="KEY", help="the association, by its key"),
        argument("--association-id", metavar="ID", help="or by its id"),
        argument(
            "--first-record-column",
            default="first_record_id",
            metavar="NAME",
            help="the column of the first records (default: %(default)s)",
        ),
        argument(
            "--second-record-column",
            default="second_record_id",
            metavar="NAME",
            help="the column of the second records (default: %(default)s)",
        ),
        argument(
            "--first-lookup",
            type=lookup,
            metavar="OBJECT:FIELD",
            help="what the first column holds, if not record ids: contact:email, contact:phone, business:name, "
            "custom_objects.policy:policy_no, opportunity:custom_field:deal_no, …",
        ),
        argument("--second-lookup", type=lookup, metavar="OBJECT:FIELD", help="what the second column holds"),
        argument(
            "--lookup-by",
            choices=("cheaper", "search", "page"),
            default="cheaper",
            help="how to find keys that the ledger does not know: in groups of 100, by reading all records, or as takes fewer "
            "requests (default: %(default)s)",
        ),
        argument(
            "--lookup-max-age",
            type=duration,
            default=timedelta(days=7),
            metavar="TIME",
            help="look keys up again that HighLevel has not confirmed for so long, 90d at most (default: 7d)",
        ),
        argument("--phone-region", metavar="CODE", help="the country of phone numbers without a country code, such as US"),
        argument(
            "--first-object-key",
            metavar="KEY",
            help="the object of the first column's records, such as contact; it follows from a look-up",
        ),
        argument("--second-object-key", metavar="KEY", help="the object of the second column's records"),
        argument(
            "--first-object-label",
            metavar="LABEL",
            help="what the first column's record is to the other, for an association between two of one object",
        ),
        argument("--row-key-column", metavar="NAME", help="the column of your own row ids, for the rows that are shown"),
        argument("--location-id", metavar="ID", help="the sub-account (default: that of the connection)"),
        argument("--location-column", metavar="NAME", help="the column of the sub-account, if each row has its own"),
        argument(
            "--diff-against",
            choices=("ledger", "highlevel", "none"),
            default="ledger",
            help="where to look which relations are there already (default: %(default)s)",
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
        argument("--conn-id", default="ghl_default", metavar="ID", help="the HighLevel connection (default: %(default)s)"),
        argument("--redirect-uri", metavar="URL", help="a redirect URI of the app, as registered with HighLevel"),
        argument("--scopes", metavar="TEXT", help="separated by spaces (default: those that loads of ids need)"),
        argument("--lookups", action="store_true", help="ask for the scopes of look-ups too: they read contacts and records"),
        argument("--code", metavar="TEXT", help="the code, or the whole URL that HighLevel redirected to (default: asked for)"),
        _JSON,
    ),
)

#: Those of ``airflow ghl`` and of ``python -m airflow_provider_ghl``.
COMMANDS = (_LOADS, _LEDGERS, _PLAN, _LOGIN, SANDBOX)
