"""``results_table``: what the results file would have, in a table of the warehouse."""

from __future__ import annotations

import csv
import json
import secrets
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from agencies import Agency
from airflow.providers.sqlite.hooks.sqlite import SqliteHook
from airflow.sdk import DAG
from canaries import Canary
from connecting import Connect
from keyed_tables import POLICY, holds
from keyed_tables import bulk as keyed
from running import PAIRS, TaskInstance, defer, fail, run
from waiting import A_DAY, another_day

from airflow_provider_ghl.hooks import results as places
from airflow_provider_ghl.load.results.file import ResultsFile
from airflow_provider_ghl.load.results.table import ResultsTable
from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLResultsFailed, GHLRowsRefused, GHLStopped
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, SyncRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("ledger", "attended")

LOAD_ID = "a_dag/a_run/load/-1"
TABLE: dict[str, Any] = {"results_table": "night_results", "results_conn_id": "lake"}
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def lake(tmp_path: Path, connect: Connect) -> Ask:
    """The database of the connection ``lake``: runs SQL on it."""
    path = tmp_path / "lake.db"
    connect(lake=json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def ask(sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(path)) as database, database:
            return database.execute(sql).fetchall()

    return ask


def bulk(rows: Any = PAIRS, **arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **{"association_key": "attended", **arguments})


def sync(rows: Any, **arguments: Any) -> SyncRelationsOperator:
    return SyncRelationsOperator(task_id="load", association_key="attended", max_delete_share=None, rows=rows, **arguments)


def written(ask: Ask, load_id: str = LOAD_ID) -> list[dict[str, str]]:
    """A load's rows of the table, in the form of the results file, in whose order they were written."""
    names = [row[1] for row in ask("PRAGMA table_info(night_results)")]
    rows = [dict(zip(names, row, strict=True)) for row in ask("SELECT * FROM night_results ORDER BY rowid")]
    chosen = [row for row in rows if row.pop("load_id") == load_id]
    for row in chosen:
        age = datetime.now(UTC) - datetime.fromisoformat(row.pop("written_at")).replace(tzinfo=UTC)
        assert timedelta(0) <= age < timedelta(minutes=10)
        row["row"] = row.pop("source_row")
    return [{name: "" if value is None else str(value) for name, value in row.items()} for row in chosen]


def filed(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


class TestAsTheFile:
    """Whatever happens, the table has the rows that the file has."""

    @pytest.fixture
    def both(self, tmp_path: Path, lake: Ask) -> dict[str, Any]:
        return {**TABLE, "results_path": str(tmp_path / "results.csv")}

    @pytest.fixture(autouse=True)
    def are_equal(self, both: dict[str, Any], lake: Ask) -> Iterator[None]:
        yield
        rows = filed(Path(both["results_path"]))
        assert written(lake) == rows
        assert rows

    def test_green(self, both: dict[str, Any], ghl: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        summary = run(bulk(**both))
        assert (summary["results_path"], summary["results_table"]) == (both["results_path"], "night_results")
        assert f"Every row's result is in {both['results_path']} and in the table night_results." in capsys.readouterr().out

    def test_red(self, both: dict[str, Any]) -> None:
        ti = TaskInstance()
        message = fail(bulk([*PAIRS, ("", "event-1"), PAIRS[0]], **both), GHLRowsRefused, ti)
        assert ti.xcoms["return_value"]["results_table"] == "night_results"
        assert message.endswith("and in the table night_results.")

    def test_a_plan(self, both: dict[str, Any], ghl: Sandbox, lake: Ask) -> None:
        assert run(bulk(plan_only=True, **both))["results_table"] == "night_results"
        assert ghl.state.count_relations() == 0
        assert {row["outcome"] for row in written(lake)} == {"not_attempted"}

    def test_a_budget(self, both: dict[str, Any]) -> None:
        assert run(bulk(max_requests=2, **both))["not_attempted"] == 2

    def test_another_attempt(self, both: dict[str, Any], lake: Ask) -> None:
        run(bulk(max_requests=2, **both), TaskInstance())
        run(bulk(PAIRS[:1], **both), TaskInstance(run_id="another_run"))
        run(bulk(**both), TaskInstance(try_number=2))
        assert [row["try_number"] for row in written(lake)] == ["2", "2", "2"]
        assert len(written(lake, "a_dag/another_run/load/-1")) == 1

    @pytest.mark.parametrize("sandbox", [{"daily_limit": A_DAY, "daily_resets_in": 3600.0}], indirect=True)
    def test_a_deferral(self, both: dict[str, Any], ghl: Sandbox, lake: Ask, tmp_path: Path) -> None:
        many, ti = [(f"contact-{row}", "event-1") for row in range(80)], TaskInstance()
        defer(bulk(many, deferrable=True, **both), ti)
        assert ti.xcoms["return_value"]["results_table"] == "night_results"
        first = [row["outcome"] for row in written(lake)]
        assert (first.count("created"), first.count("not_attempted")) == (A_DAY - 1, 81 - A_DAY)
        assert written(lake) == filed(tmp_path / "results.csv")
        another_day(ghl)
        run(bulk(many, deferrable=True, **both), ti, is_resumed=True)
        assert [row["outcome"] for row in written(lake)] == ["created"] * 80

    def test_several_locations(self, both: dict[str, Any], agency: Agency, lake: Ask) -> None:
        for one in agency.installed:
            agency.sandbox.state.add_association("attended", "contact", "custom_objects.event", "A", "B", location_id=one)
        rows = [{"at": one, "first_record_id": a, "second_record_id": b} for a, b in PAIRS for one in agency.installed]
        run(bulk(rows, ghl_conn_id="ghl_agency", location_column="at", **both))
        assert {row["location_id"] for row in written(lake)} == set(agency.installed)

    def test_a_mirrors_deletions(self, both: dict[str, Any], lake: Ask) -> None:
        run(sync(PAIRS), TaskInstance(run_id="monday"))
        run(sync([*PAIRS[:2], ("contact-2", "event-9")], **both), TaskInstance())
        rows = written(lake)
        assert [(row["row"], row["outcome"]) for row in rows][-1] == ("", "deleted")
        assert len(rows) == 4

    def test_keys(self, both: dict[str, Any], ghl: Sandbox, lake: Ask) -> None:
        holds(ghl)
        ghl.add("contact", email="ann@example.org")
        ghl.add(POLICY, policy_no="P-1")
        run(keyed([("P-1", "ann@example.org")], results_include_keys=True, **both))
        assert [(row["first_key"], row["second_key"]) for row in written(lake)] == [("P-1", "ann@example.org")]


def test_keys_are_there_only_where_that_is_asked_for(ghl: Sandbox, lake: Ask) -> None:
    holds(ghl)
    ghl.add("contact", email="ann@example.org")
    ghl.add(POLICY, policy_no="P-1")
    run(keyed([("P-1", "ann@example.org")], **TABLE))
    assert "example.org" not in repr(lake("SELECT * FROM night_results"))
    message = fail(keyed([("P-1", "ann@example.org")], results_include_keys=True, **TABLE), GHLMisconfigured)
    assert message.startswith("the results table night_results lacks the columns first_key, second_key: add what is missing")


def test_the_name_is_a_template(lake: Ask) -> None:
    with DAG("nightly"):
        operator = bulk(results_table="main.{{ params.name }}", results_conn_id="{{ params.conn }}")
    operator.render_template_fields({"params": {"name": "night_results", "conn": "lake"}})
    assert run(operator)["results_table"] == "main.night_results"
    assert len(written(lake)) == 3


def test_a_name_from_a_template_is_a_name_and_no_sql(ghl: Sandbox, lake: Ask) -> None:
    run(bulk(**TABLE))
    name = 'night_results"; DROP TABLE night_results; --'
    message = fail(bulk(results_table=name, results_conn_id="lake"), GHLMisconfigured)
    assert message.startswith("results_table must be a name such as table, schema.table or catalog.schema.table, not ")
    assert len(written(lake)) == 3


@pytest.mark.parametrize("absent", [None, "", " ", "None"])
def test_without_a_table_nothing_says_so(absent: str | None) -> None:
    assert "results_table" not in run(bulk(results_table=absent, results_conn_id=absent))


class TestBeforeAnyRequest:
    @pytest.fixture(autouse=True)
    def no_request(self, ghl: Sandbox) -> Iterator[None]:
        yield
        assert ghl.stats()["requests"] == 0

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ({}, "results_table needs results_conn_id, the Airflow connection of its database"),
            ({"results_conn_id": "typo"}, "Airflow has no connection 'typo': create it, or correct the id"),
            ({"results_table": "a..b", "results_conn_id": "lake"}, "results_table must be a name such as table"),
        ],
    )
    def test_what_is_missing_or_wrong(self, lake: Ask, given: dict[str, Any], message: str) -> None:
        assert fail(bulk(**{"results_table": "night_results", **given}), GHLMisconfigured).startswith(message)

    def test_the_connection_of_a_storage(self, connect: Connect, tmp_path: Path) -> None:
        connect(store=json.dumps({"conn_type": "generic", "host": "localhost"}))
        path = tmp_path / "out" / "results.csv"
        both = {"results_table": "night_results", "results_conn_id": "store", "results_path": f"file://{path}"}
        message = fail(bulk(**both), GHLMisconfigured)
        assert message.startswith(
            "results_conn_id is the connection of results_table, and connection 'store' (type 'generic') "
        )
        assert "s3://conn_id@bucket/results.csv" in message
        assert list(path.parent.iterdir()) == [], "no temporary file is left"

    def test_the_file_has_a_connection_of_its_own(self, lake: Ask, tmp_path: Path) -> None:
        path = f"file://typo@{tmp_path}/results.csv"
        message = fail(bulk(results_path=path, **TABLE), GHLMisconfigured)
        assert message == "Airflow has no connection 'typo': create it, or correct the id"

    def test_a_table_that_lacks_a_column(self, lake: Ask) -> None:
        lake("CREATE TABLE night_results (load_id TEXT, written_at TEXT, source_row INTEGER)")
        assert "lacks the columns row_key, location_id, " in fail(bulk(**TABLE), GHLMisconfigured)

    def test_a_warehouse_that_is_away(self, connect: Connect, tmp_path: Path) -> None:
        connect(lake=json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "no such folder" / "lake.db")}))
        message = fail(bulk(**TABLE), GHLResultsFailed)
        assert message.startswith("the results table night_results: its database cannot be reached (OperationalError")

    def test_a_plan_that_was_reviewed(self, connect: Connect, tmp_path: Path) -> None:
        connect(lake=json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "no such folder" / "lake.db")}))
        fail(sync(PAIRS, apply_plan="a-b-c", **TABLE), GHLResultsFailed)

    def test_a_driver_with_placeholders_of_its_own(self, lake: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(places, "sql_hook", lambda connection: _OfNoKind("lake"))  # type: ignore[no-untyped-call]
        message = fail(bulk(**TABLE), GHLMisconfigured)
        assert message.startswith("connection 'lake' has no SQLAlchemy engine, and its placeholder is ':1', not one of ?, %s")


def test_a_plan_that_is_applied_leaves_one_file_and_one_load(lake: Ask, tmp_path: Path) -> None:
    run(sync(PAIRS), TaskInstance(run_id="monday"))
    plan = run(sync(PAIRS[:2], plan_only=True), TaskInstance(run_id="plan"))["plan_id"]
    folder = tmp_path / "out"
    run(sync(PAIRS[:2], apply_plan=plan, results_path=folder / "results.csv", **TABLE))
    assert [path.name for path in folder.iterdir()] == ["results.csv"]
    assert written(lake) == filed(folder / "results.csv")


def test_a_load_that_is_stopped_lets_go_of_its_source(ghl: Sandbox, lake: Ask) -> None:
    """Which is in the same SQLite file here, and half read: its lock would keep the results out."""
    lake("CREATE TABLE sold AS SELECT 'contact-1' AS first_record_id, 'event-1' AS second_record_id")
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000) SELECT sold.* FROM n, sold"
    operator = bulk(rows=None, sql=many, source_conn_id="lake", **TABLE)
    client: Any = operator.hook.get_conn()
    send = client.send_once

    def last(*args: Any) -> Any:
        operator.hook.stop.set()
        return send(*args)

    client.send_once = last
    fail(operator, GHLStopped)
    ((rows,),) = lake("SELECT count(*) FROM night_results")
    assert 0 < rows < 200_000


