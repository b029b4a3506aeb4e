"""A query that fails: the database's own words where they hold no data, and never a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from running import TaskInstance, fail, run

from airflow_provider_ghl.hooks.query_faults import name_fault
from airflow_provider_ghl.operators.errors import GHLSourceFailed
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

EMAIL = "ann@example.com"
NEVER = [EMAIL, "Ann"]
#: Queries that fail on any database, with what is said of them by PostgreSQL and by SQLite.
FAULTY: list[tuple[str, str | None, str | None]] = [
    ("SELECT a FROM crm.nope", 'relation "crm.nope" does not exist', "no such table: crm.nope"),
    ("SELECT a FROM Nope", 'relation "nope" does not exist', "no such table: Nope"),
    ("SELECT b FROM (SELECT 1 AS a) t", 'column "b" does not exist', "no such column: b"),
    ("SELECT t.b FROM (SELECT 1 AS a) t", "column t.b does not exist", "no such column: t.b"),
    ("SELECT a FROM (SELECT 1 AS a) t, (SELECT 1 AS a) u", 'column reference "a" is ambiguous', "ambiguous column name: a"),
    ("SELCT 1 AS a", 'syntax error at or near "SELCT"', 'near "SELCT": syntax error'),
    ("SELECT (1", "syntax error at end of input", "incomplete input"),
    ("SELECT 1 -- it's Ann\n, FROM t", 'syntax error at or near "FROM"', 'near "FROM": syntax error'),
    ("SELECT 1 AS a,, 2", 'syntax error at or near ","', 'near ",": syntax error'),
    ("SELECT a FROM (SELECT 1 AS a) t GROUP BY 1 ORDER ,", 'syntax error at or near ","', 'near ",": syntax error'),
    ("SELECT u.a FROM (SELECT 1 AS a) t", 'missing FROM-clause entry for table "u"', "no such column: u.a"),
    # What could be data is named by the error's class alone.
    (f"SELECT 1 AS a '{EMAIL}' 'b' x", None, None),
    ('SELECT t.a FROM (SELECT 1 AS a) t WHERE "Ann".a = 1', None, None),
    ("SELECT 'a''b' AS a FROM \"Ann\"", None, None),
    ("SELECT a FROM (SELECT 1 AS a) t LIMIT 'Ann'", None, None),
    ("SELECT a FROM (SELECT 1 AS a) t 4915112345", None, None),
    ("SELECT a FROM (SELECT 1 AS a) t WHERE /* Ann */ 'x' Ann@example", None, None),
]


def fault_in(engine: sa.Engine, sql: str, parameters: Any = None) -> str | None:
    with engine.connect() as connection, pytest.raises(sa.exc.DBAPIError) as caught:
        connection.execution_options(stream_results=True, no_parameters=not parameters).exec_driver_sql(sql, parameters)
    return name_fault(caught.value, sql)


@pytest.mark.parametrize(("sql", "message", "_"), FAULTY)
def test_postgresql(postgresql: str, sql: str, message: str | None, _: str | None) -> None:
    engine = sa.create_engine(postgresql)
    try:
        assert fault_in(engine, sql) == message
    finally:
        engine.dispose()


@pytest.mark.parametrize(("sql", "_", "message"), FAULTY)
def test_sqlite(sql: str, _: str | None, message: str | None) -> None:
    assert fault_in(sa.create_engine("sqlite://"), sql) == message


def test_what_a_user_may_not_read(postgresql: str) -> None:
    engine = sa.create_engine(postgresql)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE hidden (a text)")
            connection.exec_driver_sql("CREATE ROLE stranger")
            connection.exec_driver_sql("SET ROLE stranger")
            with pytest.raises(sa.exc.DBAPIError) as caught:
                connection.exec_driver_sql("SELECT a FROM hidden")
            assert name_fault(caught.value, "SELECT a FROM hidden") == "permission denied for table hidden"
    finally:
        engine.dispose()


class _Error(Exception):
    """A database's error."""


@pytest.mark.parametrize(
    ("message", "sql"),
    [
        ('relation "ann" does not exist', "SELECT a FROM students"),
        ('relation "ann" does not exist', "SELECT 'ann' FROM students"),
        ('column "ann" does not exist', "SELECT a FROM students -- ann"),
        ('column "ann" does not exist', "SELECT E'it\\'s', 'ann' FROM students"),
        ('column "ann" does not exist', "SELECT $$it's$$, 'ann' FROM students"),
        ('column "ann" does not exist', "SELECT 'it''s ann"),
        ('column "ann" does not exist', "SELECT /* /* */ ann */ a"),
        ('column "ann" does not exist', 'SELECT [ann], `ann`, "ann"'),
        (f'syntax error at or near "{EMAIL}"', f"SELECT {EMAIL}"),
        ('syntax error at or near "4915112345"', "SELECT 4915112345"),
        ("division by zero", "SELECT 1 / 0"),
        ('invalid input syntax for type integer: "ann"', "SELECT ann"),
        ("bad customer ann", "SELECT ann"),
        ("", "SELECT ann"),
    ],
)
def test_what_could_be_data_is_not_shown(message: str, sql: str) -> None:
    assert name_fault(_Error(message), sql) is None


def test_only_the_first_line_is_shown() -> None:
    assert name_fault(_Error(f"relation \"t\" does not exist\nLINE 1: SELECT '{EMAIL}'"), "SELECT 1 FROM t") == (
        'relation "t" does not exist'
    )


def load(sql: str, parameters: Any = None) -> BulkCreateRelationsOperator:
    return BulkCreateRelationsOperator(
        task_id="load", association_key="attended", sql=sql, source_conn_id="warehouse", parameters=parameters
    )


def test_a_load_says_it_and_may_be_tried_again(ghl: Sandbox, attended: str, warehouse: Callable[..., None]) -> None:
    warehouse([])
    message = fail(load("SELECT first_record_id, second_record_id FROM nope"), GHLSourceFailed)
    assert message.startswith("The load could not go on: the query failed: no such table: nope.")
    assert ghl.stats()["requests"] == 0


@pytest.mark.parametrize("sql", ["SELECT ? ? FROM nope", "SELECT ? AS a, ? AS b FROM nope", "SELECT abs(?, ?) AS a"])
def test_parameters_never_show(ghl: Sandbox, attended: str, warehouse: Callable[..., None], sql: str) -> None:
    warehouse([])
    with pytest.raises(GHLSourceFailed) as caught:
        run(load(sql, [EMAIL, "Ann"]), TaskInstance())
    error: BaseException | None = caught.value
    while error is not None:
        assert not any(word in str(error) for word in NEVER)
        error = error.__cause__
