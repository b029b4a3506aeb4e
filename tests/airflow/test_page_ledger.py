"""The page over real ledgers, and where there is none that it could read."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from airflow.models.connection import Connection
from airflow.utils.session import create_session
from connecting import Connect
from fastapi import FastAPI
from page_fakes import FakeLedger, FakeViews, a_page
from sqlalchemy import delete
from starlette.testclient import TestClient

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.hooks.ledger import default_path, open_ledger
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, UndoLoadOperator
from airflow_provider_ghl.page.access import Viewer, viewer
from airflow_provider_ghl.page.app import make_app
from airflow_provider_ghl.page.reader import LedgerReaders, Opened
from airflow_provider_ghl.sandbox import Sandbox

RUN = "manual__1"
Ti = Callable[..., Any]


class Task:
    """As much of a task instance as a load looks at."""

    dag_id, run_id, map_index, try_number = "nightly", RUN, -1, 1

    def xcom_push(self, key: str, value: Any) -> None:
        """Not kept."""


@pytest.fixture
def page(database: None) -> TestClient:
    """The page as Airflow's API server has it, for somebody who may read ``nightly`` and asks every four seconds."""
    seconds = count(0.0, 4.0)
    app = make_app(LedgerReaders(clock=lambda: next(seconds)))
    app.dependency_overrides[viewer] = lambda: Viewer(frozenset({"nightly"}))
    outer = FastAPI()
    outer.mount("/ghl", app)
    return TestClient(outer, follow_redirects=False, headers={"Accept": "text/html"})


def load_some(ghl: Sandbox, task_id: str = "load") -> None:
    ghl.state.add_association("attended", "contact", "custom_objects.event", "A", "B")
    rows = [(f"contact-{row}", "event-1") for row in range(20)] + [("", "event-1"), ("contact-1", None)]
    load = BulkCreateRelationsOperator(task_id=task_id, association_key="attended", rows=rows, failure_tolerance=5)
    load.execute({"ti": Task()})  # type: ignore[typeddict-item]


def files(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("ghl_ledger*")}


def test_a_load_that_was_run_is_seen(ghl: Sandbox, page: TestClient) -> None:
    load_some(ghl)
    listed = page.get("/ghl/loads").text
    assert '<a href="/ghl/loads/1">1</a>' in listed
    assert "<strong>2 invalid</strong>, 20 created" in listed
    opened = page.get(f"/ghl/task?dag_id=nightly&run_id={RUN}&task_id=load&map_index={{MAP_INDEX}}")
    assert opened.headers["location"] == "/ghl/loads/1"
    shown = page.get("/ghl/loads/1").text
    with closing(open_ledger(None)) as ledger:
        load = ledger.loads.find("1")
    assert load is not None
    counts, _, reasons = load["message"].rstrip(".").partition(" Why: ")
    assert counts in shown
    for reason in reasons.split("; "):
        assert reason.partition(": ")[2] in shown.replace("&#39;", "'"), "the same words, each in a place of its own"
    assert "contact-7" in shown
    assert len(page.get("/ghl/loads/1.csv").text.splitlines()) == 23
    assert len(page.get("/ghl/loads/1.csv?search=contact-7").text.splitlines()) == 2
    assert ghl.location_id in page.get("/ghl/locations").text
    of_ledger = page.get("/ghl/ledger").text
    assert str(default_path()) in of_ledger
    assert "own machine" in of_ledger


def test_a_load_that_was_taken_back_says_so(ghl: Sandbox, page: TestClient) -> None:
    load_some(ghl)
    assert "airflow ghl loads undo 1 --plan" in page.get("/ghl/loads/1").text
    undo = UndoLoadOperator(task_id="undo", load_id="1")
    undo.execute({"ti": Task()})  # type: ignore[typeddict-item]
    undo.execute({"ti": Task()})  # type: ignore[typeddict-item]
    shown = page.get("/ghl/loads/1").text
    text = " ".join(re.sub(r"<[^>]+>", " ", shown).split())
    assert "Undone 20 of the 20 relations that it created were taken back" in text
    assert "20 relations undone: 20 deleted." in text
    assert "airflow ghl loads undo 1" not in text


