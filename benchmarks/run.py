"""Everything that ``make bench`` measures, in one go."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import again
import known_keys
import known_pairs
import locations
import lookups
import mirror
import page
import planning
import results_table
import sharing
import views
from contestants import CONTESTANTS
from server import Server
from tables import make_table

HERE = Path(__file__).parent
REAL = {"latency": 0.3, "latency_spread": 0.3, "limit": 100, "window": "sliding"}
OURS = "this package"
SETTINGS: tuple[dict[str, Any], ...] = (
    REAL,
    {**REAL, "count_at": "answer"},
    {**REAL, "window": "fixed"},
    {**REAL, "latency": 1.0},
    {**REAL, "latency": 1.0, "count_at": "answer"},
    {**REAL, "latency": 1.0, "window": "fixed"},
    {**REAL, "limit": 25},
)


def main() -> None:
    """Print all tables."""
    title("300 pairs, 100 requests / 10 s, 0.3 s ± 30 %: four ways, side by side")
    head("contestant", "seconds", "relations/s", "share of limit", "429s", "rows lost", "processor ms/request")
    for name, line in zip(CONTESTANTS, side_by_side([(name, REAL, 300) for name in CONTESTANTS]), strict=True):
        row(name, *line)
    title("1,000 pairs through this package alone, side by side on separate locations")
    head("limit, latency, window", "seconds", "relations/s", "share of limit", "429s", "rows lost", "processor ms/request")
    for settings, line in zip(SETTINGS, side_by_side([(OURS, settings, 1000) for settings in SETTINGS]), strict=True):
        row(described(settings), *line)
    title("200,000 rows through the operator, no limit, with a results file")
    head("source", "seconds", "rows/s", "MiB over an idle worker", "processor ms/request")
    with tempfile.TemporaryDirectory() as folder:
        make_table(Path(folder), 200_000)
        for source in ("file", "sqlite"):
            row(source, *bulk(source, folder))
    reruns()
    keys()
    title("Three processes on one location, 1,000 pairs each, 0.3 s ± 30 %")
    head(*sharing.HEAD)
    for line in sharing.lines():
        row(*line)
    title("One task on many sub-accounts of an agency, 1,000 pairs each, 100 requests / 10 s and sub-account, 0.3 s ± 30 %")
    head(*locations.HEAD)
    for line in locations.lines():
        row(*line)
    title("Ids, and e-mails that are looked up: one task on 50 sub-accounts, 1,000 pairs each, under the same limits")
    head(*locations.KEYS_HEAD)
    for line in locations.lines_with_keys():
        row(*line)
    title("Milliseconds of a page's views: 10,000 loads, 1,000,000 results that failed for three reasons, 1,000,000 relations")
    head(*views.HEAD)
    for line in views.lines():
        row(*line)
    title("One request")
    subprocess.run([sys.executable, str(HERE / "transport.py")], check=True)
    mirrors()
    results()
    title("The page in Airflow's UI, 10,000 loads, the last with 1,000,000 rows: milliseconds, median (slowest) of seven")
    head(*page.HEAD)
    for line in page.lines():
        row(*line)


def reruns() -> None:
    """Print the tables about loads of what HighLevel holds already."""
    title("Tables that HighLevel holds already, 100 requests / 10 s, 0.3 s ± 30 %; a plain loop is computed")
    head("table", "rows", "requests", "writes", "429s", "seconds", "plain loop: requests", "plain loop: hours")
    for name in again.SCENARIOS:
        measured = again.measure(name)
        counts = (f"{measured[column]:,}" for column in ("rows", "requests", "writes", "rate_limited"))
        row(name, *counts, f"{measured['seconds']:.1f}", f"{measured['plain_requests']:,}", f"{measured['plain_hours']:.1f}")
    title("A rerun of an unchanged table against a ledger that knows all of it")
    head(
        "pairs",
        "seconds",
        "× read_csv as text",
        "× read_csv as pandas guesses",
        "MiB over an idle worker",
        "ledger on disk, MiB",
    )
    for rows in (1_000_000, 10_000_000):
        planned = planning.plan(rows)
        seconds = planned["rerun_seconds"]
        ratios = (f"{seconds / planned[name]:.1f}" for name in ("read_text_seconds", "read_guessed_seconds"))
        row(f"{rows:,}", f"{seconds:.2f}", *ratios, f"{planned['mebibytes']:.0f}", f"{planned['ledger_mebibytes']:,.0f}")
    title("Ways to know which of 1,000,000 pairs are among 1,000,000")
    head("way", "seconds", "MiB")
    for way in known_pairs.compare(1_000_000):
        row(way["way"], f"{way['seconds']:.1f}", f"{way['mebibytes']:.0f}")


def keys() -> None:
    """Print the tables about keys."""
    title(
        "Keys that the ledger does not know, and the same load again, 100 requests / 10 s, 0.3 s ± 30 %; one by one: computed"
    )
    head(
        "keys", "requests", "429s", "seconds", "again: requests", "again: seconds", "one by one: requests", "one by one: hours"
    )
    for name in lookups.SCENARIOS:
        measured = lookups.measure(name)
        first, second = measured["first"], measured["again"]
        counts = (f"{first['requests']:,}", str(measured["rate_limited"]), f"{first['seconds']:.1f}")
        again_counts = (f"{second['requests']:,}", f"{second['seconds']:.1f}")
        row(name, *counts, *again_counts, f"{measured['keys']:,}", f"{measured['one_each_hours']:.1f}")
    title("A rerun of 1,000,000 rows of keys against a ledger that knows all of them")
    head("", "seconds", "processor seconds", "× read_csv as text", "the same of processor time", "MiB over an idle worker")
    for name, *cells in known_keys.lines(1_000_000):
        row(name, *cells)


def side_by_side(runs: list[tuple[str, dict[str, Any], int]]) -> list[list[str]]:
    """Run them at once, each in a process of its own against a server of its own."""
    with ThreadPoolExecutor(len(runs)) as pool:
        return list(pool.map(lambda run: contest(*run), runs))


def contest(name: str, settings: dict[str, Any], pairs: int) -> list[str]:
    """Run one; returns the cells of its line."""
    with Server(**settings) as server:
        measured = measure("contestants.py", name, json.dumps(server.connection), str(pairs))
        stats = server.stats()
    spent = stats["last_write"] - stats["first_write"]
    requests = stats["requests"]
    ideal = (math.ceil((requests - stats["rate_limited"]) / settings["limit"]) - 1) * 10.0
    there = stats["relations"]
    return [
        f"{measured['seconds']:.1f}",
        f"{there / measured['seconds']:.2f}",
        f"{ideal / max(spent, ideal) * there / pairs:.1%}" if there == pairs else "rows are missing",
        str(stats["rate_limited"]),
        str(pairs - there),
        f"{measured['processor'] / requests * 1000:.2f}",
    ]


def bulk(source: str, folder: str) -> list[str]:
    """Run the operator; returns the cells of its line."""
    with Server(limit=0, daily_limit=0) as server:
        measured = measure("bulk.py", source, json.dumps(server.connection), folder)
    seconds = measured["seconds"]
    per_request = measured["processor"] / measured["requests"] * 1000
    return [f"{seconds:.1f}", f"{measured['created'] / seconds:,.0f}", f"{measured['mebibytes']:.0f}", f"{per_request:.2f}"]


def measure(script: str, *words: str) -> dict[str, Any]:
    """Run a script; returns what its last line has."""
    done = subprocess.run([sys.executable, str(HERE / script), *words], stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def described(settings: dict[str, Any]) -> str:
    """The first cell of a line."""
    counted = settings.get("count_at", "arrival")
    return f"{settings['limit']} / 10 s, {settings['latency']} s, {settings['window']}, counted at {counted}"


def title(text: str) -> None:
    print(f"\n### {text}\n", flush=True)


def head(*cells: str) -> None:
    row(*cells)
    row(*["---"] * len(cells))


def row(*cells: str) -> None:
    print(f"| {' | '.join(cells)} |", flush=True)


def mirrors() -> None:
    """Print the tables about keeping HighLevel equal to a table."""
    title("A mirror of a table that the ledger knows, ten pairs a parent, no limit, beside a load that deletes nothing")
    head("load", "rows", "requests", "deleted", "seconds", "MiB over an idle worker")
    for line in mirror.known():
        row(*measured_cells(line))
    title("A mirror of 2,000 parents with 10 relations each, one of which has left, no limit")
    head("what may be deleted", "rows", "requests", "deleted", "seconds", "MiB over an idle worker")
    for line in mirror.parents():
        row(*measured_cells(line))


def results() -> None:
    """Print the table about results in tables."""
    title("Every row's result, into a file and into tables on this machine")
    head(*results_table.HEAD)
    for line in results_table.lines():
        row(*line)


def measured_cells(line: dict[str, Any]) -> list[str]:
    """The cells of a line about a mirror."""
    counts = (f"{line[name]:,}" for name in ("rows", "requests", "deleted"))
    return [line["what"], *counts, f"{line['seconds']:.1f}", f"{line['mebibytes']:.0f}"]


if __name__ == "__main__":
    main()
