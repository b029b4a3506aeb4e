"""Open files become batches: CSV, TSV, JSON Lines and Parquet."""

from __future__ import annotations

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
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.source.batches import by_name, by_position, find_positions, in_batches, require_columns
from airflow_provider_ghl.load.source.delimited import from_delimited
from airflow_provider_ghl.load.source.lines import BadLine, Lines, find_unreadable, locate
from airflow_provider_ghl.load.source.recoding import Recoded
from airflow_provider_ghl.load.source.signatures import SIGNATURE_BYTES, name_signature
from airflow_provider_ghl.load.source.text_format import UTF_8, TextFormat

__all__ = ["from_file"]

_BUFFER = 1 << 18
_SEPARATORS = {".csv": ",", ".tsv": "\t"}
_JSON_LINES = (".jsonl", ".ndjson")
#: Arguments that a format has no use for.
_HAVE_NONE = {
    **{(ending, "separator"): "JSON Lines have" for ending in _JSON_LINES},
    **{(".parquet", argument): "Parquet has" for argument in ("separator", "encoding")},
}
_AS_NAMED = TextFormat()
#: What JSON calls what Python makes of it.
_JSON: dict[type[Any], str] = {
    bool: "boolean",
    float: "number",
    int: "number",
    list: "array",
    str: "string",
    type(None): "null",
}
_NO_PARQUET = "Parquet files need pyarrow: pip install 'airflow-provider-ghl[parquet]'"
_PATTERN = (
    "there is no such file, and patterns are not expanded: name one file, or map the task over the files with .expand(path=[…])"
)
_FAULTS: dict[type[Exception], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a directory, not a file",
    NotADirectoryError: "there is no such file",
    PermissionError: "permission denied",
    gzip.BadGzipFile: "it is not a sound gzip file",
    zlib.error: "its gzip data are damaged",
    EOFError: "it is cut off: the gzip data end early",
}


def from_file(
    open_file: Callable[[], BinaryIO], name: str, columns: Columns, batch_size: int, text: TextFormat = _AS_NAMED
) -> Iterator[Batch]:
    """Batches of a file that ``open_file`` opens for reading bytes; the end of ``name`` says its format.

    CSV and TSV are read as text, so ``00123`` stays. A line that cannot be read is an unreadable row. Quotes are taken
    strictly, and a faulty one ends the file where reading on could take text inside of a quoted field for rows.

    :param text: how a text file is written, where its name does not say it.
    :raises ConfigurationError: unknown format, no such column, not of its encoding, cut off, a quote left open, a field of
        more than 16 MiB, or it cannot be opened. Other errors of the file (a lost connection) pass through.
    """
    label = _without_secrets(name)
    ending, packed = _find_format(name)
    for argument in text.given:
        if (has_none := _HAVE_NONE.get((ending, argument))) is not None:
            raise ConfigurationError(f"cannot read {label}: {has_none} no {argument}; leave out {argument}=")
    try:
        with open_file() as file:
            if ending == ".parquet":
                yield from _parquet_batches(file, label, columns, batch_size)
            else:
                yield from _text_batches(
                    _open_lines(file, packed, label, text.codec), ending, text.separator, columns, batch_size
                )
    except tuple(_FAULTS) as error:
        fault = next(text for kind, text in _FAULTS.items() if isinstance(error, kind))
        if isinstance(error, FileNotFoundError) and _is_pattern(name):
            fault = _PATTERN
        raise ConfigurationError(f"cannot read {label}: {fault}") from error


def _without_secrets(name: str) -> str:
    return re.sub(r"//[^/@]*@", "//***@", _without_query(name)) if "://" in name else name


def _without_query(name: str) -> str:
    return name.partition("?")[0] if "://" in name else name


def _is_pattern(name: str) -> bool:
    return re.search(r"[*?[]", _without_query(name)) is not None


def _find_format(name: str) -> tuple[str, bool]:
    """The ending that says the format, and whether ``.gz`` stands behind it."""
    plain = _without_query(name).lower()
    bare = plain.removesuffix(".gz")
    ending = next((end for end in (*_SEPARATORS, *_JSON_LINES, ".parquet") if bare.endswith(end)), "")
    if not ending or (ending == ".parquet" and bare != plain):
        if _is_pattern(name):
            raise ConfigurationError(f"cannot read {_without_secrets(name)}: {_PATTERN}")
        known = ".csv, .tsv, .jsonl, .ndjson (each also with .gz) or .parquet"
        raise ConfigurationError(f"cannot tell the format of {_without_secrets(name)}: its name must end in {known}")
    return ending, bare != plain


def _open_lines(file: BinaryIO, packed: bool, label: str, codec: str) -> Lines:
    buffered = io.BufferedReader(_RawReader(gzip.GzipFile(fileobj=file) if packed else file), _BUFFER)
    if fault := name_signature(buffered.peek(SIGNATURE_BYTES)):
        raise ConfigurationError(f"cannot read {label}: {fault}")
    if codec == UTF_8:
        return Lines(buffered, label)
    return Lines(io.BufferedReader(Recoded(buffered, codec), _BUFFER), label, recoded_from=codec)


def _text_batches(lines: Lines, ending: str, separator: str | None, columns: Columns, batch_size: int) -> Iterator[Batch]:
    if ending in _JSON_LINES:
        rows = map(partial(_pick, columns.needed), require_columns(_json_rows(lines), columns, lines.label))
        return in_batches(rows, partial(_json_batch, columns), batch_size)
    return from_delimited(lines, separator or _SEPARATORS[ending], columns, batch_size)


class _RawReader(io.RawIOBase):
    """Anything that has ``read`` as a raw stream: storage libraries' files lack parts of the protocol."""

    def __init__(self, file: Any):
        self._file = file

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        data = self._file.read(len(into))
        into[: len(data)] = data
        return len(data)


def _json_rows(lines: Lines) -> Iterator[dict[str, Any] | BadLine]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            yield BadLine(f"{locate(number)} is not JSON")
            continue
        yield row if type(row) is dict else BadLine(f"{locate(number)} is a JSON {_JSON[type(row)]}, an object is needed")


def _pick(names: list[str], row: dict[str, Any] | BadLine) -> dict[str, Any] | BadLine:
    return row if isinstance(row, BadLine) else {name: row.get(name) for name in names}


def _json_batch(columns: Columns, rows: list[Any], start: int) -> Batch:
    return by_name(columns, rows, start, find_unreadable(rows))


def _parquet_batches(file: BinaryIO, label: str, columns: Columns, batch_size: int) -> Iterator[Batch]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(f"cannot read {label}: {_NO_PARQUET}") from error
    try:
        source = parquet.ParquetFile(file)
        names = source.schema_arrow.names
        chosen = [names[at] for at in find_positions(names, columns, label)]
        parts = source.iter_batches(batch_size=batch_size, columns=list(dict.fromkeys(chosen)))
        rows = chain.from_iterable(zip(*(part.column(name).to_pylist() for name in chosen), strict=True) for part in parts)
        yield from in_batches(rows, partial(by_position, list(range(len(chosen)))), batch_size)
    except pyarrow.ArrowException as error:
        raise ConfigurationError(f"cannot read {label}: it is not a sound Parquet file") from error
