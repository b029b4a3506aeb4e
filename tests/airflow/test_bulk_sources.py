"""Every source of the bulk operator, through the operator, into the sandbox."""

from __future__ import annotations

import csv
import gzip
import io
import json
import threading
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import pytest
from airflow.sdk.io import attach
from connecting import Connect
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]
from running import PAIRS, TaskInstance, fail, run
from sqlalchemy import Engine, event

from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLSourceFailed
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

COLUMNS = {"first_record_column": "contact_id", "second_record_column": "event_id", "row_key_column": "attendance_id"}
ROWS = [{"attendance_id": f"00{row}", "contact_id": a, "event_id": b} for row, (a, b) in enumerate(PAIRS)]
QUERY = "SELECT attendance_id, contact_id, event_id FROM attendance ORDER BY attendance_id"


@pytest.fixture(autouse=True)
def memory() -> Iterator[MemoryFileSystem]:
    """A storage for ``memory://``, as one of Airflow's providers would bring."""
    storage = MemoryFileSystem()
    attach("memory", fs=storage)
    yield storage
    storage.store.clear()


def bulk(**arguments: Any) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(task_id="load", association_key="attended", **arguments)


def text_of(ending: str) -> bytes:
    """The rows as a file with this ending."""
    if ending == "jsonl":
        return "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    separator = "," if ending == "csv" else "\t"
    return "\n".join(separator.join(row) for row in [list(ROWS[0]), *(list(row.values()) for row in ROWS)]).encode()


def write(path: Path) -> Path:
    """The rows in the format that the name's ending says."""
    if path.suffix == ".parquet":
        pandas.DataFrame(ROWS).to_parquet(path)
    else:
        plain = text_of(path.name.split(".")[1])
        path.write_bytes(gzip.compress(plain) if path.suffix == ".gz" else plain)
    return path


def assert_loaded(operator: BulkCreateRelationsOperator, ghl: Sandbox, association_id: str) -> list[dict[str, Any]]:
    ti = TaskInstance()
    summary = run(operator, ti)
    assert (summary["rows"], summary["created"]) == (3, 3)
    assert ghl.state.pairs(association_id) == set(PAIRS)
    results: list[dict[str, Any]] = ti.xcoms["results"]
    assert [(r["first_record_id"], r["second_record_id"]) for r in results] == PAIRS
    return results


@pytest.mark.parametrize(
    "rows",
    [ROWS, pandas.DataFrame(ROWS), [pandas.DataFrame(ROWS[:1]), pandas.DataFrame(ROWS[1:])]],
    ids=["dicts", "a frame", "frames"],
)
def test_rows_with_columns(ghl: Sandbox, attended: str, rows: Any) -> None:
    assert [r["row_key"] for r in assert_loaded(bulk(rows=rows, **COLUMNS), ghl, attended)] == ["000", "001", "002"]


@pytest.mark.parametrize("rows", [PAIRS, [list(pair) for pair in PAIRS], tuple(PAIRS)], ids=["tuples", "lists", "a tuple"])
def test_pairs(ghl: Sandbox, attended: str, rows: Any) -> None:
    assert [r["row_key"] for r in assert_loaded(bulk(rows=rows), ghl, attended)] == [None] * 3


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.csv.gz", "a.tsv.gz", "a.jsonl.gz", "a.parquet"])
@pytest.mark.parametrize("where", ["path", "file://", "memory://"])
def test_files(ghl: Sandbox, attended: str, tmp_path: Path, name: str, where: str) -> None:
    path = write(tmp_path / name)
    source = str(path) if where == "path" else f"file://{path}"
    if where == "memory://":
        source = f"memory://{uuid.uuid4().hex}/{name}"
        MemoryFileSystem().pipe(source.removeprefix("memory:/"), path.read_bytes())
    assert [r["row_key"] for r in assert_loaded(bulk(path=source, **COLUMNS), ghl, attended)] == ["000", "001", "002"]


