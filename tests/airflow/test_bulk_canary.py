"""Keys of a bulk load are people's: Airflow stores them nowhere, shows them nowhere, and neither does the ledger."""

from __future__ import annotations

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pandas
import psycopg
import pytest
import requests_mock
import sqlalchemy as sa
from airflow.sdk import DAG, task
from canaries import Canary, files_with, found_in, kept
from connecting import Connect
from dag_runs import Finished, run_dag
from keyed_tables import BY_EMAIL, BY_NUMBER, POLICY, Eager, bulk, empty_postgresql, holds, read_results
from racing import wait_until
from waits import TOO_LONG

from airflow_provider_ghl.lookups import Business, Contact
from airflow_provider_ghl.relations.fields import KEY_FIELDS, RESULT_FIELDS
from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.usefixtures("database")

COLUMNS = {"first_record_column": "policy", "second_record_column": "person"}
KILLED = -9
#: While it looks up; and while it sends, a few requests after the one that hangs.
HANGS = (
    Fault("hang", method="POST", path="/contacts/search", times=1),
    Fault("hang", method="POST", path="/associations/relations", at={40}),
)
PROGRAM = [sys.executable, "-W", "ignore::DeprecationWarning", str(Path(__file__).with_name("keyed_runs.py"))]


@pytest.fixture
def ada() -> Canary:
    return Canary()


@pytest.fixture
def association(ghl: Sandbox) -> str:
    return holds(ghl)


@pytest.fixture
def pair(ghl: Sandbox, association: str, ada: Canary) -> tuple[str, str]:
    """Ada, and what she holds."""
    return ghl.add("contact", email=ada.email, phone=ada.phone.replace(" ", "")), ghl.add(POLICY, policy_no=ada.policy)


class Told:
    """All that can be seen of runs."""

    def __init__(self, ada: Canary, shown: Callable[[], str]) -> None:
        self._ada = ada
        self._shown = shown

    def run(self, dag_id: str, build: Callable[[], object]) -> Finished:
        """Run a DAG, which must tell of no key."""
        with DAG(dag_id=dag_id, schedule=None, catchup=False) as dag:
            build()
        finished = run_dag(dag)
        logged = self._shown()
        assert "load" in logged
        assert found_in(logged, self._ada.texts) == [], logged
        assert found_in(kept(dag_id), self._ada.texts) == []
        assert files_with(*self._ada.texts) == []
        return finished


@pytest.fixture
def told(ada: Canary, shown: Callable[[], str]) -> Told:
    return Told(ada, shown)


def test_what_is_searched_would_be_found(ada: Canary) -> None:
    """In a file of Airflow's home, in whatever form."""
    left = Path(os.environ["AIRFLOW_HOME"], "left.txt")
    for key in (ada.email, ada.phone, ada.policy, ada.name):
        for text in (key, key.upper(), json.dumps({"key": key}), key.replace("@", "%40")):
            left.write_text(text)
            assert files_with(*ada.texts) == [str(left)]
    left.unlink()
    assert files_with(*ada.texts) == []


class TestSources:
    @pytest.fixture
    def source(
        self, request: pytest.FixtureRequest, tmp_path: Path, connect: Connect, ada: Canary
    ) -> Callable[[], dict[str, Any]]:
        """Makes the arguments of a source outside of Airflow's home, inside of a DAG."""
        frame = pandas.DataFrame({"policy": [ada.policy], "person": [ada.email]})
        frame.to_csv(tmp_path / "table.csv", index=False)
        with closing(sqlite3.connect(tmp_path / "warehouse.db")) as database:
            frame.to_sql("sold", database, index=False)
        connect(warehouse=json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "warehouse.db")}))

        @task
        def extract() -> str:
            return str(tmp_path / "table.csv")

        def make() -> dict[str, Any]:
            match request.param:
                case "rows":
                    return {"rows": frame.to_dict("records"), **COLUMNS}
                case "frame":
                    return {"rows": frame, **COLUMNS}
                case "another task's file":
                    return {"path": extract(), **COLUMNS}
            return {"sql": "SELECT policy, person FROM sold", "source_conn_id": "warehouse", **COLUMNS}

        return make

    @pytest.mark.parametrize("source", ["rows", "frame", "another task's file", "sql"], indirect=True)
    def test_a_green_run(
        self, ghl: Sandbox, association: str, pair: tuple[str, str], told: Told, source: Callable[[], dict[str, Any]]
    ) -> None:
        finished = told.run("canary_source", lambda: bulk(**source()))
        assert finished.state == GREEN
        assert ghl.state.pairs(association) == {pair}
        (result,) = finished.xcom("load", "results")
        assert (result["first_record_id"], result["second_record_id"]) == pair[::-1]


