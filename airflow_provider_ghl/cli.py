"""What a person types: ``python -m airflow_provider_ghl …``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from airflow_provider_ghl import __version__
from airflow_provider_ghl.sandbox import command as sandbox

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit status."""
    parser = argparse.ArgumentParser(prog="python -m airflow_provider_ghl", description="Tools for HighLevel loads.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    served = commands.add_parser("sandbox", help="serve a HighLevel on this machine, to try DAGs against")
    sandbox.add_arguments(served)
    served.set_defaults(run=sandbox.run)
    arguments = parser.parse_args(argv)
    status: int = arguments.run(arguments)
    return status
