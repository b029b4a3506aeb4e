"""A failing database: every method raises LedgerError, and no error contains a password, a user or a value."""

from __future__ import annotations

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from broken_ledgers import COUNT, INSERT, failing
from ledgers import Pairs, Place
from simulated_time import FakeClock
from waits import TOO_LONG

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter

only = pytest.mark.parametrize


@only("place", ["postgresql"], indirect=True)
def test_a_refused_password_is_never_shown(place: Place) -> None:
    right = sa.make_url(place.url)
    for wrong in (right.set(password="s3cret-pässword"), right.set(username="s3cret-user", password="s3cret")):
        engine = sa.create_engine(wrong)
        with failing("cannot be read: OperationalError: the server refuses the user or the password", "s3cret", "ghl:"):
            Ledger(engine)
        engine.dispose()
    engine = sa.create_engine(right.set(database="s3cret-database"))
    with failing("postgresql://127.0.0.1:.* OperationalError: there is no such database or user"):
        Ledger(engine)
    engine.dispose()


def test_a_server_that_is_not_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    engine = sa.create_engine(f"postgresql+psycopg://s3cret-user:s3cret@127.0.0.1:{port}/warehouse")
    with failing(f"postgresql://127.0.0.1:{port}/warehouse cannot be read: .*: nothing answers there", "s3cret"):
        Ledger(engine, longest_outage=0.0)
    engine.dispose()


@only("place", ["postgresql"], indirect=True)
def test_connections_that_the_server_closed_meanwhile_are_made_anew(place: Place) -> None:
    mine = place.worker("mine")
    mine.claim("a-b")
    for act in (lambda: mine.claim("a-b"), lambda: mine.made("a-b"), lambda: mine.knows("a-b"), lambda: mine.note()):
        assert close_others(place)
        act()
    lost = 0

    def lose(connection: sa.Connection) -> None:
        nonlocal lost
        connection.execute(INSERT)
        lost += 1
        close_others(place)
        connection.exec_driver_sql("SELECT 1")

    clock = FakeClock()
    with failing("cannot be written: .*the server is shutting down|the connection was lost", "s3cret"):
        Database(place.engine(), clock=clock, longest_outage=2.0).write(lose)
    assert lost > 2, "again with new connections, for as long as an outage is waited for, and no longer"
    assert 1_001.5 < clock.now <= 1_002.0
    assert Database(place.engine()).read(lambda connection: connection.exec_driver_sql(COUNT).scalar()) == 0


def close_others(place: Place) -> int:
    """How many connections of the test's the server has closed."""
    mine = "pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
    with place.engine().connect() as connection:
        return len(
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE {mine}").all()
        )


def test_an_interruption_passes_and_leaves_nothing_half_done(place: Place) -> None:
    place.ledger()
    database = Database(place.engine())

    def interrupted(connection: sa.Connection) -> None:
        connection.execute(INSERT)
        raise SystemExit("a timeout of Airflow's strikes anywhere")

    for _ in range(3):
        with pytest.raises(SystemExit):
            database.write(interrupted)
    assert database.read(lambda connection: connection.exec_driver_sql(COUNT).scalar()) == 0
    database.write(lambda connection: connection.execute(INSERT))
    assert place.rows(COUNT) == [(1,)]


def test_values_that_a_database_cannot_hold_are_not_shown(place: Place) -> None:
    mine = place.worker("mine")
    odd = "s3cret\udc80"
    of = mine.pairs("a-b")
    with failing("cannot be written: .*Error", "s3cret"):
        mine.ledger.relations.claim(mine.attempt, mine.target_id, of.high, of.low, [odd], ["b"], mine.freshness)
    with failing("cannot be written: (IntegrityError|UniqueViolation)", "s3cret"):
        Database(place.engine()).write(lambda connection: [connection.execute(INSERT) for _ in range(2)])
    assert mine.claim("a-b")


