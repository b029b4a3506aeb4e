"""How rows of any kind become batches of columns."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from operator import itemgetter
from typing import Any

import numpy

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns

__all__ = [
    "by_name",
    "by_position",
    "find_positions",
    "in_batches",
    "looks_personal",
    "make_batch",
    "require_columns",
]

_NAMES_SHOWN = 30
#: A dict may lack a key that others have. A column is missing if none of so many rows has it.
_ROWS_JUDGED = 1000
_PERSONAL = re.compile(r".*@.*|\+?[\d\s().-]{7,}", re.DOTALL)


def looks_personal(text: str) -> bool:
    """Whether a text could be an e-mail address or a phone number, which no message may hold."""
    return _PERSONAL.fullmatch(text) is not None


def in_batches(
    elements: Iterator[Any], to_batch: Callable[[list[Any], int], Batch], batch_size: int, start: int = 0
) -> Iterator[Batch]:
    """Batches of at most ``batch_size`` elements. An error of the iterator is raised after the batch of those before it.

    :param to_batch: makes a batch of elements and the number of the first of them.
    :param start: the number of the first element.
    """
    while True:
        chunk: list[Any] = []
        try:
            chunk.extend(islice(elements, batch_size))
        except Exception:
            if chunk:
                yield to_batch(chunk, start)
            raise
        if not chunk:
            return
        yield to_batch(chunk, start)
        start += len(chunk)


def make_batch(start: int, cells: Iterable[Sequence[Any]], unreadable: dict[int, str]) -> Batch:
    """A batch of columns of any kind."""
    return Batch(start, [numpy.fromiter(column, dtype=object, count=len(column)) for column in cells], unreadable)


def by_position(positions: list[int], rows: list[Any], start: int, unreadable: dict[int, str] | None = None) -> Batch:
    """A batch of rows that are sequences.

    :param positions: where the needed columns stand in a row.
    """
    return make_batch(start, [list(map(itemgetter(at), rows)) for at in positions], unreadable or {})


def by_name(columns: Columns, rows: list[Any], start: int, unreadable: dict[int, str]) -> Batch:
    """A batch of rows that are mappings. What they have no key for is ``None``."""
    for at in unreadable:
        rows[at] = {}
    return make_batch(start, [[row.get(name) for row in rows] for name in columns.needed], unreadable)


def require_columns(rows: Iterator[Any], columns: Columns, where: str) -> Iterator[Any]:
    """The same rows, if they have the needed columns. Dicts are read ahead until each column was met once.

    :param where: what messages call the rows.
    :raises ConfigurationError: none of the first thousand rows has a column.
    """
    ahead: list[Any] = []
    present: dict[str, None] = {}
    try:
        for row in islice(rows, _ROWS_JUDGED):
            ahead.append(row)
            present.update(dict.fromkeys(map(str, row)) if isinstance(row, Mapping) else {})
            if all(name in present for name in columns.needed):
                break
    except Exception:
        yield from ahead
        raise
    absent = [name for name in columns.needed if name not in present]
    if absent and any(isinstance(row, Mapping) for row in ahead):
        raise _no_column(absent[0], list(present), columns, where)
    yield from chain(ahead, rows)


def find_positions(names: Iterable[Any], columns: Columns, where: str, hint: str | None = None) -> list[int]:
    """Where the needed columns stand among those there are.

    :param where: what messages call the source.
    :param hint: what an error proposes; ``None``: a column whose name is like the missing one.
    :raises ConfigurationError: there is no such column, or its name stands there twice.
    """
    present = list(map(str, names))
    for name in columns.needed:
        if name not in present:
            raise _no_column(name, present, columns, where, hint)
        if (times := present.count(name)) > 1:
            raise ConfigurationError(f"column '{name}' stands {times} times in {where}: give each a name of its own")
    return [present.index(name) for name in columns.needed]


def _no_column(name: str, present: Sequence[str], columns: Columns, where: str, hint: str | None = None) -> ConfigurationError:
    shown = ["(hidden)" if looks_personal(other) else other[:60] for other in present[:_NAMES_SHOWN]]
    more = f" and {len(present) - _NAMES_SHOWN} more" if len(present) > _NAMES_SHOWN else ""
    hint = hint or _similar(name, (other for other in present if other not in columns.needed))
    proposal = f"; {hint}" if hint else ""
    return ConfigurationError(f"no column '{name}' in {where}; its columns are: {', '.join(shown)}{more}{proposal}")


def _similar(name: str, others: Iterable[str]) -> str | None:
    folded = {_folded(other): other for other in others if not looks_personal(other)}
    close = difflib.get_close_matches(_folded(name), folded, n=1)
    return f"did you mean '{folded[close[0]]}'?" if close else None


def _folded(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold() or name