class TestAtTheEnd:
    """The load has done its work; the task is red, another try writes the table, and sends nothing twice."""

    def test_rows_that_the_table_refuses(self, ghl: Sandbox, lake: Ask, tmp_path: Path) -> None:
        ada = Canary()
        run(bulk([], **TABLE), TaskInstance(run_id="made"))
        ((made,),) = lake("SELECT sql FROM sqlite_master WHERE name = 'night_results'")
        lake("DROP TABLE night_results")
        lake(f"{made.rstrip().rstrip(')')}, CHECK (outcome <> 'created'))")
        rows = [{"key": ada.email, "first_record_id": a, "second_record_id": b} for a, b in PAIRS]
        ti, path = TaskInstance(), tmp_path / "results.csv"
        operator = bulk(rows, row_key_column="key", results_path=path, **TABLE)
        with pytest.raises(GHLResultsFailed) as raised:
            run(operator, ti)
        message, told = str(raised.value), "".join(traceback.format_exception(raised.value))
        assert message.startswith(
            "The load has ended, but the results table night_results could not be written (IntegrityError"
        )
        assert "3 rows: 3 created." in message
        assert f"Every row's result is in {path}." in message
        assert ada.bird not in told
        assert "INSERT" not in told
        summary = ti.xcoms["return_value"]
        assert (summary["created"], summary["results_path"], summary["results_table"]) == (3, str(path), None)
        assert len(filed(path)) == 3
        assert lake("SELECT count(*) FROM night_results") == [(0,)]
        lake("DROP TABLE night_results")
        writes = ghl.stats()["writes"]
        run(bulk(rows, row_key_column="key", **TABLE), TaskInstance(try_number=2))
        assert ghl.stats()["writes"] == writes
        assert [row["outcome"] for row in written(lake)] == ["created"] * 3

    def test_a_file_that_fails_does_not_lose_the_table(
        self, lake: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        def full(self: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(ResultsFile, "commit", full)
        message = fail(bulk(results_path=tmp_path / "results.csv", **TABLE), GHLResultsFailed)
        assert message.startswith("The load has ended, but the results file could not be written (OSError).")
        assert "Every row's result is in the table night_results." in message
        assert len(written(lake)) == 3

    def test_another_reason_for_red_does_not_hide_it(
        self, ghl: Sandbox, lake: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def away(self: Any, session: Any) -> None:
            raise ConnectionError("s3cret")

        ghl.revoke(ghl.token)
        monkeypatch.setattr(ResultsTable, "_replace", away)
        operator = bulk(**TABLE)
        with pytest.raises(Exception, match="HighLevel does not accept the token"):
            run(operator)
        logged = capsys.readouterr().out
        assert "the results table night_results could not be written (ConnectionError)" in logged
        assert "s3cret" not in logged


class _WithoutEngine(SqliteHook):
    """A hook of a database that SQLAlchemy does not know."""

    supports_autocommit = False

    def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Any:
        raise NotImplementedError


class _OfNoKind(_WithoutEngine):
    placeholder = ":1"


def test_a_database_without_an_engine(lake: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "sql_hook", lambda connection: _WithoutEngine("lake"))  # type: ignore[no-untyped-call]
    path = tmp_path / "results.csv"
    for attempt in (1, 2):
        run(bulk(results_path=path, **TABLE), TaskInstance(try_number=attempt))
    assert written(lake) == filed(path)


class _Postgres:
    """What Airflow's hook does, where its provider is not installed."""

    supports_autocommit = True

    def __init__(self, url: sa.URL) -> None:
        self.url = url
        self.engines = 0

    def get_records(self) -> None:
        """Hooks of SQL databases have it."""

    def get_sqlalchemy_engine(self, engine_kwargs: Any) -> sa.Engine:
        """As Airflow's."""
        self.engines += 1
        return sa.create_engine(self.url, **engine_kwargs)


@pytest.fixture
def postgres(postgresql: str, lake: Ask, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Postgres]:
    """A schema of its own behind the connection ``lake``, which is the role's only one."""
    hook, schema = _Postgres(sa.make_url(postgresql)), f"analytics_{secrets.token_hex(4)}"
    monkeypatch.setattr(places, "sql_hook", lambda connection: hook)
    with psycopg.connect(hook.url.set(drivername="postgresql").render_as_string(False), autocommit=True) as admin:
        name = psycopg.sql.Identifier(schema)
        admin.execute(psycopg.sql.SQL("CREATE SCHEMA {}").format(name))
        hook.url = hook.url.update_query_dict({"options": f"-c search_path={schema}"})
        yield hook
        admin.execute(psycopg.sql.SQL("DROP SCHEMA {} CASCADE").format(name))


def test_postgresql(postgres: _Postgres, tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    for attempt in (1, 2):
        run(bulk([*PAIRS, PAIRS[0]], results_path=path, **TABLE), TaskInstance(try_number=attempt))
    engine = sa.create_engine(postgres.url)
    with engine.connect() as connection:
        asked = "SELECT source_row, outcome, evidence, reason, try_number FROM night_results ORDER BY 1"
        rows = connection.exec_driver_sql(asked).all()
    engine.dispose()
    expected = [(int(r["row"]), *(r[name] or None for name in ("outcome", "evidence", "reason")), 2) for r in filed(path)]
    assert [tuple(row) for row in rows] == expected
    assert len(expected) == 4


def test_the_token_of_a_cloud_may_be_another_at_the_end(postgres: _Postgres, ghl: Sandbox) -> None:
    """The hook puts the token of the day's beginning into its engine, and the load ends hours later."""
    operator = bulk(**TABLE)
    client: Any = operator.hook.get_conn()
    send, before = client.send_once, []

    def note(*args: Any) -> Any:
        before.append(postgres.engines)
        return send(*args)

    client.send_once = note
    run(operator)
    assert postgres.engines > before[-1] == before[0] > 0


def test_postgresql_tells_no_secret(postgres: _Postgres, ghl: Sandbox) -> None:
    postgres.url = postgres.url.set(password="s3cret-guess")
    with pytest.raises(GHLResultsFailed) as raised:
        run(bulk(**TABLE))
    told = "".join(traceback.format_exception(raised.value))
    assert "its database cannot be reached (OperationalError: the server refuses the user or the password)" in told
    assert "s3cret" not in told
    assert ghl.stats()["requests"] == 0


def test_a_timeout_leaves_a_minute_for_the_table(lake: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    ends: list[float] = []

    def seconds(**arguments: Any) -> float:
        operator = bulk(execution_timeout=timedelta(minutes=10), **arguments)
        clock = operator.hook.get_conn().clock
        monkeypatch.setattr(operator.hook.stop, "set_at", lambda at: ends.append(at - clock.monotonic()))
        run(operator)
        return ends[-1]

    assert seconds() == pytest.approx(595, abs=2)
    assert seconds(**TABLE) == pytest.approx(540, abs=2)
