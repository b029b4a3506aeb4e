"""How the ledger's tables are made and migrated."""

from __future__ import annotations

import json
import re
import secrets
import uuid
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.load_ids import SEVERAL, dag_id_of
from airflow_provider_ghl.load.ledger.tables import (
    METADATA,
    approved_plans,
    deletions,
    hours,
    ledger,
    load_locations,
    load_outcomes,
    loads,
    lookups,
    named,
    problems,
    quotas,
    record_keys,
    results,
    spans,
)
from airflow_provider_ghl.load.outcome import rows_by_outcome

__all__ = [
    "MIGRATIONS",
    "VERSION",
    "Facts",
    "Migration",
    "find_or_make",
    "insert_for",
    "insert_into",
    "is_prepared",
    "prepare",
    "read_facts",
]

#: Changes the tables from one version to the next, in the transaction that notes the new version.
Migration = Callable[[sa.Connection], None]
#: What stands in ``ghl_ledger``, by name.
Facts = dict[str, str]


def _add_keys_and_named(connection: sa.Connection) -> None:
    """To version 2. Whoever changes these tables later writes out here what they were."""
    METADATA.create_all(connection, tables=[lookups, record_keys, named])
    connection.execute(sa.text("ALTER TABLE ghl_loads ADD COLUMN series TEXT"))


def _add_what_people_look_at(connection: sa.Connection) -> None:
    """To version 3. The same goes for these.

    Results that are there get no problem, since that would take minutes: who reads them counts them.
    """
    tables = [load_outcomes, problems, load_locations, spans, hours, quotas, deletions, approved_plans]
    METADATA.create_all(connection, tables=tables)
    connection.execute(sa.text("ALTER TABLE ghl_loads ADD COLUMN dag_id TEXT"))
    connection.execute(sa.text("ALTER TABLE ghl_loads ADD COLUMN rank INTEGER"))
    connection.execute(sa.text("ALTER TABLE ghl_loads ADD COLUMN total BIGINT"))
    # A ledger of version 1 has got the table in the step before, as it is now.
    there = {column["name"] for column in sa.inspect(connection).get_columns("ghl_named")}
    for column, kind in {"rank": "INTEGER", "has_earlier": "BOOLEAN"}.items():
        if column not in there:
            connection.execute(sa.text(f"ALTER TABLE ghl_named ADD COLUMN {column} {kind}"))
    connection.execute(sa.text("ALTER TABLE ghl_load_results ADD COLUMN problem INTEGER"))
    for table in (loads, results):
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            index.create(connection)
    _count_old_loads(connection)


def _count_old_loads(connection: sa.Connection) -> None:
    """Note of each load what the new tables have of it, as far as it is known."""
    columns = (loads.c.number, loads.c.load_id, loads.c.location_id, loads.c.counts)
    of_dag, by_outcome, by_location = [], [], []
    for number, load_id, location_id, counts in connection.execute(sa.select(*columns)):
        of_dag.append({"of": number, "dag": dag_id_of(load_id)})
        summary = json.loads(counts or "{}")
        by_outcome += [{"load": number, "outcome": name, "rows": rows} for name, rows in rows_by_outcome(summary).items()]
        location_ids = summary.get("locations", ()) if location_id == SEVERAL else (location_id,)
        by_location += [{"load": number, "location_id": one} for one in location_ids if one]
    change = sa.update(loads).where(loads.c.number == sa.bindparam("of")).values(dag_id=sa.bindparam("dag"))
    for statement, rows in (
        (change, of_dag),
        (sa.insert(load_outcomes), by_outcome),
        (sa.insert(load_locations), by_location),
    ):
        if rows:
            connection.execute(statement, rows)
    has_counts = sa.exists().where(load_outcomes.c.load == results.c.load)
    counted = sa.select(results.c.load, results.c.outcome, sa.func.count()).where(~has_counts)
    so_far = counted.group_by(results.c.load, results.c.outcome)
    connection.execute(sa.insert(load_outcomes).from_select(["load", "outcome", "rows"], so_far))


_FIRST_VERSION = 1
#: From version 1 on, in order. A new database gets the tables above as they are, so that both change together.
MIGRATIONS: tuple[Migration, ...] = (_add_keys_and_named, _add_what_people_look_at)
#: The version that this release writes.
VERSION = _FIRST_VERSION + len(MIGRATIONS)

