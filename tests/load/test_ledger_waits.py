"""A ledger locked by others: the load waits, and stops waiting when it is stopped."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest
from broken_ledgers import COUNT, INSERT, failing
from ledgers import Place
from simulated_highlevel import SimulatedServer
from simulated_load import COLUMNS, load_pairs
from simulated_time import FakeClock
from waits import TOO_LONG

from airflow_provider_ghl.api.clock import Clock, Stop
from airflow_provider_ghl.load.columns import Batch
from airflow_provider_ghl.load.ledger.database import _ADVISORY_LOCK, Database
from airflow_provider_ghl.load.ledger.waits import LONGEST_LOCK
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.rows import from_data

only = pytest.mark.parametrize


class Hurried(Clock):
    """A fast clock: half of the time for which locks are waited for passes between two checks."""

    def __init__(self) -> None:
        self.looks = 0

    def monotonic(self) -> float:
        self.looks += 1
        return self.looks * LONGEST_LOCK * 0.5


@only("place", ["sqlite"], indirect=True)
def test_others_that_write_are_waited_for_with_patience(place: Place) -> None:
    place.ledger()
    holder = place.engine().connect()
    holder.connection.dbapi_connection.isolation_level = None  # type: ignore[union-attr]
    holder.exec_driver_sql("BEGIN IMMEDIATE")
    waiting = threading.Thread(target=lambda: Database(place.engine()).write(lambda connection: connection.execute(INSERT)))
    waiting.start()
    assert Database(place.engine()).read(lambda connection: connection.exec_driver_sql(COUNT).scalar()) == 0
    assert waiting.is_alive()
    with failing("cannot be written: OperationalError: database is locked"):
        Database(place.engine(), clock=Hurried()).write(lambda connection: connection.execute(INSERT))
    holder.exec_driver_sql("COMMIT")
    waiting.join(TOO_LONG)
    assert not waiting.is_alive()
    assert place.rows(COUNT) == [(1,)]
    holder.close()


@contextlib.contextmanager
def blocked(place: Place) -> Iterator[None]:
    """Another connection holds all of the ledger's locks."""
    with place.engine().connect() as holder:
        if place.kind == "sqlite":
            holder.connection.dbapi_connection.isolation_level = None  # type: ignore[union-attr]
            holder.exec_driver_sql("BEGIN EXCLUSIVE")
        else:
            holder.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            holder.exec_driver_sql("LOCK TABLE ghl_ledger, ghl_attempts")
        yield
        holder.exec_driver_sql("COMMIT")


@only("way", ["write", "alone"])
@only("place", ["sqlite", "postgresql"], indirect=True)
def test_after_a_stop_nothing_is_waited_for(place: Place, way: str) -> None:
    place.ledger()
    stop, database = Stop(), Database(place.engine())
    database.end_waits_when(lambda: stop.is_set)
    run = getattr(database, way)
    with blocked(place):
        stopping = threading.Timer(0.1, stop.set)
        began = time.monotonic()
        stopping.start()
        with failing("cannot be written: .*locked"):
            run(lambda connection: connection.execute(INSERT))
        assert stop.is_set
        assert time.monotonic() - began < LONGEST_LOCK / 2
        began = time.monotonic()
        with failing("cannot be written: .*locked"):
            run(lambda connection: connection.execute(INSERT))
        assert 0.4 < time.monotonic() - began < LONGEST_LOCK / 2, "what begins after the stop is tried all the same"
    run(lambda connection: connection.execute(INSERT))
    assert place.rows(COUNT) == [(1,)]


@only("way", ["write", "alone"])
@only("place", ["sqlite", "postgresql"], indirect=True)
def test_without_a_stop_it_waits_on(place: Place, way: str) -> None:
    place.ledger()
    run = getattr(Database(place.engine()), way)
    waiting = threading.Thread(target=lambda: run(lambda connection: connection.execute(INSERT)))
    with blocked(place):
        waiting.start()
        waiting.join(0.8)  # longer than the database itself waits
        assert waiting.is_alive()
    waiting.join(TOO_LONG)
    assert place.rows(COUNT) == [(1,)]


@only("place", ["sqlite"], indirect=True)
def test_a_ledger_can_be_stopped(place: Place) -> None:
    mine = place.worker()
    mine.ledger.end_waits_when(lambda: True)
    began = time.monotonic()
    with blocked(place), failing("cannot be written: .*locked"):
        mine.note(requests=1)
    assert time.monotonic() - began < LONGEST_LOCK / 2


@only("place", ["sqlite", "postgresql"], indirect=True)
def test_a_stopped_load_ends_before_it_is_killed(place: Place) -> None:
    stop, ledger = Stop(), place.ledger()
    with contextlib.ExitStack() as others:

        def batches() -> Iterator[Batch]:
            for batch in from_data([(f"s{n}", f"t{n}") for n in range(60)], COLUMNS, 20):
                if batch.start == 40:
                    others.enter_context(blocked(place))
                    stop.set()
                yield batch

        began = time.monotonic()
        load = load_pairs(batches(), SimulatedServer(FakeClock()), stop=stop, ledger=ledger)
        assert time.monotonic() - began < LONGEST_LOCK / 2
    assert load.summary["rows"] == 60
    assert load.verdict.end is End.RETRYABLE
