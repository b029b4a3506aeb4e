"""The ledger's tables."""

from __future__ import annotations

import sqlalchemy as sa

__all__ = [
    "METADATA",
    "SENT",
    "THERE",
    "approved_plans",
    "attempts",
    "deletions",
    "hours",
    "ledger",
    "load_locations",
    "load_outcomes",
    "loads",
    "lookups",
    "named",
    "problems",
    "quotas",
    "record_keys",
    "relations",
    "results",
    "spans",
    "targets",
]

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
    # Where what the table names no more is deleted: the rank of the load whose table was the baseline.
    sa.Column("mirror_since", sa.Integer),
    # The first eight bytes of each pair, ascending.
    sa.Column("pairs", sa.LargeBinary, nullable=False),
    # The load's rank; NULL: its number.
    sa.Column("rank", sa.Integer),
    # Whether some of it may be of an earlier table, since rows of the latest are not accounted for.
    sa.Column("has_earlier", sa.Boolean),
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
    # The part of load_id before its first slash.
    sa.Column("dag_id", sa.Text, index=True),
    # Where it runs again after it had ended well: the number that it had first, which keeps its place in its series. NULL: it
    # still has that.
    sa.Column("rank", sa.Integer),
    # About how many rows its source has, where that is known.
    sa.Column("total", sa.BigInteger),
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
    # Of ghl_problems. Releases before version 3 wrote none.
    sa.Column("problem", sa.Integer),
    sqlite_with_rowid=False,
)
sa.Index("ix_ghl_load_results_problem", results.c.load, results.c.problem, results.c.row)
_HAS_KEY = results.c.row_key.is_not(None)
# PostgreSQL's own order of texts is of no use to find how a key begins.
sa.Index(
    "ix_ghl_load_results_row_key",
    results.c.load,
    results.c.row_key,
    sqlite_where=_HAS_KEY,
    postgresql_where=_HAS_KEY,
    postgresql_ops={"row_key": "text_pattern_ops"},
)
for _side in (results.c.first_record_id, results.c.second_record_id):
    sa.Index(f"ix_ghl_load_results_{_side.name}", results.c.load, _side, results.c.row)

# What is counted of loads, so that nobody has to count their results.
load_outcomes = sa.Table(
    "ghl_load_outcomes",
    METADATA,
    sa.Column("load", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.Text, primary_key=True),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
# Results that were written, by outcome and, where they failed, by reason: without ids and values, which tell rows apart.
problems = sa.Table(
    "ghl_problems",
    METADATA,
    sa.Column("load", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("status_code", sa.Integer),
    sa.Column("reason", sa.Text),
    sa.Column("rows", sa.BigInteger, nullable=False),
    sqlite_with_rowid=False,
)
# Which locations the rows of a load name.
load_locations = sa.Table(
    "ghl_load_locations",
    METADATA,
    sa.Column("load", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("location_id", sa.Text, primary_key=True, index=True),
    sqlite_with_rowid=False,
)
# Requests of a load in spans of ten seconds; "at" is when a span begins, in unix seconds.
spans = sa.Table(
    "ghl_spans",
    METADATA,
    sa.Column("load", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, index=True),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("rate_limited", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
# Requests to a location by the hour; "at" is when an hour begins, in unix seconds.
hours = sa.Table(
    "ghl_hours",
    METADATA,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("location_id", sa.Text, primary_key=True),
    sa.Column("at", sa.BigInteger, primary_key=True),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("rate_limited", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
# A location's day: what HighLevel's headers said last, and the requests since it began.
quotas = sa.Table(
    "ghl_quotas",
    METADATA,
    sa.Column("host", sa.Text, primary_key=True),
    sa.Column("location_id", sa.Text, primary_key=True),
    # The last load that sent requests there.
    sa.Column("load", sa.Integer, nullable=False),
    sa.Column("requests", sa.Integer, nullable=False),
    sa.Column("noted", sa.Double, nullable=False),
    sa.Column("daily_limit", sa.Integer),
    sa.Column("daily_left", sa.Integer),
    sa.Column("resets_at", sa.Double),
    sa.Column("seen", sa.Double),
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
