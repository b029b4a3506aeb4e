"""Airflow's side. Its home is a folder of this run, chosen before anything imports Airflow."""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from agencies import Agency, agency_in, forget_variables
from connecting import Connect

assert "airflow" not in sys.modules, "Airflow read its settings before the tests chose its home"
HOME = tempfile.mkdtemp(prefix="ghl-airflow-home-")
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
for name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[name]
os.environ["AIRFLOW_HOME"] = HOME
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = os.path.join(HOME, "dags")  # noqa: PTH118 - a text, before any import
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "INFO"

from seeing import Backend, play_openlineage, sending_to  # noqa: E402 - see above

from airflow_provider_ghl.sandbox import Sandbox  # noqa: E402


@pytest.fixture(autouse=True)
def no_ledger_of_others() -> None:
    """What another test's loads have left is nothing that this test's should find."""
    for left in Path(HOME).glob("ghl_ledger.db*"):
        left.unlink()


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """HighLevel without a burst limit; other arguments by an indirect parameter. Its seed is in a failing test's output."""
    with Sandbox(**{"limit": None, **getattr(request, "param", {})}) as started:
        sys.stdout.write(f"{started!r}\n")
        yield started


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Sets Airflow connections: ``connect(ghl_default=json)``."""

    def set_connections(**connections: str) -> None:
        for conn_id, text in connections.items():
            monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", text)

    return set_connections


@pytest.fixture
def ghl(sandbox: Sandbox, connect: Connect) -> Sandbox:
    """The sandbox behind the connection ``ghl_default``."""
    connect(ghl_default=sandbox.connection_json)
    return sandbox


@pytest.fixture
def attended(ghl: Sandbox) -> str:
    """The id of the association ``attended``, from contacts to events."""
    return ghl.state.add_association("attended", "contact", "custom_objects.event", "Attendee", "Event")


@pytest.fixture(scope="session")
def database() -> None:
    """Airflow's database, which ``dag.test()`` needs."""
    from airflow.utils.db import initdb

    initdb()


@pytest.fixture
def no_variables(database: None) -> Iterator[None]:
    """Airflow's database without the Variables of other tests, and afterwards without those of this one."""
    forget_variables()
    yield
    forget_variables()


@pytest.fixture
def agency(sandbox: Sandbox, no_variables: None, connect: Connect) -> Agency:
    """An agency behind the connection ``ghl_agency``."""
    made = agency_in(sandbox)
    connect(ghl_agency=made.connection())
    return made


@pytest.fixture
def ledger(tmp_path: Path, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a ledger of the test's own, by the configuration."""
    path = tmp_path / "ledgers" / "of this test.db"
    connect(ledger=json.dumps({"conn_type": "sqlite", "host": str(path)}))
    monkeypatch.setenv("AIRFLOW__GHL__LEDGER_CONN_ID", "ledger")
    return path


@pytest.fixture
def shown(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], str]]:
    """All that was written or logged so far, at every level."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.NOTSET), cache_logger_on_first_use=False)
    caplog.set_level(logging.DEBUG)

    def read() -> str:
        written = capfd.readouterr()
        return written.out + written.err + caplog.text

    yield read
    structlog.configure(**before)


@pytest.fixture
def metrics() -> Iterator[Backend]:
    """What Airflow's metrics were sent."""
    backend = Backend()
    with sending_to(lambda: backend):
        yield backend


@pytest.fixture
def openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenLineage's provider, as far as operators see it."""
    play_openlineage(monkeypatch)


@pytest.fixture
def warehouse(tmp_path: Any, connect: Connect) -> Callable[..., None]:
    """An SQLite connection ``warehouse``; fills its table ``attendance`` with ``(attendance_id, contact_id, event_id)``."""
    import sqlite3

    path = tmp_path / "warehouse.db"
    connect(warehouse=json.dumps({"conn_type": "sqlite", "host": str(path)}))

    def fill(rows: Any) -> None:
        database = sqlite3.connect(path)
        with database:
            database.execute("CREATE TABLE attendance (attendance_id, contact_id, event_id)")
            database.executemany("INSERT INTO attendance VALUES (?, ?, ?)", rows)
        database.close()

    return fill
