"""The sandbox as a person starts it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from airflow_provider_ghl.sandbox import command

START = """
import argparse
from airflow_provider_ghl.sandbox import command

parser = argparse.ArgumentParser()
command.add_arguments(parser)
raise SystemExit(command.run(parser.parse_args()))
"""


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_how_to_reach_it_and_ends_cleanly(tmp_path: Path, end: signal.Signals) -> None:
    options = ["--state", str(tmp_path / "state"), "--limit", "7", "--location", "here", "--token", "fake", "--seed", "3"]
    process = subprocess.Popen([sys.executable, "-c", START, *options], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        said: list[str] = []
        while not said or "Ctrl-C" not in said[-1]:
            said.append(process.stdout.readline())
            assert said[-1], f"it ended early: {said}"
        export = next(line for line in said if line.startswith("export "))
        name, _, value = shlex.split(export)[1].partition("=")
        connection = json.loads(value)
        assert name == "AIRFLOW_CONN_GHL_DEFAULT"
        assert (connection["password"], connection["extra"]) == ("fake", {"location_id": "here"})
        answer = requests.get(
            f"{connection['host']}/associations/",
            params={"locationId": "here"},
            headers={"Authorization": "Bearer fake", "Version": "v3"},
            timeout=10,
        )
        assert (answer.status_code, answer.headers["x-ratelimit-max"]) == (200, "7")
        os.kill(process.pid, end)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "Requests            1 (1 x 200)" in rest
    assert "GET /associations/" in rest


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return parser.parse_args(words)


def test_zero_means_no_limit() -> None:
    args = parsed("--limit", "0", "--daily-limit", "0")
    assert (args.limit, args.daily_limit) == (None, None)


def test_what_keeps_it_from_starting_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    for words in (["--state", str(tmp_path / "table.csv")], ["--state", str(tmp_path)], ["--latency", "-1"]):
        assert command.run(parsed(*words)) == 1
        assert "cannot start" in capsys.readouterr().err
