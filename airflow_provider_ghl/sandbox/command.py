"""The sandbox from a terminal: ``python -m airflow_provider_ghl sandbox``."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TypeVar

from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency
from airflow_provider_ghl.sandbox.journal import StateFileError
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES
from airflow_provider_ghl.sandbox.sandbox import Sandbox
from airflow_provider_ghl.sandbox.stats import StatsDict

__all__ = ["add_arguments", "run"]

N = TypeVar("N", int, float)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Teach a parser the arguments that :func:`run` reads."""
    add = parser.add_argument
    add("--port", type=_port, default=0, help="port on 127.0.0.1 (default: a free one)")
    add("--state", metavar="FILE", help="remember associations, records and relations in this file")
    add("--limit", type=_limit, default=100, help="requests per interval and location; 0: no limit (default: %(default)s)")
    add("--interval", type=_interval, default=10.0, help="seconds (default: %(default)s)")
    add("--window", choices=("sliding", "fixed"), default="sliding", help="kind of the window (default: %(default)s)")
    add("--daily-limit", type=_limit, default=200_000, help="requests per day and location; 0: none (default: %(default)s)")
    add("--latency", type=_seconds, default=0.0, help="seconds that a request takes (default: %(default)s)")
    add("--latency-spread", type=_share, default=0.0, help="share: 0.3 is from 0.7 to 1.3 times the latency")
    add("--count-at", choices=("arrival", "answer"), default="arrival", help="when a request is counted against the window")
    add("--seed", type=int, help="drives ids and latency (default: chosen, and printed)")
    add("--location", help="id of the first location (default: the state file's, else a fixed one)")
    add("--agency", type=_agency, default=0, metavar="N", help="add a fixed agency with N sub-accounts (default: none)")
    add("--token", help="the token that is accepted (default: a fixed one, of use here only)")


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, then say what came; the exit code (1: it could not start)."""
    try:
        sandbox = _sandbox(args)
        agency = FixedAgency.of(sandbox, args.agency) if args.agency else None
        sandbox.start()
    except (OSError, StateFileError, ValueError) as error:
        sys.stderr.write(f"The sandbox cannot start: {error}\n")
        return 1
    try:
        with _end_signal() as ended:
            _say(_greeting(sandbox, agency))
            ended.wait()
    finally:
        sandbox.stop()
    _say(_account(sandbox.stats()))
    return 0


def _sandbox(args: argparse.Namespace) -> Sandbox:
    return Sandbox(
        port=args.port,
        state_path=args.state,
        limit=args.limit,
        interval=args.interval,
        window=args.window,
        daily_limit=args.daily_limit,
        count_at=args.count_at,
        latency=args.latency,
        latency_spread=args.latency_spread,
        tokens={args.token: ALL_SCOPES} if args.token else None,
        location_id=args.location,
        seed=args.seed,
    )


def _greeting(sandbox: Sandbox, agency: FixedAgency | None) -> list[str]:
    return [
        f"HighLevel sandbox   {sandbox.url}",
        f"Location            {sandbox.location_id}",
        *([f"Agency              {AGENCY}, sub-accounts {_span(agency.location_ids)}"] if agency else []),
        f"Seed                {sandbox.seed}",
        f"Relations           {sandbox.state.count_all()}",
        "",
        _export("GHL_DEFAULT", sandbox.connection_json),
        *([_export("GHL_AGENCY", agency.connection_json)] if agency else []),
        "",
        "Ctrl-C ends it.",
    ]


def _span(ids: Sequence[str]) -> str:
    return ids[0] if len(ids) == 1 else f"{ids[0]} to {ids[-1]}"


def _export(conn_id: str, connection_json: str) -> str:
    return f"export AIRFLOW_CONN_{conn_id}={shlex.quote(connection_json)}"


def _account(stats: StatsDict) -> list[str]:
    by_route = [f"  {count:>8}  {route}" for route, count in stats["by_route"].items()]
    by_status = ", ".join(f"{count} x {status}" for status, count in stats["by_status"].items())
    return [
        "",
        f"Requests            {stats['requests']}{f' ({by_status})' if by_status else ''}",
        *by_route,
        f"Relations           {stats['relations']}",
    ]


def _say(lines: list[str]) -> None:
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()  # who starts it through a pipe waits for the URL
    except BrokenPipeError:
        # Nobody reads any more, which is no reason to end. Python would complain of it once more when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _number(kind: Callable[[str], N], what: str, accepts: Callable[[N], bool]) -> Callable[[str], N]:
    """A type of argument: what it must be, or a usage error says so."""

    def parse(text: str) -> N:
        with suppress(ValueError):
            if accepts(value := kind(text)):
                return value
        raise argparse.ArgumentTypeError(f"must be {what}, not {text!r}")

    return parse


_A_DAY = 86_400
_port = _number(int, "a port from 0 to 65535", lambda port: 0 <= port <= 65_535)
_interval = _number(float, f"seconds, more than 0 and up to {_A_DAY}", lambda seconds: 0 < seconds <= _A_DAY)
_seconds = _number(float, f"seconds from 0 to {_A_DAY}", lambda seconds: 0 <= seconds <= _A_DAY)
_share = _number(float, "a share from 0 to 1", lambda share: 0 <= share <= 1)
_agency = _number(int, "a number of sub-accounts from 0 to 9999", lambda count: 0 <= count <= 9999)
_count = _number(int, "a whole number, 0 or more", lambda count: count >= 0)


def _limit(text: str) -> int | None:
    return _count(text) or None


@contextmanager
def _end_signal() -> Iterator[threading.Event]:
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
