"""The file of an SQLite ledger: who may read it, and what a load does when the file is deleted or replaced."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from broken_ledgers import failing
from ledgers import Place
from remembering import PAIRS, Time, evidence, known, server
from simulated_highlevel import SimulatedServer
from simulated_load import Load, load_pairs

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import End

BESIDE = ("", "-wal", "-shm")
HALFWAY = 1_015.0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


def opened(file: Path, time: Time) -> Ledger:
    return Ledger(sa.create_engine(f"sqlite:///{file}"), database_time=time)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def beside(file: Path, ending: str) -> Path:
    return file.with_name(file.name + ending)


class TestMode:
    @pytest.mark.parametrize("umask", [0o022, 0o000, 0o077])
    def test_only_its_owner_may_read_it(self, file: Path, time: Time, umask: int) -> None:
        before = os.umask(umask)
        try:
            ledger = opened(file, time)
            load_pairs(PAIRS[:5], server(), ledger=ledger)
            assert [mode(beside(file, ending)) for ending in BESIDE] == [0o600] * 3
        finally:
            os.umask(before)
        ledger.close()

    def test_a_file_that_is_there_keeps_its_mode(self, file: Path, time: Time) -> None:
        opened(file, time).close()
        file.chmod(0o660)
        ledger = opened(file, time)
        load_pairs(PAIRS[:5], server(), ledger=ledger)
        assert [mode(beside(file, ending)) for ending in BESIDE] == [0o660] * 3
        ledger.close()


def under_a_load(file: Path, ledger: Ledger, world: SimulatedServer, act: Callable[[], None]) -> Load:
    """Run a load, and do something to the ledger's file halfway."""
    return load_pairs(PAIRS, world, ledger=ledger, batch_size=50, prepare=lambda workers: workers.at(HALFWAY, act))


class TestDeleted:
    @pytest.mark.parametrize("what", [BESIDE, ("",), ("", "-wal")], ids=["all", "the database alone", "without -shm"])
    def test_it_is_written_again_with_all_that_it_held(
        self, file: Path, time: Time, what: tuple[str, ...], caplog: pytest.LogCaptureFixture
    ) -> None:
        ledger, world = opened(file, time), server()
        load_pairs([("earlier", "teacher")], world, ledger=ledger, load_id="earlier")
        file.chmod(0o640)
        seen = len(world.creations)

        def delete() -> None:
            nonlocal seen
            seen = len(world.creations)
            for ending in what:
                beside(file, ending).unlink()

        load = under_a_load(file, opened(file, time), world, delete)
        assert 100 <= seen < 301, "it was deleted halfway"
        assert load.verdict.end is End.GREEN
        assert evidence(load) == {("created", "answer"): 300}
        (warning,) = load.verdict.warnings
        assert warning.startswith(f"The ledger sqlite:///{file} was deleted while it was in use, and was written again")
        assert [record.getMessage() for record in caplog.records] == [warning]
        assert mode(file) == 0o640
        assert {path.name for path in file.parent.iterdir()} <= {beside(file, ending).name for ending in BESIDE}
        # Tomorrow another process opens it.
        tomorrow = opened(file, time)
        assert tomorrow.id == ledger.id
        again = load_pairs([("earlier", "teacher"), *PAIRS], world, ledger=tomorrow, load_id="tomorrow")
        assert evidence(again) == {("already_exists", "ledger"): 301}
        assert again.verdict.warnings == []
        assert set(world.creations.values()) == {1}
        assert {one["load_id"] for one in tomorrow.loads.list()} == {"earlier", "load", "tomorrow"}
        with sa.create_engine(f"sqlite:///{file}").connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
            connection.engine.dispose()

    def test_it_may_be_deleted_again_and_again(self, file: Path, time: Time) -> None:
        ledger, world = opened(file, time), server()

        def prepare(workers: object) -> None:
            for seconds in (5.0, 15.0, 25.0):
                workers.at(1_000.0 + seconds, lambda: file.unlink())  # type: ignore[attr-defined]

        load = load_pairs(PAIRS, world, ledger=ledger, batch_size=50, prepare=prepare)
        assert (load.summary["created"], len(load.verdict.warnings)) == (300, 3)
        assert known(opened(file, time)) == 300

    @pytest.mark.parametrize("place", ["sqlite"], indirect=True)
    def test_others_that_have_it_open_turn_to_the_copy(self, place: Place, tmp_path: Path) -> None:
        """Two processes, each with its own connections."""
        mine, theirs = place.worker("mine"), place.worker("theirs")
        theirs.ledger = Ledger(place.engine(), database_time=place.clock)
        mine.claim("a-b")
        theirs.claim("c-d")
        (tmp_path / "ledger.db").unlink()
        mine.made("a-b")
        assert theirs.knows("a-b") == [1]
        theirs.made("c-d")
        assert mine.knows("a-b", "c-d") == [2, 1]
        assert len(mine.ledger.warnings) == len(theirs.ledger.warnings) == 1

    def test_where_it_cannot_be_written_again_the_load_ends(self, file: Path, time: Time) -> None:
        folder, aside = file.parent / "folder", file.parent / "aside"
        folder.mkdir()
        ledger, world = opened(folder / "ledger.db", time), server()

        def move() -> None:
            folder.rename(aside)

        load = under_a_load(file, ledger, world, move)
        assert load.verdict.end is End.RETRYABLE
        assert "was deleted while it was in use, and cannot be written again" in str(load.verdict.cause)
        assert load.summary["created"] == len(world.creations) < 300
        assert load.summary["created"] + load.summary["not_attempted"] == 300


class TestReplaced:
    def replace_by_new(self, file: Path, time: Time) -> None:
        other = file.with_name("other.db")
        opened(other, time).close()
        other.rename(file)

    def replace_by_backup(self, file: Path, time: Time) -> None:
        file.with_name("backup.db").rename(file)

    def replace_by_nothing(self, file: Path, time: Time) -> None:
        other = file.with_name("other.db")
        other.touch()
        other.rename(file)

    @pytest.mark.parametrize("by", [replace_by_new, replace_by_backup, replace_by_nothing])
    def test_the_load_writes_to_neither_and_its_next_try_goes_on(self, file: Path, time: Time, by: Callable[..., None]) -> None:
        ledger, world = opened(file, time), server()
        load_pairs([("earlier", "teacher")], world, ledger=ledger, load_id="earlier")
        ledger.close()
        shutil.copy(file, file.with_name("backup.db"))
        first = under_a_load(file, opened(file, time), world, lambda: by(self, file, time))
        assert first.verdict.end is End.RETRYABLE
        assert isinstance(first.verdict.cause, LedgerError)
        assert "was replaced by another file while it was in use" in str(first.verdict.cause)
        made = first.summary["created"]
        assert made == len(world.creations) - 1
        assert made + first.summary["not_attempted"] == 300
        new = opened(file, time)
        assert new.statistics()["claims"] == 0
        second = load_pairs(PAIRS, world, ledger=new, try_number=2)
        assert evidence(second) == {("already_exists", "answer"): made, ("created", "answer"): 300 - made}
        assert set(world.creations.values()) == {1}

    @pytest.mark.parametrize("place", ["sqlite"], indirect=True)
    def test_every_method_says_so(self, place: Place, tmp_path: Path) -> None:
        mine = place.worker()
        self.replace_by_nothing(tmp_path / "ledger.db", Time())
        for act in (mine.note, lambda: mine.knows("a-b"), mine.ledger.statistics):
            with failing("ledger.db was replaced by another file while it was in use"):
                act()
        assert (tmp_path / "ledger.db").read_bytes() == b""
