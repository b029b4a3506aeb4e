"""The lines of a file as text, and blocks of them as bytes."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from typing import Any

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["BadLine", "Lines", "find_unreadable", "locate"]

_BLOCK = 1 << 19
#: How files of other encodings begin. UTF-32's first mark begins with one of UTF-16's.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class BadLine(str):
    """Stands for a line that is no row, and says why."""


def locate(first: int, last: int | None = None) -> str:
    """Lines of a file in words. They are numbered from 1 and rows from 0, so a message says that a number is a line's."""
    return f"line {first} of the file" if last is None or first >= last else f"lines {first} to {last} of the file"


def find_unreadable(rows: list[Any]) -> dict[int, str]:
    """Which rows of a list are bad lines, by their offsets, and why."""
    if BadLine not in set(map(type, rows)):
        return {}
    return {at: str(row) for at, row in enumerate(rows) if type(row) is BadLine}


class Lines:
    """The lines of a file that are still to be read: one by one as text, or a block of whole lines as bytes.

    :param file: UTF-8.
    :param label: what messages call the file.
    :param block: how many bytes are read as one block. The rest of its last line is added.
    :param recoded_from: the file's own encoding, where that is another.
    :raises ConfigurationError: the file begins as UTF-16 does; a line is not UTF-8, when it is read as text.
    """

    def __init__(self, file: io.BufferedReader[Any], label: str, block: int = _BLOCK, recoded_from: str | None = None) -> None:
        self.label = label
        self._recoded_from = recoded_from
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
            fault = f"{locate(self.number)} is not {self._fault(line, error.start)}"
            raise ConfigurationError(f"cannot read {self.label}: {fault}") from error
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

    def _fault(self, line: bytes, start: int) -> str:
        if self._recoded_from is None:
            what = f"UTF-8 (byte {start + 1} of it is 0x{line[start]:02x})"
            return f"{what}; pass the file's own encoding=, such as encoding='cp1252'"
        return f"{self._recoded_from} (character {len(line[:start].decode()) + 1} of it); pass the file's own encoding="

    def _skip_the_mark(self) -> None:
        head = self._file.peek(4)
        for mark, encoding in _MARKS.items():
            if head.startswith(mark):
                message = f"this looks like {encoding.upper()}: pass encoding='{encoding}'"
                raise ConfigurationError(f"cannot read {self.label}: {message}")
        if head.startswith(codecs.BOM_UTF8):
            self._file.read(len(codecs.BOM_UTF8))
