"""One task on many sub-accounts of an agency at once: ``python benchmarks/locations.py [LOCATIONS …]``.

The share of the limits is ``(requests of a location / limit - 1) × interval`` divided by the time between the first and the
last write that the server saw, of all locations: the location that is done last counts. The ledger is a file, each location's
token is made with the agency's, and the rows of the locations are mixed.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planning import forget_peak, peak
from server import ASSOCIATION, Server

HEAD = (
    "sub-accounts",
    "seconds",
    "relations/s",
    "share of the limits",
    "429s",
    "rows lost",
    "processor ms/request",
    "MiB over idle",
)
LOCATIONS = (1, 10, 50, 100, 200)
LIMIT, INTERVAL = 100, 10.0


def lines(numbers: tuple[int, ...] = LOCATIONS, pairs: int = 1000, latency: float = 0.3) -> Iterator[list[str]]:
    """The cells of each line. Measured one after the other, since each worker needs a processor of its own."""
    return (line(number, pairs, latency) for number in numbers)


def line(locations: int, pairs: int, latency: float) -> list[str]:
    """Run one load; returns the cells of its line."""
    with Server(agency=locations, latency=latency, latency_spread=0.3, limit=LIMIT) as server:
        words = [sys.executable, str(Path(__file__)), "work", json.dumps(server.agency), str(locations), str(pairs)]
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
        stats = server.stats()
    measured = json.loads(done.stdout.splitlines()[-1])
    spent = stats["last_write"] - stats["first_write"]
    ideal = (math.ceil((pairs + 1) / LIMIT) - 1) * INTERVAL
    return [
        str(locations),
        f"{measured['seconds']:.1f}",
        f"{stats['relations'] / measured['seconds']:,.0f}",
        f"{ideal / spent:.1%}",
        f"{stats['rate_limited'] / stats['requests']:.2%}",
        str(locations * pairs - stats["relations"]),
        f"{measured['processor'] / measured['requests'] * 1000:.2f}",
        f"{measured['mebibytes']:.0f}",
    ]


def work(connection: str, locations: int, pairs: int) -> None:
    """The process that :func:`line` starts: one load."""
    import sqlalchemy as sa

    from airflow_provider_ghl.api.agency_tokens import AgencyTokens
    from airflow_provider_ghl.api.client import Client
    from airflow_provider_ghl.api.oauth import App, OAuth, token_client
    from airflow_provider_ghl.api.refreshed_token import RefreshedToken
    from airflow_provider_ghl.api.token_store import MemoryStore
    from airflow_provider_ghl.load.columns import Columns
    from airflow_provider_ghl.load.ledger.ledger import Ledger
    from airflow_provider_ghl.load.loader import run
    from airflow_provider_ghl.load.ports import Ports
    from airflow_provider_ghl.load.source.rows import from_data
    from airflow_provider_ghl.load.spec import LoadSpec
    from airflow_provider_ghl.relations.kind import RelationRows
    from airflow_provider_ghl.sandbox.fixed_agency import sub_account

    fields: dict[str, Any] = json.loads(connection)
    host, extra = fields["host"], fields["extra"]
    oauth = OAuth(token_client(host), App(extra["client_id"], extra["client_secret"]), "2021-07-28")
    agency = RefreshedToken(oauth, MemoryStore(), pasted_refresh_token=extra["refresh_token"], user_type="Company")
    client = Client(AgencyTokens(agency, oauth, extra["company_id"]), host=host)
    columns = Columns("first", "second", location="location")
    rows = [
        {"location": sub_account(location), "first": f"student-{row}", "second": f"teacher-{row % 50}"}
        for row in range(pairs)
        for location in range(1, locations + 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(sa.create_engine(f"sqlite:///{folder}/ledger.db"))
        forget_peak()
        idle = peak()
        began, processor = time.monotonic(), time.process_time()
        ports = Ports(batches=from_data(rows, columns, 131_072), client=client, ledger=ledger)
        summary = run(LoadSpec(load_id="bench", kind=RelationRows(columns=columns, association_id=ASSOCIATION)), ports).summary
        measured = {
            "seconds": time.monotonic() - began,
            "processor": time.process_time() - processor,
            "requests": summary["requests"],
            "mebibytes": peak() - idle,
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    else:
        print(" | ".join(HEAD))
        for cells in lines(tuple(map(int, sys.argv[1:])) or LOCATIONS):
            print(" | ".join(cells), flush=True)
