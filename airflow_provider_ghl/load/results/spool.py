"""Results that wait on disk for the load's end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.results.typed import typed

__all__ = ["Spool"]

#: Rows that are in memory at once when they are read back.
_CHUNK = 5_000
_NUL = "\\u0000"


class Spool:
    """Results in a temporary file, which has no name: whatever happens to the process, nothing is left of it.

    :param fields: the columns.
    :raises ConfigurationError: no temporary file can be made.
    """

    def __init__(self, fields: Sequence[str]) -> None:
        self._fields = fields
        try:
            self._file = tempfile.TemporaryFile("w+", encoding="ascii", prefix="ghl-results-")  # noqa: SIM115 - see close
        except OSError as error:
            why = f"no file can be made in the folder {tempfile.gettempdir()} ({error.strerror})"
            raise ConfigurationError(f"results wait in a temporary file, and {why}") from error

    def append(self, frame: pd.DataFrame) -> None:
        """Add results."""
        for start in range(0, len(frame), _CHUNK):
            chunk = typed(frame.iloc[start : start + _CHUNK], self._fields)
            line = json.dumps([_values(chunk[name]) for name in self._fields])
            self._file.write((_without_nul(line) if _NUL in line else line) + "\n")

    def chunks(self) -> Iterator[list[list[Any]]]:
        """All that was added, in this order, some thousand rows at a time: columns of whole numbers, texts, ``None``."""
        self._file.seek(0)
        for line in self._file:
            yield json.loads(line)

    def close(self) -> None:
        """Remove it. May be called more than once."""
        self._file.close()


def _values(column: pd.Series[Any]) -> list[Any]:
    return column.astype(object).where(column.notna(), None).tolist()


def _without_nul(line: str) -> str:
    """PostgreSQL has no place for this character in a text."""
    columns = json.loads(line)
    return json.dumps([[_escaped(value) for value in column] for column in columns])


def _escaped(value: Any) -> Any:
    return value.replace("\x00", "\\x00") if isinstance(value, str) else value
