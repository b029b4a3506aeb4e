"""How fast the page in Airflow's UI answers: ``python benchmarks/page.py [LOADS ROWS]``.

Whole answers of the app, without a network, over the ledgers of ``views.py``: 10,000 loads, of which the last has a million
rows. Each address is asked for seven times: the median, and the slowest. Airflow's own question who is there is not in it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from statistics import median
from typing import Any

import sqlalchemy as sa
import views
from fastapi import FastAPI
from starlette.testclient import TestClient

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.reader import LedgerReader
from airflow_provider_ghl.page.access import Viewer, viewer
from airflow_provider_ghl.page.app import make_app
from airflow_provider_ghl.page.reader import LedgerReaders, Opened

__all__ = ["HEAD", "lines"]

HEAD = ("address", "KiB", "SQLite", "PostgreSQL")
KINDS = ("sqlite", "postgresql")
DAGS = frozenset(f"dag{number}" for number in range(50))


def lines(loads: int = views.LOADS, rows: int = views.ROWS) -> Iterator[list[str]]:
    """The cells of each line: milliseconds of the median answer, and of the slowest."""
    measured = [measure(kind, loads, rows) for kind in KINDS]
    for name, (size, _) in measured[0].items():
        yield [name, f"{size / 1024:,.0f}", *(_cell(column[name][1]) for column in measured)]


def _cell(times: list[float]) -> str:
    return f"{1000 * median(times):,.0f}" if len(times) == 1 else f"{1000 * median(times):.0f} ({1000 * max(times):.0f})"


def measure(kind: str, loads: int, rows: int) -> dict[str, tuple[int, list[float]]]:
    """Bytes and seconds by address."""
    with views.database(kind) as url:
        ledger = Ledger(sa.create_engine(url))
        views.fill(sa.create_engine(url), ledger, loads, rows, is_spread=False)
        ledger.close()
        reader = LedgerReader(sa.create_engine(url))
        client = _client(Opened(reader.where, None, reader))
        found = {name: _times(client, path) for name, path in _addresses(loads, rows).items()}
        began = time.perf_counter()
        size = len(client.get(f"/ghl/loads/{loads}.csv").content)
        found[f"{rows:,} rows as CSV"] = size, [time.perf_counter() - began]
        reader.close()
        return found


def _addresses(loads: int, rows: int) -> dict[str, str]:
    load = f"loads/{loads}"
    return {
        "loads": "loads",
        "loads of a DAG": "loads?dag_id=dag7",
        "loads with an outcome": "loads?outcome=rejected&location_id=location7",
        "loads that run": "loads?state=running",
        "loads, page 100": f"loads?before={loads // 2}",
        "a load": load,
        "a load, rows in the middle": f"{load}?after={rows // 2}",
        "a load, a row key": f"{load}?search=policy%20{rows // 2}",
        "a load, nothing found": f"{load}?search=nobody",
        f"{views.LOCATIONS} locations": "locations",
        "the ledger": "ledger",
    }


def _client(opened: Opened) -> TestClient:
    app: Any = make_app(LedgerReaders(lambda conn_id: opened), lambda: ())
    app.dependency_overrides[viewer] = lambda: Viewer(DAGS)
    outer = FastAPI()
    outer.mount("/ghl", app)
    return TestClient(outer)


def _times(client: TestClient, path: str) -> tuple[int, list[float]]:
    times = []
    for _ in range(views.TIMES):
        began = time.perf_counter()
        answer = client.get(f"/ghl/{path}")
        times.append(time.perf_counter() - began)
        assert answer.status_code == 200, f"{path}: {answer.status_code}"
    return len(answer.content), times


if __name__ == "__main__":
    print("\t".join(HEAD))
    for cells in lines(*map(int, sys.argv[1:])):
        print("\t".join(cells), flush=True)
