"""Runs one command: from its parsed arguments to its exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TextIO

from airflow_provider_ghl.commands.arguments import load_function
from airflow_provider_ghl.commands.output import Out
from airflow_provider_ghl.exceptions import GHLError, Unauthorized

__all__ = ["WrongUsage", "run"]

_FAILED, _WRONG_USAGE, _INTERRUPTED = 1, 2, 130


class WrongUsage(Exception):
    """The arguments do not go together. The message says which would."""


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run ``module:function`` and return the exit status. Errors go to stderr."""
    out = Out(sys.stdout, as_json=arguments.json)
    try:
        # Airflow logs to stdout, which is for the answer.
        with redirect_stdout(sys.stderr):
            from airflow_provider_ghl.hooks.settings import outside_tasks

            with _logging_elsewhere(out.stream), outside_tasks():
                load_function(name)(arguments, out)
    except WrongUsage as error:
        return _fail(str(error), _WRONG_USAGE)
    except Unauthorized as error:
        return _fail(error.explain(), _FAILED)
    except GHLError as error:
        return _fail(str(error), _FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


@contextmanager
def _logging_elsewhere(stream: TextIO) -> Iterator[None]:
    """Within the block, log handlers that write to the stream write to stderr."""
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler) and one.stream is stream]
    for handler in handlers:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler in handlers:
            handler.setStream(stream)
