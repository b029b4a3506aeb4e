"""Actions of several processes on one ledger at once. Run as a program, it prints its result as JSON."""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import sqlalchemy as sa
from ledgers import FOREVER, Pairs

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Notes

__all__ = ["CLAIMED_AT_ONCE", "COMMANDS", "PAIRS"]

PAIRS = 5_000
CLAIMED_AT_ONCE = 500
_SECONDS = 1.2
_FORK = multiprocessing.get_context("fork")


def opened(url: str) -> Ledger:
    """A ledger, opened by this process."""
    return Ledger(sa.create_engine(url))


def begun(ledger: Ledger, name: str) -> tuple[Attempt, int]:
    """Begin a load. Returns its attempt and the number of its target."""
    attempt = ledger.loads.begin(name, try_number=1, is_resumed=False, location_id="location", association="friends")
    return attempt, ledger.relations.target("https://x", "location", "friends")


def open_empty(url: str, number: int, barrier: Any) -> str:
    """Open an empty ledger. Returns its id."""
    barrier.wait()
    return opened(url).id


def claim_same(url: str, number: int, barrier: Any) -> list[int]:
    """Claim the same pairs as the other processes, each in its own order. Returns the claim results by pair."""
    ledger = opened(url)
    attempt, target = begun(ledger, f"load {number}")
    pairs = [(f"first {row}", f"second {row}") for row in range(PAIRS)]
    order = list(range(PAIRS))
    random.Random(number).shuffle(order)
    results = [-1] * PAIRS
    barrier.wait()
    for start in range(0, PAIRS, CLAIMED_AT_ONCE):
        rows = order[start : start + CLAIMED_AT_ONCE]
        of = Pairs.build(ledger, [pairs[row] for row in rows])
        codes = ledger.relations.claim(attempt, target, of.high, of.low, of.first, of.second, FOREVER)
        for row, code in zip(rows, codes.tolist(), strict=True):
            results[row] = code
    barrier.wait()  # a process that ends loses its claims
    return results


def write_on(url: str, number: int, barrier: Any) -> tuple[int, float]:
    """Write for a while. Returns the number of commits, and the longest one in seconds."""
    ledger = opened(url)
    attempt, target = begun(ledger, f"load {number}")
    answers(ledger, number, 0)  # the first call imports the hashing, which takes as long as many commits
    barrier.wait()
    until, longest = time.monotonic() + _SECONDS, 0.0
    for commits in count():
        if time.monotonic() > until:
            return commits, longest
        of, notes = answers(ledger, number, commits)
        for work in (
            lambda of=of: ledger.relations.claim(attempt, target, of.high, of.low, of.first, of.second, FOREVER),
            lambda notes=notes: ledger.write(attempt, target, notes),
        ):
            began = time.monotonic()
            work()
            longest = max(longest, time.monotonic() - began)
    raise AssertionError


def answers(ledger: Ledger, number: int, commit: int, size: int = 100) -> tuple[Pairs, Notes]:
    """New pairs, and notes that they were created."""
    of = Pairs.build(ledger, [(f"{number} {commit}", str(row)) for row in range(size)])
    results = [
        {"row": commit * size + row, "outcome": "created", "requests": 1, "try_number": 1, "relation_id": f"relation {row}"}
        for row in range(size)
    ]
    return of, Notes(there=[(key, "id", True) for key in of.keys], results=results, requests=commit)


def write_until_killed(url: str, number: int, barrier: Any) -> None:
    """Write until killed, and print the number of each commit when it is done."""
    ledger = opened(url)
    attempt, target = begun(ledger, "killed")
    for commit in count():
        of, notes = answers(ledger, number, commit)
        ledger.relations.claim(attempt, target, of.high, of.low, of.first, of.second, FOREVER)
        ledger.write(attempt, target, notes)
        sys.stdout.write(f"{commit}\n")
        sys.stdout.flush()


COMMANDS: dict[str, tuple[Callable[[str, int, Any], Any], int]] = {
    "open_empty": (open_empty, 8),
    "claim_same": (claim_same, 2),
    "write_on": (write_on, 2),
    "write_until_killed": (write_until_killed, 1),
}


def _main(command: str, url: str) -> None:
    work, processes = COMMANDS[command]
    if processes == 1:
        work(url, 0, None)
        return
    barrier, queue = _FORK.Barrier(processes), _FORK.SimpleQueue()
    if command != "open_empty":
        opened(url).close()

    def run(number: int) -> None:
        queue.put(work(url, number, barrier))

    running = [_FORK.Process(target=run, args=(number,), daemon=True) for number in range(processes)]
    for process in running:
        process.start()
    outputs: list[Any] = []
    while len(outputs) < processes:
        if queue.empty():
            if any(process.exitcode not in (None, 0) for process in running):
                raise RuntimeError("a process failed")
            running[0].join(0.01)
        else:
            outputs.append(queue.get())
    sys.stdout.write(json.dumps(outputs))


if __name__ == "__main__":
    _main(*sys.argv[1:])
