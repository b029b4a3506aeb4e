"""Ways to create relations, each measured in a process of its own: ``python benchmarks/contestants.py NAME CONNECTION PAIRS``.

Prints one line of JSON: seconds and processor seconds of the work, without imports.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from server import ASSOCIATION

Pairs = list[tuple[str, str]]


def make_pairs(count: int) -> Pairs:
    """Distinct pairs of records. Their ids look like HighLevel's."""
    return [make_pair(number) for number in range(count)]


def make_pair(number: int) -> tuple[str, str]:
    """The pair with this number."""
    return f"{number:024x}", f"{number + 7_000_000:020d}"


def request_body(location: str, pair: tuple[str, str]) -> dict[str, str]:
    """The body of the request that creates a relation."""
    return {"locationId": location, "associationId": ASSOCIATION, "firstRecordId": pair[0], "secondRecordId": pair[1]}


def plain_loop(connection: dict[str, Any], pairs: Pairs) -> Callable[[], None]:
    """``requests`` in a loop, as in a PythonOperator."""
    import requests

    headers = {"Authorization": f"Bearer {connection['password']}", "Version": "2021-07-28"}

    def work() -> None:
        for pair in pairs:
            body = request_body(connection["extra"]["location_id"], pair)
            requests.post(f"{connection['host']}/associations/relations", headers=headers, json=body, timeout=30)

    return work


def sdk(connection: dict[str, Any], pairs: Pairs, *, gathered: bool) -> Callable[[], None]:
    """The official SDK, as its documentation uses it."""
    from highlevel import HighLevel

    HighLevel.BASE_URL = connection["host"]
    bodies = [request_body(connection["extra"]["location_id"], pair) for pair in pairs]

    async def work() -> None:
        client = HighLevel(private_integration_token=connection["password"], log_level="error")
        calls = (client.associations.create_relation(body) for body in bodies)
        if gathered:
            await asyncio.gather(*calls, return_exceptions=True)
        else:
            for call in calls:
                await call

    return lambda: asyncio.run(work())


def this_package(connection: dict[str, Any], pairs: Pairs) -> Callable[[], None]:
    """The core of ``BulkCreateRelationsOperator``."""
    from airflow_provider_ghl.api.authorization import BearerToken
    from airflow_provider_ghl.api.client import Client
    from airflow_provider_ghl.load.columns import Batch, Columns
    from airflow_provider_ghl.load.loader import run
    from airflow_provider_ghl.load.ports import Ports
    from airflow_provider_ghl.load.source.rows import from_data
    from airflow_provider_ghl.load.spec import LoadSpec
    from airflow_provider_ghl.relations.kind import RelationRows

    location = connection["extra"]["location_id"]
    columns = Columns("first_record_id", "second_record_id")
    client = Client(BearerToken(connection["password"]), location_id=location, host=connection["host"])
    spec = LoadSpec(load_id="bench", location_id=location, kind=RelationRows(columns=columns, association_id=ASSOCIATION))
    batches: Iterator[Batch] = from_data(pairs, columns, 1000)
    return lambda: print(run(spec, Ports(batches=batches, client=client)).message, file=sys.stderr)


CONTESTANTS: dict[str, Callable[[dict[str, Any], Pairs], Callable[[], None]]] = {
    "requests, loop": plain_loop,
    "official SDK, loop": lambda connection, pairs: sdk(connection, pairs, gathered=False),
    "official SDK, gather": lambda connection, pairs: sdk(connection, pairs, gathered=True),
    "this package": this_package,
}


def main(name: str, connection: str, count: str) -> None:
    """Prepare the work, then measure it."""
    work = CONTESTANTS[name](json.loads(connection), make_pairs(int(count)))
    began, processor = time.monotonic(), time.process_time()
    work()
    measured = {"seconds": time.monotonic() - began, "processor": time.process_time() - processor}
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
