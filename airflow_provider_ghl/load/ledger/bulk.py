"""Many rows in one statement: as arrays on PostgreSQL, where each statement costs a round trip; row by row on SQLite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_ghl.load.ledger.schema import insert_into

__all__ = ["BulkRows", "Insert"]

Insert = sqlite.Insert | postgresql.Insert


class BulkRows:
    """Rows of values, as columns that a statement can use.

    >>> rows = BulkRows(connection, relations, {"pair": keys, "relation_id": ids})
    >>> rows.run(sa.update(relations).where(relations.c.pair == rows["pair"]).values(relation_id=rows["relation_id"]))

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
                name: sa.bindparam(f"row_{name}", type_=kind) for name, kind in types.items()
            }
        else:
            arrays = [
                sa.cast(sa.bindparam(f"row_{name}", type_=postgresql.ARRAY(kind)), postgresql.ARRAY(kind))
                for name, kind in types.items()
            ]
            rows = sa.func.unnest(*arrays).table_valued(*(sa.column(name, kind) for name, kind in types.items()))
            self._named = dict(rows.render_derived(name="rows").c.items())

    def __getitem__(self, name: str) -> sa.ColumnElement[Any]:
        return self._named[name]

    def insert(self, **constants: Any) -> Insert:
        """An INSERT of these rows, to be run with :meth:`run`; before that it may get an ON CONFLICT.

        :param constants: columns that are the same in each row.
        """
        insert = insert_into(self._connection, self._table)
        table = self._table.c
        fixed = {name: sa.literal(value, table[name].type) for name, value in constants.items()}
        values = {name: self[name] for name in self._columns}
        if self._is_sqlite:
            return insert.values(values | fixed)
        return insert.from_select([*values, *fixed], sa.select(*values.values(), *fixed.values()))

    def run(self, statement: sa.Executable) -> sa.CursorResult[Any] | None:
        """Run a statement for all rows. On SQLite the result has no rows; without rows to run it for it is ``None``."""
        names = [f"row_{name}" for name in self._columns]
        columns = [list(column) for column in self._columns.values()]
        if not columns or not columns[0]:
            return None
        if self._is_sqlite:
            rows = [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
            return self._connection.execute(statement, rows)
        return self._connection.execute(statement, dict(zip(names, columns, strict=True)))
