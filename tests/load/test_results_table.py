"""The results table: there whole or not at all, once for each load, in any database."""

from __future__ import annotations

import os
import signal
import sqlite3
import tempfile
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mssql, mysql, postgresql
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.schema import CreateTable
from tables_of_results import KINDS, NOW, Place, a_place, results

from airflow_provider_ghl.exceptions import ConfigurationError, ResultsError
from airflow_provider_ghl.load.results.table import ResultsTable
from airflow_provider_ghl.load.results.table_form import define_table, split_name
from airflow_provider_ghl.load.results.warehouse import DriverWarehouse, EngineWarehouse, Session
from airflow_provider_ghl.relations.fields import KEY_FIELDS, RESULT_FIELDS

COLUMNS = ("load_id", "written_at", "source_row", *RESULT_FIELDS[1:])
CANARY = "ada.lovelace@example.org"


@pytest.fixture
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    kind = getattr(request, "param", "sqlite")
    server = request.getfixturevalue("postgresql") if kind == "postgresql" else None
    with a_place(kind, tmp_path, server) as found:
        yield found


everywhere = pytest.mark.parametrize("place", KINDS, indirect=True)


@everywhere
class TestWriting:
    def test_a_missing_table_is_made(self, place: Place) -> None:
        table = place.table()
        assert place.ask("SELECT count(*) FROM {}") == [(0,)]
        assert not table.is_published
        table.append(results(["created"], reason="it said: 100 %; 'no'", row_key="K\x00ü\ud800", status_code=400))
        table.append(results(["deleted"]).assign(row=None))
        assert place.ask("SELECT count(*) FROM {}") == [(0,)]
        table.commit()
        assert table.is_published
        asked = "SELECT load_id, source_row, outcome, reason, row_key, status_code, requests, trace_id FROM {} ORDER BY outcome"
        first = ("a load", 0, "created", "it said: 100 %; 'no'", "K\\x00ü\\ud800", 400, 1, None)
        assert place.ask(asked) == [first, ("a load", None, "deleted", None, None, None, 1, None)]
        ((written_at,),) = place.ask("SELECT DISTINCT written_at FROM {}")
        assert str(written_at).startswith("2031-01-02 03:04:05")
        assert getattr(written_at, "tzinfo", None) is not None or place.kind != "postgresql"

    def test_its_columns_are_those_of_the_file(self, place: Place) -> None:
        place.table(fields=(*RESULT_FIELDS, *KEY_FIELDS))
        ((text,),) = place.ask("SELECT count(*) FROM {}")
        assert text == 0
        place.ask(f"SELECT {', '.join((*COLUMNS, *KEY_FIELDS))} FROM {{}}")

    def test_another_attempt_takes_the_place_of_the_first(self, place: Place) -> None:
        place.write(["failed", "created", "not_attempted"])
        place.write(["created"], load_id="another load")
        place.write(["created", "already_exists"])
        assert place.outcomes() == ["created", "already_exists"]
        assert place.outcomes("another load") == ["created"]

    def test_a_load_without_rows_leaves_none(self, place: Place) -> None:
        place.write(["failed"])
        place.write(["created"], load_id="another load")
        place.table().commit()
        assert place.ask("SELECT load_id FROM {}") == [("another load",)]

    def test_what_is_discarded_is_nowhere(self, place: Place) -> None:
        place.write(["failed"])
        table = place.table()
        table.append(results(["created"] * 3))
        table.discard()
        table.discard()
        assert not table.is_published
        assert place.outcomes() == ["failed"]

    def test_an_error_in_the_middle_leaves_what_was_there(self, place: Place) -> None:
        place.tell(f"CREATE TABLE {{}} ({', '.join(typed(place))}, CHECK (source_row <> 12000))")
        place.write(["failed"] * 2)
        table = place.table()
        for start in range(0, 20_000, 5_000):
            table.append(results(["created"] * 5_000, start, reason=CANARY, row_key=CANARY))
        with pytest.raises(ResultsError) as raised:
            table.commit()
        assert not table.is_published
        assert place.outcomes() == ["failed"] * 2
        text = f"{raised.value} {raised.value.__cause__} {raised.value.__context__}"
        assert CANARY not in text
        assert "IntegrityError" in text or "CheckViolation" in text

    def test_further_columns_are_the_users_own(self, place: Place) -> None:
        place.tell(f"CREATE TABLE {{}} (note VARCHAR(9) DEFAULT 'mine', {', '.join(reversed(typed(place)))})")
        place.write(["created"], first_record_id="a")
        assert place.ask("SELECT note, load_id, first_record_id FROM {}") == [("mine", "a load", "a")]

    @pytest.mark.parametrize("missing", [{"outcome"}, {"load_id", "trace_id"}])
    def test_a_missing_column_is_named(self, place: Place, missing: set[str]) -> None:
        place.tell(f"CREATE TABLE {{}} ({', '.join(one for one in typed(place) if one.split()[0] not in missing)})")
        with pytest.raises(ConfigurationError) as raised:
            place.table()
        named = ", ".join(name for name in COLUMNS if name in missing)
        columns = "columns" if len(missing) > 1 else "column"
        assert str(raised.value).startswith(f"the results table {place.name()} lacks the {columns} {named}: add ")

    @pytest.mark.parametrize("name", ["order", "Select", "two words", "1st", "x; DROP TABLE y --"])
    def test_names_are_quoted(self, place: Place, name: str) -> None:
        if ";" in name:
            with pytest.raises(ConfigurationError, match="results_table must be a name such as"):
                place.table(table=name)
            return
        table = place.table(table=name)
        table.append(results(["created"]))
        table.commit()
        place.tell(f'DELETE FROM {place.schema}."{name}"')

    def test_a_schema_that_is_not_there(self, place: Place) -> None:
        place.schema = "no_such_schema"
        with pytest.raises(
            ConfigurationError, match=r"^the results table no_such_schema.results cannot be read \(.*made \(.*\)$"
        ):
            place.table()

    def test_two_tasks_make_it_at_the_same_time(self, place: Place) -> None:
        """The other one makes it after this one has not found it."""
        warehouse, others = place.warehouse(), place.warehouse()
        begin, transactions = warehouse.begin, []

        @contextmanager
        def late() -> Iterator[Session]:
            transactions.append(1)
            if len(transactions) == 3:  # the first reaches the database, the second looks for the table
                ResultsTable(place.name(), others, RESULT_FIELDS, "another load", lambda: NOW).discard()
            with begin() as session:
                yield session

        warehouse.begin = late  # type: ignore[method-assign]
        table = ResultsTable(place.name(), warehouse, RESULT_FIELDS, "a load", lambda: NOW)
        table.append(results(["created"]))
        table.commit()
        assert place.outcomes() == ["created"]


