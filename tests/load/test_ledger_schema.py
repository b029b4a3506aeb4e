"""The first process that opens a database creates its tables or upgrades them."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import sqlalchemy as sa
from ledgers import Place

from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.identity import keyed_identity
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.schema import MIGRATIONS, is_prepared, prepare


def add_column(connection: sa.Connection) -> None:
    connection.exec_driver_sql("ALTER TABLE ghl_loads ADD COLUMN remark TEXT")


def break_down(connection: sa.Connection) -> None:
    add_column(connection)
    raise KeyError("a mistake in a step")


def test_a_new_database_gets_its_tables_and_facts(place: Place) -> None:
    ledger = place.ledger()
    facts = dict(place.rows("SELECT name, value FROM ghl_ledger"))
    assert facts.keys() == {"schema_version", "ledger_id", "first_key", "second_key", "made_at"}
    assert facts["schema_version"] == "3"
    assert re.fullmatch("[0-9a-f]{32}", ledger.id)
    assert all(re.fullmatch("[0-9a-f]{16}", facts[name]) for name in ("first_key", "second_key"))
    assert facts["first_key"] != facts["second_key"]
    assert place.ledger().id == ledger.id


def test_an_older_ledger_is_brought_up_to_date_once_and_keeps_what_it_holds(place: Place) -> None:
    mine = place.worker("mine")
    mine.learned("a-b")
    with ThreadPoolExecutor(8) as threads:
        facts = list(threads.map(lambda _: prepare(Database(place.engine()), [*MIGRATIONS, add_column]), range(8)))
    assert [one["schema_version"] for one in facts] == ["4"] * 8
    assert place.rows("SELECT remark FROM ghl_loads") == [(None,)]
    assert place.rows("SELECT count(*) FROM ghl_relations") == [(1,)]
    assert facts[0]["ledger_id"] == mine.ledger.id
    assert prepare(Database(place.engine()), [*MIGRATIONS, add_column, lambda connection: None])["schema_version"] == "5"


def test_a_step_that_fails_leaves_all_as_it_was(place: Place) -> None:
    ledger = place.ledger()
    with pytest.raises(KeyError):
        prepare(Database(place.engine()), [*MIGRATIONS, break_down])
    assert "remark" not in {column["name"] for column in sa.inspect(place.engine()).get_columns("ghl_loads")}
    assert place.ledger().id == ledger.id


def test_a_ledger_of_a_version_to_come_is_not_touched(place: Place) -> None:
    place.ledger()
    prepare(Database(place.engine()), [*MIGRATIONS, add_column])
    with pytest.raises(
        LedgerError, match=r"of version 4, and this release knows versions up to 3: upgrade airflow-provider-ghl"
    ):
        place.ledger()


@pytest.mark.parametrize(
    ("name", "value"),
    [("schema_version", value) for value in ("", "one", "-1", "0", "1.0", "9" * 5_000, None)]
    + [(name, None) for name in ("ledger_id", "first_key", "second_key")]
    + [("first_key", ""), ("second_key", "0123")],
)
@pytest.mark.parametrize("place", ["memory", "postgresql"], indirect=True)
def test_a_damaged_ledger_says_so(place: Place, name: str, value: str | None) -> None:
    where = place.ledger().where
    column = sa.column("name") == name
    table = sa.table("ghl_ledger", sa.column("name"), sa.column("value"))
    with place.shared.begin() as connection:
        connection.execute(
            sa.delete(table).where(column) if value is None else sa.update(table).where(column).values(value=value)
        )
    with pytest.raises(LedgerError, match=f"^the ledger {re.escape(where)} is damaged: .* {name}") as caught:
        place.ledger()
    assert caught.value.__context__ is None
    assert Database(place.shared).read(is_prepared), "it is not made anew over what is there"


def test_other_databases_are_refused() -> None:
    engine = sa.create_engine("sqlite://")
    engine.dialect.name = "mysql"
    with pytest.raises(ConfigurationError, match="SQLite or PostgreSQL, and no mysql database"):
        Ledger(engine)
    engine.dispose()


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_sqlite_is_set_up_for_many_writers(place: Place) -> None:
    place.ledger()
    assert place.rows("PRAGMA journal_mode") == [("wal",)]


def test_where_names_neither_user_nor_password(place: Place) -> None:
    where = place.ledger().where
    if place.kind == "memory":
        assert where == "sqlite:///"
    elif place.kind == "sqlite":
        assert where == place.url
        assert where.startswith("sqlite:////")
    else:
        assert re.fullmatch(r"postgresql://127\.0\.0\.1:\d+/postgres", where)


def test_the_same_keys_give_the_same_bits_for_ever() -> None:
    """A ledger finds its pairs by these bits. A release of pandas with other hashes must not go unnoticed."""
    first, second = (np.array([*ids, None], dtype=object)[:-1] for ids in (["a", "ü🙂", "ab"], ["b", "'", ""]))
    high, low = keyed_identity(("0123456789abcdef", "fedcba9876543210"))((first, second))
    assert [f"{a:016x} {b:016x}" for a, b in zip(high.tolist(), low.tolist(), strict=True)] == [
        "e22f74ee5f63e4a2 a7aeaa1318317715",
        "63014ff5ab67e46d 99e5b97d3054bb9b",
        "8066eea7deae60b7 45e623cc977bf32a",
    ]
