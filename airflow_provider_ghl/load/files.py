"""Open files become batches: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.batches import Batch, Columns, by_name, by_position, in_batches, positions_of, with_names

__all__ = ["from_file"]

_BUFFER = 1 << 18
_LARGEST_FIELD = 16 << 20
#: The csv module's words for faults that end with their line, if the quotes in it are even.
_OF_ONE_LINE = ("expected after", "new-line character seen in unquoted field")
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
_NO_PARQUET = "Parquet files need pyarrow: pip install 'airflow-provider-ghl[parquet]'"
_FAULTS: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a directory, not a file",
    NotADirectoryError: "there is no such file",
    PermissionError: "permission denied",
    gzip.BadGzipFile: "it is not a sound gzip file",
    zlib.error: "its gzip data are damaged",
    EOFError: "it is cut off: the gzip data end early",
}


def from_file(open_file: Callable[[], BinaryIO], name: str, columns: Columns, batch_size: int) -> Iterator[Batch]:
    """Batches of a file that ``open_file`` opens for reading bytes; the end of ``name`` says its format.

    CSV and TSV are read as text, so ``00123`` stays. A line that cannot be read is an unreadable row. Quotes are taken
    strictly, and a faulty one ends the file where reading on could take text inside of a quoted field for rows.

    :raises ConfigurationError: unknown format, no such column, not UTF-8, cut off, a quote left open, a field of more than
        16 MiB, or it cannot be opened. Other errors of the file (a lost connection) pass through.
    """
    shown = _shown(name)
    ending, packed = _format(name)
    try:
        with open_file() as file:
            yield from _read(file, packed, ending, shown, columns, batch_size)
    except tuple(_FAULTS) as error:
        what = next(text for kind, text in _FAULTS.items() if isinstance(error, kind))
        raise ConfigurationError(f"cannot read {shown}: {what}") from error


def _shown(name: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", re.sub(r"(?<=.)\?.*", "", name) if "://" in name else name)


def _format(name: str) -> tuple[str, bool]:
    plain = (name.partition("?")[0] if "://" in name else name).lower()
    bare = plain.removesuffix(".gz")
    ending = next((end for end in (*_SEPARATORS, *_JSON_LINES, ".parquet") if bare.endswith(end)), "")
    if not ending or (ending == ".parquet" and bare != plain):
        known = ".csv, .tsv, .jsonl, .ndjson (each also with .gz) or .parquet"
        raise ConfigurationError(f"cannot tell the format of {_shown(name)}: its name must end in {known}")
    return ending, bare != plain


def _read(file: BinaryIO, packed: bool, ending: str, shown: str, columns: Columns, batch_size: int) -> Iterator[Batch]:
    if ending == ".parquet":
        return _parquet(file, shown, columns, batch_size)
    buffered = io.BufferedReader(_Reads(gzip.GzipFile(fileobj=file) if packed else file), _BUFFER)
    lines = _Lines(buffered, shown)
    if ending in _JSON_LINES:
        return in_batches(with_names(_json_rows(lines), columns, shown), partial(_json_batch, columns), batch_size)
    return _table(lines, _SEPARATORS[ending], columns, batch_size)


class _Reads(io.RawIOBase):
    """Anything that has ``read`` as a raw stream: storage libraries' files lack parts of the protocol."""

    def __init__(self, file: Any):
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._file.read(len(into))
        into[: len(data)] = data
        return len(data)


