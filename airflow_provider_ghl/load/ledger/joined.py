"""Columns of many rows as one value: a row each as a Python object would take several times as long, and more memory."""

from __future__ import annotations

from binascii import unhexlify
from typing import Any

import sqlalchemy as sa

__all__ = ["joined", "joined_as_digits"]

#: No text of any kind.
_SAMPLE = b"\x00\xff\x80\x00"
# A bound separator would cost a fifth more: SQLite fetches it for each row.
_NOTHING: sa.ColumnElement[str] = sa.literal_column("''")


def joined(connection: sa.Connection, value: sa.ColumnElement[Any], condition: sa.ColumnElement[bool]) -> bytes:
    """The value of each row that matches, one after the other, in any order.

    :param value: bytes.
    """
    if connection.dialect.name == "sqlite":
        if not _joins_bytes(connection):
            return joined_as_digits(connection, value, condition)
        together: sa.ColumnElement[Any] = _join_as_text(value)
    else:
        together = sa.func.string_agg(value, sa.literal(b"", sa.LargeBinary), type_=sa.LargeBinary)
    return connection.execute(sa.select(together).where(condition)).scalar() or b""


def joined_as_digits(connection: sa.Connection, value: sa.ColumnElement[Any], condition: sa.ColumnElement[bool]) -> bytes:
    """The same, in twice the time, for any SQLite."""
    digits = sa.func.group_concat(sa.func.hex(value), _NOTHING)
    return unhexlify(connection.execute(sa.select(digits).where(condition)).scalar() or "")


def _joins_bytes(connection: sa.Connection) -> bool:
    """Whether this SQLite joins bytes as it joins text. An older one may end at the first zero."""
    sample: sa.ColumnElement[Any] = sa.literal_column(f"x'{_SAMPLE.hex()}'")
    return connection.execute(sa.select(_join_as_text(sample))).scalar() == _SAMPLE


def _join_as_text(value: sa.ColumnElement[Any]) -> sa.ColumnElement[bytes]:
    return sa.cast(sa.func.group_concat(value, _NOTHING), sa.LargeBinary)