def typed(place: Place) -> list[str]:
    """Columns as somebody else would make them."""
    types = {"source_row": "INTEGER", "status_code": "INTEGER", "requests": "INTEGER", "try_number": "INTEGER"}
    moment = "TIMESTAMP"
    return [f"{name} {moment if name == 'written_at' else types.get(name, 'VARCHAR(300)')}" for name in COLUMNS]


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
class TestPostgreSQL:
    def test_a_column_that_cannot_hold_its_values_is_named(self, place: Place) -> None:
        columns = [one.replace("reason VARCHAR(300)", "reason BOOLEAN").replace("row_key VARCHAR(300)", "row_key DATE")
                   for one in typed(place)]  # fmt: skip
        place.tell(f"CREATE TABLE {{}} ({', '.join(columns)})")
        with pytest.raises(ConfigurationError, match=r"cannot take the results in row_key, reason \(DatatypeMismatch"):
            place.table()

    def test_what_the_user_may_not_do_is_found_at_once(self, place: Place) -> None:
        place.table()
        place.tell("REVOKE DELETE ON {} FROM PUBLIC")
        role = f"reader_{place.schema}"
        place.tell(f"CREATE ROLE {role}")
        place.tell(f"GRANT USAGE ON SCHEMA {place.schema} TO {role}")
        place.tell(f"GRANT SELECT, INSERT ON {{}} TO {role}")
        reader = Place(place.kind, place.url, place.schema)
        reader.url = sa.make_url(place.url).update_query_dict({"options": f"-c role={role}"}).render_as_string(False)
        try:
            with pytest.raises(ConfigurationError, match=r"cannot take the results .*42501.*: the user may not do that"):
                reader.table()
        finally:
            place.tell(f"DROP OWNED BY {role}")
            place.tell(f"DROP ROLE {role}")

    @pytest.mark.parametrize("level", ["READ COMMITTED", "REPEATABLE READ"])
    def test_two_attempts_at_once_are_written_one_after_the_other(self, place: Place, level: str) -> None:
        """Neither would see the other's rows, so that both would stay; whatever the server's default."""
        place.isolation_level = level
        first, second = place.table(), place.table()
        for table in (first, second):
            table.append(results(["created"] * 3))
        inserted, may_end = threading.Event(), threading.Event()
        replace = first._replace

        def slow(session: Session) -> None:
            replace(session)
            inserted.set()
            assert may_end.wait(60)

        first._replace = slow  # type: ignore[method-assign]
        threads = [threading.Thread(target=first.commit), threading.Thread(target=second.commit)]
        threads[0].start()
        assert inserted.wait(60)
        threads[1].start()
        threads[1].join(0.3)
        assert threads[1].is_alive(), "the second waits"
        may_end.set()
        for thread in threads:
            thread.join(60)
        assert first.is_published
        assert second.is_published
        assert place.outcomes() == ["created"] * 3

    def test_a_relative_without_such_locks(self, place: Place) -> None:
        warehouse = place.warehouse()
        begin = warehouse.begin

        @contextmanager
        def lockless() -> Iterator[Session]:
            with begin() as session:
                run = session.run

                def refuse(statement: Any) -> None:
                    if "advisory" in str(statement):
                        raise sa.exc.ProgrammingError("", {}, Exception("function does not exist"))
                    run(statement)

                session.run = refuse  # type: ignore[method-assign]
                yield session

        warehouse.begin = lockless  # type: ignore[method-assign]
        table = ResultsTable(place.name(), warehouse, RESULT_FIELDS, "a load", lambda: NOW)
        table.append(results(["created"]))
        table.commit()
        assert place.outcomes() == ["created"]


