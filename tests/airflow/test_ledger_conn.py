"""Where the ledger is, by connection and configuration, and which places are refused or warned of."""

from __future__ import annotations

import json
import stat
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connecting import Connect
from running import PAIRS, TaskInstance, fail, run
from waiting import rows_of

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks import ledger as places
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.load.ledger.views import ViewFilter
from airflow_provider_ghl.operators.errors import GHLLedgerFailed, GHLMisconfigured, GHLRetryable
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

REMEDY = "set ledger_conn_id on the connection, or [ghl] ledger_conn_id, to an Airflow connection of a PostgreSQL database"
THERE = "SELECT count(*) FROM ghl_relations WHERE state = 1"


def bulk(**arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", rows=PAIRS, **arguments)


def sqlite(path: Path | str) -> str:
    return json.dumps({"conn_type": "sqlite", "host": str(path)})


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Another AIRFLOW_HOME, as far as the ledger is concerned: Airflow itself has read its own by now."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def say(ghl: Sandbox, connect: Connect) -> Callable[..., None]:
    """More in the extra of ``ghl_default``."""

    def set_extra(**extra: Any) -> None:
        fields = json.loads(ghl.connection_json)
        connect(ghl_default=json.dumps({**fields, "extra": {"location_id": ghl.location_id, **extra}}))

    return set_extra


@pytest.mark.usefixtures("attended")
class TestPlace:
    def test_by_default_a_file_in_airflows_home(self, ghl: Sandbox, home: Path) -> None:
        run(bulk())
        assert rows_of(home / "ghl_ledger.db", THERE) == [(3,)]

    def test_only_its_owner_may_read_it(self, ghl: Sandbox, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(bulk())
        assert [stat.S_IMODE(path.stat().st_mode) for path in (home, home / "ghl_ledger.db")] == [0o700, 0o600]
        assert "may read the ledger" not in capsys.readouterr().out

    @pytest.mark.parametrize("mode", [0o644, 0o666, 0o602])
    def test_a_file_that_all_may_read_draws_a_warning_and_stays_as_it_is(
        self, ghl: Sandbox, ledger: Path, capsys: pytest.CaptureFixture[str], mode: int
    ) -> None:
        run(bulk())
        ledger.chmod(mode)
        assert run(bulk())["already_exists"] == 3
        assert f"Every user of this machine may read the ledger sqlite:///{ledger}" in capsys.readouterr().out
        assert stat.S_IMODE(ledger.stat().st_mode) == mode

    def test_airflows_home_is_read_as_airflow_reads_it(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("SOMEWHERE", "there")
        for value, meant in {"": "airflow", "~/mine": "mine", "$HOME/$SOMEWHERE": "there"}.items():
            monkeypatch.setenv("AIRFLOW_HOME", value)
            assert places.default_path() == tmp_path / meant / "ghl_ledger.db"

    def test_the_configuration_names_it(self, ghl: Sandbox, home: Path, ledger: Path) -> None:
        run(bulk())
        assert rows_of(ledger, THERE) == [(3,)]
        assert not home.exists()

    def test_the_connection_says_it_better(
        self, say: Callable[..., None], connect: Connect, ledger: Path, tmp_path: Path
    ) -> None:
        connect(mine=sqlite(tmp_path / "mine.db"))
        say(ledger_conn_id=" mine ")
        run(bulk())
        assert rows_of(tmp_path / "mine.db", THERE) == [(3,)]
        assert not ledger.exists()

    @pytest.mark.parametrize("nothing", ["", None])
    def test_what_the_form_leaves_empty_says_nothing(self, say: Callable[..., None], ledger: Path, nothing: Any) -> None:
        say(ledger_conn_id=nothing)
        run(bulk())
        assert rows_of(ledger, THERE) == [(3,)]

    def test_a_relative_path_is_the_same_wherever_a_task_runs(
        self, ghl: Sandbox, home: Path, ledger: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        connect(ledger=sqlite("ledgers/mine.db"))
        for folder in (tmp_path / "one", tmp_path / "another"):
            folder.mkdir()
            monkeypatch.chdir(folder)
            run(bulk())
            assert list(folder.iterdir()) == []
        assert rows_of(home / "ledgers" / "mine.db", THERE) == [(3,)]
        assert ghl.stats()["by_route"]["POST /associations/relations"] == 3


@pytest.mark.usefixtures("attended", "ledger")
class TestRefused:
    @pytest.mark.parametrize(
        ("connection", "text"),
        [
            (None, "Airflow has no connection 'ledger'"),
            (
                {"conn_type": "mysql", "host": "db", "password": "s3cret"},
                "'ledger' is of type 'mysql': a ledger is kept in Post",
            ),
            ({"conn_type": "ghl"}, "is of type 'ghl'"),
            ({"conn_type": "sqlite"}, "connection 'ledger' names no file: its host is the path"),
            ({"conn_type": "sqlite", "host": ":memory:"}, "connection 'ledger' names no file"),
        ],
    )
    def test_what_holds_no_ledger(
        self, ghl: Sandbox, connect: Connect, monkeypatch: pytest.MonkeyPatch, connection: Any, text: str
    ) -> None:
        if connection is None:
            monkeypatch.delenv("AIRFLOW_CONN_LEDGER")
        else:
            connect(ledger=json.dumps(connection))
        message = fail(bulk(), GHLMisconfigured)
        assert text in message
        assert "s3cret" not in message
        assert ghl.stats()["requests"] == 0

    def test_a_folder_that_cannot_be_made(self, ghl: Sandbox, connect: Connect, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        connect(ledger=sqlite(tmp_path / "file" / "ledger.db"))
        message = fail(bulk(), GHLMisconfigured)
        assert "cannot be made" in message
        assert message.endswith(REMEDY)
        assert ghl.stats()["requests"] == 0

    @pytest.mark.parametrize(
        ("break_it", "text"),
        [
            (lambda path: path.write_bytes(b"no database" * 1000), "file is not a database"),
            (lambda path: path.mkdir(), "unable to open database file"),
            (None, "unable to open database file"),
        ],
        ids=["corrupt", "a folder", "a folder that takes no files"],
    )
    def test_one_that_cannot_be_opened_is_worth_another_try(
        self, ghl: Sandbox, connect: Connect, tmp_path: Path, break_it: Any, text: str
    ) -> None:
        path = tmp_path / "ledger.db" if break_it else Path("/proc/ledger.db")  # which not even root may make
        if break_it:
            break_it(path)
        connect(ledger=sqlite(path))
        with pytest.raises(GHLLedgerFailed, match="the ledger sqlite:///") as caught:
            bulk().execute(TaskInstance().context)
        assert isinstance(caught.value, GHLRetryable)
        assert text in str(caught.value)
        logged = "".join(traceback.format_exception(caught.value))
        assert "sqlalchemy.exc" not in logged
        assert "[SQL" not in logged
        assert ghl.stats()["requests"] == 0

    def test_one_that_cannot_be_opened_is_told_before_anything_is_deleted(
        self, ghl: Sandbox, attended: str, connect: Connect
    ) -> None:
        relation = ghl.state.add_relation(attended, *PAIRS[0])
        connect(ledger=json.dumps({"conn_type": "mysql"}))
        with pytest.raises(ConfigurationError, match="a ledger is kept in PostgreSQL or SQLite"):
            GHLHook().delete_relation(relation)
        assert ghl.state.count_relations() == 1


@pytest.mark.usefixtures("attended", "ledger")
class TestRemoteWorkers:
    @pytest.mark.parametrize(
        ("executors", "named"),
        [
            ("LocalExecutor", None),
            ("airflow.executors.local_executor.LocalExecutor", None),
            ("fast:LocalExecutor", None),
            ("fast:airflow.executors.local_executor.LocalExecutor, slow:LocalExecutor", None),
            ("LocalExecutor;a_team=LocalExecutor", None),
            ("=LocalExecutor;a_team=fast:LocalExecutor", None),
            ("", None),
            ("CeleryExecutor", "CeleryExecutor"),
            ("KubernetesExecutor", "KubernetesExecutor"),
            ("LocalExecutor,CeleryExecutor", "CeleryExecutor"),
            ("LocalExecutor, CeleryExecutor", "CeleryExecutor"),
            ("KubernetesExecutor,CeleryExecutor", "CeleryExecutor, KubernetesExecutor"),
            ("airflow.providers.celery.executors.celery_executor.CeleryExecutor", "CeleryExecutor"),
            ("far:airflow.providers.celery.executors.celery_executor.CeleryExecutor", "CeleryExecutor"),
            ("LocalExecutor,LocalExecutor2:my.own.FarExecutor", "FarExecutor"),
            ("LocalExecutor;a_team=CeleryExecutor,KubernetesExecutor", "CeleryExecutor, KubernetesExecutor"),
        ],
    )
    def test_a_file_draws_a_warning_on_every_load(
        self,
        ghl: Sandbox,
        ledger: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        executors: str,
        named: str | None,
    ) -> None:
        monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", executors)
        for _ in range(2):
            run(bulk())
            logged = capsys.readouterr().out
            assert ("is a file of this machine" in logged) is (named is not None)
            if named:
                assert f"The ledger sqlite:///{ledger} is a file of this machine, and {named} may run the next try" in logged
                assert REMEDY in logged


@pytest.mark.usefixtures("attended")
class TestTasksState:
    """An attempt knows by it which ledger the one before wrote."""

    def test_the_same_ledger_is_nothing_to_speak_of(
        self, ghl: Sandbox, ledger: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        state: dict[str, Any] = {}
        for try_number in (1, 2):
            run(bulk(), TaskInstance(try_number=try_number, state=state))
        assert state == {"ghl_ledger_id": GHLHook().ledger.id}
        assert "another ledger" not in capsys.readouterr().out

    def test_another_one_is_told_once_with_the_remedy(
        self, ghl: Sandbox, ledger: Path, connect: Connect, capsys: pytest.CaptureFixture[str]
    ) -> None:
        state: dict[str, Any] = {}
        run(bulk(), TaskInstance(state=state))
        ledger.unlink()
        capsys.readouterr()
        run(bulk(), TaskInstance(try_number=2, state=state))
        logged = capsys.readouterr().out
        assert f"An earlier attempt of this task wrote another ledger than sqlite:///{ledger}." in logged
        assert "set ledger_conn_id, so that all workers share one" in logged
        run(bulk(), TaskInstance(try_number=3, state=state))
        assert "another ledger" not in capsys.readouterr().out

    def test_a_plan_leaves_it_alone(self, ghl: Sandbox, ledger: Path) -> None:
        state = {"ghl_ledger_id": "another"}
        run(bulk(plan_only=True), TaskInstance(state=state))
        assert state == {"ghl_ledger_id": "another"}


@pytest.mark.usefixtures("attended")
def test_a_page_reads_the_ledger_and_makes_none(ghl: Sandbox, home: Path, say: Callable[..., None]) -> None:
    say()
    where, reader = places.read_ledger(None)
    assert (where, reader) == (f"sqlite:///{home / 'ghl_ledger.db'}", None)
    assert not home.exists()
    run(bulk())
    before = {file.name: file.read_bytes() for file in home.iterdir() if file.name.startswith("ghl_ledger")}
    where, reader = places.read_ledger(None)
    assert reader is not None
    assert (reader.where, reader.file) == (where, home / "ghl_ledger.db")
    (load,) = reader.views.loads(ViewFilter())
    assert (load.state, load.outcomes) == ("green", {"created": len(PAIRS)})
    (location,) = reader.views.locations(None)
    assert (location.location_id, location.relations) == (ghl.location_id, len(PAIRS))
    assert location.requests_today == load.requests == ghl.stats()["requests"]
    reader.close()
    assert {file.name: file.read_bytes() for file in home.iterdir() if file.name.startswith("ghl_ledger")} == before
