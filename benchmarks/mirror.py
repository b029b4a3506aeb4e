"""What it costs to keep HighLevel equal to a table: ``python benchmarks/mirror.py``.

A first run names all pairs: it is the baseline. Some of them leave the table, and the second run deletes them. The figures are
those of the second run, beside a load of the same table that deletes nothing.
"""

from __future__ import annotations

import json
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from subprocess import PIPE, run
from types import SimpleNamespace
from typing import Any

from planning import fill, forget_peak, peak
from server import ASSOCIATION, Server

__all__ = ["known", "parents"]

FREE = {"limit": 0, "daily_limit": 0}


def known(rows: int = 1_000_000, gone: int = 100) -> list[dict[str, Any]]:
    """A table that the ledger knows: a plain load of it, a mirror with nothing to delete, a mirror of which pairs are gone."""
    with tempfile.TemporaryDirectory() as folder, Server(**FREE) as server:
        where = folder, json.dumps(server.connection)
        table = Path(folder) / "table.csv"
        fill(folder, rows, server.connection, pair)
        own_everything(folder)
        # HighLevel makes the last ones: what is deleted must be there. Their parents stay in the table.
        write(table, [*map(pair, range(rows)), *((pair(number)[0], f"gone{number:016d}") for number in range(gone))])
        night("mirror", *where, name="baseline")
        unchanged = night("mirror", *where)
        write(table, map(pair, range(rows)))
        plain, mirror = night("plain", *where), night("mirror", *where)
        assert (mirror["deleted"], server.stats()["relations"]) == (gone, 0), mirror
    return [
        {"what": "plain rerun", "rows": rows, **plain},
        {"what": "mirror, nothing has left", "rows": rows + gone, **unchanged},
        {"what": f"mirror, {gone} have left", "rows": rows, **mirror},
    ]


def parents(count: int = 2_000, each: int = 10) -> list[dict[str, Any]]:
    """Parents with some relations each, of which one pair has left: by the ledger, and by reading every parent."""
    measured = []
    for owned in ("ledger", "all"):
        with tempfile.TemporaryDirectory() as folder, Server(**FREE) as server:
            where = folder, json.dumps(server.connection)
            (Path(folder) / "airflow").mkdir()
            pairs = [(f"{number % count:024x}", f"{number:020d}") for number in range(count * each)]
            for name, some in (("baseline", pairs), ("second", pairs[1:])):
                write(Path(folder) / "table.csv", some)
                figures = night("mirror", *where, name=name, owned=owned)
            measured.append({"what": f'owned="{owned}"', "rows": len(pairs) - 1, **figures})
    return measured


def pair(number: int) -> tuple[str, str]:
    """The pair with this number. Ten of them share a parent."""
    return f"{number // 10:024x}", f"{number:020d}"


def write(path: Path, pairs: Iterable[tuple[str, str]]) -> None:
    """Write a table."""
    with path.open("w") as file:
        file.write("first_record_id,second_record_id\n")
        file.writelines(f"{first},{second}\n" for first, second in pairs)


def own_everything(folder: str) -> None:
    """Have the ledger take all that it knows for made by a load."""
    with closing(sqlite3.connect(f"{folder}/airflow/ghl_ledger.db")) as database, database:
        database.execute("UPDATE ghl_relations SET load = 1")


def night(kind: str, folder: str, connection: str, name: str = "second", owned: str = "ledger") -> dict[str, Any]:
    """Run a load in a process of its own; returns what its last line has."""
    words = [sys.executable, __file__, kind, folder, connection, name, owned]
    done = run(words, stdout=PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def child(kind: str, folder: str, connection: str, name: str, owned: str) -> None:
    """The process that :func:`night` starts."""
    os.environ |= {"AIRFLOW_HOME": f"{folder}/airflow", "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = connection
    import pandas  # noqa: F401 - its import is not measured

    from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, SyncRelationsOperator

    what: dict[str, Any] = {"task_id": kind, "association_id": ASSOCIATION, "path": f"{folder}/table.csv"}
    operator = SyncRelationsOperator(**what, owned=owned) if kind == "mirror" else BulkCreateRelationsOperator(**what)
    # Each run is a load of its own; the task is what the ledger knows a mirror by.
    ti = SimpleNamespace(dag_id="bench", run_id=f"{name} {time.time()}", map_index=-1, xcom_push=lambda **_: None)
    forget_peak()
    idle, began = peak(), time.monotonic()
    summary = operator.execute({"ti": ti})
    figures = {"seconds": time.monotonic() - began, "mebibytes": peak() - idle, "requests": summary["requests"]}
    print(json.dumps({**figures, "deleted": summary.get("deletes", {}).get("deleted", 0)}))


def main(words: list[str]) -> None:
    """Run a load; or, without words, print the measurements."""
    if words:
        kind, folder, connection, name, owned = words
        child(kind, folder, connection, name, owned)
        return
    for line in [*known(), *parents()]:
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