class TestAway:
    def test_at_the_start(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/no/such/folder/warehouse.db"
        with pytest.raises(ResultsError) as raised:
            ResultsTable("results", EngineWarehouse(lambda: sa.create_engine(url)), RESULT_FIELDS, "a load", lambda: NOW)
        assert str(raised.value).startswith("the results table results: its database cannot be reached (OperationalError")

    def test_at_the_end(self, tmp_path: Path) -> None:
        path, is_away = tmp_path / "warehouse.db", False

        def connect() -> sqlite3.Connection:
            if is_away:
                raise ConnectionError(f"no route to warehouse, password={CANARY}")
            return sqlite3.connect(path)

        table = ResultsTable("results", DriverWarehouse(connect, "qmark"), RESULT_FIELDS, "a load", lambda: NOW)
        table.append(results(["created"]))
        is_away = True
        with pytest.raises(ResultsError) as raised:
            table.commit()
        assert str(raised.value) == "ConnectionError"
        assert raised.value.__cause__ is raised.value.__context__ is None
        is_away = False
        table.commit()
        assert table.is_published

    def test_no_room_for_a_temporary_file(self, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*args: Any, **kwargs: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(tempfile, "TemporaryFile", full)
        with pytest.raises(ConfigurationError, match=r"results wait in a temporary file, .*\(No space left on device\)"):
            place.table()


@pytest.mark.parametrize("dies_in", ["append", "the delete", "the rows"])
def test_a_process_that_is_killed_leaves_what_was_there(place: Place, tmp_path: Path, dies_in: str) -> None:
    place.write(["failed"] * 3)
    (tmp_path / "temporary").mkdir()
    pid = os.fork()
    if not pid:
        try:
            tempfile.tempdir = str(tmp_path / "temporary")
            _die(place, dies_in)
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert place.outcomes() == ["failed"] * 3
    assert list((tmp_path / "temporary").iterdir()) == []
    place.write(["created"] * 2)
    assert place.outcomes() == ["created"] * 2


def _die(place: Place, where: str) -> None:
    table = place.table()
    table.append(results(["created"] * 20_000))
    if where == "append":
        os.kill(os.getpid(), signal.SIGKILL)
    rows = table._rows()
    table._rows = lambda: _mortal(rows, after=0 if where == "the delete" else 2)  # type: ignore[method-assign]
    table.commit()


def _mortal(rows: Iterator[list[dict[str, Any]]], after: int) -> Iterator[list[dict[str, Any]]]:
    for number, chunk in enumerate(rows):
        if number == after:
            os.kill(os.getpid(), signal.SIGKILL)
        yield chunk


@pytest.mark.parametrize(
    "name", ["", " ", ".", "a.", ".a", "a..b", "a.b.c.d", 'a"b', "a'b", "a`b", "a[b]", "a%b", "a\nb", "a(b)"]
)
def test_names_that_are_none(place: Place, name: str) -> None:
    with pytest.raises(ConfigurationError, match="results_table must be a name such as table, schema"):
        ResultsTable(name, place.warehouse(), RESULT_FIELDS, "a load", lambda: NOW)
    assert place.ask("SELECT count(*) FROM sqlite_master") == [(0,)]


@pytest.mark.parametrize(
    ("module", "name"),
    [(postgresql, '"The-Lake"."order".results'), (mssql, "[The-Lake].[order].results"), (mysql, "`The-Lake`.`order`.results")],
)
def test_a_catalog_stands_before_the_schema(module: Any, name: str) -> None:
    dialect: sa.Dialect = module.dialect()
    table = define_table(split_name("The-Lake.order.results"), ["row"], dialect)
    query = str(sa.select(sa.literal_column("*")).select_from(table).compile(dialect=dialect))
    assert query.split("FROM ")[1].strip() == name


def test_what_is_said_to_databases_that_are_not_here() -> None:
    said = {
        module.name: str(CreateTable(define_table(["results"], RESULT_FIELDS, module)).compile(dialect=module))
        for module in (mssql.dialect(), DefaultDialect())  # type: ignore[no-untyped-call]
    }
    assert "\treason NVARCHAR(max) NULL" in said["mssql"]
    assert "\twritten_at DATETIMEOFFSET NULL" in said["mssql"]
    assert "\twritten_at TIMESTAMP," in said["default"]
    assert '"' not in said["default"], "no column's name needs quotes"


@pytest.mark.parametrize("place", ["driver"], indirect=True)
def test_many_rows_take_little_memory(place: Place) -> None:
    """As Python objects they would take 25 MB."""
    table = place.table()
    frame = results(["created"] * 5_000, first_record_id="6758b5c1f5e2a1d3c4b5a697", reason="none")
    tracemalloc.start()
    try:
        for _ in range(5):
            table.append(frame)
        table.commit()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert place.ask("SELECT count(*) FROM {}") == [(25_000,)]
    assert peak < 12_000_000


def test_a_batch_is_written_in_parts(place: Place) -> None:
    table = place.table()
    table.append(results(["created"] * 12_001))
    sizes = [len(rows) for rows in table._rows()]
    assert (sum(sizes), max(sizes)) == (12_001, 5_000)
    frame: pd.DataFrame = results(["created"])
    table.append(frame[:0])
    table.commit()
    assert place.ask("SELECT count(*), max(source_row) FROM {}") == [(12_001, 12_000)]
