"""What it costs to write every row's result into a table: ``python benchmarks/results_table.py [ROWS]``.

The results of a rerun go into a CSV file, and into a table of SQLite and of PostgreSQL, which run on this machine; then into
the tables again, as another attempt of the same load. Each in a process of its own, without a load around it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from planning import forget_peak, peak

__all__ = ["HEAD", "lines"]

HEAD = ("where", "rows", "seconds while the load runs", "seconds at its end", "MiB over the start")
_BATCH = 16_384


def lines(rows: int = 1_000_000) -> Iterator[list[str]]:
    """Measure all of them, one after the other; the cells of a line each."""
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from postgres_server import postgres_server

    with tempfile.TemporaryDirectory() as folder, postgres_server() as server:
        places = {"CSV file": f"{folder}/results.csv", "SQLite": f"sqlite:///{folder}/lake.db", "PostgreSQL": server}
        for what, place in places.items():
            for again in ("", ", again") if "://" in place else ("",):
                yield cells(f"{what}{again}", rows, measure(place, rows))


def cells(what: str, rows: int, measured: dict[str, float]) -> list[str]:
    """The cells of a line."""
    figures = f"{measured['appending']:.1f}", f"{measured['committing']:.1f}", f"{measured['mebibytes']:.0f}"
    return [what, f"{rows:,}", *figures]


def measure(place: str, rows: int) -> dict[str, float]:
    """Run one in a process of its own; returns what its last line has."""
    words = [sys.executable, __file__, place, str(rows)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return measured


def child(place: str, rows: int) -> None:
    """The process that :func:`measure` starts."""
    sink: Any = open_place(place)
    forget_peak()
    idle, began = peak(), time.monotonic()
    for frame in frames(rows):
        sink.append(frame)
    appended = time.monotonic()
    sink.commit()
    figures = {"appending": appended - began, "committing": time.monotonic() - appended, "mebibytes": peak() - idle}
    print(json.dumps(figures))


def open_place(place: str) -> Any:
    """A destination of results."""
    import sqlalchemy as sa

    from airflow_provider_ghl.load.results.file import local_results_file
    from airflow_provider_ghl.load.results.table import ResultsTable
    from airflow_provider_ghl.load.results.warehouse import EngineWarehouse
    from airflow_provider_ghl.relations.fields import RESULT_FIELDS

    if "://" not in place:
        return local_results_file(place, RESULT_FIELDS)
    warehouse = EngineWarehouse(lambda: sa.create_engine(place, hide_parameters=True))
    return ResultsTable("results", warehouse, RESULT_FIELDS, "a_dag/a_run/load/-1", lambda: datetime.now(UTC))


def frames(rows: int) -> Iterator[Any]:
    """Results as a rerun has them, batch after batch."""
    import pandas

    from airflow_provider_ghl.relations.fields import RESULT_FIELDS

    for start in range(0, rows, _BATCH):
        numbers = range(start, min(start + _BATCH, rows))
        columns: dict[str, Any] = {
            "row": numbers,
            "row_key": [f"E{number}" for number in numbers],
            "location_id": "ve9EPM428h8vShlRW1KT",
            "association_id": "6758b5c1f5e2a1d3c4b5a697",
            "first_record_id": [f"{number // 10:024x}" for number in numbers],
            "second_record_id": [f"{number:020d}" for number in numbers],
            "outcome": "already_exists",
            "evidence": "ledger",
            "requests": 0,
            "try_number": 1,
        }
        yield pandas.DataFrame(columns, columns=list(RESULT_FIELDS), index=range(len(numbers)), dtype=object)


def main(words: list[str]) -> None:
    """Write once; or, without a place, print the measurements."""
    if len(words) == 2:
        child(words[0], int(words[1]))
        return
    for line in lines(*map(int, words)):
        print(" | ".join(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
