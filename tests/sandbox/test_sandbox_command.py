"""The sandbox as a person starts it."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from waits import TOO_LONG

from airflow_provider_ghl.commands.sandbox_arguments import SANDBOX
from airflow_provider_ghl.sandbox import command

START = ("-m", "airflow_provider_ghl", "sandbox")


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_its_address_and_ends_cleanly(tmp_path: Path, end: signal.Signals) -> None:
    options = ["--state", str(tmp_path / "state"), "--limit", "7", "--location", "here", "--token", "fake", "--seed", "3"]
    process = subprocess.Popen([sys.executable, *START, *options], stdout=subprocess.PIPE, text=True)
    with process:
        assert process.stdout
        greeting: list[str] = []
        while not greeting or "Ctrl-C" not in greeting[-1]:
            greeting.append(process.stdout.readline())
            assert greeting[-1], f"it ended early: {greeting}"
        export = next(line for line in greeting if line.startswith("export "))
        name, _, value = shlex.split(export)[1].partition("=")
        connection = json.loads(value)
        assert name == "AIRFLOW_CONN_GHL_DEFAULT"
        assert (connection["password"], connection["extra"]) == ("fake", {"location_id": "here"})
        answer = requests.get(
            f"{connection['host']}/associations/",
            params={"locationId": "here"},
            headers={"Authorization": "Bearer fake", "Version": "v3"},
            timeout=TOO_LONG,
        )
        assert (answer.status_code, answer.headers["x-ratelimit-max"]) == (200, "7")
        os.kill(process.pid, end)
        rest = process.stdout.read()
    assert process.returncode == 0
    assert "Requests            1 (1 x 200)" in rest
    assert "GET /associations/" in rest


@pytest.mark.parametrize(("options", "key"), [([], "attends"), (["--keep-associations"], "ATTENDS")])
def test_new_associations_are_rewritten_or_kept(options: list[str], key: str) -> None:
    with subprocess.Popen([sys.executable, *START, *options, "--token", "fake"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        export = next(line for line in process.stdout if line.startswith("export "))
        connection = json.loads(shlex.split(export)[1].partition("=")[2])
        sides = {"firstObjectKey": "contact", "firstObjectLabel": "a", "secondObjectKey": "contact", "secondObjectLabel": "b"}
        answer = requests.post(
            f"{connection['host']}/associations/",
            json={"locationId": connection["extra"]["location_id"], "key": "ATTENDS", **sides},
            headers={"Authorization": "Bearer fake", "Version": "v3"},
            timeout=TOO_LONG,
        )
        os.kill(process.pid, signal.SIGINT)
    assert (answer.status_code, answer.json()["key"]) == (201, key)


def test_an_agency_is_the_same_at_every_start() -> None:
    extras = []
    for _ in range(2):
        options = ["--agency", "5", "--seed", "3"]
        with subprocess.Popen([sys.executable, *START, *options], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout
            lines = list(iter(process.stdout.readline, "Ctrl-C ends it.\n"))
            exports = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
            connection = json.loads(exports["AIRFLOW_CONN_GHL_AGENCY"])
            tokens = connection["extra"] | {"grant_type": "refresh_token"}
            answer = requests.post(f"{connection['host']}/oauth/token", data=tokens, timeout=TOO_LONG)
            os.kill(process.pid, signal.SIGINT)
        assert any("AgencySubaccount0001 to AgencySubaccount0005" in line for line in lines)
        assert (answer.status_code, answer.json()["companyId"]) == (200, connection["extra"]["company_id"])
        extras.append(connection["extra"])
    assert extras[0] == extras[1]


def parsed(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    for argument in SANDBOX.arguments:
        parser.add_argument(*argument.flags, **argument.settings)
    return parser.parse_args(words)


def test_zero_means_no_limit() -> None:
    args = parsed("--limit", "0", "--daily-limit", "0")
    assert (args.limit, args.daily_limit) == (None, None)


def test_what_keeps_it_from_starting_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "table.csv").write_text("a,b\n")
    for words in (["--state", str(tmp_path / "table.csv")], ["--state", str(tmp_path)]):
        assert command.run(parsed(*words)) == 1
        assert "cannot start" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "values", "requirement"),
    [
        ("--port", ["99999", "65536", "-1", "http", "1.5"], "must be a port from 0 to 65535"),
        ("--interval", ["nan", "inf", "0", "-1", "1e9", "x"], "must be seconds, more than 0 and up to 86400"),
        ("--latency", ["nan", "inf", "-0.1", "1e300", "x"], "must be seconds from 0 to 86400"),
        ("--latency-spread", ["nan", "inf", "-0.1", "1.1"], "must be a share from 0 to 1"),
        ("--limit", ["-1", "x", "1.5"], "must be a whole number, 0 or more"),
        ("--daily-limit", ["-1", "x"], "must be a whole number, 0 or more"),
        ("--agency", ["-1", "10000", "x"], "must be a number of sub-accounts from 0 to 9999"),
    ],
)
def test_numbers_out_of_range_are_bad_usage(
    capsys: pytest.CaptureFixture[str], option: str, values: list[str], requirement: str
) -> None:
    for value in values:
        with pytest.raises(SystemExit) as raised:
            parsed(option, value)
        assert raised.value.code == 2
        assert capsys.readouterr().err.endswith(f"argument {option}: {requirement}, not {value!r}\n")


def test_numbers_at_the_ends_of_their_range() -> None:
    args = parsed("--port", "65535", "--interval", "0.1", "--latency", "0", "--latency-spread", "1")
    assert (args.port, args.interval, args.latency, args.latency_spread) == (65535, 0.1, 0.0, 1.0)


@pytest.mark.parametrize("gone", ["after the greeting", "before it"])
def test_a_reader_that_is_gone_does_not_end_it(tmp_path: Path, gone: str) -> None:
    reader, writer = os.pipe()
    if gone == "before it":
        os.close(reader)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command_line = [sys.executable, *START, "--port", str(port)]
    with subprocess.Popen(command_line, stdout=writer, stderr=subprocess.PIPE, text=True) as process:
        os.close(writer)
        if gone == "after the greeting":
            with open(reader) as greeting:  # noqa: PTH123 - a file descriptor
                assert "HighLevel sandbox" in greeting.readline()
        while process.poll() is None:
            with contextlib.suppress(requests.ConnectionError):
                requests.get(f"http://127.0.0.1:{port}/sandbox/stats", timeout=TOO_LONG)
                break
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr
        assert process.stderr.read() == ""
    assert process.returncode == 0
