"""The lines of a file as text, and blocks of them as bytes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Any

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["BadLine", "Lines", "find_unreadable", "locate"]

_BLOCK = 1 << 19


class BadLine(str):
    """Why a line is no row."""


def locate(first: int, last: int | None = None) -> str:
    """Lines of a file in words, numbered from 1. Rows are numbered from 0, so that it says whose the number is."""
    return f"line {first} of the file" if last is None or first >= last else f"lines {first} to {last} of the file"


def find_unreadable(rows: list[Any]) -> dict[int, str]:
    """Which rows of a list are bad lines, by their offsets, and why."""
    if BadLine not in set(map(type, rows)):
        return {}
    return {at: str(row) for at, row in enumerate(rows) if type(row) is BadLine}


class Lines:
    """What is left of a file: an iterator over its lines, of which a whole block may be taken at once, and be given back.

    :param block: bytes of a block, and the rest of its last line.
    :raises ConfigurationError: a line is not UTF-8, while it is read as text.
    """

    def __init__(self, file: io.BufferedReader[Any], label: str, block: int = _BLOCK):
        self.label = label
        #: The line that was read last, and how many were read.
        self.last = ""
        self.number = 0
        self._file = file
        self._block = block
        self._given_back = io.BytesIO()
        self._skip_the_mark()

    @property
    def is_at_a_block(self) -> bool:
        """Whether nothing is left of what was given back."""
        return self._given_back.tell() == len(self._given_back.getbuffer())

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._given_back.readline() or self._file.readline()
        if not line:
            raise StopIteration
        self.number += 1
        try:
            self.last = line.decode()
        except UnicodeDecodeError as error:
            where = f"{locate(self.number)} is not UTF-8 (byte {error.start + 1} of it)"
            raise ConfigurationError(f"cannot read {self.label}: {where}; save the file as UTF-8") from error
        return self.last

    def take_block(self) -> bytes:
        """Some whole lines, empty at the end of the file. They are not counted in ``number``: see :meth:`count`."""
        block: bytes = self._given_back.read() or self._file.read(self._block)
        return block if block.endswith(b"\n") else block + self._file.readline()

    def count(self, lines: int) -> None:
        """Lines of a block that were understood."""
        self.number += lines

    def give_back(self, block: bytes) -> None:
        """Let a block be read line by line after all."""
        self._given_back = io.BytesIO(block)

    def _skip_the_mark(self) -> None:
        head = self._file.peek(4)
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise ConfigurationError(f"cannot read {self.label}: it is UTF-16; save it as UTF-8")
        if head.startswith(codecs.BOM_UTF8):
            self._file.read(len(codecs.BOM_UTF8))