def test_sql(ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
    warehouse([tuple(row.values()) for row in ROWS])
    results = assert_loaded(bulk(sql=QUERY, source_conn_id="warehouse", **COLUMNS), ghl, attended)
    assert [r["row_key"] for r in results] == ["000", "001", "002"]


@pytest.mark.parametrize(
    ("where", "parameters"),
    [
        ("contact_id LIKE 'contact-%' AND '%s' = '%' || 's'", None),
        ("contact_id = ?", ["contact-1"]),
        ("contact_id = ?", ("contact-1",)),
        ("contact_id = :who", {"who": "contact-1"}),
    ],
)
def test_sql_parameters_in_the_drivers_style(
    ghl: Sandbox, attended: str, warehouse: Callable[..., None], where: str, parameters: Any
) -> None:
    warehouse([tuple(row.values()) for row in ROWS])
    query = f"SELECT contact_id, event_id FROM attendance WHERE {where}"
    columns = {name: COLUMNS[name] for name in ("first_record_column", "second_record_column")}
    summary = run(bulk(sql=query, source_conn_id="warehouse", parameters=parameters, **columns))
    assert summary["created"] == (3 if parameters is None else 2)


def test_a_million_cells_are_streamed(ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
    """The query's rows hold 60 MB; what is kept of a repeated pair is a few bytes."""
    warehouse([])
    query = f"""
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
        SELECT i AS attendance_id, 'contact-1' AS contact_id, 'event-1' AS event_id, '{"x" * 2000}' AS note FROM n"""
    operator = bulk(sql=query, source_conn_id="warehouse", **COLUMNS)
    tracemalloc.start()
    try:
        summary = run(operator)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (summary["rows"], summary["created"], summary["repeated"]) == (30_000, 1, 29_999)
    assert peak < 20_000_000


@pytest.mark.parametrize("parameters", [None, ["contact-1"]])
def test_what_a_driver_is_told(ghl: Sandbox, attended: str, warehouse: Callable[..., None], parameters: Any) -> None:
    """A server-side cursor, and no parameters where there are none: drivers with placeholders like ``%s`` read ``%`` then."""
    warehouse([tuple(row.values()) for row in ROWS])
    options_seen: list[dict[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, given: Any, context: Any, executemany: bool) -> None:
        if "attendance_id" in statement:
            options_seen.append(dict(context.execution_options))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        where = "WHERE contact_id = ?" if parameters else ""
        sql = f"SELECT attendance_id, contact_id, event_id FROM attendance {where}"
        run(bulk(sql=sql, source_conn_id="warehouse", parameters=parameters, **COLUMNS))
    finally:
        event.remove(Engine, "before_cursor_execute", note)
    (options,) = options_seen
    assert options["stream_results"] is True
    assert options["no_parameters"] is (parameters is None)


def test_sql_that_breaks_off(ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
    """Rows read before it are settled and accounted for; the database's error is the cause; a new try may help."""
    warehouse([])
    query = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
        SELECT i AS attendance_id, 'contact-' || i AS contact_id, 'event-1' AS event_id,
            CASE WHEN i = 2500 THEN abs(-9223372036854775807 - 1) END AS broken FROM n"""
    ti = TaskInstance()
    operator = bulk(sql=query, source_conn_id="warehouse", results_path=None, xcom_results_limit=5, **COLUMNS)
    with pytest.raises(GHLSourceFailed) as raised:
        run(operator, ti)
    read = ti.xcoms["return_value"]["rows"]
    assert 2000 <= read < 2500
    assert ti.xcoms["return_value"]["created"] == read == ghl.state.count_relations()
    assert f"{read:,} rows: {read:,} created" in str(raised.value)
    assert "integer overflow" in str(raised.value.__cause__)


@pytest.mark.parametrize("connection", ["ghl", "http", "generic", "no_such_type"])
def test_sql_on_a_connection_of_something_else(ghl: Sandbox, attended: str, connect: Connect, connection: str) -> None:
    connect(other=ghl.connection_json if connection == "ghl" else json.dumps({"conn_type": connection, "host": "localhost"}))
    message = fail(bulk(sql=QUERY, source_conn_id="other", **COLUMNS), GHLMisconfigured)
    assert message.startswith(f"connection 'other' (type '{connection}') is not one of a SQL database")
    assert ghl.stats()["requests"] == 0


def test_a_statement_without_rows(ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
    warehouse([])
    operator = bulk(sql="DELETE FROM attendance", source_conn_id="warehouse", **COLUMNS)
    assert "must be a SELECT" in fail(operator, GHLMisconfigured)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({}, "give exactly one of rows, sql, path; given: none"),
        ({"rows": ROWS, "path": "a.csv"}, "given: rows and path"),
        ({"rows": [], "sql": "SELECT 1"}, "given: rows and sql"),
        ({"sql": " ", "path": "None"}, "given: none"),
        ({"sql": QUERY}, "sql needs source_conn_id"),
        ({"sql": QUERY, "source_conn_id": ""}, "sql needs source_conn_id"),
        ({"path": "/no/such/file.csv"}, "cannot read /no/such/file.csv: there is no such file"),
        ({"path": "file:///no/such/file.csv"}, "cannot read file:///no/such/file.csv: there is no such file"),
        ({"path": "memory://no/such.csv"}, "there is no such file"),
        ({"path": "nowhere://no/such.csv"}, "Airflow knows no storage for nowhere://"),
        ({"path": "/tmp/a.xlsx"}, "cannot tell the format"),
        (
            {"rows": [{"contact_id": "a", "event": "b", "attendance_id": 1}]},
            "no column 'event_id' in the rows; its columns are:",
        ),
        ({"rows": 7}, "rows cannot be of type int"),
        ({"rows": "text"}, "rows cannot be of type str"),
        ({"rows": [7]}, "the first row is of type int"),
    ],
)
def test_bad_sources_are_found_before_any_request(ghl: Sandbox, attended: str, source: dict[str, Any], message: str) -> None:
    assert message in fail(bulk(**source, **COLUMNS), GHLMisconfigured)
    assert ghl.stats()["requests"] == 0


@pytest.mark.parametrize("kind", ["csv", "sql", "frame"])
def test_an_unknown_column_names_the_columns_there_are(
    ghl: Sandbox, attended: str, warehouse: Callable[..., None], tmp_path: Path, kind: str
) -> None:
    warehouse([tuple(row.values()) for row in ROWS])
    sources: dict[str, dict[str, Any]] = {
        "csv": {"path": str(write(tmp_path / "a.csv"))},
        "sql": {"sql": QUERY, "source_conn_id": "warehouse"},
        "frame": {"rows": pandas.DataFrame(ROWS)},
    }
    columns = {**COLUMNS, "first_record_column": "contactId"}
    message = fail(bulk(**sources[kind], **columns), GHLMisconfigured)
    assert "no column 'contactId' in " in message
    assert message.endswith("its columns are: attendance_id, contact_id, event_id; did you mean 'contact_id'?")


def test_a_query_runs_on_the_thread_that_it_was_opened_on(ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
    """SQLite refuses other threads, so that this fails where reading moves to one."""
    warehouse([tuple(row.values()) for row in ROWS])
    failures: list[BaseException] = []

    def work() -> None:
        try:
            run(bulk(sql=QUERY, source_conn_id="warehouse", batch_size=1, **COLUMNS))
        except BaseException as error:  # noqa: BLE001 - raised below, on the test's thread
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []
    assert ghl.state.count_relations() == 3


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("where", ["path", "file://", "memory://"])
def test_results_file_has_every_row_in_order(ghl: Sandbox, attended: str, tmp_path: Path, ending: str, where: str) -> None:
    rows = [*PAIRS, ("", "event-1"), PAIRS[0]]
    target = str(tmp_path / f"results.{ending}")
    if where != "path":
        target = f"file://{target}" if where == "file://" else f"memory://{uuid.uuid4().hex}/results.{ending}"
    operator = bulk(rows=rows, results_path=target, failure_tolerance=1, xcom_results_limit=0)
    ti = TaskInstance()
    summary = run(operator, ti)
    assert (summary["results_path"], summary["results_cut"], ti.xcoms["results"]) == (target, True, [])
    read: dict[str, Callable[[io.BytesIO], list[Any]]] = {
        "csv": lambda file: list(csv.DictReader(file.read().decode().splitlines())),
        "jsonl": lambda file: list(map(json.loads, file)),
        "parquet": lambda file: pandas.read_parquet(file).to_dict("records"),
    }
    written = tmp_path / f"results.{ending}"
    raw = MemoryFileSystem().cat_file(target.removeprefix("memory:/")) if where == "memory://" else written.read_bytes()
    results = read[ending](io.BytesIO(raw))
    assert [r["outcome"] for r in results] == ["created", "created", "created", "invalid", "repeated"]
    assert [int(r["row"]) for r in results] == list(range(5))
    assert [path.name for path in tmp_path.iterdir()] == ([] if where == "memory://" else [f"results.{ending}"])


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("{0}/file/r.csv", "cannot be made"),
        ("file://{0}/file/r.csv", "cannot be made"),
        ("nowhere://r.csv", "knows no storage for nowhere://"),
        ("{0}/missing/r.xlsx", "must be named"),
    ],
)
def test_a_results_file_that_cannot_be_written_is_found_before_any_request(
    ghl: Sandbox, attended: str, tmp_path: Path, path: str, message: str
) -> None:
    (tmp_path / "file").touch()
    assert message in fail(bulk(rows=PAIRS, results_path=path.format(tmp_path)), GHLMisconfigured)
    assert ghl.stats()["requests"] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("where", ["", "file://"])
def test_the_folder_of_the_results_is_made(ghl: Sandbox, attended: str, tmp_path: Path, where: str) -> None:
    run(bulk(rows=PAIRS, results_path=f"{where}{tmp_path}/2031/01/r.csv"))
    assert len((tmp_path / "2031" / "01" / "r.csv").read_text().splitlines()) == 4
