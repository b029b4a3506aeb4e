"""Output of commands: aligned text for people, one JSON document for machines. The same in a terminal and in a pipe."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TextIO

from airflow_provider_ghl.load.results import time_span

__all__ = ["Out", "escape", "facts", "iso", "moment", "table"]

#: Numbers are aligned to the right and get thousands separators.
Cell = str | int | None


class Out:
    """Where a command's answer goes."""

    def __init__(self, stream: TextIO, *, as_json: bool) -> None:
        self.stream = stream
        self._as_json = as_json

    def write(self, document: Any, lines: Iterable[str]) -> None:
        """Write the answer, as JSON or as lines of text."""
        text = json.dumps(document, indent=2) if self._as_json else "\n".join(lines)
        encoding = self.stream.encoding or "utf-8"
        try:
            self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
            self.stream.flush()
        except BrokenPipeError:
            # The reader is gone (| head), which is not an error. Without this Python would report it again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())

    def ask(self, question: str) -> bool:
        """Ask a question on stderr, since stdout may be a file. Returns whether the answer is yes."""
        sys.stderr.write(f"{question} [y/N] ")
        sys.stderr.flush()
        return sys.stdin.readline().strip().lower() in ("y", "yes")


def table(headers: Sequence[str], rows: Iterable[Sequence[Cell]]) -> list[str]:
    """Lines of a table. Columns are as wide as their longest cell; nothing is cut."""
    rows = list(rows)
    is_number = [any(isinstance(row[at], int) for row in rows) for at in range(len(headers))]
    cells = [[escape(header) for header in headers], *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(headers))]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, is_number, strict=True)
        ).rstrip()
        for row in cells
    ]


def facts(pairs: Mapping[str, Cell]) -> list[str]:
    """One line for each name and its value."""
    width = max(map(len, pairs))
    return [f"{name.ljust(width)}  {_text(value)}" for name, value in pairs.items()]


def moment(seconds: float | None) -> str:
    """Unix seconds for people: ``2026-11-21 07:24:27 UTC``."""
    return "-" if seconds is None else time_span.moment(seconds)


def iso(seconds: float | None) -> str | None:
    """Unix seconds for machines: ``2026-11-21T07:24:27.000+00:00``."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def escape(value: Any) -> str:
    """Text without control characters, which could control the terminal: it may come from HighLevel or from a file."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape", "backslashreplace").decode() for one in text)


def _text(cell: Cell) -> str:
    if cell is None or cell == "":
        return "-"
    return f"{cell:,}" if isinstance(cell, int) else escape(cell)
