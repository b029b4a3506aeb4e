"""Processor time of a request: plain ``requests`` against :class:`RequestsTransport`, side by side.

    python benchmarks/transport.py

The server is a process of its own, so that its work is not counted. Rounds are interleaved and their order alternates, so that
other work of the machine affects all alike. Prints the median of each and its ratio to plain ``requests``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import multiprocessing.connection
import os
import platform
import statistics
import time
from collections.abc import Callable

import requests

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.relations import create_call
from airflow_provider_ghl.api.transport import RequestsTransport
from airflow_provider_ghl.sandbox import Sandbox

IDS = [os.urandom(12).hex() for _ in range(3)]
HEADERS = {
    "Authorization": "Bearer pit-5a9db0c5-0000-4000-8000-000000000001",
    "Version": "2021-07-28",
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",
    "User-Agent": "benchmark",
}


def serve(ready: multiprocessing.connection.Connection) -> None:
    """Serve until the other end sends something."""
    with Sandbox(limit=None, daily_limit=None) as sandbox:
        ready.send((sandbox.url, sandbox.location_id))
        ready.poll(None)


def contestants(url: str, location_id: str) -> dict[str, Callable[[], object]]:
    """Functions that send one request, by name."""
    call: Call = create_call(location_id, *IDS)
    plain, session = requests.Session(), requests.Session()
    session.trust_env = False
    transport = RequestsTransport(url)
    return {
        "requests.Session().post": lambda: (
            plain.post(url + call.path, json=call.json, headers=HEADERS, timeout=(10, 30)).content
        ),
        "… with trust_env = False": lambda: session.post(url + call.path, json=call.json, headers=HEADERS, timeout=30).content,
        "RequestsTransport.send": lambda: transport.send(call, HEADERS),
    }


def measure(send: Callable[[], object], times: int) -> float:
    """Processor seconds (user and system) of one request."""
    began = time.process_time()
    for _ in range(times):
        send()
    return (time.process_time() - began) / times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=200, help="in a round, for each contestant")
    args = parser.parse_args()
    here, there = multiprocessing.Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(there,), daemon=True)
    server.start()
    sends = contestants(*here.recv())
    for send in sends.values():
        measure(send, 50)
    seconds: dict[str, list[float]] = {name: [] for name in sends}
    for number in range(args.rounds):
        order = list(sends) if number % 2 else list(reversed(sends))
        for name in order:
            seconds[name].append(measure(sends[name], args.requests))
    here.send("enough")
    server.join(5)
    report(seconds)


def report(seconds: dict[str, list[float]]) -> None:
    """One line for each contestant."""
    first = statistics.median(next(iter(seconds.values())))
    print(f"Python {platform.python_version()}, requests {requests.__version__}; processor µs a request, median of rounds")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(
            f"  {name:28} {median * 1e6:7.0f} µs  ({min(values) * 1e6:.0f} to {max(values) * 1e6:.0f})  × {median / first:.2f}"
        )


if __name__ == "__main__":
    main()
