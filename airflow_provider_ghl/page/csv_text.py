"""Results of rows as CSV (RFC 4180), piece by piece, harmless in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping

__all__ = ["COLUMNS", "csv_pieces"]

#: The fields of a result, as in the results file and in ``airflow ghl loads export``.
COLUMNS = (
    *("row", "row_key", "location_id", "association_id", "first_record_id", "second_record_id", "outcome", "evidence"),
    *("relation_id", "status_code", "reason", "requests", "try_number", "trace_id"),
)
#: A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_PIECE = 500


def csv_pieces(results: Iterable[Mapping[str, object]]) -> Iterator[bytes]:
    """The header and a line for each result, in UTF-8.

    A text that a spreadsheet would run as a formula gets an apostrophe in front. Numbers stay numbers.
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
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode("utf-8", "backslashreplace")
