"""The commands as data: their names, their arguments, what runs. Airflow reads it at every command, so it imports nothing."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

__all__ = ["COMMANDS", "Argument", "Command"]

_DURATION = re.compile(r"(\d{1,5})([dh])")


@dataclass(frozen=True, slots=True)
class Argument:
    """What ``ArgumentParser.add_argument`` takes."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of them, or both: ``loads`` lists, and ``loads show`` shows one."""

    name: str
    help: str
    #: ``module:function`` below this package, imported when it is run; ``None`` for a mere group.
    run: str | None = None
    arguments: tuple[Argument, ...] = ()
    commands: tuple[Command, ...] = ()


def _argument(*flags: str, **settings: Any) -> Argument:
    return Argument(flags, settings)


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and 0 < int(text) < 2**31:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")


def _duration(text: str) -> timedelta:
    if found := _DURATION.fullmatch(text):
        number = int(found[1])
        return timedelta(days=number) if found[2] == "d" else timedelta(hours=number)
    raise argparse.ArgumentTypeError(f"must be days or hours, such as 30d or 12h, not {text!r}")


_JSON = _argument("--json", action="store_true", help="one JSON document on stdout, and nothing else there")
_LEDGER = _argument("--ledger-conn-id", metavar="ID", help="the ledger's own connection")
_COMMON = (
    _argument("--conn-id", metavar="ID", help="the ghl connection whose ledger it is (default: ghl_default, if there is one)"),
    _LEDGER,
    _JSON,
)
_ID = _argument("load", metavar="ID", help="the load's number, or its whole id")
_OLDER_THAN_HELP = "days or hours, such as 30d or 12h"

_LOADS = Command(
    "loads",
    "List the latest loads; show or export what became of one",
    run="loads:latest",
    arguments=(_argument("--limit", type=_count, default=20, metavar="N", help="so many (default: %(default)s)"), *_COMMON),
    commands=(
        Command(
            "show",
            "Show a load: its counts, its message, and why rows failed",
            run="loads:show",
            arguments=(
                _ID,
                _argument("--rows", type=_count, default=5, metavar="N", help="rows for each reason (default: %(default)s)"),
                *_COMMON,
            ),
        ),
        Command(
            "export",
            "Write a load's results, as far as the ledger keeps them, into a file",
            run="loads:export",
            arguments=(
                _ID,
                _argument("file", metavar="FILE", help="ends in .csv, .jsonl or .parquet; there whole or not at all"),
                *_COMMON,
            ),
        ),
    ),
)
_LEDGERS = Command(
    "ledger",
    "Show what loads remember, and make them forget",
    commands=(
        Command("show", "Show where the ledger is, how big and how old", run="ledger:show", arguments=_COMMON),
        Command(
            "forget",
            "Forget relations that match all that is given: the next load asks HighLevel for them",
            run="ledger:forget",
            arguments=(
                _argument("--association", metavar="ID", help="of this association"),
                _argument("--record", metavar="ID", help="with this record on either side"),
                _argument("--location", metavar="ID", help="of this sub-account"),
                _argument("--relation", metavar="ID", help="with this id"),
                _argument("--older-than", type=_duration, metavar="TIME", help=f"not confirmed for {_OLDER_THAN_HELP}"),
                _argument("--everything", action="store_true", help="all of them"),
                _argument("--yes", action="store_true", help="do not ask"),
                *_COMMON,
            ),
        ),
        Command(
            "prune",
            "Delete the results of old loads; relations stay known",
            run="ledger:prune",
            arguments=(
                _argument(
                    "--older-than",
                    type=_duration,
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
    run="plan:plan",
    arguments=(
        _argument(
            "file", metavar="FILE", help="CSV, TSV, JSON Lines or Parquet; local, or any URL of Airflow's object storage"
        ),
        _argument("--conn-id", default="ghl_default", metavar="ID", help="the ghl connection (default: %(default)s)"),
        _argument("--association-key", metavar="KEY", help="the association, by its key"),
        _argument("--association-id", metavar="ID", help="or by its id"),
        _argument("--first-record-column", default="first_record_id", metavar="NAME", help="(default: %(default)s)"),
        _argument("--second-record-column", default="second_record_id", metavar="NAME", help="(default: %(default)s)"),
        _argument("--row-key-column", metavar="NAME", help="your own row id, for the rows that are shown"),
        _argument("--location-id", metavar="ID", help="the sub-account, instead of the connection's"),
        _argument("--location-column", metavar="NAME", help="the column of each row's own sub-account"),
        _argument(
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
    run="login:login",
    arguments=(
        _argument("--conn-id", default="ghl_default", metavar="ID", help="the ghl connection (default: %(default)s)"),
        _argument("--redirect-uri", metavar="URL", help="one of those that the app has registered: HighLevel needs it"),
        _argument("--scopes", metavar="TEXT", help="with blanks between (default: those that loads need)"),
        _argument(
            "--code", metavar="TEXT", help="what HighLevel has given, or the whole URL it has led to; else it is asked for"
        ),
        _JSON,
    ),
)

COMMANDS = (_LOADS, _LEDGERS, _PLAN, _LOGIN)
