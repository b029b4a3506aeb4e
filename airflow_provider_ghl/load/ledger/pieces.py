"""Large tables with hashes for keys: counted up to a number, and split into pieces that a database gives as one value each."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

__all__ = ["count_in_all", "count_up_to", "pieces"]

_MOST_PIECES = 256
#: Keys are hashes, so a 256th of them is below this one: to count these is fast, and says about how many there are.
_SAMPLE, _SAMPLED = b"\x01", 256
#: So many of them say it within some percent.
_TELLING = 1_000
#: So many rows are counted one by one in a moment.
_COUNTABLE = 100_000


def count_up_to(connection: sa.Connection, column: sa.Column[Any], condition: sa.ColumnElement[bool], at_most: int) -> int:
    """How many rows match, counted up to a number: about how many, where they are hundreds of thousands.

    :param column: has the keys.
    """
    if at_most > _TELLING * _SAMPLED:
        in_sample = _count(connection, sa.and_(condition, column < _SAMPLE), at_most // _SAMPLED + 1)
        if in_sample >= _TELLING:
            return min(in_sample * _SAMPLED, at_most)
    return _count(connection, condition, at_most)


def count_in_all(
    connection: sa.Connection, table: sa.Table, of: sa.Column[Any], key: sa.Column[Any], condition: sa.ColumnElement[bool]
) -> dict[int, int]:
    """How many rows match of each row of a table, by its ``id``: exactly where they are few in all, else about how many.

    :param table: has a column ``id``.
    :param of: the column with that id.
    :param key: the column with the keys, by which the rows of one id are sorted.
    """

    def count(also: sa.ColumnElement[bool]) -> dict[int, int]:
        # As a subquery of each id, it needs no row of the others.
        rows = sa.select(sa.func.count()).where(of == table.c.id, condition, also).scalar_subquery()
        return {number: int(found) for number, found in connection.execute(sa.select(table.c.id, rows))}

    in_sample = count(key < _SAMPLE)
    if sum(in_sample.values()) * _SAMPLED <= _COUNTABLE:
        return count(sa.true())
    return {number: found * _SAMPLED for number, found in in_sample.items()}


def pieces(
    connection: sa.Connection, column: sa.Column[Any], condition: sa.ColumnElement[bool], size: int
) -> Iterator[sa.ColumnElement[bool]]:
    """Ranges of keys, ascending, in each of which about as many rows match. Together they hold all keys.

    :param column: has the keys.
    :param size: how many rows should match in a range.
    """
    in_sample = _count(connection, sa.and_(condition, column < _SAMPLE), size * _MOST_PIECES)
    count = min(max(-(-in_sample * _SAMPLED // size), 1), _MOST_PIECES)
    borders = [(at << 64) // count for at in range(1, count)]
    edges = [None, *(border.to_bytes(8, "big") for border in borders), None]
    for low, high in pairwise(edges):
        above = sa.true() if low is None else column >= low
        below = sa.true() if high is None else column < high
        yield sa.and_(condition, above, below)


def _count(connection: sa.Connection, condition: sa.ColumnElement[bool], at_most: int) -> int:
    some = sa.select(sa.literal(1).label("one")).where(condition).limit(at_most)
    return connection.execute(sa.select(sa.func.count()).select_from(some.subquery())).scalar_one()