@only("place", ["sqlite"], indirect=True)
def test_a_file_that_is_no_database(place: Place, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"This is not a database. " * 1_000)
    with failing(f"the ledger sqlite:///{tmp_path}/ledger.db cannot be read: DatabaseError: file is not a database"):
        place.ledger()


@only("place", ["sqlite"], indirect=True)
def test_a_file_with_holes(place: Place, tmp_path: Path) -> None:
    mine = place.worker("mine")
    mine.learned(*(f"first-{row}" for row in range(3_000)))
    mine.ledger.close()
    place.close()
    file = tmp_path / "ledger.db"
    whole = file.read_bytes()
    file.write_bytes(whole[:8_192] + b"\xff" * (len(whole) - 8_192))
    with failing("DatabaseError: .*(malformed|not a database)"):
        mine.learned("another-1")
        mine.ledger.relations.known(mine.target_id, mine.freshness, None)
        mine.ledger.statistics()


@only("place", ["sqlite"], indirect=True)
def test_a_file_that_may_only_be_read(place: Place, tmp_path: Path) -> None:
    place.ledger().close()
    engine = sa.create_engine(f"sqlite:///file:{tmp_path / 'ledger.db'}?mode=ro&uri=true")
    ledger = Ledger(engine)
    assert ledger.statistics()["relations"] == 0
    with failing("cannot be written: OperationalError: attempt to write a readonly database"):
        ledger.forget(RelationFilter(everything=True))
    ledger.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    engine = sa.create_engine(f"sqlite:///{tmp_path}/no/such/folder/ledger.db")
    with failing("no/such/folder/ledger.db cannot be read: OperationalError: unable to open database file"):
        Ledger(engine)


@only("place", ["sqlite"], indirect=True)
def test_a_full_disk(place: Place) -> None:
    mine = place.worker("mine")
    mine.learned("a-b")
    engine = place.engine()

    @sa.event.listens_for(engine, "connect")
    def _(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA max_page_count = 60")

    mine.ledger = Ledger(engine, database_time=place.clock)
    many = [f"first-{row}" for row in range(5_000)]
    with failing("cannot be written: OperationalError: database or disk is full"):
        mine.learned(*many)
    with failing("full"):
        mine.claim(*many)
    assert mine.knows("a-b", "first-1") == [1, 0]
    mine.refused("a-b")


@only("place", ["memory"], indirect=True)
def test_threads_take_turns_in_memory(place: Place) -> None:
    mine = place.worker("mine")
    threads = [threading.Thread(target=lambda row=row: mine.learned(*(f"{row}-{n}" for n in range(50)))) for row in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mine.ledger.relations.count(mine.target_id, 1_000) == 400


@only("place", ["postgresql"], indirect=True)
def test_a_deadlock_is_run_again(place: Place) -> None:
    mine, theirs = place.worker("mine"), place.worker("theirs")
    of = Pairs.build(mine.ledger, [("a", "b"), ("c", "d")])
    mine.learned("a-b", "c-d")
    both_began = threading.Barrier(2)
    change = "UPDATE ghl_relations SET confirmed = confirmed + 1 WHERE first_record_id = '{}'"
    runs: list[str] = []

    def work(order: str) -> None:
        runs_before = len(runs)

        def cross(connection: sa.Connection) -> None:
            runs.append(order)
            connection.exec_driver_sql(change.format(order[0]))
            with contextlib.suppress(threading.BrokenBarrierError):
                both_began.wait(TOO_LONG if runs_before < 2 and not both_began.broken and len(runs) <= 2 else 0)
            connection.exec_driver_sql(change.format(order[1]))

        Database(place.engine()).write(cross)

    threads = [threading.Thread(target=work, args=(order,)) for order in ("ac", "ca")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 < len(runs) < 40, "one tried again, or both, but not in step for ever"
    assert len(of.keys) == 2
    assert place.rows("SELECT DISTINCT confirmed FROM ghl_relations") == [(place.clock.now + 2,)]
    assert theirs.knows("a-b") == [1]
