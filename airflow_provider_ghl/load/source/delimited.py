"""CSV and TSV: blocks of plain lines are split at once, all others are read by the ``csv`` module.

A block is plain where it holds no quote and each of its lines has as many separators as the header: then both ways say the
same, and the first takes a quarter of the time.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from functools import partial
from operator import itemgetter
from typing import Any

import numpy

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.batches import by_position, find_positions, in_batches, make_batch
from airflow_provider_ghl.load.source.lines import BadLine, Lines, find_unreadable, locate

__all__ = ["from_delimited"]

_LARGEST_FIELD = 16 << 20
#: The csv module's words for faults that end with their line, if the quotes in it are even.
_OF_ONE_LINE = ("expected after", "new-line character seen in unquoted field")
_NEWLINE = 10
_USUAL_SEPARATORS = ",;\t|"


def from_delimited(lines: Lines, separator: str, columns: Columns, batch_size: int) -> Iterator[Batch]:
    """Batches of at most ``batch_size`` rows. A line that cannot be read is an unreadable row.

    :raises ConfigurationError: see :func:`~airflow_provider_ghl.load.source.files.from_file`.
    """
    # The csv module has one limit for the whole process, 128 KiB at first, which a note in a CRM may well exceed.
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_FIELD))
    header = _header(lines, separator)
    hint = _hint_at_separator(header[0], separator) if len(header) == 1 else None
    positions, width = find_positions(header, columns, lines.label, hint), len(header)
    start = 0
    while block := lines.take_block():
        cells = _plain_cells(block, separator, width)
        if cells is None:
            lines.give_back(block)
            rows = _csv_rows(lines, separator, width, itemgetter(*positions))
            batches = in_batches(rows, partial(_csv_batch, len(positions)), batch_size, start)
        else:
            lines.count(len(cells) // width)
            batches = _plain_batches([cells[at::width] for at in positions], batch_size, start)
        for batch in batches:
            yield batch
            start = batch.start + len(batch)


def _header(lines: Lines, separator: str) -> list[str]:
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        header: list[str] | None = next(filter(None, reader), None)
    except csv.Error as error:
        hint = _hint_at_separator(lines.last, separator)
        fault = f"{locate(reader.line_num)}: {error}; {hint}" if hint else _csv_fault(error, 1, reader.line_num)
        raise ConfigurationError(f"cannot read the header of {lines.label}: {fault}") from error
    if header is None:
        raise ConfigurationError(f"cannot read {lines.label}: it is empty, a header line with the columns' names is needed")
    return header


def _hint_at_separator(header: str, separator: str) -> str | None:
    """What to say of a header in which another separator stands more often."""
    other = max(_USUAL_SEPARATORS, key=header.count)
    if header.count(other) <= header.count(separator):
        return None
    return f"the header looks separated by {other!r}: pass separator={other!r}"


def _plain_cells(block: bytes, separator: str, width: int) -> list[str] | None:
    """All cells of the block one after the other, or ``None`` where only the ``csv`` module can read it."""
    # A table of one column may have blank lines, which are no rows.
    if width < 2 or not separator.isascii() or b'"' in block or len(block) > _LARGEST_FIELD:
        return None
    if b"\r" in block:
        block = block.replace(b"\r\n", b"\n")
        if b"\r" in block:
            return None
    if not block.endswith(b"\n"):
        block += b"\n"
    if not _is_even(block, separator, width):
        return None
    try:
        return block.decode()[:-1].replace("\n", separator).split(separator)
    except UnicodeDecodeError:
        return None


def _is_even(block: bytes, separator: str, width: int) -> bool:
    """Whether each line has ``width`` cells."""
    octets = numpy.frombuffer(block, dtype=numpy.uint8)
    is_end = octets == _NEWLINE
    ends = is_end[numpy.flatnonzero(is_end | (octets == ord(separator)))]
    if len(ends) % width:
        return False
    lines = ends.reshape(-1, width)
    return bool(lines[:, -1].all()) and not lines[:, :-1].any()


def _plain_batches(cells: list[list[str]], batch_size: int, start: int) -> Iterator[Batch]:
    for at in range(0, len(cells[0]), batch_size):
        yield make_batch(start + at, [column[at : at + batch_size] for column in cells], {})


def _csv_rows(lines: Lines, separator: str, width: int, pick: Callable[[list[str]], Any]) -> Iterator[Any]:
    """The needed cells of the rows that begin in what was given back."""
    before = last = lines.number
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        try:
            for row in reader:
                if len(row) == width:
                    yield pick(row)
                elif row:
                    yield BadLine(_ragged(len(row), last, before + reader.line_num, width))
                last = before + reader.line_num
                if lines.is_at_a_block:
                    return
            return
        except csv.Error as error:
            fault = _csv_fault(error, last + 1, before + reader.line_num)
            if before + reader.line_num > last + 1 or not _is_of_one_line(error, lines.last):
                raise ConfigurationError(f"cannot read {lines.label} beyond {fault}") from error
            yield BadLine(fault)
            last = before + reader.line_num


def _is_of_one_line(error: csv.Error, line: str) -> bool:
    return line.count('"') % 2 == 0 and any(words in str(error) for words in _OF_ONE_LINE)


def _csv_fault(error: csv.Error, first: int, last: int) -> str:
    return f"{locate(first, last)}: {error}; is a quote left open, or a quote inside a field not doubled?"


def _ragged(fields: int, before: int, last: int, width: int) -> str:
    has_or_have = "has" if before + 1 >= last else "have"
    fault = f"{locate(before + 1, last)} {has_or_have} {fields} field{'s' * (fields != 1)}, the header has {width}"
    return f"{fault}: quote a field that holds the separator" if fields > width else fault


def _csv_batch(width: int, rows: list[Any], start: int) -> Batch:
    unreadable = find_unreadable(rows)
    for at in unreadable:
        rows[at] = [None] * width
    return by_position(list(range(width)), rows, start, unreadable)
