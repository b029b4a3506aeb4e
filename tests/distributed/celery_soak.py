"""A worker is lost in the middle of loads into many locations: nothing is lost, nothing is there twice. Run by ``make soak``.

Not named as a test, so that it runs only where it is asked for by name: it needs Celery and Redis, and takes minutes.
"""

from __future__ import annotations

import json
import random
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import psycopg
import pytest
from cluster import SLOTS, Cluster, cluster
from standalone import Api, wait_for

from airflow_provider_ghl.sandbox import Sandbox
from airflow_provider_ghl.sandbox.fixed_agency import AGENCY, FixedAgency

pytestmark = pytest.mark.timeout(1800)

#: As many locations as the workers have slots.
LOCATIONS, ROWS = 2 * SLOTS, 600
#: Seconds that a run may take: it loads a minute, loses a worker, notices that, and loads the rest.
RUN_WITHIN = 600.0
#: Answers that may not be written down yet when a task is killed, and the most that its location has room for in flight.
UNWRITTEN, IN_FLIGHT = 100, 100
#: Seconds that a token is good: every load needs many of its own, and all of them those of the agency.
LIFETIME = 25.0
CREATE = "POST /associations/relations"
#: DAGs, each with an association of its own: a load for each location, or one for all.
EACH, ALL = ("each_0", "each_1"), "all"
CODE = f"""
from datetime import timedelta
from pathlib import Path
from airflow.sdk import DAG
from airflow_provider_ghl.operators.locations import ListLocationsOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

HERE = Path(__file__).parent
ARGUMENTS = {{"ghl_conn_id": "ghl_agency", "retries": 2, "retry_delay": timedelta(seconds=5)}}
for name in {EACH}:
    with DAG(name, schedule=None, default_args=ARGUMENTS):
        locations = ListLocationsOperator(task_id="list_locations")
        loads = BulkCreateRelationsOperator.partial(task_id="load", association_key=name, path=str(HERE / "rows.csv"))
        loads.expand_kwargs(locations.output)
with DAG({ALL!r}, schedule=None, default_args=ARGUMENTS):
    BulkCreateRelationsOperator(
        task_id="load",
        association_key={ALL!r},
        path=str(HERE / "rows_of_all.csv"),
        location_column="location_id",
        xcom_results_limit={LOCATIONS * ROWS},
    )
"""


class Run:
    """A run of the DAG, by Airflow's REST API."""

    def __init__(self, api: Api, dag: str) -> None:
        self._api = api
        wait_for("the DAG", lambda: True if self._knows(dag) else None)
        self.id = api.call("POST", f"/api/v2/dags/{dag}/dagRuns", {"logical_date": None})["dag_run_id"]
        self._path = f"/api/v2/dags/{dag}/dagRuns/{quote(self.id, safe='')}"

    def end(self) -> str:
        """Its state, when it has ended."""
        wait_for("the end of the run", lambda: True if self.has_ended else None, RUN_WITHIN)
        return self.state

    @property
    def has_ended(self) -> bool:
        return self.state in {"success", "failed"}

    @property
    def state(self) -> str:
        return str(self._api.call("GET", self._path)["state"])

    def tries(self) -> dict[int, int]:
        """How many tries each of the loads took, by map index."""
        found = self._api.call("GET", f"{self._path}/taskInstances")["task_instances"]
        return {one["map_index"]: one["try_number"] for one in found if one["task_id"] == "load"}

    def xcom(self, map_index: int, key: str = "return_value") -> Any:
        """What a load pushed."""
        entry = self._api.call("GET", f"{self._path}/taskInstances/load/xcomEntries/{key}?map_index={map_index}")
        return json.loads(entry["value"]) if isinstance(entry["value"], str) else entry["value"]

    def _knows(self, name: str) -> bool:
        assert self._api.call("GET", "/api/v2/importErrors")["import_errors"] == []
        return name in {dag["dag_id"] for dag in self._api.call("GET", "/api/v2/dags")["dags"]}


class Ledger:
    """What the loads have written down in PostgreSQL."""

    def __init__(self, url: Any) -> None:
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self._url) as connection:
            return connection.execute(statement).fetchall()

    def pids(self) -> set[int]:
        """The processes of all attempts that run."""
        return {pid for (pid,) in self.ask("SELECT pid FROM ghl_attempts WHERE ended IS NULL")}


@pytest.fixture(scope="module")
def highlevel() -> Iterator[Sandbox]:
    with Sandbox(limit=100, interval=10.0, latency=0.3, latency_spread=0.3, token_lifetime=LIFETIME) as sandbox:
        sys.stdout.write(f"{sandbox!r}\n")
        yield sandbox


@pytest.fixture(scope="module")
def agency(highlevel: Sandbox) -> FixedAgency:
    """Its sub-accounts have the associations, and there is one more, without the app."""
    agency = FixedAgency.of(highlevel, LOCATIONS)
    highlevel.state.add_location(company_id=AGENCY)
    for location, key in product(agency.location_ids, (*EACH, ALL)):
        names = (key, "contact", "custom_objects.event", "Guest", "Event")
        highlevel.state.add_association(*names, location_id=location)
    return agency


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, agency: FixedAgency) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("celery")
    sys.stdout.write(f"logs: {folder}\n")
    dags = folder / "dags"
    dags.mkdir()
    write_rows(dags / "rows.csv", dags / "rows_of_all.csv", agency.location_ids)
    (dags / "rounds.py").write_text(CODE)
    with cluster(folder, dags) as started:
        connect(started, agency)
        yield started


