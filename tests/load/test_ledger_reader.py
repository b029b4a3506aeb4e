"""A ledger that is only read: nothing is written, and what cannot be read says why."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import NOW, VERSION_1, VERSION_2, Place
from result_rows import refused

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.reader import LedgerReader, ReadOnlyDatabase
from airflow_provider_ghl.load.ledger.schema import MIGRATIONS, prepare
from airflow_provider_ghl.load.ledger.views import ViewFilter

SQLITE = pytest.mark.parametrize("place", ["sqlite"], indirect=True)
KEPT = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def readers(place: Place) -> Iterator[Any]:
    """Opens readers of the place's ledger."""
    opened = []

    def read() -> LedgerReader:
        opened.append(LedgerReader(place.engine(), database_time=place.clock))
        return opened[-1]

    yield read
    for reader in opened:
        reader.close()


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {file.name: (file.read_bytes(), file.stat().st_mtime_ns) for file in folder.iterdir()}


def leave(place: Place) -> None:
    """Write a load into the ledger, as a process that has ended."""
    mine = place.worker()
    mine.note(results=[refused(row) for row in range(3)])
    mine.end()
    mine.ledger.close()


def ask_all(reader: LedgerReader) -> None:
    views = reader.views
    assert [load.outcomes for load in views.loads(ViewFilter())] == [{"rejected": 3}]
    assert [group.rows for group in views.problems(1)] == [3]
    assert len(list(views.all_results(1))) == 3
    views.choices(None)
    views.outcomes_by_day(ViewFilter(state="running"))
    views.locations(None)
    found = reader.statistics()
    assert (found["results"], found["where"], found["id"], found["schema_version"]) == (3, reader.where, reader.id, 3)
    assert found["made_at"] == reader.made_at is not None
    seen = reader.overview()
    both = seen.keys() & found.keys()
    assert {name: seen[name] for name in both} == {name: found[name] for name in both}
    assert seen["oldest_load"] == NOW


@KEPT
def test_it_reads(place: Place, readers: Any) -> None:
    leave(place)
    ask_all(readers())


@KEPT
def test_what_is_read_together_is_of_one_moment(place: Place) -> None:
    """The load ends between two statements, and in the second its attempt has ended, while in the first the load had not."""
    mine = place.worker()
    engine = place.engine()
    reader, ended = LedgerReader(engine, database_time=place.clock), False
    database: Any = reader.views._database

    @sa.event.listens_for(database._engine, "before_cursor_execute")
    def end_it(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
        nonlocal ended
        if "FROM ghl_attempts" in statement and not ended:
            ended = True
            mine.end()

    assert [load.state for load in reader.views.loads(ViewFilter())] == ["running"]
    assert ended
    assert [load.state for load in reader.views.loads(ViewFilter())] == ["retryable"]
    reader.close()


@SQLITE
def test_a_link_to_the_file_leads_to_what_is_written_beside_the_file(place: Place, tmp_path: Path) -> None:
    mine = place.worker()
    mine.note(results=[refused(0)])
    real = Path(str(sa.make_url(place.url).database))
    (link := tmp_path / "elsewhere").mkdir()
    (link / "ledger.db").symlink_to(real)
    reader = LedgerReader(sa.create_engine(f"sqlite:///{link}/ledger.db"), database_time=place.clock)
    assert [load.outcomes for load in reader.views.loads(ViewFilter())] == [{"rejected": 1}]
    reader.close()


@SQLITE
def test_a_file_that_nobody_has_open_stays_as_it_is(place: Place, readers: Any, tmp_path: Path) -> None:
    leave(place)
    before = state(tmp_path)
    assert before.keys() == {"ledger.db"}
    ask_all(readers())
    assert state(tmp_path) == before


@SQLITE
def test_a_file_that_is_being_written_is_read_up_to_its_last_write(place: Place, readers: Any, tmp_path: Path) -> None:
    mine = place.worker()
    reader = readers()
    for row in range(3):
        mine.note(results=[refused(row)])
        assert len(reader.views.results(1).rows) == row + 1
    before = state(tmp_path)
    ask_all(reader)
    assert {name: before[name][0] for name in ("ledger.db", "ledger.db-wal")} == {
        name: state(tmp_path)[name][0] for name in ("ledger.db", "ledger.db-wal")
    }
    mine.end()
    mine.ledger.close()
    place.close()
    after = state(tmp_path)
    ask_all(reader)
    assert state(tmp_path) == after


@SQLITE
def test_it_goes_on_with_another_file_in_its_place(place: Place, readers: Any, tmp_path: Path) -> None:
    leave(place)
    reader = readers()
    place.close()
    (tmp_path / "ledger.db").unlink()
    with pytest.raises(LedgerError, match="cannot be read"):
        reader.views.loads(ViewFilter())
    assert list(tmp_path.iterdir()) == []
    with sqlite3.connect(tmp_path / "ledger.db") as file:
        file.executescript("CREATE TABLE a (b)")
    file.close()
    with pytest.raises(LedgerError, match="no such table"):
        reader.views.loads(ViewFilter())


@SQLITE
def test_a_lost_shared_memory_file_is_no_hindrance(
    place: Place, readers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a crash, in a folder where it cannot be made anew."""
    leave(place)
    (tmp_path / "ledger.db-wal").write_bytes(b"\0" * 32)
    connect = sqlite3.connect

    def refuse(address: str, **options: Any) -> sqlite3.Connection:
        if "immutable" not in address:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error
        opened: sqlite3.Connection = connect(address, **options)
        return opened

    monkeypatch.setattr("airflow_provider_ghl.load.ledger.reader.sqlite3.connect", refuse)
    ask_all(readers())


@KEPT
def test_nothing_can_be_written(place: Place) -> None:
    leave(place)
    database = ReadOnlyDatabase(place.engine())
    for write in (database.write, database.alone):
        with pytest.raises(LedgerError, match="opened for reading only"):
            write(lambda connection: None)
    with pytest.raises(LedgerError, match=r"read-?only|25006"):
        database.read(lambda connection: connection.exec_driver_sql("DELETE FROM ghl_loads"))
    database.close()
    assert place.rows("SELECT count(*) FROM ghl_loads") == [(1,)]


@KEPT
def test_where_there_is_no_ledger_it_says_so_and_makes_none(place: Place, readers: Any, tmp_path: Path) -> None:
    text = "cannot be read: OperationalError: there is no such file" if place.kind == "sqlite" else "there is no ledger at"
    with pytest.raises(LedgerError, match=text):
        readers()
    assert list(tmp_path.iterdir()) == []
    if place.kind == "postgresql":
        assert sa.inspect(place.shared).get_table_names() == []


@KEPT
@pytest.mark.parametrize(("dump", "version"), [(VERSION_1, 1), (VERSION_2, 2)])
def test_a_ledger_of_an_earlier_release_is_left_to_the_next_load(place: Place, readers: Any, dump: Path, version: int) -> None:
    place.fill_with(dump)
    with pytest.raises(LedgerError, match=rf"is of version {version}, and this release reads version 3: the next load"):
        readers()
    assert place.rows("SELECT value FROM ghl_ledger WHERE name = 'schema_version'") == [(str(version),)]


@KEPT
def test_a_ledger_of_a_release_to_come_is_not_read(place: Place, readers: Any) -> None:
    prepare(Database(place.engine()), [*MIGRATIONS, lambda connection: None])
    with pytest.raises(LedgerError, match="is of version 4, and this release knows versions up to 3: upgrade"):
        readers()
