"""One command, from its parsed arguments to its exit status."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from typing import Any, TextIO

from airflow_provider_ghl.commands.output import Out
from airflow_provider_ghl.exceptions import GHLError, Unauthorized

__all__ = ["WrongUsage", "run"]

_FAILED, _WRONG_USAGE, _INTERRUPTED = 1, 2, 130


class WrongUsage(Exception):
    """The arguments do not go together; the message says what would."""


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run ``module:function`` of this package; the exit status. What goes wrong is told on stderr."""
    out = Out(sys.stdout, as_json=arguments.json)
    try:
        # Airflow logs to stdout, which is for the answer.
        with redirect_stdout(sys.stderr):
            from airflow_provider_ghl.hooks.settings import outside_tasks

            with _logging_elsewhere(out.stream), outside_tasks():
                _function(name)(arguments, out)
    except WrongUsage as error:
        return _told(str(error), _WRONG_USAGE)
    except Unauthorized as error:
        return _told(error.explain(), _FAILED)
    except GHLError as error:
        return _told(str(error), _FAILED)
    except KeyboardInterrupt:
        return _INTERRUPTED
    return 0


def _function(name: str) -> Any:
    module, _, function = name.partition(":")
    return getattr(import_module(f"{__package__}.{module}"), function)


def _told(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status


@contextmanager
def _logging_elsewhere(stream: TextIO) -> Iterator[None]:
    """Handlers that write to the stream write to stderr meanwhile."""
    handlers = [one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler) and one.stream is stream]
    for handler in handlers:
        handler.setStream(sys.stderr)
    try:
        yield
    finally:
        for handler in handlers:
            handler.setStream(stream)
