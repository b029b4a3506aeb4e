"""Frames, lists, query results and open files become batches of columns; nothing after this parses.

Never more than one batch and a read buffer is held, except what the caller holds already. A fault of the source is
raised after the rows that were read before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import pandas

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.batches import (
    by_name,
    by_position,
    find_positions,
    in_batches,
    make_batch,
    require_columns,
)
from airflow_provider_ghl.load.source.files import from_file

__all__ = ["count_rows", "from_data", "from_file", "from_records"]

_ROWS_ARE = "a list of dicts, a list of pairs, a DataFrame or an iterable of these is needed"


def from_data(data: Any, columns: Columns, batch_size: int) -> Iterator[Batch]:
    """Batches of a DataFrame, or of any iterable of dicts, of pairs or of DataFrames; iterators are streamed.

    Pairs are tuples or lists of two plain values; they have no column names. The first element decides what the others must
    be: one that is something else is an unreadable row. Lists of rows, as a mapped task gives them, are joined (one level).
    Errors of an iterator pass through.

    :raises ConfigurationError: no such column, the first row is no row, or there are no rows at all in such a value.
    """
    if isinstance(data, pandas.DataFrame):
        return _from_frame(data, columns, batch_size)
    try:
        elements = iter(data)
    except TypeError as error:
        raise ConfigurationError(f"rows cannot be of type {type(data).__name__}: {_ROWS_ARE}") from error
    if isinstance(data, str | bytes | Mapping):
        raise ConfigurationError(f"rows cannot be of type {type(data).__name__}: {_ROWS_ARE}")
    return _from_elements(elements, columns, batch_size)


def from_records(
    names: Sequence[str], chunks: Iterable[Sequence[Sequence[Any]]], columns: Columns, batch_size: int
) -> Iterator[Batch]:
    """Batches of a query's result: its column names, and its rows in chunks of any size. Its errors pass through.

    :raises ConfigurationError: no such column, or its name stands there twice.
    """
    positions = find_positions(names, columns, "the query's result")
    # Only what is needed is held: a query may well return more.
    rows = map(itemgetter(*positions), chain.from_iterable(chunks))
    return in_batches(rows, partial(by_position, list(range(len(positions)))), batch_size)


def count_rows(data: Any) -> int | None:
    """How many rows ``data`` has, or ``None`` where only reading it can tell."""
    if isinstance(data, pandas.DataFrame):
        return len(data)
    if not isinstance(data, Sequence):
        return None
    first = data[0] if data else None
    if isinstance(first, pandas.DataFrame):
        return sum(map(len, data))
    return None if _holds_rows(first) else len(data)


def _from_frame(frame: pandas.DataFrame, columns: Columns, batch_size: int) -> Iterator[Batch]:
    positions = find_positions(frame.columns, columns, "the DataFrame")
    for start in range(0, len(frame), batch_size):
        part = frame.iloc[start : start + batch_size]
        yield make_batch(start, [part.iloc[:, at].astype(object).tolist() for at in positions], {})


def _from_elements(elements: Iterator[Any], columns: Columns, batch_size: int) -> Iterator[Batch]:
    elements = _joined(elements)
    head = list(islice(elements, 1))
    if not head:
        return
    first, elements = head[0], chain(head, elements)
    if isinstance(first, pandas.DataFrame):
        rows = chain.from_iterable(_frame_rows(frame, columns) for frame in elements)
        yield from in_batches(rows, partial(by_position, list(range(len(columns.needed)))), batch_size)
    elif isinstance(first, Mapping):
        yield from in_batches(require_columns(elements, columns, "the rows"), partial(_mappings, columns), batch_size)
    elif isinstance(first, tuple | list):
        width = len(columns.values)
        if first and len(first) != width:
            dicts = "give dicts, whose keys name their columns"
            raise ConfigurationError(f"the first row is {_describe(first)}, and a pair has {width}: {dicts}")
        if len(columns.needed) > width:
            raise ConfigurationError(f"pairs have no column '{columns.needed[width]}': give dicts to have it")
        yield from in_batches(elements, partial(_tuples, width), batch_size)
    else:
        raise ConfigurationError(f"the first row is of type {type(first).__name__}: {_ROWS_ARE}")


def _joined(elements: Iterator[Any]) -> Iterator[Any]:
    """The rows one after the other, where the first element that is not empty is a list of rows; else the elements."""
    ahead: list[Any] = []
    for element in elements:
        ahead.append(element)
        if not isinstance(element, tuple | list) or element:
            break
    elements = chain(ahead, elements)
    if not ahead or not _holds_rows(ahead[-1]):
        return elements
    return chain.from_iterable(element if _holds_rows(element) else [element] for element in elements)


def _holds_rows(element: Any) -> bool:
    """Whether an element is a list of rows and no row: it holds dicts or pairs, and no plain value. An empty list counts."""
    if not isinstance(element, tuple | list):
        return False
    if not all(member is None or isinstance(member, Mapping | tuple | list) for member in element):
        return False
    return not element or any(isinstance(member, Mapping) or (member and len(member) == 2) for member in element)


def _frame_rows(frame: Any, columns: Columns) -> Iterator[tuple[Any, ...]]:
    if not isinstance(frame, pandas.DataFrame):
        raise ConfigurationError(f"a value of type {type(frame).__name__} stands among DataFrames: {_ROWS_ARE}")
    positions = find_positions(frame.columns, columns, "the DataFrame")
    return zip(*(frame.iloc[:, at].astype(object) for at in positions), strict=True)


def _tuples(width: int, chunk: list[Any], start: int) -> Batch:
    unreadable = {
        at: _not_a_pair(row) for at, row in enumerate(chunk) if not isinstance(row, tuple | list) or len(row) != width
    }
    for at in unreadable:
        chunk[at] = (None,) * width
    return by_position(list(range(width)), chunk, start, unreadable)


def _not_a_pair(row: Any) -> str:
    what = _describe(row) if isinstance(row, tuple | list) else f"of type {type(row).__name__}"
    return f"this row is {what}, and the first row was a pair"


def _describe(row: tuple[Any, ...] | list[Any]) -> str:
    return f"a {'list' if isinstance(row, list) else 'tuple'} of {len(row)} value{'s' * (len(row) != 1)}"


def _mappings(columns: Columns, chunk: list[Any], start: int) -> Batch:
    unreadable = {
        at: f"this row is of type {type(row).__name__}, and the first row was a dict"
        for at, row in enumerate(chunk)
        if not isinstance(row, dict | Mapping)
    }
    return by_name(columns, chunk, start, unreadable)
