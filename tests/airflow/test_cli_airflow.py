"""The same commands as ``airflow ghl``: how Airflow gets them, and how they find connections without a task."""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.cli import cli_parser
from airflow.cli.cli_config import GroupCommand
from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException
from cli_runs import OPTIONS, copy_database, make_rows, run_command, store_connection, write_csv
from connecting import Connect

from airflow_provider_ghl.commands.arguments import load_function
from airflow_provider_ghl.commands.description import COMMANDS
from airflow_provider_ghl.hooks.ledger import open_ledger
from airflow_provider_ghl.hooks.settings import outside_tasks
from airflow_provider_ghl.sandbox import Sandbox

Capture = pytest.CaptureFixture[str]
AIRFLOW = Path(sys.executable).with_name("airflow")
HEAVY = ("airflow", "pandas", "numpy", "requests", "sqlalchemy", "airflow_provider_ghl.sandbox")


def parsed(*words: str) -> argparse.Namespace:
    return cli_parser.get_parser().parse_args(["ghl", *words])


def child(*command: str | Path, home: Path) -> subprocess.CompletedProcess[str]:
    """In an environment with nothing of Airflow's but its home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    words = list(map(str, command))
    return subprocess.run(words, env={**kept, "AIRFLOW_HOME": str(home)}, capture_output=True, text=True, check=False)


class TestDefinitions:
    def test_import_nearly_nothing(self) -> None:
        code = f"import airflow_provider_ghl.cli, sys; print([name for name in {HEAVY} if name in sys.modules])"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"

    def test_airflow_has_the_same_commands(self) -> None:
        group = cli_parser.ALL_COMMANDS_DICT["ghl"]
        assert isinstance(group, GroupCommand)
        assert {command.name for command in group.subcommands} == {command.name for command in COMMANDS}

    @pytest.mark.parametrize(
        "words",
        [
            ["loads"],
            ["loads", "show", "1"],
            ["loads", "export", "1", "f.csv"],
            ["ledger", "show"],
            ["plan", "f.csv"],
            ["login"],
        ],
    )
    def test_airflow_parses_them(self, words: list[str]) -> None:
        assert parsed(*words, "--json").json is True
        assert callable(parsed(*words).func)

    def test_airflow_parses_the_filters_of_loads(self) -> None:
        arguments = parsed("loads", "--dag", "nightly", "--state", "failed", "--since", "7d", "--before", "2026-11-30")
        assert (arguments.dag, arguments.state, arguments.since.days) == ("nightly", "failed", 7)
        assert arguments.before.isoformat() == "2026-11-30T00:00:00+00:00"

    def test_airflow_parses_the_sandbox_s_options(self) -> None:
        arguments = parsed("sandbox", "--port", "8000", "--agency", "5", "--daily-limit", "0")
        assert (arguments.port, arguments.agency, arguments.daily_limit, arguments.limit) == (8000, 5, None, 100)

    def test_what_is_run_is_there(self) -> None:
        names = [one.run for group in COMMANDS for one in (group, *group.commands) if one.run]
        assert len(names) == 10
        assert all(callable(load_function(name)) for name in names)

    @pytest.mark.parametrize(
        ("words", "status"),
        [(["loads"], 0), (["loads", "show", "1"], 1), (["ledger", "forget"], 2), (["plan", "x.csv"], 2), (["login"], 1)],
    )
    def test_exit_status(
        self, words: list[str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
    ) -> None:
        monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
        arguments = parsed(*words)
        with pytest.raises(SystemExit) as ended:
            arguments.func(arguments)
        assert ended.value.code == status


class TestConnections:
    @pytest.fixture
    def stored(self, database: None, sandbox: Sandbox) -> Iterator[Sandbox]:
        """The sandbox behind a connection that only Airflow's database has."""
        store_connection(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", "ghl_default", sandbox.connection_json)
        yield sandbox
        opened = sqlite3.connect(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db")
        with opened:
            opened.execute("DELETE FROM connection WHERE conn_id = 'ghl_default'")
        opened.close()

    def test_of_the_database(self, stored: Sandbox) -> None:
        with pytest.raises(AirflowNotFoundException):
            BaseHook.get_connection("ghl_default")
        with outside_tasks():
            assert BaseHook.get_connection("ghl_default").host == stored.url
        with pytest.raises(AirflowNotFoundException):
            BaseHook.get_connection("ghl_default")

    def test_of_the_environment_come_first(self, stored: Sandbox, connect: Connect) -> None:
        connect(ghl_default=json.dumps({"conn_type": "ghl", "host": "https://first.example"}))
        with outside_tasks():
            assert BaseHook.get_connection("ghl_default").host == "https://first.example"

    def test_a_process_that_has_said_what_it_is_stays_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")
        with outside_tasks():
            assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "client"
        assert os.environ["_AIRFLOW_PROCESS_CONTEXT"] == "client"

    @pytest.mark.slow
    def test_airflow_itself(self, stored: Sandbox, tmp_path: Path) -> None:
        """The one test of the real thing: a connection in Airflow's database, a plain shell."""
        copy_database(Path(os.environ["AIRFLOW_HOME"]) / "airflow.db", tmp_path / "airflow.db")
        stored.state.add_association("attended", "contact", "custom_objects.event", "Attendee", "Event")
        path = write_csv(make_rows(stored), tmp_path / "rows.csv")
        shown = child(AIRFLOW, "ghl", "ledger", "show", home=tmp_path)
        assert (shown.returncode, shown.stdout) == (
            0,
            f"There is no ledger at sqlite:///{tmp_path}/ghl_ledger.db yet: the first load makes it.\n",
        ), shown.stderr
        planned = child(AIRFLOW, "ghl", "plan", path, "--association-key", "attended", *OPTIONS, "--json", home=tmp_path)
        assert planned.returncode == 0, planned.stderr
        assert json.loads(planned.stdout)["counts"]["not_attempted"] == 6
        assert stored.stats()["requests"] == 1
        assert stored.token not in planned.stdout + planned.stderr

    @pytest.mark.slow
    def test_airflow_serves_the_sandbox(self, tmp_path: Path) -> None:
        command = [str(AIRFLOW), "ghl", "sandbox", "--location", "here"]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        environment = {**kept, "AIRFLOW_HOME": str(tmp_path)}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            greeting = "".join(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
            os.kill(process.pid, signal.SIGINT)
        assert "Location            here\n" in greeting
        assert process.returncode == 0

    def test_no_database_is_made(self, tmp_path: Path) -> None:
        shown = child(sys.executable, "-m", "airflow_provider_ghl", "ledger", "show", "--json", home=tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert json.loads(shown.stdout)["exists"] is False
        assert {path.name for path in tmp_path.iterdir()} <= {"logs"}


class TestStdout:
    def test_is_for_the_answer(self, capsys: Capture) -> None:
        """Whatever logs to what was stdout when logging was set up, such as a warning of Airflow's."""
        open_ledger(None).close()
        handler, engines = logging.StreamHandler(sys.stdout), logging.getLogger("sqlalchemy.engine")
        logging.getLogger().addHandler(handler)
        engines.setLevel(logging.INFO)
        try:
            result = run_command(capsys, "loads", "--json")
            assert handler.stream is sys.stdout
        finally:
            logging.getLogger().removeHandler(handler)
            engines.setLevel(logging.NOTSET)
        assert result.json == []
        assert "BEGIN" in result.err

    def test_nobody_reads_it(self, tmp_path: Path) -> None:
        code = (
            "import os, sys; from airflow_provider_ghl.commands.output import Out\n"
            "read, write = os.pipe(); os.close(read); os.dup2(write, 1)\n"
            "Out(sys.stdout, as_json=False).write(None, ['x'])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
