"""A ledger in PostgreSQL, by an Airflow connection."""

from __future__ import annotations

import inspect
import json
import secrets
import socket
import time
import tomllib
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pytest
import sqlalchemy as sa
from airflow.providers.common.sql.hooks.sql import DbApiHook
from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowOptionalProviderFeatureException
from connecting import Connect
from packaging.requirements import Requirement
from running import PAIRS, TaskInstance, run

from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.hooks import ledger as places
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.operators.errors import GHLLedgerFailed
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

ROOT = Path(__file__).resolve().parents[2]
USER, PASSWORD = "o'hara@x /ü", 'p@ss:w/ord? %41#"ä\\&='


def bulk() -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", rows=PAIRS)


@pytest.fixture
def database(postgresql: str) -> Iterator[dict[str, Any]]:
    """A database of a user with an odd name, as an Airflow connection says it."""
    server, name = sa.make_url(postgresql), f"ledger_{secrets.token_hex(4)}"
    with psycopg.connect(server.set(drivername="postgresql").render_as_string(False), autocommit=True) as admin:
        user, password = psycopg.sql.Identifier(USER), psycopg.sql.Literal(PASSWORD)
        admin.execute(psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(user, password))
        admin.execute(psycopg.sql.SQL("CREATE DATABASE {} OWNER {}").format(psycopg.sql.Identifier(name), user))
        yield {
            "conn_type": "postgres",
            "host": server.host,
            "port": server.port,
            "login": USER,
            "password": PASSWORD,
            "schema": name,
        }
        admin.execute(psycopg.sql.SQL("DROP DATABASE {} WITH (FORCE)").format(psycopg.sql.Identifier(name)))
        admin.execute(psycopg.sql.SQL("DROP ROLE {}").format(user))


@pytest.fixture(autouse=True)
def configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__GHL__LEDGER_CONN_ID", "ledger")


def traceback_of(operator: BulkCreateRelationsOperator) -> str:
    """The whole traceback of a load that cannot have its ledger."""
    with pytest.raises(GHLLedgerFailed) as caught:
        operator.execute(TaskInstance().context)
    return "".join(traceback.format_exception(caught.value))