class _Lines:
    """The lines of a file as text, and the one that was read last."""

    def __init__(self, file: io.BufferedReader[Any], shown: str):
        self.shown = shown
        self.last = ""
        self._file = file

    def __iter__(self) -> Iterator[str]:
        self._skip_the_mark()
        number = 0
        try:
            for number, line in enumerate(map(bytes.decode, self._file), 1):  # noqa: B007 - named when the next line fails
                self.last = line
                yield line
        except UnicodeDecodeError as error:
            where = f"line {number + 1} is not UTF-8 (byte {error.start + 1} of it)"
            raise ConfigurationError(f"cannot read {self.shown}: {where}; save the file as UTF-8") from error

    def _skip_the_mark(self) -> None:
        head = self._file.peek(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ConfigurationError(f"cannot read {self.shown}: it is UTF-16; save it as UTF-8")
        if head.startswith(codecs.BOM_UTF8):
            self._file.read(len(codecs.BOM_UTF8))


class _Odd(str):
    """Why a line is no row."""


def _table(lines: _Lines, separator: str, columns: Columns, batch_size: int) -> Iterator[Batch]:
    # The csv module has one limit for the whole process, 128 KiB at first, which a note in a CRM may well exceed.
    csv.field_size_limit(max(csv.field_size_limit(), _LARGEST_FIELD))
    reader = csv.reader(lines, delimiter=separator, strict=True)
    try:
        header = next(filter(None, reader), None)
    except csv.Error as error:
        raise ConfigurationError(f"cannot read the header of {lines.shown}: {_csv_fault(error, 1, reader.line_num)}") from error
    if header is None:
        raise ConfigurationError(f"cannot read {lines.shown}: it is empty, a header line with the columns' names is needed")
    positions = positions_of(header, columns, lines.shown)
    return in_batches(_csv_rows(reader, lines, len(header)), partial(_csv_batch, positions, len(header)), batch_size)


def _csv_rows(reader: Any, lines: _Lines, width: int) -> Iterator[list[str] | _Odd]:
    last = reader.line_num
    while True:
        try:
            for row in reader:
                if len(row) == width:
                    yield row
                elif row:
                    yield _Odd(_ragged(len(row), last, reader.line_num, width))
                last = reader.line_num
            return
        except csv.Error as error:
            fault = _csv_fault(error, last + 1, reader.line_num)
            if reader.line_num > last + 1 or not _is_of_one_line(error, lines.last):
                raise ConfigurationError(f"cannot read {lines.shown} beyond {fault}") from error
            yield _Odd(fault)
            last = reader.line_num


def _is_of_one_line(error: csv.Error, line: str) -> bool:
    return line.count('"') % 2 == 0 and any(words in str(error) for words in _OF_ONE_LINE)


def _csv_fault(error: csv.Error, first: int, last: int) -> str:
    return f"{_lines_of(first, last)}: {error}; is a quote left open, or a quote inside a field not doubled?"


def _ragged(fields: int, before: int, last: int, width: int) -> str:
    has = f"{_lines_of(before + 1, last)} has {fields} field{'s' * (fields != 1)}, the header has {width}"
    return f"{has}: quote a field that holds the separator" if fields > width else has


def _lines_of(first: int, last: int) -> str:
    return f"line {last}" if first >= last else f"the row on lines {first} to {last}"


def _csv_batch(positions: list[int], width: int, rows: list[Any], start: int) -> Batch:
    unreadable = _unreadable(rows)
    for at in unreadable:
        rows[at] = [None] * width
    return by_position(positions, rows, start, unreadable)


def _unreadable(rows: list[Any]) -> dict[int, str]:
    if _Odd not in set(map(type, rows)):
        return {}
    return {at: str(row) for at, row in enumerate(rows) if type(row) is _Odd}


def _json_rows(lines: _Lines) -> Iterator[dict[str, Any] | _Odd]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield _Odd(f"line {number} is not JSON")
            continue
        yield row if type(row) is dict else _Odd(f"line {number} is a JSON {type(row).__name__}, an object is needed")


def _json_batch(columns: Columns, rows: list[Any], start: int) -> Batch:
    return by_name(columns, rows, start, _unreadable(rows))


def _parquet(file: BinaryIO, shown: str, columns: Columns, batch_size: int) -> Iterator[Batch]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(f"cannot read {shown}: {_NO_PARQUET}") from error
    try:
        source = parquet.ParquetFile(file)
        names = source.schema_arrow.names
        chosen = [names[at] for at in positions_of(names, columns, shown)]
        parts = source.iter_batches(batch_size=batch_size, columns=list(dict.fromkeys(chosen)))
        rows = chain.from_iterable(zip(*(part.column(name).to_pylist() for name in chosen), strict=True) for part in parts)
        yield from in_batches(rows, partial(by_position, list(range(len(chosen)))), batch_size)
    except pyarrow.ArrowException as error:
        raise ConfigurationError(f"cannot read {shown}: it is not a sound Parquet file") from error
