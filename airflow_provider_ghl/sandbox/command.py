"""The sandbox from a terminal: ``airflow ghl sandbox``, or ``python -m airflow_provider_ghl sandbox`` without Airflow."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency
from airflow_provider_ghl.sandbox.journal import StateFileError
from airflow_provider_ghl.sandbox.routes import ALL_SCOPES
from airflow_provider_ghl.sandbox.sandbox import Sandbox
from airflow_provider_ghl.sandbox.stats import StatsDict

__all__ = ["run"]


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or SIGTERM, then print what was requested. Returns the exit status: 1 if it could not start."""
    with _end_signal() as ended:  # before the start, so that an early Ctrl-C ends it cleanly too
        try:
            sandbox = _make_sandbox(args)
            agency = FixedAgency.of(sandbox, args.agency) if args.agency else None
            sandbox.start()
        except (OSError, StateFileError, ValueError) as error:
            sys.stderr.write(f"The sandbox cannot start: {error}\n")
            return 1
        try:
            _write(_greeting(sandbox, agency))
            ended.wait()
        finally:
            sandbox.stop()
    _write(_summary(sandbox.stats()))
    return 0


def _make_sandbox(args: argparse.Namespace) -> Sandbox:
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
        rewrites_associations=not args.keep_associations,
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


def _summary(stats: StatsDict) -> list[str]:
    by_route = [f"  {count:>8}  {route}" for route, count in stats["by_route"].items()]
    by_status = ", ".join(f"{count} x {status}" for status, count in stats["by_status"].items())
    return [
        "",
        f"Requests            {stats['requests']}{f' ({by_status})' if by_status else ''}",
        *by_route,
        f"Relations           {stats['relations']}",
    ]


def _write(lines: list[str]) -> None:
    try:
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()  # a process that started this one may wait for the URL
    except BrokenPipeError:
        # The reader is gone, which is no reason to end. Without this Python would report it again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _end_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets."""
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
