"""How fast a page's views of a ledger are: ``python benchmarks/views.py [LOADS ROWS]``.

10,000 loads, of which a million rows failed for three reasons, each with ids of its own: all rows are of the last load, or as
many are of each. And a million relations in 200 locations. On SQLite, and on a PostgreSQL of the tests' own. Each view is asked
for seven times; the slowest counts.
"""

from __future__ import annotations

import contextlib
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.reader import LedgerReader
from airflow_provider_ghl.load.ledger.tables import METADATA
from airflow_provider_ghl.load.ledger.views import LedgerViews, ViewFilter

__all__ = ["HEAD", "lines"]

HEAD = ("view", "SQLite, rows of one load", "SQLite, of all", "PostgreSQL, rows of one load", "PostgreSQL, of all")
LOADS, ROWS, LOCATIONS = 10_000, 1_000_000, 200
TIMES = 7
ALL = ViewFilter()
FEW_DAGS = frozenset(f"dag{number}" for number in range(0, 50, 10))
REASONS = ("Contact with id <id> not found", "Record <id> is archived", "Too many relations for <id>")
#: Numbers from 0 on, in both databases.
_NUMBERS = {
    "sqlite": "(WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {0}) SELECT i FROM n)",
    "postgresql": "(SELECT generate_series(0::bigint, {0} - 1) AS i)",
}
_ID = "'Zx' || (10000000000000000 + (i * 48271 + {0}) % 2147483647 * 4194301)"
_PAIR = {
    "sqlite": "randomblob(16)",
    "postgresql": "decode(md5(i::text), 'hex')",
}


def lines(loads: int = LOADS, rows: int = ROWS) -> Iterator[list[str]]:
    """The cells of each line: milliseconds."""
    columns = [column for kind in ("sqlite", "postgresql") for column in measure(kind, loads, rows)]
    for name in columns[0]:
        yield [name, *(f"{column[name]:.1f}" for column in columns)]


def measure(kind: str, loads: int, rows: int) -> Iterator[dict[str, float]]:
    """Milliseconds by view: where all rows are of one load, and where they are spread over all."""
    for is_spread in (False, True):
        with database(kind) as url:
            ledger = Ledger(sa.create_engine(url))
            fill(sa.create_engine(url), ledger, loads, rows, is_spread=is_spread)
            print(f"{kind}, spread: {is_spread}, MiB: {(ledger.statistics()['bytes'] or 0) / 2**20:.0f}", file=sys.stderr)
            ledger.close()
            reader = LedgerReader(sa.create_engine(url))
            yield {name: slowest(view) for name, view in views(reader.views, loads).items()} | {
                "overview": slowest(reader.overview),
                "opening": slowest(lambda url=url: LedgerReader(sa.create_engine(url)).close()),  # type: ignore[misc]
            }
            reader.close()


@contextlib.contextmanager
def database(kind: str) -> Iterator[str]:
    """The URL of an empty database."""
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/ledger.db"
        return
    sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))
    from postgres_server import postgres_server

    with postgres_server() as url:
        yield url


