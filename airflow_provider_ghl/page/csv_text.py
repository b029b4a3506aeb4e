"""Results of rows as CSV (RFC 4180), piece by piece, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping

__all__ = ["COLUMNS", "csv_pieces"]

#: The fields of a result, as in the results file and in ``airflow ghl loads export``.
COLUMNS = (
    *("row", "row_key", "location_id", "association_id", "first_record_id", "second_record_id", "outcome", "evidence"),
    *("relation_id", "status_code", "reason", "requests", "try_number", "trace_id"),
)
#: What is not seen before a sign: blanks, control characters, marks without width; and quotes, which a spreadsheet takes away.
_UNSEEN = r'(?:[^\S\t\r\n]|[\x00-\x08\x0e-\x1b\x7f\xad\u200b-\u200f\u2060\ufeff"])*'
#: Where a spreadsheet may take the rest for a formula: at a cell's beginning, and behind what some of them split at besides.
#: Excel splits at semicolons in many countries, and then no quotes hold our cell together. Signs of full width count too.
_FORMULA = re.compile(rf"(^|[;\t\r\n])(?={_UNSEEN}[=+\-@\uff1d\uff0b\uff0d\uff20])")
_PIECE = 500


def csv_pieces(results: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """The header and a line for each result, in UTF-8.

    What a spreadsheet could run as a formula gets an apostrophe in front, in the middle of a text too. Numbers stay numbers.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(COLUMNS)
    for count, result in enumerate(results, 1):
        writer.writerow([_cell(result[column]) for column in COLUMNS])
        if count % _PIECE == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _cell(value: object) -> object:
    if isinstance(value, str):
        return _FORMULA.sub(r"\1'", value)
    return "" if value is None else value


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "backslashreplace")
