"""What describes a command: its name, its arguments, and how their values are read."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any, TypeVar

__all__ = ["Argument", "Command", "argument", "character", "count", "duration", "load_function", "lookup", "number", "time"]

N = TypeVar("N", int, float)
_DURATION = re.compile(r"([0-9]{1,5})([dh])")


@dataclass(frozen=True, slots=True)
class Argument:
    """What ``ArgumentParser.add_argument`` takes."""

    flags: tuple[str, ...]
    settings: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    """A command, or a group of commands, or both: ``loads`` lists, and ``loads show`` shows one."""

    name: str
    help: str
    #: ``module:function`` below this project's package, imported when the command runs; ``None`` for a mere group.
    run: str | None = None
    arguments: tuple[Argument, ...] = ()
    commands: tuple[Command, ...] = ()
    #: Whether it reads connections or the ledger. If not, it also works where Airflow is not installed.
    needs_airflow: bool = True


def argument(*flags: str, **settings: Any) -> Argument:
    """An argument, as ``ArgumentParser.add_argument`` takes it."""
    return Argument(flags, settings)


def count(text: str) -> int:
    """A whole number from 1 to 2147483647."""
    if text.isascii() and text.isdigit() and len(text) <= 10 and 0 < int(text) < 2**31:
        return int(text)
    raise argparse.ArgumentTypeError(f"must be a whole number, 1 or more, not {text!r}")


def character(text: str) -> str:
    """A tab where its name was typed, which is easier in a shell than a tab is; else the text."""
    return "\t" if text == "\\t" else text


def duration(text: str) -> timedelta:
    """Days or hours: ``30d``, ``12h``."""
    if found := _DURATION.fullmatch(text):
        number = int(found[1])
        return timedelta(days=number) if found[2] == "d" else timedelta(hours=number)
    raise argparse.ArgumentTypeError(f"must be days or hours, such as 30d or 12h, not {text!r}")


def lookup(text: str) -> Any:
    """A look-up such as ``contact:email``. What reads it is imported when there is one."""
    return load_function("commands.lookup_option:lookup")(text)


def time(text: str) -> datetime | timedelta:
    """A date or a time in ISO format, in UTC unless it says otherwise; or an age, as :func:`duration` reads it."""
    with suppress(argparse.ArgumentTypeError):
        return duration(text)
    with suppress(ValueError):
        found = datetime.fromisoformat(text)
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    raise argparse.ArgumentTypeError(f"must be such as 2026-11-30, 2026-11-30T18:00 or 7d, not {text!r}")


def number(kind: Callable[[str], N], what: str, accepts: Callable[[N], bool]) -> Callable[[str], N]:
    """An argument type for numbers.

    :param what: what the value must be, for the usage error.
    """

    def parse(text: str) -> N:
        with suppress(ValueError):
            if accepts(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"must be {what}, not {text!r}")

    return parse


def load_function(name: str) -> Any:
    """Import what :attr:`Command.run` names."""
    module, _, function = name.partition(":")
    return getattr(import_module(f"airflow_provider_ghl.{module}"), function)