def write_rows(of_one: Path, of_all: Path, locations: Iterable[str]) -> None:
    """The same for every location, whose records have the same ids: a ledger that mixed them up would be seen."""
    lines = [f"{first},{second}" for first, second in pairs()]
    of_one.write_text("\n".join(["first_record_id,second_record_id", *lines, ""]))
    lines = [f"{line},{location}" for line, location in product(lines, locations)]
    of_all.write_text("\n".join(["first_record_id,second_record_id,location_id", *lines, ""]))


def pairs() -> list[tuple[str, str]]:
    return [(f"contact-{row}", f"event-{row % 20}") for row in range(ROWS)]


def connect(started: Cluster, agency: FixedAgency) -> None:
    url = started.ledger
    ledger = {"conn_type": "postgres", "login": url.username, "password": url.password, "host": url.host, "port": url.port}
    started.api.call("POST", "/api/v2/connections", {"connection_id": "ledger", "schema": url.database, **ledger})
    said = json.loads(agency.connection_json)
    extra = json.dumps({**said.pop("extra"), "ledger_conn_id": "ledger"})
    started.api.call("POST", "/api/v2/connections", {"connection_id": "ghl_agency", "extra": extra, **said})


@pytest.mark.parametrize("dag", [*EACH, ALL])
def test_a_lost_worker(airflow: Cluster, agency: FixedAgency, dag: str) -> None:
    seed = random.SystemRandom().randrange(10**6)
    chosen = random.Random(seed)
    share = chosen.uniform(0.1, 0.8)
    story = Story(agency, dag)
    run = Run(airflow.api, dag)
    wait_for("the moment", lambda: True if story.created >= share * story.rows or run.has_ended else None, RUN_WITHIN)
    victim, lost = kill_one(airflow, chosen)
    killed = story.seconds
    assert run.end() == "success"
    took = story.seconds
    assert Counter(run.tries().values()) == Counter({1: len(story.loads) - lost, 2: lost})
    story.everything_is_there()
    spent_again = story.accounts_add_up(run, lost)
    sys.stdout.write(
        f"seed {seed}: worker {victim} lost after {killed:.0f} s, at {share:.0%} of {LOCATIONS} x {ROWS} rows, with {lost} of "
        f"{len(story.loads)} loads; the run took {took:.0f} s and spent {spent_again} requests again; {story.tokens}\n"
    )
    airflow.start(victim)
    again = Run(airflow.api, dag)
    assert again.end() == "success"
    story.nothing_is_sent(again)


def kill_one(airflow: Cluster, chosen: random.Random) -> tuple[str, int]:
    """One of the workers that have loads, and all that it runs; its name, and how many loads those were."""
    loads = Ledger(airflow.ledger).pids()
    busy = [name for name, worker in sorted(airflow.workers.items()) if loads & set(worker.pids())]
    victim = chosen.choice(busy)
    return victim, len(loads & airflow.workers[victim].kill())


class Story:
    """What one round did to HighLevel, by HighLevel's own account."""

    def __init__(self, agency: FixedAgency, dag: str) -> None:
        self._agency, self._highlevel, self._key = agency, agency.sandbox, dag
        self._before, self._began = self._highlevel.stats(), time.monotonic()
        #: Map indexes of the loads.
        self.loads = [-1] if dag == ALL else list(range(LOCATIONS))
        self.rows = LOCATIONS * ROWS
        self._rows_each = self.rows // len(self.loads)

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def created(self) -> int:
        return self._highlevel.stats()["writes"] - self._before["writes"]

    @property
    def tokens(self) -> str:
        """What was given out."""
        refreshed, minted = (self._more("by_route", route) for route in ("POST /oauth/token", "POST /oauth/locationToken"))
        return f"{refreshed} refreshed tokens, {minted} of locations"

    def everything_is_there(self) -> None:
        """Every pair in every location, created once."""
        for location in self._agency.location_ids:
            association = str(self._highlevel.state.association_by_key(self._key, location)["id"])
            assert self._highlevel.state.pairs(association, location) == set(pairs())
        assert self.created == self.rows

    def accounts_add_up(self, run: Run, lost: int) -> int:
        """Each load's own; and all together against what HighLevel counted. Requests that were spent a second time."""
        evidence: Counter[str] = Counter()
        for load in self.loads:
            summary, results = run.xcom(load), run.xcom(load, "results")
            assert {summary["rows"], summary["created"], len(results)} == {self._rows_each}, summary
            evidence.update(result["evidence"] for result in results)
        assert self._more("by_status", "400") == evidence["presumed"], "a duplicate for a pair whose answer was lost, no other"
        unheard = self._more("by_status", "429") + self._more("by_status", "401")
        spent_again = self._more("by_route", CREATE) - self.created - unheard
        locations = lost * LOCATIONS // len(self.loads)
        assert evidence["presumed"] <= spent_again <= lost * UNWRITTEN + locations * IN_FLIGHT
        assert self._highlevel.stats()["refused_refreshes"] == 0
        return spent_again

    def nothing_is_sent(self, run: Run) -> None:
        """The ledger knows everything, on whatever worker."""
        for load in self.loads:
            assert run.xcom(load)["already_exists"] == self._rows_each
            assert {result["evidence"] for result in run.xcom(load, "results")} == {"ledger"}
        assert self.created == self.rows

    def _more(self, account: Literal["by_route", "by_status"], name: str) -> int:
        now, before = self._highlevel.stats(), self._before
        return now[account].get(name, 0) - before[account].get(name, 0)
