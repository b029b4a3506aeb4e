"""One task on many sub-accounts of an agency at once: ``python benchmarks/locations.py [LOCATIONS …]``, or ``… keys``.

The share of the limits is ``(requests of a location / limit - 1) × interval`` divided by the time between the first and the
last write that the server saw, of all locations: the location that is done last counts. The ledger is a file, each location's
token is made with the agency's, and the rows of the locations are mixed.

With e-mails in place of ids, look-ups come before the first write. So that comparison counts from the load's begin.
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

from filled import Filled
from known_keys import email
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
KEYS_HEAD = (
    "a column of",
    "seconds",
    "requests",
    "of them look-ups",
    "share of the limits, from the begin",
    "429s",
    "rows lost",
    "processor ms/request",
)
LOCATIONS = (1, 10, 50, 100, 200)
LIMIT, INTERVAL = 100, 10.0


def lines(numbers: tuple[int, ...] = LOCATIONS, pairs: int = 1000, latency: float = 0.3) -> Iterator[list[str]]:
    """The cells of each line. Measured one after the other, since each worker needs a processor of its own."""
    return (line(number, pairs, latency) for number in numbers)


def line(locations: int, pairs: int, latency: float) -> list[str]:
    """Run one load; returns the cells of its line."""
    with Server(agency=locations, latency=latency, latency_spread=0.3, limit=LIMIT) as server:
        measured = load(server, "ids", locations, pairs)
        stats = server.stats()
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


def lines_with_keys(locations: int = 50, pairs: int = 1000, latency: float = 0.3) -> Iterator[list[str]]:
    """The cells of two lines: the same load with ids, and with e-mails that are looked up."""
    options: dict[str, Any] = {"latency": latency, "latency_spread": 0.3, "limit": LIMIT}
    yield line_with_keys("ids", Server(agency=locations, **options), locations, pairs)
    yield line_with_keys("e-mails", Filled(pairs, locations, **options), locations, pairs)


def line_with_keys(holds: str, highlevel: Server, locations: int, pairs: int) -> list[str]:
    """Run one load; returns the cells of its line."""
    with highlevel as server:
        measured = load(server, holds, locations, pairs)
        stats = server.stats()
    ideal = (math.ceil(measured["requests"] / locations / LIMIT) - 1) * INTERVAL
    return [
        holds,
        f"{measured['seconds']:.1f}",
        f"{measured['requests']:,}",
        f"{measured['lookup_requests']:,}",
        f"{ideal / (stats['last_write'] - measured['began']):.1%}",
        f"{stats['rate_limited'] / stats['requests']:.2%}",
        str(locations * pairs - stats["relations"]),
        f"{measured['processor'] / measured['requests'] * 1000:.2f}",
    ]


def load(server: Server, holds: str, locations: int, pairs: int) -> dict[str, Any]:
    """Run one load in a process of its own."""
    words = [sys.executable, str(Path(__file__)), "work", json.dumps(server.agency), holds, str(locations), str(pairs)]
    done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True)
    measured: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return measured


def work(connection: str, holds: str, locations: int, pairs: int) -> None:
    """The process that :func:`load` starts.

    :param holds: what the second column holds: ``ids`` or ``e-mails``.
    """
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
    from airflow_provider_ghl.lookups import Contact
    from airflow_provider_ghl.relations.kind import RelationRows
    from airflow_provider_ghl.sandbox.fixed_agency import sub_account

    fields: dict[str, Any] = json.loads(connection)
    host, extra = fields["host"], fields["extra"]
    oauth = OAuth(token_client(host), App(extra["client_id"], extra["client_secret"]), "2021-07-28")
    agency = RefreshedToken(oauth, MemoryStore(), pasted_refresh_token=extra["refresh_token"], user_type="Company")
    client = Client(AgencyTokens(agency, oauth, extra["company_id"]), host=host)
    columns = Columns("first", "second", location="location")
    has_keys = holds == "e-mails"
    rows = [
        {
            "location": sub_account(location),
            "first": f"teacher-{row % 50}",
            "second": email(row) if has_keys else f"student-{row}",
        }
        for row in range(pairs)
        for location in range(1, locations + 1)
    ]
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger(sa.create_engine(f"sqlite:///{folder}/ledger.db"))
        forget_peak()
        idle = peak()
        began, processor = time.monotonic(), time.process_time()
        ports = Ports(batches=from_data(rows, columns, 131_072), client=client, ledger=ledger)
        lookups = (None, Contact(by="email") if has_keys else None)
        kind = RelationRows(columns=columns, association_id=ASSOCIATION, lookups=lookups)
        summary = run(LoadSpec(load_id="bench", kind=kind), ports).summary
        measured = {
            "began": began,
            "seconds": time.monotonic() - began,
            "processor": time.process_time() - processor,
            "requests": summary["requests"],
            "lookup_requests": summary.get("lookup_requests", 0),
            "mebibytes": peak() - idle,
        }
    print(json.dumps(measured))


if __name__ == "__main__":
    if sys.argv[1:2] == ["work"]:
        work(sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    elif sys.argv[1:2] == ["keys"]:
        print(" | ".join(KEYS_HEAD))
        for cells in lines_with_keys(*map(int, sys.argv[2:])):
            print(" | ".join(cells), flush=True)
    else:
        print(" | ".join(HEAD))
        for cells in lines(tuple(map(int, sys.argv[1:])) or LOCATIONS):
            print(" | ".join(cells), flush=True)