def test_it_writes_nothing(ghl: Sandbox, page: TestClient) -> None:
    load_some(ghl)
    before = files(default_path().parent)
    for path in ("loads", "loads/1", "loads/1.csv", "locations", "ledger"):
        assert page.get(f"/ghl/{path}").status_code == 200
    assert files(default_path().parent) == before


def test_where_no_ledger_is_none_is_made(page: TestClient) -> None:
    for path in ("loads", "loads/1", "locations", "ledger", "task?dag_id=nightly&run_id=r&task_id=t"):
        shown = page.get(f"/ghl/{path}")
        assert (shown.status_code, "No ledger yet" in shown.text) == (200, True)
        assert "AIRFLOW__GHL__LEDGER_CONN_ID" in shown.text
    assert page.get("/ghl/loads/1.csv").status_code == 404
    assert not default_path().exists()


def test_a_ledger_that_comes_and_goes(ghl: Sandbox, page: TestClient) -> None:
    """A deleted one is not written again by the page, which had read it."""
    assert "No ledger yet" in page.get("/ghl/loads").text
    load_some(ghl)
    assert page.get("/ghl/loads/1").status_code == 200
    for left in default_path().parent.glob("ghl_ledger.db*"):
        left.unlink()
    assert {page.get("/ghl/loads").status_code for _ in range(2)} <= {200, 503}
    assert "No ledger yet" in page.get("/ghl/loads").text
    assert not default_path().exists()


@pytest.mark.parametrize(
    ("connection", "told"),
    [
        (None, "no connection 'away'"),
        ({"conn_type": "mysql", "host": "db"}, "is of type 'mysql'"),
        (
            {"conn_type": "postgres", "host": "127.0.0.1", "port": 1, "schema": "l", "login": "me", "password": "pw-canary"},
            "127.0.0.1",
        ),
    ],
)
def test_one_that_cannot_be_reached(
    page: TestClient, connect: Connect, monkeypatch: pytest.MonkeyPatch, connection: Any, told: str
) -> None:
    if connection:
        connect(away=json.dumps(connection))
    monkeypatch.setenv("AIRFLOW__GHL__LEDGER_CONN_ID", "away")
    for path in ("loads", "loads/1", "loads/1.csv", "locations", "ledger"):
        shown = page.get(f"/ghl/{path}")
        text = shown.text.replace("&#39;", "'")
        assert (shown.status_code, told in text, "[ghl] ledger_conn_id" in text) == (503, True, True)
        assert "pw-canary" not in text
        assert "Traceback" not in text
        assert shown.headers["cache-control"] == "no-store"


def test_damaged_or_unreadable_ones(page: TestClient) -> None:
    default_path().write_bytes(b"this is no database" * 100)
    assert page.get("/ghl/loads").status_code == 503
    default_path().unlink()
    open_ledger(None).close()
    with closing(open_ledger(None)) as ledger:
        ledger._database.write(
            lambda connection: connection.exec_driver_sql("UPDATE ghl_ledger SET value = '1' WHERE name = 'schema_version'")
        )
    shown = page.get("/ghl/loads")
    assert (shown.status_code, "of version 1" in shown.text) == (503, True)
    if os.geteuid():
        default_path().chmod(stat.S_IWUSR)
        assert page.get("/ghl/loads").status_code == 503


def test_after_an_error_the_ledger_is_opened_anew() -> None:
    made: list[FakeLedger] = []
    now = [0.0]

    def opens(conn_id: str | None) -> Opened:
        made.append(FakeLedger(FakeViews()))
        return Opened("there", conn_id, made[-1])

    readers = LedgerReaders(opens, lambda: now[0])
    client = a_page()
    client.app.routes[-1].app.state.readers = readers  # type: ignore[attr-defined]
    for _ in range(3):
        assert client.get("/ghl/loads").status_code == 200
    assert len(made) == 1
    made[0].views.failure = "the ledger there cannot be read: it is away"
    broken = client.get("/ghl/loads")
    assert (broken.status_code, "it is away" in broken.text, made[0].is_closed) == (503, True, True)
    assert client.get("/ghl/loads").status_code == 200
    now[0] += 61
    assert client.get("/ghl/loads").status_code == 200
    assert [ledger.is_closed for ledger in made] == [True, True, False]


