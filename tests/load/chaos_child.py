"""Runs loads that may kill themselves, each in a process of its own.

As a program it reads lines, each a JSON list of jobs. It runs the jobs of a line at once, and prints their exit codes as JSON.
It forks after all imports, so that a process starts in far less than a second.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from chaos_ports import ChaosFile, ChaosLedger, ChaosTransport, ChaosWorkers, Diary, Fuse
from relation_specs import relation_spec

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.load.columns import Columns
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.destinations import Destinations
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.spec import DiffAgainst
from airflow_provider_ghl.load.tolerance import Tolerance
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.relations.orientation import sides_of

__all__ = ["SECONDS"]

#: Seconds after which a process is killed, so that an endless wait does not stop the tests.
SECONDS = 600


def load(job: dict[str, Any]) -> None:
    """Run one attempt, and write its verdict to a file."""
    diary = Diary(job["diary"])
    fuse = Fuse(diary, job["kill"], job["kill_at"])
    draw = random.Random(job["seed"])
    client = Client(
        BearerToken(job["token"]),
        location_id=job["location_id"],
        host=job["host"],
        transport=ChaosTransport(job["host"], diary, fuse, job["seed"], job["limited"]),
        retry=Retry(draw=draw.random, first=0.02, longest=0.1, max_failures=job["max_failures"]),
    )
    columns = Columns("first", "second")
    spec = relation_spec(
        load_id=job["load_id"],
        location_id=job["location_id"],
        columns=columns,
        association_key=job["association_key"],
        batch_size=job["batch_size"],
        diff_against=DiffAgainst(job["diff_against"]),
        tolerance=Tolerance(0),
        abort_after=10_000,
        max_requests=job["max_requests"],
        keep_results=1_000_000,
        try_number=job["try_number"],
        **_lookups(job["lookups"]),
        **job["mirror"],
    )
    ports = Ports(
        batches=from_data([tuple(row) for row in job["rows"]], columns, job["rows_at_once"]),
        client=client,
        ledger=ChaosLedger(sa.create_engine(job["ledger"]), fuse),
        workers=ChaosWorkers(diary),
        results=Destinations([ChaosFile(Path(job["results_path"]), fuse)]),
    )
    verdict = run(spec, ports)
    verdict_data = {
        "end": verdict.end,
        "message": verdict.message,
        "summary": verdict.summary,
        "results": sorted((one for one in verdict.results if one["row"] is not None), key=lambda result: int(result["row"])),
    }
    Path(job["verdict"]).write_text(json.dumps(verdict_data))


def _lookups(is_keyed: bool) -> dict[str, Any]:
    """What the columns hold, where that is keys: policy numbers and e-mails."""
    if not is_keyed:
        return {}
    lookups = CustomObject("custom_objects.policy", by="policy_no"), Contact(by="email")
    return {"lookups": lookups, "sides": sides_of(*lookups)}


def _forked(job: dict[str, Any], start: tuple[int, int]) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        signal.alarm(SECONDS)
        os.close(start[1])
        os.read(start[0], 1)  # returns when all processes are ready
        if job["begins_after"] is not None:
            _wait_for_sends(*job["begins_after"])
        load(job)
        status = 0
    except BaseException:  # noqa: BLE001 - the child must not run on as the parent
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _wait_for_sends(diary: str, sends: int) -> None:
    pause = threading.Event()
    while sum(line.startswith(b"s ") for line in Path(diary).read_bytes().splitlines()) < sends:
        pause.wait(0.005)


def _main() -> None:
    for line in sys.stdin:
        start = os.pipe()
        pids = [_forked(job, start) for job in json.loads(line)]
        for end in start:
            os.close(end)
        ended = dict(os.wait() for _ in pids)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(ended[pid]) for pid in pids]) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