@dataclass
class World:
    """What an end is prepared in."""

    ghl: Sandbox
    http: requests_mock.Mocker
    ada: Canary
    #: A contact and a policy.
    pair: tuple[str, str]

    def answer(self, path: str, status_code: int) -> None:
        """Answer with a message that repeats the keys."""
        ada = self.ada
        message = f"{ada.email} of {ada.policy} ({ada.policy.upper()}, {ada.phone}) is none of yours"
        self.http.post(f"{self.ghl.url}{path}", status_code=status_code, json={"message": message})

    def repeat_contact(self) -> None:
        """Several people have the e-mail address."""
        self.ghl.add("contact", email=self.ada.email)

    def add_strangers(self) -> None:
        """The search finds everybody, and that endlessly."""
        for at in range(600):
            self.ghl.add("contact", email=f"{self.ada.bird}.{at}@example.org")
        self.ghl.searches.lies = frozenset({"filter_ignored", "page_twice"})

    def answer_nonsense(self) -> None:
        """The search finds no records."""
        self.http.post(f"{self.ghl.url}{SEARCH}", json={"contacts": [self.ada.email, {"id": self.ada.policy}]})


SEARCH, RELATIONS = "/contacts/search", "/associations/relations"
GREEN, RED = "success", "failed"
#: How it ends: the run's state, the operator's arguments, and what happens before.
ENDS: dict[str, tuple[str, dict[str, Any], Callable[[World], object]]] = {
    "linked": (GREEN, {}, lambda world: None),
    "skipped": (GREEN, {"on_unresolved": "skip"}, lambda world: world.ghl.remove("contact", world.pair[0])),
    "planned": (GREEN, {"plan_only": True}, lambda world: None),
    "budget": (GREEN, {"max_requests": 3}, lambda world: None),
    "nobody": (RED, {}, lambda world: world.ghl.remove("contact", world.pair[0])),
    "no policy": (RED, {}, lambda world: world.ghl.remove(POLICY, world.pair[1])),
    "several": (RED, {}, World.repeat_contact),
    "scope": (RED, {}, lambda world: world.ghl.set_scopes(world.ghl.token, {"associations.readonly"})),
    "no such field": (RED, {"second_lookup": Contact(by="custom_field:crm_id")}, lambda world: None),
    "lie": (RED, {}, World.add_strangers),
    "refused search": (RED, {}, lambda world: world.answer(SEARCH, 422)),
    "forbidden search": (RED, {}, lambda world: world.answer(SEARCH, 403)),
    "failing search": (RED, {"outage_timeout": timedelta(0)}, lambda world: world.answer(SEARCH, 500)),
    "wrong answer": (RED, {"outage_timeout": timedelta(0)}, World.answer_nonsense),
    "refused relation": (RED, {}, lambda world: world.answer(RELATIONS, 400)),
    "forbidden relation": (RED, {}, lambda world: world.answer(RELATIONS, 403)),
    "row key": (RED, {"row_key_column": "person"}, lambda world: None),
}