def test_a_ledger_that_is_away_does_not_take_airflows_threads() -> None:
    """It is asked for once in a while, and by few at a time."""
    tried, now = 0, [0.0]

    def opens(conn_id: str | None) -> Opened:
        nonlocal tried
        tried += 1
        raise LedgerError("it is away")

    readers = LedgerReaders(opens, lambda: now[0])
    for at in (0.0, 1.0, 2.9, 3.1, 4.0):
        now[0] = at
        with pytest.raises(LedgerError, match="it is away"), readers.reading(None):
            pass
    assert tried == 2
    slow = LedgerReaders(lambda conn_id: Opened("there", conn_id, FakeLedger()), patience=0.0)
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(slow.reading(None))
        with pytest.raises(LedgerError, match="too many"), slow.reading(None):
            pass
    with slow.reading(None) as opened:
        assert opened.where == "there"


def test_a_file_waits_for_its_turn_with_each_piece() -> None:
    """Hundreds of files that are being downloaded do not take Airflow's threads, where their ledger is slow."""
    readers = LedgerReaders(lambda conn_id: Opened("there", conn_id, FakeLedger()), patience=0.0)
    made: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            with ExitStack() as others:
                for _ in range(7):
                    others.enter_context(readers.reading(None))
                with pytest.raises(LedgerError, match="too many"), readers.reading(None):
                    pass
            yield b"piece"

    file = readers.in_turns(pieces())
    assert next(file) == b"piece"
    with ExitStack() as stack:
        for _ in range(8):
            stack.enter_context(readers.reading(None))  # none of the turns is held between two pieces
        with pytest.raises(LedgerError, match="too many"):
            next(file)
    assert made == [0]
    assert list(readers.in_turns(pieces())) == [b"piece"] * 3
    readers = LedgerReaders(lambda conn_id: Opened("there", conn_id, FakeLedger(FakeViews(rows=[]))))
    client, taken = a_page(), []
    client.app.routes[-1].app.state.readers = readers  # type: ignore[attr-defined]
    readers.in_turns = lambda pieces: taken.append(1) or iter(pieces)  # type: ignore[method-assign, func-returns-value]
    assert client.get("/ghl/loads/7.csv").status_code == 200
    assert taken == [1]


def test_another_ledger_is_one_that_a_highlevel_connection_names(
    ghl: Sandbox, page: TestClient, connect: Connect, tmp_path: Path
) -> None:
    connect(second=json.dumps({"conn_type": "sqlite", "host": str(tmp_path / "second.db")}))
    open_ledger("second").close()
    extra = json.dumps({"ledger_conn_id": "second"})
    with create_session() as session:
        session.add(Connection(conn_id="a_sub_account", conn_type="ghl", host="https://example.com", extra=extra))
        session.add(Connection(conn_id="without_a_ledger", conn_type="ghl"))
        broken = Connection(conn_id="not_decrypted", conn_type="ghl")
        broken._extra, broken.is_extra_encrypted = "not encrypted at all", True
        session.add(broken)
    try:
        load_some(ghl)
        assert 'href="/ghl/ledger?ledger=second"' in page.get("/ghl/ledger").text
        shown = page.get("/ghl/loads?ledger=second")
        assert (shown.status_code, "The ledger has no load" in shown.text) == (200, True)
        assert len(re.findall(r'href="/ghl/(?:loads|locations|ledger)\?ledger=second"', shown.text)) >= 4
        assert page.get("/ghl/loads/1?ledger=second").status_code == 404
        # Neither a connection of another kind nor one that nobody names.
        assert [page.get(f"/ghl/loads?ledger={name}").status_code for name in ("a_sub_account", "ghl_default", "x")] == [
            404
        ] * 3
    finally:
        with create_session() as session:
            session.execute(
                delete(Connection).where(Connection.conn_id.in_(("a_sub_account", "without_a_ledger", "not_decrypted")))
            )
