"""Where commands come in: ``airflow ghl …``, and ``python -m airflow_provider_ghl …``, which also serves the sandbox.

Airflow imports this module at every command, so it imports next to nothing.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl import __version__
from airflow_provider_ghl.commands.description import COMMANDS, Argument, Command

if TYPE_CHECKING:
    from airflow.cli.cli_config import CLICommand

__all__ = ["airflow_commands", "main"]

_HELP = "Loads into HighLevel: what they did, what they remember, what one would cost"
#: Runs a command with its parsed arguments.
Run = Callable[[argparse.Namespace], Any]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    from airflow_provider_ghl.sandbox import command as sandbox

    parser = argparse.ArgumentParser(prog="python -m airflow_provider_ghl", description=_HELP)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_commands(commands, COMMANDS, _status_of)
    served = commands.add_parser("sandbox", help="serve a HighLevel on this machine, to try DAGs against")
    sandbox.add_arguments(served)
    served.set_defaults(func=sandbox.run)
    arguments = parser.parse_args(argv)
    status: int = arguments.func(arguments)
    return status


def airflow_commands() -> list[CLICommand]:
    """The same for ``airflow``: see the key ``cli`` in ``get_provider_info``."""
    from airflow.cli.cli_config import GroupCommand

    return [GroupCommand(name="ghl", help=_HELP, subcommands=[_for_airflow(command) for command in COMMANDS])]


def _for_airflow(command: Command) -> CLICommand:
    from airflow.cli.cli_config import ActionCommand, Arg, GroupCommand

    class Commands(Arg):
        """Makes an action a group as well, which Airflow has no word for."""

        def add_to_parser(self, parser: argparse.ArgumentParser) -> None:
            _add_below(parser, command, _exiting)

    if command.run is None:
        return GroupCommand(name=command.name, help=command.help, subcommands=[_for_airflow(one) for one in command.commands])
    args = [Arg(argument.flags, **argument.settings) for argument in command.arguments]  # type: ignore[no-untyped-call]
    if command.commands:
        args.append(Commands(("COMMAND",)))  # type: ignore[no-untyped-call]
    return ActionCommand(name=command.name, help=command.help, func=_exiting(command.run), args=args)


def _status_of(name: str) -> Run:
    def run(arguments: argparse.Namespace) -> int:
        from airflow_provider_ghl.commands.running import run

        return run(name, arguments)

    return run


def _exiting(name: str) -> Run:
    """Airflow does not look at what a command returns."""
    run = _status_of(name)
    return lambda arguments: sys.exit(run(arguments))


def _add_commands(subparsers: Any, commands: Iterable[Command], run: Callable[[str], Run]) -> None:
    for command in commands:
        parser = subparsers.add_parser(command.name, help=command.help, description=command.help)
        _add_arguments(parser, command.arguments)
        if command.run is not None:
            parser.set_defaults(func=run(command.run))
        if command.commands:
            _add_below(parser, command, run)


def _add_below(parser: argparse.ArgumentParser, command: Command, run: Callable[[str], Run]) -> None:
    is_needed = command.run is None
    below = parser.add_subparsers(title="commands", required=is_needed, metavar="COMMAND" if is_needed else "[COMMAND]")
    _add_commands(below, [_inheriting(one, command.arguments) for one in command.commands], run)


def _inheriting(command: Command, arguments: Sequence[Argument]) -> Command:
    """Let an option that stands before the command's name hold as well: its own default would undo it."""
    above = {argument.flags for argument in arguments}
    own = tuple(
        Argument(one.flags, {**one.settings, "default": argparse.SUPPRESS}) if one.flags in above else one
        for one in command.arguments
    )
    return Command(command.name, command.help, command.run, own, command.commands)


def _add_arguments(parser: argparse.ArgumentParser, arguments: Iterable[Argument]) -> None:
    for argument in arguments:
        parser.add_argument(*argument.flags, **argument.settings)
