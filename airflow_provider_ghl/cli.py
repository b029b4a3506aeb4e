"""The entry points of the commands: ``airflow ghl …`` and ``python -m airflow_provider_ghl …``.

Airflow imports this module at every command, so it imports next to nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl import __version__
from airflow_provider_ghl.commands.arguments import Argument, Command, load_function
from airflow_provider_ghl.commands.description import COMMANDS

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

__all__ = ["airflow_commands", "main"]

_HELP = "Loads into HighLevel: what they did, what they remember, what one would cost; and a sandbox to try them against"
#: Runs a command with its parsed arguments and returns the exit status.
Run = Callable[[argparse.Namespace], int]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_ghl", description=_HELP)
    parser.add_argument("--version", action="version", version=__version__)
    subparsers = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_commands(subparsers, COMMANDS, _runner)
    arguments = parser.parse_args(argv)
    status: int = arguments.func(arguments)
    return status


def airflow_commands() -> list[CLICommand]:
    """The same commands as Airflow's CLI takes them: see the key ``cli`` in ``get_provider_info``."""
    from airflow.cli.cli_config import GroupCommand

    return [GroupCommand(name="ghl", help=_HELP, subcommands=[_airflow_command(command) for command in COMMANDS])]


def _airflow_command(command: Command) -> CLICommand:
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    class Commands(Arg):
        """Adds subcommands to a command that also runs by itself, which Airflow's classes do not provide for."""

        def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
            _add_subcommands(parser, command, _exiting_runner)

    if command.run is None:
        subcommands = [_airflow_command(one) for one in command.commands]
        return GroupCommand(name=command.name, help=command.help, subcommands=subcommands)
    args = [Arg(argument.flags, **argument.settings) for argument in command.arguments]  # type: ignore[no-untyped-call]
    if command.commands:
        args.append(Commands(("COMMAND",)))  # type: ignore[no-untyped-call]
    return ActionCommand(name=command.name, help=command.help, func=_exiting_runner(command), args=args)


def _runner(command: Command) -> Run:
    name = command.run or ""

    def run(arguments: argparse.Namespace) -> int:
        if not command.needs_airflow:
            status: int = load_function(name)(arguments)
            return status
        from airflow_provider_ghl.commands.running import run

        return run(name, arguments)

    return run


def _exiting_runner(command: Command) -> Run:
    """A runner that exits with the status: Airflow ignores what a command returns."""
    run = _runner(command)
    return lambda arguments: sys.exit(run(arguments))


def _add_commands(subparsers: Any, commands: Iterable[Command], make_runner: Callable[[Command], Run]) -> None:
    for command in commands:
        parser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        for argument in command.arguments:
            parser.add_argument(*argument.flags, **argument.settings)
        if command.run is not None:
            parser.set_defaults(func=make_runner(command))
        if command.commands:
            _add_subcommands(parser, command, make_runner)


def _add_subcommands(parser: argparse.ArgumentParser, command: Command, make_runner: Callable[[Command], Run]) -> None:
    is_required = command.run is None
    metavar = "COMMAND" if is_required else "[COMMAND]"
    subparsers = parser.add_subparsers(title="commands", required=is_required, metavar=metavar)
    subcommands = [_without_repeated_defaults(one, command.arguments) for one in command.commands]
    _add_commands(subparsers, subcommands, make_runner)


def _without_repeated_defaults(command: Command, arguments: Sequence[Argument]) -> Command:
    """Keep a subcommand's defaults from overwriting the same option of its parent, given before the subcommand's name."""
    parents = {argument.flags for argument in arguments}
    own = tuple(
        Argument(one.flags, {**one.settings, "default": argparse.SUPPRESS}) if one.flags in parents else one
        for one in command.arguments
    )
    return replace(command, arguments=own)