class TestEnds:
    @pytest.mark.parametrize("end", ENDS)
    def test_it_tells_nothing(
        self, ghl: Sandbox, association: str, pair: tuple[str, str], ada: Canary, told: Told, end: str
    ) -> None:
        state, said, prepare = ENDS[end]
        rows = [{"policy": ada.policy, "person": ada.email}]
        with requests_mock.Mocker(real_http=True) as http:
            prepare(World(ghl, http, ada, pair))
            finished = told.run(f"canary_{end.replace(' ', '_')}", lambda: bulk(rows, **COLUMNS, **said))
        assert finished.state == state, finished.states
        assert ghl.state.pairs(association) == ({pair} if end == "linked" else set())

    def test_what_is_there_cannot_be_read(
        self, ghl: Sandbox, association: str, pair: tuple[str, str], ada: Canary, told: Told
    ) -> None:
        """A warning says why, in HighLevel's words."""
        ghl.add("contact", email=f"2.{ada.email}")
        rows = [{"policy": ada.policy, "person": email} for email in (ada.email, f"2.{ada.email}")]
        with requests_mock.Mocker(real_http=True) as http:
            said = {"message": f"{ada.policy} of {ada.email} is none of yours"}
            http.get(f"{ghl.url}{RELATIONS}/{pair[1]}", status_code=403, json=said)
            finished = told.run("canary_unread", lambda: bulk(rows, diff_against="highlevel", **COLUMNS))
            assert http.called
        assert finished.state == GREEN
        assert ghl.state.count_relations(association) == 2

    def test_cells_that_can_be_no_keys(self, ghl: Sandbox, pair: tuple[str, str], ada: Canary, told: Told) -> None:
        finished = told.run("canary_invalid", lambda: bulk(bad_rows(ada), **COLUMNS))
        assert finished.state == RED
        assert finished.xcom("load")["invalid"] == len(bad_rows(ada))
        assert ghl.stats()["writes"] == 0

    @pytest.mark.parametrize("kind", ["phone", "name"])
    @pytest.mark.parametrize("end", ["green", "nobody", "several", "refused search", "invalid"])
    def test_other_keys(self, ghl: Sandbox, ada: Canary, told: Told, kind: str, end: str) -> None:
        """Those that no mask knows for a person's."""
        association = holds(ghl, POLICY, "contact" if kind == "phone" else "business")
        policy = ghl.add(POLICY, policy_no=ada.policy)
        key = ada.phone if kind == "phone" else ada.name
        for _ in range({"nobody": 0, "several": 2}.get(end, 1)):
            record = self.add_other(ghl, ada, kind)
        if end == "invalid":
            key = f"{key} / {key}" if kind == "phone" else key * 100
        with requests_mock.Mocker(real_http=True) as http:
            if end == "refused search":
                said = {"message": f"no contact or company {key}, {key.upper()}"}
                http.post(f"{ghl.url}/contacts/search", status_code=400, json=said)
                http.post(f"{ghl.url}/objects/business/records/search", status_code=400, json=said)
            rows = [{"policy": ada.policy, "person": key}]
            lookup = Contact(by="phone") if kind == "phone" else Business(by="name")
            finished = told.run(f"canary_{kind}_{end.replace(' ', '_')}", lambda: bulk(rows, second_lookup=lookup, **COLUMNS))
        assert finished.state == (GREEN if end == "green" else RED)
        assert ghl.state.pairs(association) == ({(policy, record)} if end == "green" else set())

    @staticmethod
    def add_other(ghl: Sandbox, ada: Canary, kind: str) -> str:
        if kind == "phone":
            return ghl.add("contact", phone=ada.phone.replace(" ", ""))
        return ghl.add("business", name=ada.name)

    def test_a_second_try(self, ghl: Sandbox, association: str, pair: tuple[str, str], ada: Canary, told: Told) -> None:
        ghl.add_fault(Fault("error_before", path="/contacts/search", times=3))
        rows = [{"policy": ada.policy, "person": ada.email}]
        said = {"retries": 1, "retry_delay": 0, "outage_timeout": timedelta(0), **COLUMNS}
        finished = told.run("canary_twice", lambda: bulk(rows, **said))
        assert finished.state == GREEN
        assert ghl.state.pairs(association) == {pair}

    def test_mapped_tasks(
        self, ghl: Sandbox, association: str, pair: tuple[str, str], ada: Canary, told: Told, tmp_path: Path
    ) -> None:
        path = tmp_path / "table.csv"
        pandas.DataFrame({"policy": [ada.policy], "person": [ada.email]}).to_csv(path, index=False)
        said: dict[str, Any] = {"association_key": "holds", "first_lookup": BY_NUMBER, "second_lookup": BY_EMAIL}

        def build() -> None:
            Eager.partial(task_id="load", **said, **COLUMNS).expand(path=[str(path)])

        assert told.run("canary_mapped", build).state == GREEN
        assert ghl.state.pairs(association) == {pair}


