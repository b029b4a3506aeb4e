"""Where refreshed tokens are kept: in Airflow's database, by a task's supervisor, by many threads at once; or nowhere."""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import task
from airflow.sdk._shared.secrets_masker import redact
from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import ErrorResponse, GetVariable, GetVariableKeys, PutVariable, VariableKeysResult
from cryptography.fernet import Fernet
from dag_runs import dag_of, run_dag
from waits import TOO_LONG

from airflow_provider_ghl.api.token_store import Stored, TokenPair
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError
from airflow_provider_ghl.hooks.token_variable import AirflowTokens, variable_name

PREFIX = "ghl_oauth_token__"


def stored(name: str = "one", fingerprint: str = "f") -> Stored:
    pair = TokenPair(f"access-{name}-0123", f"refresh-{name}-0123", 1_800_000_000.0, 86_399.0, "Company", "an-agency")
    return Stored(pair, fingerprint, 3)


def rows() -> list[tuple[str, str, int]]:
    with closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")) as opened:
        return opened.execute("SELECT key, val, is_encrypted FROM variable").fetchall()


class TestNames:
    def test_airflow_redacts_it(self) -> None:
        name = variable_name("ghl_default")
        assert name == f"{PREFIX}ghl_default"
        assert redact("a value", name) == "***"

    @pytest.mark.parametrize("conn_id", ["a/b", "a#b", "a b", "ä", "x" * 240, "", "a%2Fb"])
    def test_fits_into_a_url_and_a_key(self, conn_id: str) -> None:
        name = variable_name(conn_id)
        assert name.startswith(PREFIX)
        assert name[len(PREFIX) :].isalnum()
        assert len(name) < 250
        assert name != variable_name(conn_id + "x")


