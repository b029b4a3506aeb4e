"""Tasks that share one location, each in a process of its own: ``python benchmarks/sharing.py``.

The share of the limit is ``(requests / limit - 1) × interval`` divided by the time between the first and the last write that
the server saw, of all tasks: the task that is done last counts.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from server import Server

HEAD = ("processes × pairs, window, start", "seconds", "share of limit", "answered 429", "rows lost", "seconds of each")
LIMIT, INTERVAL = 100, 10.0
#: Window, what a request is counted at, and seconds between the starts.
SETTINGS = (("sliding", 0.0), ("sliding", 4.0), ("fixed", 0.0), ("fixed", 4.0))


def lines(processes: int = 3, pairs: int = 1000, latency: float = 0.3) -> list[list[str]]:
    """The cells of each line. They are measured at once, on separate sandboxes."""
    with ThreadPoolExecutor(len(SETTINGS)) as pool:
        return list(pool.map(lambda setting: line(*setting, processes, pairs, latency), SETTINGS))


def line(window: str, apart: float, processes: int, pairs: int, latency: float) -> list[str]:
    """Run the tasks of one setting; returns the cells of its line."""
    with Server(latency=latency, latency_spread=0.3, limit=LIMIT, window=window) as server:
        tasks = []
        for number in range(processes):
            if number:
                time.sleep(apart)
            tasks.append(start(server.connection, number * pairs, pairs))
        measured = [json.loads(wait_for(task).splitlines()[-1]) for task in tasks]
        stats = server.stats()
    spent = stats["last_write"] - stats["first_write"]
    ideal = (math.ceil(processes * pairs / LIMIT) - 1) * INTERVAL
    return [
        f"{processes} × {pairs}, {window}, {f'{apart:.0f} s apart' if apart else 'together'}",
        f"{spent:.1f}",
        f"{ideal / spent:.1%}",
        f"{stats['rate_limited'] / stats['requests']:.2%}",
        str(processes * pairs - stats["relations"]),
        " · ".join(f"{each['seconds']:.0f}" for each in measured),
    ]


def start(connection: dict[str, Any], first: int, pairs: int) -> subprocess.Popen[str]:
    """Start one task."""
    words = [sys.executable, str(Path(__file__)), json.dumps(connection), str(first), str(pairs)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=dict(os.environ))


def wait_for(task: subprocess.Popen[str]) -> str:
    """Wait for a task; returns what it printed."""
    output, _ = task.communicate()
    if task.returncode:
        raise RuntimeError(f"a task ended with {task.returncode}")
    return output


def work(connection: str, first: int, pairs: int) -> None:
    """The process of one task."""
    from contestants import make_pairs, this_package

    load = this_package(json.loads(connection), make_pairs(first + pairs)[first:])
    began = time.monotonic()
    load()
    print(json.dumps({"seconds": time.monotonic() - began}))


def main() -> None:
    """Print the table."""
    print(f"| {' | '.join(HEAD)} |\n|{'---|' * len(HEAD)}", flush=True)
    for window, apart in SETTINGS:
        print(f"| {' | '.join(line(window, apart, 3, 500, 0.3))} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
