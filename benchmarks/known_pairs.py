"""Ways to find which of N pairs are in a ledger of N pairs: ``python benchmarks/known_pairs.py [N]``.

Each runs in a process of its own, and takes seconds to load what is known and to look up every pair in batches, and MiB beyond
the pairs themselves. Docstrings give the odds of ways that may mistake one pair for another.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from contestants import make_pairs
from planning import forget_peak, peak

__all__ = ["WAYS", "compare"]

BATCH = 16_384
KEYS = ("0123456789abcdef", "fedcba9876543210")
Ask = Callable[[list[tuple[str, str]]], int]


def compare(rows: int) -> list[dict[str, Any]]:
    """The measurements of each way."""
    with tempfile.TemporaryDirectory() as folder:
        fill(Path(folder) / "known.db", rows)
        return [run(way, folder, rows) for way in WAYS]


def run(way: str, folder: str, rows: int) -> dict[str, Any]:
    """Measure one way, in a process of its own."""
    words = [sys.executable, __file__, way, folder, str(rows)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def fill(path: Path, rows: int) -> None:
    """Write known pairs as the ledger does, with both records and the key of each pair."""

    with sqlite3.connect(path) as database:
        columns = "pair BLOB PRIMARY KEY, first_record_id TEXT, second_record_id TEXT"
        database.execute(f"CREATE TABLE known ({columns}) WITHOUT ROWID")
        pairs = make_pairs(rows)
        for start in range(0, rows, 100_000):
            some = pairs[start : start + 100_000]
            database.executemany("INSERT INTO known VALUES (?, ?, ?)", [(k, *p) for k, p in zip(keys(some), some, strict=True)])


def words(pairs: list[tuple[str, str]]) -> tuple[Any, Any]:
    from airflow_provider_ghl.load.ledger.identity import keyed_identity

    first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
    return keyed_identity(KEYS)((first, second))


def keys(pairs: list[tuple[str, str]]) -> list[bytes]:
    from airflow_provider_ghl.load.ledger.pairs import keys_from_words

    return keys_from_words(*words(pairs))


def python_set(path: Path) -> Ask:
    """A set of tuples."""
    database = sqlite3.connect(path)
    known = set(database.execute("SELECT first_record_id, second_record_id FROM known"))
    return lambda pairs: sum(pair in known for pair in pairs)


def sql(path: Path) -> Ask:
    """Ask the database for each batch, by key."""
    database = sqlite3.connect(path)

    def ask(pairs: list[tuple[str, str]]) -> int:
        asked, found = keys(pairs), 0
        for start in range(0, len(asked), 1000):
            some = asked[start : start + 1000]
            marks = ",".join("?" * len(some))
            found += len(database.execute(f"SELECT pair FROM known WHERE pair IN ({marks})", some).fetchall())
        return found

    return ask


def pandas_merge(path: Path) -> Ask:
    """Merge a frame of what is known with each batch."""
    import pandas

    known = pandas.read_sql("SELECT first_record_id, second_record_id FROM known", sqlite3.connect(path))

    def ask(pairs: list[tuple[str, str]]) -> int:
        batch = pandas.DataFrame(pairs, columns=["first_record_id", "second_record_id"])
        return len(batch.merge(known, how="inner"))

    return ask


def one_word(path: Path) -> Ask:
    """64 bits a pair, sorted. With ten million pairs on each side, the odds of a mistake are 2**-17."""
    high = np.sort(_loaded(path)[:, 0].astype(np.uint64))

    def ask(pairs: list[tuple[str, str]]) -> int:
        asked = np.sort(words(pairs)[0])
        return int((high.take(np.searchsorted(high, asked), mode="clip") == asked).sum())

    return ask


def sorted_words(path: Path) -> Ask:
    """What the package does: 128 bits a pair, sorted, and a check for repeats. The odds of a mistake are 2**-81."""
    from airflow_provider_ghl.load.plan.duplicates import Duplicates

    seen, loaded = Duplicates(), _loaded(path)
    seen.expect(loaded[:, 0].astype(np.uint64), loaded[:, 1].astype(np.uint64))
    rows = 0

    def ask(pairs: list[tuple[str, str]]) -> int:
        nonlocal rows
        matches = seen.match(*words(pairs), np.arange(rows, rows + len(pairs)))
        rows += len(pairs)
        return int((matches.expected >= 0).sum())

    return ask


def _loaded(path: Path) -> Any:
    (text,) = sqlite3.connect(path).execute("SELECT group_concat(hex(pair), '') FROM known").fetchone()
    return np.frombuffer(bytes.fromhex(text), dtype=">u8").reshape(-1, 2)


WAYS: dict[str, Callable[[Path], Ask]] = {
    "a set of tuples": python_set,
    "the database, batch by batch": sql,
    "pandas.merge, batch by batch": pandas_merge,
    "64 bits, sorted": one_word,
    "128 bits, sorted (this package)": sorted_words,
}


def child(way: str, folder: str, rows: int) -> None:
    """The process that :func:`run` starts."""
    import pandas  # noqa: F401 - its import is not measured

    pairs = make_pairs(rows)
    words(pairs[:10])
    forget_peak()
    idle, began = peak(), time.monotonic()
    ask = WAYS[way](Path(folder) / "known.db")
    # Merging each batch with everything takes hours, so the time is extrapolated from two batches.
    starts = range(0, rows, BATCH)
    part = starts[:2] if way.startswith("pandas") else starts
    loaded = time.monotonic()
    found = sum(ask(pairs[start : start + BATCH]) for start in part)
    asked = (time.monotonic() - loaded) * len(starts) / len(part)
    assert found == min(rows, len(part) * BATCH), found
    print(json.dumps({"way": way, "seconds": loaded - began + asked, "mebibytes": peak() - idle}))


if __name__ == "__main__":
    if len(sys.argv) == 4:
        child(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        for line in compare(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
            print(json.dumps(line), flush=True)