def fill(engine: sa.Engine, ledger: Ledger, loads: int, rows: int, *, is_spread: bool) -> None:
    """Write what loads would have left, by SQL: row by row it would take an hour."""
    kind, per_load, now = engine.dialect.name, rows // loads, int(ledger.time())
    hour, began = now // 3600 * 3600, f"{now - 30 * 86_400} + i * 259.0"
    one, other = (_ID.format(start) for start in (0, 7))
    reason = " ".join(f"WHEN {at} THEN {_quoted(text.replace('<id>', '|'))}" for at, text in enumerate(REASONS))
    reason = f"replace(CASE i % 3 {reason} END, '|', {one})"
    counts = _quoted(json.dumps({"rows": per_load, "rejected": per_load}))
    no = "0" if kind == "sqlite" else "false"
    of_load, location = (f"i / {per_load} + 1" if is_spread else str(loads)), f"'location' || (i % {LOCATIONS})"
    tables: list[tuple[str, int, dict[str, str]]] = [
        (
            "ghl_loads",
            loads,
            {
                **{"number": "i + 1", "load_id": "'dag' || (i % 50) || '/run ' || i || '/task/-1'", "location_id": location},
                **{"association": "'friends'", "chain_began": began, "ended_well": no, '"end"': "'final'", "counts": counts},
                **{"message": "'All failed.'", "updated": f"{began} + 100", "dag_id": "'dag' || (i % 50)"},
            },
        ),
        (
            "ghl_attempts",
            loads,
            {
                **{"number": "i + 1", "load": "i + 1", "try_number": "1", "is_resumed": no, "machine": "'m'", "pid": "1"},
                **{"process_began": "''", "began": began, "heartbeat": began, "ended": f"{began} + 100", "requests": "100"},
                **{"retries": "0", "rate_limited": "0"},
            },
        ),
        (
            "ghl_load_results",
            rows,
            {
                **{"load": of_load, "row": f"i % {per_load}" if is_spread else "i", "row_key": "'\"policy ' || i || '\"'"},
                **{"location_id": "'location1'", "association_id": "'a1'", "first_record_id": one, "second_record_id": other},
                **{"outcome": "'rejected'", "status_code": "400", "reason": reason, "requests": "1", "try_number": "1"},
                **{"trace_id": "'b3a1c5d0'", "problem": "i % 3"},
            },
        ),
        ("ghl_load_locations", loads, {"load": "i + 1", "location_id": location}),
        (
            "ghl_quotas",
            LOCATIONS,
            {
                **{"host": "'https://x'", "location_id": location, "load": str(loads), "requests": "50000", "noted": str(hour)},
                **{"daily_limit": "200000", "daily_left": "150000", "resets_at": str(hour + 7200), "seen": str(hour)},
            },
        ),
        (
            "ghl_hours",
            48 * LOCATIONS,
            {
                **{"host": "'https://x'", "location_id": location, "at": f"{hour} - i / {LOCATIONS} * 3600"},
                **{"requests": "1000", "rate_limited": "3"},
            },
        ),
        ("ghl_spans", 8_640, {"load": str(loads), "at": f"{hour} + i * 10", "requests": "95", "rate_limited": "1"}),
        ("ghl_targets", LOCATIONS, {"id": "i + 1", "host": "'https://x'", "location_id": location, "association_id": "'a1'"}),
        (
            "ghl_relations",
            rows,
            {
                **{"target_id": f"i % {LOCATIONS} + 1", "pair": _PAIR[kind], "phase": "1", "state": "1", "relation_id": one},
                **{"first_record_id": one, "second_record_id": other, "confirmed": began},
            },
        ),
    ]
    with engine.begin() as connection:
        for table, count, columns in tables:
            numbers = _NUMBERS[kind].format(count)
            _run(
                connection,
                f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(columns.values())} FROM {numbers} AS n",
            )
        counted = "FROM ghl_load_results GROUP BY load, outcome"
        _run(connection, f"INSERT INTO ghl_load_outcomes (load, outcome, rows) SELECT load, outcome, count(*) {counted}")
        for number, text in enumerate(REASONS):
            values = f"load, {number}, 'rejected', 400, {_quoted(text)}, count(*)"
            of_problem = f"FROM ghl_load_results WHERE problem = {number} GROUP BY load"
            into = "INSERT INTO ghl_problems (load, number, outcome, status_code, reason, rows)"
            _run(connection, f"{into} SELECT {values} {of_problem}")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in METADATA.tables if kind == "postgresql" else ():
            _run(connection, f"VACUUM ANALYZE {table}")
    engine.dispose()


def _run(connection: sa.Connection, statement: str) -> None:
    is_sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql(statement if is_sqlite else statement.replace("%", "%%"))


def _quoted(text: str) -> str:
    return f"'{text}'"


def views(of: LedgerViews, loads: int) -> dict[str, Callable[[], Any]]:
    """All views, as a page asks for them."""
    filters = {
        "loads": ALL,
        "loads of 5 of 50 DAGs": ViewFilter(dag_ids=FEW_DAGS),
        "loads of a location": ViewFilter(location_id="location7"),
        "loads with an outcome": ViewFilter(outcome="rejected"),
        "loads with an outcome that none has": ViewFilter(outcome="created"),
        "loads that run": ViewFilter(state="running"),
    }
    some = of.results(loads, limit=60).rows[-1]
    return {
        **{name: (lambda wanted=wanted: of.loads(wanted)) for name, wanted in filters.items()},
        "loads, page 100": lambda: of.loads(ALL, before=loads // 2),
        "load": lambda: of.load(loads),
        "find": lambda: of.find(f"dag{(loads - 1) % 50}/run {loads - 1}/task/-1"),
        "choices": lambda: of.choices(None),
        "choices of 5 of 50 DAGs": lambda: of.choices(FEW_DAGS),
        "problems": lambda: of.problems(loads),
        "results": lambda: of.results(loads),
        "results in the middle": lambda: of.results(loads, after=500_000),
        "results by outcome": lambda: of.results(loads, outcome="rejected", after=50),
        "results by an outcome that none has": lambda: of.results(loads, outcome="created"),
        "results by row key": lambda: of.results(loads, search=str(some["row_key"])),
        "results by how a key begins": lambda: of.results(loads, search="policy 9999"),
        "results by how all keys begin": lambda: of.results(loads, search="policy"),
        "results by how late keys begin": lambda: of.results(loads, search="policy 9"),
        "results by record id": lambda: of.results(loads, search=str(some["second_record_id"])),
        "results, nothing found": lambda: of.results(loads, search="nobody"),
        "rate": lambda: of.rate(loads),
        "outcomes by day": lambda: of.outcomes_by_day(ALL),
        "outcomes by day of 5 of 50 DAGs": lambda: of.outcomes_by_day(ViewFilter(dag_ids=FEW_DAGS)),
        "locations": lambda: of.locations(None),
        "locations of 5 of 50 DAGs": lambda: of.locations(FEW_DAGS),
        "deletions": lambda: of.deletions(loads),
    }


def slowest(view: Callable[[], Any]) -> float:
    """Milliseconds."""
    times = []
    for _ in range(TIMES):
        began = time.perf_counter()
        view()
        times.append(time.perf_counter() - began)
    return 1000 * max(times)


if __name__ == "__main__":
    print("\t".join(HEAD))
    for cells in lines(*map(int, sys.argv[1:])):
        print("\t".join(cells), flush=True)