#: What must stand in ``ghl_ledger``, and how it looks.
_SHAPES = {
    "schema_version": re.compile(r"[1-9][0-9]{0,8}"),
    "ledger_id": re.compile(r".+"),
    "first_key": re.compile(r"[0-9a-f]{16}"),
    "second_key": re.compile(r"[0-9a-f]{16}"),
}


def prepare(database: Database, migrations: Sequence[Migration] = MIGRATIONS) -> Facts:
    """Make or update the tables; any number of processes may do so at once. Returns what stands in ``ghl_ledger``.

    :raises LedgerError: the database fails, or its tables are damaged or of a version to come.
    """
    version = _FIRST_VERSION + len(migrations)
    facts = database.read(_facts)
    _check(facts, database.where, "schema_version")
    if _version(facts) < version:
        facts = database.alone(lambda connection: _migrate(connection, version, migrations))
    if _version(facts) > version:
        raise _is_to_come(database.where, _version(facts), version)
    _check(facts, database.where, *_SHAPES)
    return facts


def read_facts(database: Database) -> Facts:
    """What stands in ``ghl_ledger``, where nothing may be written.

    :raises LedgerError: there is no ledger yet, or it is damaged, of an earlier version, or of one to come.
    """
    facts = database.read(_facts)
    if not facts:
        raise LedgerError(f"there is no ledger at {database.where} yet: the first load makes it")
    _check(facts, database.where, "schema_version")
    if (found := _version(facts)) < VERSION:
        raise LedgerError(
            f"the ledger {database.where} is of version {found}, and this release reads version {VERSION}: the next load "
            "migrates it"
        )
    if found > VERSION:
        raise _is_to_come(database.where, found, VERSION)
    _check(facts, database.where, *_SHAPES)
    return facts


def is_prepared(connection: sa.Connection) -> bool:
    """Whether there is a ledger, of whatever version."""
    return bool(_facts(connection))


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``, which both databases spell alike."""
    return insert_for(connection.dialect.name, table)


def insert_for(dialect: str, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """The same, for the name of a dialect: for statements that are built once, which takes longer than to run them."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def find_or_make(database: Database, table: sa.Table, **names: str) -> int:
    """The number of what has these names; made where missing.

    :param table: has a column ``id``, and one for each name, which together are unique.
    """
    find = sa.select(table.c.id).filter_by(**names)
    found = database.read(lambda connection: connection.execute(find).scalar())

    def make(connection: sa.Connection) -> int:
        connection.execute(insert_into(connection, table).values(**names).on_conflict_do_nothing())
        return int(connection.execute(find).scalar_one())

    return database.write(make) if found is None else int(found)


def _facts(connection: sa.Connection) -> Facts:
    if not sa.inspect(connection).has_table(ledger.name):
        return {}
    return {name: value for name, value in connection.execute(sa.select(ledger.c.name, ledger.c.value))}


def _check(facts: Facts, where: str, *names: str) -> None:
    for name in names:
        if facts and not _SHAPES[name].fullmatch(str(facts.get(name, ""))):
            raise LedgerError(
                f"the ledger {where} is damaged: its table ghl_ledger holds no usable {name}; "
                "drop its tables, and the next load makes them anew"
            )


def _is_to_come(where: str, found: int, known: int) -> LedgerError:
    return LedgerError(
        f"the ledger {where} is of version {found}, and this release knows versions up to {known}: "
        "upgrade airflow-provider-ghl wherever the ledger is used"
    )


def _version(facts: Facts) -> int:
    return int(facts.get("schema_version", 0))


def _migrate(connection: sa.Connection, version: int, migrations: Sequence[Migration]) -> Facts:
    facts = _facts(connection)  # again, since another process may have been faster
    found = _version(facts)
    if found >= version:
        return facts
    if not found:
        return _create(connection, version)
    for migrate in migrations[found - _FIRST_VERSION :]:
        migrate(connection)
    connection.execute(sa.update(ledger).where(ledger.c.name == "schema_version").values(value=str(version)))
    return facts | {"schema_version": str(version)}


def _create(connection: sa.Connection, version: int) -> Facts:
    METADATA.create_all(connection)
    facts = {
        "schema_version": str(version),
        "ledger_id": uuid.uuid4().hex,
        "first_key": secrets.token_hex(8),
        "second_key": secrets.token_hex(8),
        "made_at": repr(Database.server_time(connection)),
    }
    connection.execute(sa.insert(ledger), [{"name": name, "value": value} for name, value in facts.items()])
    return facts
