"""The manual's code: page by page, from top to bottom, as a reader would type it."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import requests_mock
from agencies import Agency
from cli_runs import run_command
from connecting import Connect
from manual_world import TEACHER, World
from snippets import ROOT, SNIPPETS, Snippet

from airflow_provider_ghl.get_provider_info import get_provider_info
from airflow_provider_ghl.hooks.ledger import make_engine
from airflow_provider_ghl.hooks.settings import Settings, get_connection

Capture = pytest.CaptureFixture[str]
_COMMAND = re.compile(r"(?:airflow ghl|python -m airflow_provider_ghl) (.+)")
_CONNECTION = re.compile(r"export AIRFLOW_CONN_(\w+)='(.*)'")
_OPTION = re.compile(r"export AIRFLOW__([A-Z]+)__(\w+)=\w+")
_MAKE = re.compile(r"make ([a-z -]+?) *(?:#.*)?")
_MAKES = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC")
#: What a fence is when no comment says it.
_BY_LANGUAGE = {"bash": "commands", "console": "commands", "ini": "configuration"}


def kind_of(snippet: Snippet) -> str:
    """A key of ``RUN``, or ``""`` where nobody has said what to do."""
    if snippet.how == "run":
        return snippet.what.partition(",")[0]
    if snippet.how or snippet.language != "python":
        return snippet.how or _BY_LANGUAGE.get(snippet.language, "")
    return "dag" if "@dag" in snippet.text else "script"


class Reader:
    """Who has the page before them."""

    def __init__(self, world: World, connect: Connect, capsys: Capture) -> None:
        self.world = world
        self._connecting = connect
        self._capsys = capsys

    def said(self) -> str:
        """What was printed since the last command."""
        return self._capsys.readouterr().out

    def dag(self, snippet: Snippet) -> None:
        """A DAG's file as it is, or tasks that are put into one: to the end that the comment says, green by default."""
        is_red = snippet.what.endswith(", red")
        if is_red or snippet.what.endswith(", spoiled"):
            self.world.spoil()
        self._meet(snippet)
        name = re.sub(r"\W", "_", str(snippet))
        runs = self.world.run(snippet.text, name) if kind_of(snippet) == "dag" else [self.world.run_tasks(snippet.text, name)]
        self.world.fill(self.world.rows())
        for run in runs:
            assert run.state == ("failed" if is_red else "success"), f"{snippet}: {run.states}"

    def script(self, snippet: Snippet) -> None:
        """In this process. Whoever is asked presses Enter. The sandbox's contacts have other ids, so that one stands here."""
        self._meet(snippet)
        with requests_mock.Mocker(real_http=True) as http:
            http.get(re.compile(f"{self.world.sandbox.url}/contacts/[^/]+$"), json={"contact": {}})
            exec(compile(snippet.text, str(snippet), "exec"), {"input": lambda _: ""})

    def _meet(self, snippet: Snippet) -> None:
        """Whom the snippet knows by e-mail address."""
        if "Contact(by=" in snippet.text:
            self.world.add_people()

    def file(self, snippet: Snippet) -> None:
        """Written for what comes after it."""
        (self.world.folder / snippet.what).write_text(snippet.text)

    def pytest(self, snippet: Snippet) -> None:
        """A test of the reader's, in a process of its own, with the files that stand before it."""
        (self.world.folder / "test_snippet.py").write_text(snippet.text)
        env = {**os.environ, "AIRFLOW_HOME": str(self.world.folder / "home"), "PYTHONPATH": str(ROOT)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_snippet.py"]
        done = subprocess.run(command, cwd=self.world.folder, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "1 passed" in done.stdout

    def commands(self, snippet: Snippet) -> None:
        """Our own commands are run, and print what stands below them; connections are read, and make's targets are there."""
        if "ghl loads" in snippet.text:
            self.world.load_twice()
        if "ghl loads undo" in snippet.text:
            self.world.load_another_table("relate_late_ones")
        for line, below in _typed(snippet):
            if found := _CONNECTION.fullmatch(line):
                self._connect(found[1].lower(), found[2])
            elif found := _OPTION.fullmatch(line):
                assert found[2].lower() in get_provider_info()["config"][found[1].lower()]["options"]
            elif found := _COMMAND.fullmatch(line):
                words = shlex.split(found[1].replace(" /data/", f" {self.world.folder}/data/"), comments=True)
                self._must_say(run_command(self._capsys, *words).text, below)
            elif found := _MAKE.fullmatch(line):
                assert set(found[1].split()) <= set(re.findall(r"^make (\S+)", _MAKES, re.MULTILINE))
            else:
                raise AssertionError(f"{snippet}: nobody runs {line!r}: say before the fence why not")

    def _connect(self, conn_id: str, text: str) -> None:
        """A connection of the page's says what it needs; nobody is called."""
        self._connecting(**{f"the_pages_{conn_id}": text})
        connection = get_connection(f"the_pages_{conn_id}")
        if connection.conn_type == "ghl":
            assert Settings.of(connection).location_id or Settings.of(connection).company_id
        else:
            assert make_engine(f"the_pages_{conn_id}").dialect.name == "postgresql"

    def configuration(self, snippet: Snippet) -> None:
        """Options that there are."""
        parser = configparser.ConfigParser()
        parser.read_string(snippet.text)
        known = get_provider_info()["config"]
        for section in parser.sections():
            assert set(parser[section]) <= set(known[section]["options"])

    def _must_say(self, said: str, below: list[str]) -> None:
        """… stands for anything."""
        lines = [_plain(line) for line in said.replace(str(self.world.folder), "").splitlines()]
        for line in filter(str.strip, below):
            form = re.escape(_plain(line)).replace("…", ".*")
            assert any(re.fullmatch(form, one) for one in lines), f"{line!r} is not in\n{said}"


def _plain(line: str) -> str:
    return " ".join(_MOMENT.sub("MOMENT", line).split())


def _typed(snippet: Snippet) -> list[tuple[str, list[str]]]:
    """Each line that is typed, with those that stand below it. In a console they begin with ``$``."""
    typed: list[tuple[str, list[str]]] = []
    for line in snippet.text.splitlines():
        if snippet.language != "console":
            typed += [(line, [])] if line.strip() and not line.startswith("#") else []
        elif line.startswith("$ "):
            typed.append((line[2:], []))
        else:
            typed[-1][1].append(line)
    return typed


RUN: dict[str, Callable[[Reader, Snippet], None]] = {
    "dag": Reader.dag,
    "tasks": Reader.dag,
    "script": Reader.script,
    "file": Reader.file,
    "pytest": Reader.pytest,
    "commands": Reader.commands,
    "configuration": Reader.configuration,
}
RUNNABLE = [snippet for snippet in SNIPPETS if kind_of(snippet) in RUN]


@pytest.fixture
def reader(tmp_path: Path, agency: Agency, connect: Connect, ledger: Path, capsys: Capture) -> Reader:
    return Reader(World.make(tmp_path, agency, connect), connect, capsys)


def test_every_fence_is_run_or_says_why_not() -> None:
    assert [str(snippet) for snippet in SNIPPETS if kind_of(snippet) not in {*RUN, "not run"}] == []
    assert len(RUNNABLE) > 20


@pytest.mark.parametrize("page", list(dict.fromkeys(snippet.page for snippet in RUNNABLE)))
def test_a_page(page: str, reader: Reader) -> None:
    for snippet in RUNNABLE:
        if snippet.page == page:
            RUN[kind_of(snippet)](reader, snippet)
    if page in DONE:
        DONE[page](reader)


def _linked(reader: Reader) -> None:
    there = reader.world.sandbox.state.relations()
    ada, _, teacher = reader.world.people
    assert {(ada, teacher)} <= {(one["firstRecordId"], one["secondRecordId"]) for one in there}
    assert "export AIRFLOW_CONN_GHL_DEFAULT='{" in reader.said()


def _related_everywhere(reader: Reader) -> None:
    for location_id in reader.world.agency.installed:
        assert reader.world.sandbox.state.count_relations(location_id=location_id) >= 2


def _told(reader: Reader) -> None:
    said = reader.said()
    assert re.search(r"enrolments_with_alerts\.relate failed \(run .*, try 1\)\n1 of 5 rows failed", said)
    assert "E9 invalid column 'teacher_id' is empty" in said
    (query,) = [one.text for one in SNIPPETS if one.page == "docs/howto/results-and-alerts.md" and one.language == "sql"]
    with closing(sqlite3.connect(reader.world.folder / "warehouse.db")) as database:
        ((load_id, *failed),) = database.execute(query).fetchall()
    assert "enrolments_with_results" in load_id
    assert failed == [4, "E9", "invalid", "column 'teacher_id' is empty"]


def _turned(reader: Reader) -> None:
    state = reader.world.sandbox.state
    (held_for,) = [str(one["id"]) for one in state.associations() if one["key"] == "held_for"]
    assert state.association(held_for)["firstObjectKey"] == "contact"
    assert state.pairs(held_for) == {("ZxT4kQ1nWc8RfPq2LbYs", "6758b5c1f5e2a1d3c4b5f6e7")}


def _found(reader: Reader) -> None:
    state = reader.world.sandbox.state
    (association_id,) = [str(one["id"]) for one in state.associations() if one["key"] == "student_teacher"]
    ada, bob, teacher = reader.world.people
    assert state.pairs(association_id) == {(ada, teacher), (bob, teacher), (ada, TEACHER)}


def _mirrored(reader: Reader) -> None:
    """Two nights more: a longer table, which then loses a row whose teacher stays."""
    world = reader.world
    (smallest, *_) = [one for one in RUNNABLE if one.page == "docs/howto/mirror.md"]
    for rows in (world.rows(12), world.rows(11)):
        world.fill(rows)
        (finished,) = world.run(smallest.text, "mirrored")
        assert world.sandbox.state.count_relations() == len(rows)
    deletes = finished.xcom("mirror")["deletes"]
    assert {name: count for name, count in deletes.items() if count} == {"planned": 1, "deleted": 1}


def _undone(reader: Reader) -> None:
    assert reader.world.sandbox.stats()["by_route"]["DELETE /associations/relations/{relationId}"] >= 4
    assert reader.world.sandbox.state.count_all() == 1  # that of the other table


#: What a page's code must have come to, besides its end.
DONE: dict[str, Callable[[Reader], None]] = {
    "README.md": _linked,
    "docs/howto/agency.md": _related_everywhere,
    "docs/howto/keys.md": _found,
    "docs/howto/mirror.md": _mirrored,
    "docs/howto/results-and-alerts.md": _told,
    "docs/howto/sides.md": _turned,
    "docs/howto/undo.md": _undone,
}
