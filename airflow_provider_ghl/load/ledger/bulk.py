"""Many rows in one statement: as arrays on PostgreSQL, where a statement costs a round trip, row by row on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_ghl.load.ledger.schema import insert_into

__all__ = ["Given", "Insert"]

Insert = sqlite.Insert | postgresql.Insert


class Given:
    """Rows that the program has, as columns that a statement can use.

    >>> given = Given(connection, relations, {"pair": keys, "relation_id": ids})
    >>> given.run(sa.update(relations).where(relations.c.pair == given["pair"]).values(relation_id=given["relation_id"]))

    :param table: has columns of these names, whose types the columns here get.
    :param columns: values by name, all of the same length.
    """

    def __init__(self, connection: sa.Connection, table: sa.Table, columns: Mapping[str, Sequence[Any]]) -> None:
        self._connection = connection
        self._table = table
        self._columns = columns
        self._is_sqlite = connection.dialect.name == "sqlite"
        types = {name: table.c[name].type for name in columns}
        if self._is_sqlite:
            self._named: Mapping[str, sa.ColumnElement[Any]] = {
                name: sa.bindparam(f"given_{name}", type_=kind) for name, kind in types.items()
            }
        else:
            arrays = [
                sa.cast(sa.bindparam(f"given_{name}", type_=postgresql.ARRAY(kind)), postgresql.ARRAY(kind))
                for name, kind in types.items()
            ]
            rows = sa.func.unnest(*arrays).table_valued(*(sa.column(name, kind) for name, kind in types.items()))
            self._named = dict(rows.render_derived(name="given").c.items())

    def __getitem__(self, name: str) -> sa.ColumnElement[Any]:
        return self._named[name]

    def insert(self, **constants: Any) -> Insert:
        """An INSERT of these rows, with the same constants in each; to be given its ON CONFLICT and to be run."""
        insert = insert_into(self._connection, self._table)
        table = self._table.c
        fixed = {name: sa.literal(value, table[name].type) for name, value in constants.items()}
        given = {name: self[name] for name in self._columns}
        if self._is_sqlite:
            return insert.values(given | fixed)
        return insert.from_select([*given, *fixed], sa.select(*given.values(), *fixed.values()))

    def run(self, statement: sa.Executable) -> sa.CursorResult[Any] | None:
        """Run it for all rows; ``None`` where there are none. On SQLite its result has no rows."""
        names = [f"given_{name}" for name in self._columns]
        columns = [list(column) for column in self._columns.values()]
        if not columns or not columns[0]:
            return None
        if self._is_sqlite:
            rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
            return self._connection.execute(statement, rows)
        return self._connection.execute(statement, dict(zip(names, columns, strict=True)))
