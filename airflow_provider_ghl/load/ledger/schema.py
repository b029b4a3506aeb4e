"""The ledger's tables, and how they are made and migrated."""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Callable, Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.database import Database

__all__ = [
    "METADATA",
    "MIGRATIONS",
    "SENT",
    "THERE",
    "Facts",
    "Migration",
    "approved_plans",
    "attempts",
    "deletions",
    "find_or_make",
    "insert_into",
    "is_prepared",
    "ledger",
    "loads",
    "lookups",
    "named",
    "prepare",
    "record_keys",
    "relations",
    "results",
    "targets",
]

#: Changes the tables from one version to the next, in the transaction that notes the new version.
Migration = Callable[[sa.Connection], None]
#: What stands in ``ghl_ledger``, by name.
Facts = dict[str, str]

#: The state of a relation that was claimed and is not known to be there.
SENT = 0
#: The state of one that is, or was when it was last confirmed.
THERE = 1

METADATA = sa.MetaData()

ledger = sa.Table(
    "ghl_ledger",
    METADATA,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
targets = sa.Table(
    "ghl_targets",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("location_id", sa.Text, nullable=False),
    sa.Column("association_id", sa.Text, nullable=False),
    sa.UniqueConstraint("host", "location_id", "association_id"),
    sqlite_autoincrement=True,
)
relations = sa.Table(
    "ghl_relations",
    METADATA,
    sa.Column("target_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("pair", sa.LargeBinary(16), primary_key=True),
    # Of the pair's low word, so that it has nothing to do with the order in which pairs are read.
    sa.Column("phase", sa.Integer, nullable=False),
    sa.Column("state", sa.SmallInteger, nullable=False),
    sa.Column("first_record_id", sa.Text, nullable=False, index=True),
    sa.Column("second_record_id", sa.Text, nullable=False, index=True),
    sa.Column("relation_id", sa.Text),
    sa.Column("load", sa.Integer),
    sa.Column("attempt", sa.Integer),
    sa.Column("claimed_at", sa.Double),
    sa.Column("confirmed", sa.Double),
    # The load that learned it.
    sa.Column("confirmed_by", sa.Integer),
    sqlite_with_rowid=False,
)
# Claims have no id, and an index that leaves them out makes each of them cheaper.
_HAS_ID = relations.c.relation_id.is_not(None)
sa.Index("ix_ghl_relations_relation_id", relations.c.relation_id, sqlite_where=_HAS_ID, postgresql_where=_HAS_ID)
lookups = sa.Table(
    "ghl_lookups",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("location_id", sa.Text, nullable=False),
    # What is looked up by what, such as "contact by email".
    sa.Column("name", sa.Text, nullable=False),
    sa.UniqueConstraint("host", "location_id", "name"),
    sqlite_autoincrement=True,
)
record_keys = sa.Table(
    "ghl_keys",
    METADATA,
    sa.Column("lookup_id", sa.Integer, primary_key=True, autoincrement=False),
    # A hash with the ledger's own keys: nobody can tell what was looked up.
    sa.Column("key", sa.LargeBinary(16), primary_key=True),
    sa.Column("phase", sa.Integer, nullable=False),
    sa.Column("record_id", sa.Text, nullable=False, index=True),
    sa.Column("confirmed", sa.Double, nullable=False),
    # The load that learned it.
    sa.Column("confirmed_by", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
# What the tables of the latest loads name: of each series its latest load.
named = sa.Table(
    "ghl_named",
    METADATA,
    sa.Column("series", sa.Text, primary_key=True),
    sa.Column("target_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("load", sa.Integer, nullable=False),
    sa.Column("noted", sa.Double, nullable=False),
    # Where what the table names no more is deleted: the load whose table was the baseline.
    sa.Column("mirror_since", sa.Integer),
    # The first eight bytes of each pair, ascending.
    sa.Column("pairs", sa.LargeBinary, nullable=False),
)
loads = sa.Table(
    "ghl_loads",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("load_id", sa.Text, nullable=False, unique=True),
    sa.Column("location_id", sa.Text, nullable=False),
    sa.Column("association", sa.Text, nullable=False),
    sa.Column("chain_began", sa.Double, nullable=False),
    sa.Column("ended_well", sa.Boolean, nullable=False),
    sa.Column("deferred_since", sa.Double),
    sa.Column("end", sa.Text),
    sa.Column("message", sa.Text),
    sa.Column("counts", sa.Text),
    sa.Column("updated", sa.Double, nullable=False),
    # The loads of one series load the same table, one after the other.
    sa.Column("series", sa.Text),
    sqlite_autoincrement=True,
)
attempts = sa.Table(
    "ghl_attempts",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("load", sa.Integer, nullable=False, index=True),
    sa.Column("try_number", sa.Integer, nullable=False),
    sa.Column("is_resumed", sa.Boolean, nullable=False),
    sa.Column("machine", sa.Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_began", sa.Text, nullable=False),
    sa.Column("began", sa.Double, nullable=False),
    sa.Column("heartbeat", sa.Double, nullable=False),
    sa.Column("ended", sa.Double),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("retries", sa.Integer, nullable=False),
    sa.Column("rate_limited", sa.Integer, nullable=False),
    sqlite_autoincrement=True,
)
results = sa.Table(
    "ghl_load_results",
    METADATA,
    sa.Column("load", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("row", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("row_key", sa.Text),
    sa.Column("location_id", sa.Text),
    sa.Column("association_id", sa.Text),
    sa.Column("first_record_id", sa.Text),
    sa.Column("second_record_id", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text),
    sa.Column("relation_id", sa.Text),
    sa.Column("status_code", sa.Integer),
    sa.Column("reason", sa.Text),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("try_number", sa.Integer, nullable=False),
    sa.Column("trace_id", sa.Text),
    sqlite_with_rowid=False,
)
# What loads deleted. The outcome says whether it is gone.
deletions = sa.Table(
    "ghl_deletions",
    METADATA,
    sa.Column("load", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    # "mirror" or "undo".
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("location_id", sa.Text, nullable=False),
    sa.Column("association_id", sa.Text, nullable=False),
    # In the table's order.
    sa.Column("first_record_id", sa.Text, nullable=False),
    sa.Column("second_record_id", sa.Text, nullable=False),
    sa.Column("relation_id", sa.Text),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("reason", sa.Text),
    sqlite_with_rowid=False,
)
# The plans that loads have begun to carry out.
approved_plans = sa.Table(
    "ghl_approved_plans",
    METADATA,
    sa.Column("load_id", sa.Text, primary_key=True),
    sa.Column("location_id", sa.Text, primary_key=True),
    sa.Column("plan_id", sa.Text, nullable=False),
    sa.Column("noted", sa.Double, nullable=False),
    sa.Column("table_digest", sa.Text, nullable=False),
    # The first eight bytes of each pair, ascending.
    sa.Column("unsent", sa.LargeBinary, nullable=False),
    sa.Column("deletes", sa.LargeBinary, nullable=False),
)


def _add_keys_and_named(connection: sa.Connection) -> None:
    """To version 2. Whoever changes these tables later writes out here what they were."""
    METADATA.create_all(connection, tables=[lookups, record_keys, named])
    connection.execute(sa.text("ALTER TABLE ghl_loads ADD COLUMN series TEXT"))


def _add_what_people_look_at(connection: sa.Connection) -> None:
    """To version 3. The same goes for these."""
    METADATA.create_all(connection, tables=[deletions, approved_plans])


_FIRST_VERSION = 1
#: From version 1 on, in order. A new database gets the tables above as they are, so that both change together.
MIGRATIONS: tuple[Migration, ...] = (_add_keys_and_named, _add_what_people_look_at)

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
        raise LedgerError(
            f"the ledger {database.where} is of version {_version(facts)}, and this release knows versions up to {version}: "
            "upgrade airflow-provider-ghl wherever the ledger is used"
        )
    _check(facts, database.where, *_SHAPES)
    return facts


def is_prepared(connection: sa.Connection) -> bool:
    """Whether there is a ledger, of whatever version."""
    return bool(_facts(connection))


def insert_into(connection: sa.Connection, table: sa.Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that has ``on_conflict_do_nothing`` and ``on_conflict_do_update``, which both databases spell alike."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


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