@pytest.fixture
def encrypting(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Airflow has a key, as every installation that is in earnest."""
    from airflow.models.crypto import get_fernet

    monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", Fernet.generate_key().decode())
    get_fernet.cache_clear()
    yield
    monkeypatch.undo()
    get_fernet.cache_clear()


@pytest.mark.usefixtures("no_variables")
class TestDatabase:
    @pytest.mark.usefixtures("encrypting")
    def test_keeps_them_encrypted(self) -> None:
        tokens = AirflowTokens("ghl_default")
        assert tokens.read() is None
        tokens.write(stored())
        assert AirflowTokens("ghl_default").read() == stored()
        tokens.write(stored("two"))
        assert AirflowTokens("ghl_default").read() == stored("two")
        assert AirflowTokens("another").read() is None
        ((key, text, is_encrypted),) = rows()
        assert (key, is_encrypted) == (f"{PREFIX}ghl_default", 1)
        assert "two" not in text

    def test_finds_them_under_another_id(self) -> None:
        AirflowTokens("one").write(stored("one", "fingerprint-1"))
        AirflowTokens("two").write(stored("two", "fingerprint-2"))
        of_the_moment = AirflowTokens("Kx2r9QpLrzTf")
        assert of_the_moment.find("fingerprint-2", "an-agency", None) == stored("two", "fingerprint-2")
        assert of_the_moment.find("fingerprint-2", "another", None) is None
        assert of_the_moment.find("fingerprint-2", None, "a location") is None
        assert of_the_moment.find("fingerprint-3", "an-agency", None) is None

    def test_its_own_come_first(self) -> None:
        for name in ("one", "two", "three"):
            AirflowTokens(name).write(stored(name, "of one app"))
        assert AirflowTokens("two").find("of one app", None, None) == stored("two", "of one app")

    @pytest.mark.parametrize("text", ["", "no JSON", "{}", "[]", "null", '{"pair": 3, "fingerprint": "f"}'])
    def test_what_a_person_made_of_it_counts_as_nothing(self, text: str) -> None:
        from airflow.models.variable import Variable

        Variable.set(f"{PREFIX}ghl_default", text)
        assert AirflowTokens("ghl_default").read() is None
        AirflowTokens("ghl_default").write(stored())
        assert AirflowTokens("ghl_default").read() == stored()

    def test_airflow_masks_each_of_them(self) -> None:
        AirflowTokens("ghl_default").write(stored("masked"))
        assert redact("Bearer access-masked-0123, refresh-masked-0123!") == "Bearer ***, ***!"

    def test_many_threads(self) -> None:
        assert hammer(8) == []

    def test_a_database_that_fails_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tokens = AirflowTokens("ghl_default")
        with closing(sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")) as opened:
            opened.execute("ALTER TABLE variable RENAME TO gone")
            try:
                for work in (tokens.read, lambda: tokens.write(stored()), lambda: tokens.find("f", None, None)):
                    with pytest.raises(GHLError, match=f"{PREFIX}ghl_default could not be (read|written)") as raised:
                        work()
                    assert raised.value.__cause__ is None
                    assert "0123" not in str(raised.value)
            finally:
                opened.execute("ALTER TABLE gone RENAME TO variable")


class TestTask:
    """Under ``dag.test()``, whose way to Airflow's API is one that threads would get lost on."""

    def test_many_threads(self, no_variables: None) -> None:
        def build() -> None:
            @task
            def work() -> list[str]:
                return hammer(8)

            work()

        finished = run_dag(dag_of(build, "tokens_of_threads"))
        assert finished.state == "success"
        assert finished.xcom("work") == []
        assert {key for key, _, _ in rows()} == {f"{PREFIX}conn-{number}" for number in range(8)}


def hammer(threads: int) -> list[str]:
    """Each thread writes and reads what is its own, over and over. What went wrong."""
    wrong: list[str] = []

    def work(number: int) -> None:
        tokens = made[number]
        for turn in range(3):
            try:
                tokens.write(stored(f"{number}-{turn}"))
                if tokens.read() != stored(f"{number}-{turn}"):
                    wrong.append(f"{number} read something else")
            except Exception as error:  # noqa: BLE001 - whatever it is, it should not be
                wrong.append(f"{number}: {error}")

    made = [AirflowTokens(f"conn-{number}") for number in range(threads)]
    running = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(TOO_LONG)
    return wrong


class Supervisor:
    """Answers a task as its supervisor does."""

    def __init__(self, *, fails: bool) -> None:
        self.fails = fails
        self.kept: dict[str, str] = {}
        self.masked: list[Any] = []

    def send(self, message: Any) -> Any:
        if isinstance(message, PutVariable):
            if self.fails:
                raise AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail={"input": message.value}))
            assert set(self.masked) >= {"access-one-0123", "refresh-one-0123"}, "it is logged before it is masked"
            self.kept[message.key] = str(message.value)
        elif isinstance(message, GetVariable):
            kind = ErrorType.API_SERVER_ERROR if self.fails else ErrorType.VARIABLE_NOT_FOUND
            raise AirflowRuntimeError(ErrorResponse(error=kind))
        elif isinstance(message, GetVariableKeys):
            return VariableKeysResult(keys=[f"{PREFIX}ghl_default"] if self.fails else [], total_entries=0)
        else:
            self.masked.append(message.value)
        return None


class TestSupervisor:
    @pytest.fixture
    def supervisor(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Supervisor:
        supervisor = Supervisor(fails=request.param)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        return supervisor

    @pytest.mark.parametrize("supervisor", [False], indirect=True)
    def test_not_there(self, supervisor: Supervisor) -> None:
        assert AirflowTokens("ghl_default").read() is None
        AirflowTokens("ghl_default").write(stored())
        assert list(supervisor.kept) == [f"{PREFIX}ghl_default"]

    @pytest.mark.parametrize("supervisor", [True], indirect=True)
    def test_a_failure_is_not_taken_for_nothing(self, supervisor: Supervisor, caplog: pytest.LogCaptureFixture) -> None:
        """Airflow says "not found" for both; with a spent token pasted in the connection that would be the end of it."""
        caplog.set_level(logging.DEBUG)
        tokens = AirflowTokens("ghl_default")
        for work in (tokens.read, lambda: tokens.write(stored())):
            with pytest.raises(GHLError, match="could not be") as raised:
                work()
            assert "0123" not in repr(raised.value) + repr(raised.value.__cause__)
        assert "0123" not in caplog.text


class TestNowhere:
    def test_says_so_before_a_token_is_spent(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", f"sqlite:///{tmp_path}/none.db")
        tokens = AirflowTokens("ghl_default")
        for work in (tokens.read, lambda: tokens.write(stored())):
            with pytest.raises(ConfigurationError, match="neither a task nor Airflow's database is here"):
                work()
        assert tokens.find("f", None, None) is None
        assert list(tmp_path.iterdir()) == []