def bad_rows(ada: Canary) -> list[dict[str, Any]]:
    """Rows with cells that can be no keys."""
    bad: list[Any] = [
        f"{ada.email}@{ada.bird}",
        f"{ada.email};{ada.email}",
        ada.bird,
        [ada.email],
        {"email": ada.email},
        ada.email.encode(),
        f"{ada.email}\0",
        ada.email * 50,
        f"{ada.email}\ud800",
        Path(ada.bird),
    ]
    return [{"policy": ada.policy, "person": cell} for cell in bad] + [{"policy": [ada.policy], "person": ada.email}]


class TestResultsFile:
    @pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
    def test_it_has_them_where_that_is_said_and_nothing_else_has(
        self, ghl: Sandbox, association: str, pair: tuple[str, str], ada: Canary, told: Told, tmp_path: Path, form: str
    ) -> None:
        path = tmp_path / f"results.{form}"
        rows = [{"policy": ada.policy, "person": ada.email}, {"policy": ada.policy, "person": f"{ada.bird}@example.com"}]
        said = {"results_path": path, "results_include_keys": True, **COLUMNS}
        finished = told.run("canary_results", lambda: bulk(rows, **said))
        assert finished.state == RED
        assert set(finished.xcom("load", "results")[0]) & {"first_key", "second_key"} == set()
        frame = read_results(path)
        assert frame[["first_key", "second_key"]].to_numpy().tolist() == [[row["policy"], row["person"]] for row in rows]

    def test_so_has_the_table(
        self,
        ghl: Sandbox,
        association: str,
        pair: tuple[str, str],
        ada: Canary,
        told: Told,
        tmp_path: Path,
        connect: Connect,
    ) -> None:
        """One of two tables; the other one takes no rows, and nothing tells what it did not take."""
        path = tmp_path / "lake.db"
        with closing(sqlite3.connect(path)) as database:
            columns = ", ".join(["load_id", "written_at", "source_row", *RESULT_FIELDS[1:], *KEY_FIELDS])
            database.execute(f"CREATE TABLE closed ({columns}, CHECK (source_row < 0))")
        connect(lake=json.dumps({"conn_type": "sqlite", "host": str(path)}))
        rows = [{"policy": ada.policy, "person": ada.email}]
        said: dict[str, Any] = {"results_conn_id": "lake", "results_include_keys": True, **COLUMNS}
        assert told.run("canary_table", lambda: bulk(rows, results_table="open", **said)).state == GREEN
        assert told.run("canary_closed", lambda: bulk(rows, results_table="closed", **said)).state == RED
        with closing(sqlite3.connect(path)) as database:
            assert database.execute("SELECT first_key, second_key FROM open").fetchall() == [(ada.policy, ada.email)]
            assert database.execute("SELECT count(*) FROM closed").fetchall() == [(0,)]

    def test_else_it_has_none(
        self, ghl: Sandbox, association: str, pair: tuple[str, str], ada: Canary, told: Told, tmp_path: Path
    ) -> None:
        path = tmp_path / "results.csv"
        rows = [{"policy": ada.policy, "person": ada.email}, {"policy": ada.policy, "person": f"{ada.bird}@example.com"}]
        told.run("canary_no_keys", lambda: bulk([*rows, *bad_rows(ada)], results_path=path, **COLUMNS))
        assert found_in(path.read_text(), ada.texts) == []
        assert path.read_text().count("\n") == 1 + 2 + len(bad_rows(ada))


