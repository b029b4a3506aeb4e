"""Writes the commands' part of ``docs/reference/cli.md``: run it when a command changes. A test holds the page against it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from airflow_provider_ghl.commands.arguments import Argument, Command
from airflow_provider_ghl.commands.description import COMMANDS

__all__ = ["PAGE", "page"]

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "cli.md"
#: What stands below this line on the page is written here.
_MARK = "<!-- From here on the page is written by scripts/cli_reference.py. -->\n"


def page(text: str) -> str:
    """The page with its commands as they are now."""
    by_hand, mark, _ = text.partition(_MARK)
    if not mark:
        raise ValueError(f"{PAGE} has no line {_MARK!r}")
    return by_hand + mark + "".join(line + "\n" for line in _sections())


def _sections() -> Iterator[str]:
    for command in COMMANDS:
        yield from _section(command, ())


def _section(command: Command, above: tuple[str, ...]) -> Iterator[str]:
    words = (*above, command.name)
    if command.run is not None:
        yield from _command("airflow ghl " + " ".join(words), command.help, [_row(one) for one in command.arguments])
    for below in command.commands:
        yield from _section(below, words)


def _command(name: str, purpose: str, rows: Sequence[tuple[str, object, str]]) -> Iterator[str]:
    yield from ("", f"## {name}", "", f"{purpose}.", "", "| argument | |", "|---|---|")
    for flags, value, text in rows:
        argument = f"{flags} {value}" if value and flags.startswith("-") else flags
        yield f"| `{_cell(argument)}` | {_cell(text)} |"


def _row(argument: Argument) -> tuple[str, object, str]:
    settings = argument.settings
    is_option = argument.flags[0].startswith("-")
    flags = ", ".join(argument.flags) if is_option else str(settings.get("metavar") or argument.flags[0])
    value = settings.get("metavar") or "|".join(settings.get("choices", ()))
    return flags, value, _help_text(settings.get("help"), settings.get("default"))


def _help_text(text: object, default: object) -> str:
    """The help, as argparse shows it."""
    return str(text or "").replace("%(default)s", str(default))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))
