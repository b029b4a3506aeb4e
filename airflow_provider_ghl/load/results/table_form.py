"""The form of a results table: its name, its columns, their types."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.results.typed import INTEGERS

__all__ = ["LOAD_ID", "WRITTEN_AT", "column_of", "define_table", "split_name"]

LOAD_ID = "load_id"
WRITTEN_AT = "written_at"
#: ``row`` is a word of SQL: in some databases it could be asked for in quotes only.
_OTHER_NAMES = {"row": "source_row"}
#: DAG, run, task and map index: 250 characters each at most.
_LONGEST_ID = 760
_SHORT = {"outcome", "evidence"}
#: SQL Server compares no NTEXT.
_TEXT = sa.UnicodeText().with_variant(sa.Unicode(), "mssql")
#: ``default`` is the dialect of databases that SQLAlchemy does not know: standard SQL.
_MOMENT = sa.DateTime(timezone=True).with_variant(sa.TIMESTAMP(), "default")
_PART = re.compile(r"[\w$#@ -]+")


def column_of(field: str) -> str:
    """The column that holds a field of the results."""
    return _OTHER_NAMES.get(field, field)


def split_name(name: str) -> tuple[str, ...]:
    """The parts of ``table``, ``schema.table`` or ``catalog.schema.table``.

    :raises ConfigurationError: a part is empty, there are too many, or one has characters that no name should have.
    """
    parts = tuple(part.strip() for part in name.split("."))
    if len(parts) > 3 or not all(map(_PART.fullmatch, parts)):
        raise ConfigurationError(
            f"results_table must be a name such as table, schema.table or catalog.schema.table, not {name!r}: "
            "letters, digits, _, $, #, @, - and blanks, without quotes, which are set where a name needs them"
        )
    return parts


def define_table(parts: Sequence[str], fields: Sequence[str], dialect: sa.Dialect) -> sa.Table:
    """The table of results.

    :param parts: the parts of its name.
    :param fields: the fields of the results, which are columns after those that tell loads apart.
    """
    *schema, name = parts
    columns: list[sa.Column[Any]] = [
        sa.Column(LOAD_ID, sa.Unicode(_LONGEST_ID)),
        sa.Column(WRITTEN_AT, _MOMENT),
        *(sa.Column(column_of(field), _type_of(field)) for field in fields),
    ]
    return sa.Table(name, sa.MetaData(), *columns, schema=_schema(schema, dialect))


def _type_of(field: str) -> sa.types.TypeEngine[Any]:
    if field in INTEGERS:
        return sa.BigInteger() if INTEGERS[field] == "int64" else sa.Integer()
    return sa.Unicode(32) if field in _SHORT else _TEXT


def _schema(parts: Sequence[str], dialect: sa.Dialect) -> str | None:
    if len(parts) < 2:
        return parts[0] if parts else None
    # A name with a dot in it would be quoted as one.
    quote = dialect.identifier_preparer.quote
    return sa.sql.quoted_name(".".join(map(quote, parts)), quote=False)