@pytest.mark.usefixtures("attended")
class TestLoads:
    @pytest.mark.parametrize("form", ["json", "uri", "another name of the type"])
    def test_a_rerun_sends_nothing(
        self, ghl: Sandbox, connect: Connect, database: dict[str, Any], form: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        fields = {**database, "conn_type": "postgresql"} if form.startswith("another") else database
        port, name = database["port"], database["schema"]
        uri = f"postgresql://{quote(USER, safe='')}:{quote(PASSWORD, safe='')}@127.0.0.1:{port}/{name}"
        connect(ledger=uri if form == "uri" else json.dumps(fields))
        assert run(bulk())["created"] == 3
        summary = run(bulk())
        assert (summary["already_exists"], summary["requests"]) == (3, 1)
        assert ghl.stats()["by_route"]["POST /associations/relations"] == 3
        assert PASSWORD not in capsys.readouterr().out

    def test_workers_on_many_machines_may_share_it(
        self,
        ghl: Sandbox,
        connect: Connect,
        database: dict[str, Any],
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
        connect(ledger=json.dumps(database))
        run(bulk())
        assert "is a file of this machine" not in capsys.readouterr().out

    def test_what_the_extra_says_reaches_the_driver(self, ghl: Sandbox, connect: Connect, database: dict[str, Any]) -> None:
        extra = {"keepalives_idle": 7, "application_name": "ledger", "options": "-c work_mem=5MB", "cursor": "dictcursor"}
        connect(ledger=json.dumps({**database, "extra": {**extra, "sqlalchemy_query": {"sslmode": "allow"}}}))
        run(bulk())
        engine = places.make_engine("ledger")
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            parameters = driver.info.get_parameters()
            assert connection.exec_driver_sql("SHOW work_mem").scalar_one() == "5MB"
        engine.dispose()
        expected = {"connect_timeout": "10", "keepalives_idle": "7", "tcp_user_timeout": "60000", "sslmode": "allow"}
        assert parameters | expected == parameters


@pytest.mark.usefixtures("attended")
class TestFailures:
    @pytest.mark.parametrize(
        ("wrong", "text"),
        [
            ({"password": "s3cret-guess"}, "the server refuses the user or the password"),
            ({"login": "s3cret-user"}, "the server refuses the user or the password"),
            ({"schema": "s3cret"}, "there is no such database or user"),
            ({"host": "no-such-host.invalid"}, "cannot be read"),
        ],
        ids=lambda wrong: next(iter(wrong)) if isinstance(wrong, dict) else "",
    )
    def test_it_is_worth_another_try_and_tells_no_secret(
        self, ghl: Sandbox, connect: Connect, database: dict[str, Any], wrong: dict[str, Any], text: str
    ) -> None:
        connect(ledger=json.dumps({**database, **wrong}))
        logged = traceback_of(bulk())
        assert text in logged
        assert not [secret for secret in (PASSWORD, USER, "s3cret-guess", "s3cret-user", "sqlalchemy.exc") if secret in logged]
        assert ghl.stats()["requests"] == 0

    def test_without_a_host_it_is_this_machine(self, connect: Connect, database: dict[str, Any]) -> None:
        connect(ledger=json.dumps({**database, "host": None}))
        with pytest.raises(LedgerError, match="cannot be read: OperationalError: nothing answers there"):
            Ledger(places.make_engine("ledger"), longest_outage=0.0)

    def test_a_server_that_never_answers_is_away(self, connect: Connect, database: dict[str, Any]) -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            port = silent.getsockname()[1]
            connect(ledger=json.dumps({**database, "port": port, "extra": {"connect_timeout": 2}}))
            began = time.monotonic()
            with pytest.raises(LedgerError, match="no answer in time"):
                Ledger(places.make_engine("ledger"), longest_outage=0.0)
        assert time.monotonic() - began < 10, "without the option it waits so long"

    def test_a_look_does_not_wait_for_it(self, connect: Connect, database: dict[str, Any]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            connect(ledger=json.dumps({**database, "port": free.getsockname()[1]}))
            began = time.monotonic()
            with pytest.raises(LedgerError, match="nothing answers there"):
                places.find_ledger(None)
        assert time.monotonic() - began < 30


class HookOfProvider(DbApiHook):
    """As Airflow's own hook for PostgreSQL, whose provider is not installed here: its engine knows the address alone."""

    conn_name_attr = "postgres_conn_id"

    def __init__(self, url: sa.URL | None) -> None:
        super().__init__(postgres_conn_id="ledger")
        self.url, self.asked = url, 0

    @property
    def sqlalchemy_url(self) -> Any:
        self.asked += 1
        if self.url is None:
            raise OSError("s3cret: the cloud does not answer")
        return self.url


class ConnectionOfProvider(Connection):
    """One whose provider is installed."""

    def get_hook(self, *, hook_params: Any = None) -> Any:
        return hook_params if hook_params is not None else HOOKS[self.conn_id]


HOOKS: dict[str, Any] = {}


def connection_with(hook: Any, **extra: Any) -> ConnectionOfProvider:
    HOOKS["ledger"] = hook
    return ConnectionOfProvider(conn_id="ledger", conn_type="postgres", extra=json.dumps(extra))


def raising(error: Exception) -> Any:
    class Raises:
        def get_sqlalchemy_engine(self, engine_kwargs: Any = None) -> Any:
            raise error

    return Raises()


class TestHookOfProvider:
    @pytest.fixture
    def url(self, database: dict[str, Any]) -> sa.URL:
        parts = (database["login"], database["password"], database["host"], database["port"], database["schema"])
        return sa.URL.create("postgresql+psycopg", *parts)

    def test_its_engine_gets_what_the_driver_needs(self, url: sa.URL) -> None:
        engine = places._postgres(connection_with(HookOfProvider(url), sslmode="allow", iam=False))
        with engine.connect() as connection:
            driver: Any = connection.connection.dbapi_connection
            parameters = driver.info.get_parameters()
        engine.dispose()
        assert {"sslmode": "allow", "connect_timeout": "10", "keepalives_idle": "30"}.items() <= parameters.items()
        assert engine.hide_parameters

    def test_each_connection_gets_a_new_token(self, url: sa.URL) -> None:
        hook = HookOfProvider(url.set(username="nobody", password="a token that has expired"))
        engine = places._postgres(connection_with(hook, iam=True))
        hook.url = url
        for asked in (2, 3):
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT current_user").scalar_one() == USER
            engine.dispose()
            assert hook.asked == asked
        hook.url = None
        with pytest.raises(LedgerError, match=r"^Airflow's hook cannot .* 'ledger' \(OSError\)$"):
            Ledger(engine)

    @pytest.mark.parametrize(
        ("error", "kind", "text"),
        [
            (AirflowOptionalProviderFeatureException("install the amazon provider"), ConfigurationError, "install the amazon"),
            (ModuleNotFoundError("No module named 'psycopg2'"), ConfigurationError, "No module named 'psycopg2'"),
            (ValueError("s3cret"), ConfigurationError, "(ValueError)"),
            (ConnectionError("s3cret"), LedgerError, "(ConnectionError)"),
        ],
    )
    def test_why_it_cannot(self, error: Exception, kind: type[Exception], text: str) -> None:
        with pytest.raises(kind) as raised:
            places._postgres(connection_with(raising(error)))
        assert str(raised.value).startswith("Airflow's hook cannot make an engine of the ledger's connection 'ledger' (")
        assert text in str(raised.value)
        assert "s3cret" not in str(raised.value)

    def test_a_hook_of_somebody_elses_is_done_without(self, database: dict[str, Any]) -> None:
        connection = ConnectionOfProvider(conn_id="ledger", **database)
        HOOKS["ledger"] = object()
        engine = places._postgres(connection)
        with engine.connect() as there:
            assert there.exec_driver_sql("SELECT current_user").scalar_one() == USER
        engine.dispose()


def test_the_driver_that_a_message_may_ask_for_is_an_extra_of_this_package() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert [Requirement(text).name for text in extras["postgres"]] == ["psycopg"]
    assert "pip install 'airflow-provider-ghl[postgres]'" in inspect.getsource(places)