class TestLedger:
    @pytest.mark.parametrize("end", ["green", "nobody"])
    def test_in_postgresql(
        self,
        ghl: Sandbox,
        association: str,
        pair: tuple[str, str],
        ada: Canary,
        told: Told,
        postgresql: str,
        connect: Connect,
        monkeypatch: pytest.MonkeyPatch,
        end: str,
    ) -> None:
        monkeypatch.setenv("AIRFLOW__GHL__LEDGER_CONN_ID", "ledger")
        if end == "nobody":
            ghl.remove("contact", pair[0])
        with empty_postgresql(postgresql) as said:
            connect(ledger=said)
            finished = told.run(f"canary_ledger_{end}", lambda: bulk([{"policy": ada.policy, "person": ada.email}], **COLUMNS))
            assert finished.state == (GREEN if end == "green" else RED)
            rows = list(all_rows(json.loads(said)))
        assert any(pair[1] in row for row in rows)
        assert found_in("\n".join(rows), ada.texts) == []


def all_rows(said: dict[str, Any]) -> Iterator[str]:
    """Whatever a database holds, as text."""
    url = sa.URL.create("postgresql", said["login"], said["password"], said["host"], said["port"], said["schema"])
    with psycopg.connect(url.render_as_string(False)) as connection:
        tables = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE tablename LIKE 'ghl%'").fetchall()
        assert tables
        for table in tables:
            for row in connection.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(*table))):
                yield " ".join(cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell) for cell in row)


@pytest.mark.slow
class TestKilled:
    def test_while_it_looks_up_and_while_it_sends(
        self, ghl: Sandbox, association: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: Told
    ) -> None:
        """And the next run does the rest: nothing twice."""
        flock = secrets.token_hex(6)
        people = [Canary(flock) for _ in range(150)]
        pairs = {(ghl.add("contact", email=ada.email), ghl.add(POLICY, policy_no=ada.policy)) for ada in people}
        path = tmp_path / "table.csv"
        pandas.DataFrame({"policy": [ada.policy for ada in people], "person": [ada.email for ada in people]}).to_csv(path)
        monkeypatch.setenv("AIRFLOW__LOGGING__LOGGING_LEVEL", "DEBUG")
        orders = [{"path": str(path), "lookup_by": "search", **COLUMNS}] * len(HANGS)
        log = Path(os.environ["AIRFLOW_HOME"], "program.log")
        reads, writes = os.pipe()
        with (
            os.fdopen(reads) as said,
            log.open("wb") as output,
            subprocess.Popen(
                [*PROGRAM, str(writes), json.dumps(orders)], stdout=output, stderr=output, pass_fds=[writes]
            ) as program,
        ):
            os.close(writes)
            for fault in HANGS:
                ghl.clear_faults()
                struck = ghl.stats()["faults"].get("hang", 0)
                ghl.add_fault(fault)
                pid = int(said.readline())
                wait_until("a request hangs", lambda: ghl.stats()["faults"].get("hang", 0) > struck)  # noqa: B023
                os.kill(pid, signal.SIGKILL)
            assert json.loads(said.readline()) == [KILLED, KILLED]
            assert program.wait(TOO_LONG) == 0
        assert told.run("killed_with_keys", lambda: bulk(**orders[0])).state == GREEN
        assert ghl.state.pairs(association) == pairs
        assert ghl.state.count_relations() == 150
        logs = list(Path(os.environ["AIRFLOW_HOME"], "logs").glob("killed_with_keys.*"))
        assert len(logs) == len(HANGS)
        assert all("[debug" in log.read_text() for log in logs)
        assert files_with(flock) == []
