"""An append-only file of JSON lines, from which a sandbox restores its state.

A change is written to the file before its request is answered, so a killed process loses nothing that it has answered. A kill
may leave a last line that is incomplete: its request was not answered, and reading drops it. A power failure may lose more,
since nothing is synced to the disk.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["Journal", "StateFileError"]

_FIRST = {"ghl_sandbox": 1}


class StateFileError(ValueError):
    """The state file cannot be used: it is not a state file, it is damaged, or another sandbox has it open."""


class Journal:
    """Keeps the file open and locked until :meth:`close`.

    :raises StateFileError: another sandbox has it open.
    :raises OSError: the file cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self._file = self.path.open("ab+", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.close()
            raise StateFileError(f"{self.path} is in use by another sandbox") from error

    def replay(self) -> Iterator[list[Any]]:
        """The events in the order in which they were appended. An incomplete last line is removed from the file.

        :raises StateFileError: the file is not a state file, or one of its lines is damaged.
        """
        self._file.seek(0)
        data = self._file.read()
        whole = data.rfind(b"\n") + 1
        if not whole:
            self._begin(data)
            return
        lines = data[:whole].splitlines()
        if lines[0] + b"\n" != self._line(_FIRST):
            raise self._not_ours()
        os.ftruncate(self._file.fileno(), whole)
        for number, line in enumerate(lines[1:], 2):
            yield self._parse(line, number)

    def append(self, event: list[Any]) -> None:
        """Write one event."""
        self._write(event)

    def close(self) -> None:
        """Close the file, which unlocks it."""
        self._file.close()

    def _begin(self, data: bytes) -> None:
        first = self._line(_FIRST)
        if not first.startswith(data):
            raise self._not_ours()
        os.ftruncate(self._file.fileno(), 0)
        self._write(_FIRST)

    def _not_ours(self) -> StateFileError:
        return StateFileError(f"{self.path} is not a state file of this sandbox")

    def _parse(self, line: bytes, number: int) -> Any:
        try:
            return json.loads(line)
        except ValueError as error:
            raise StateFileError(f"{self.path} is damaged in line {number}") from error

    def _write(self, value: object) -> None:
        line = self._line(value)
        written = self._file.write(line)
        if written != len(line):  # the next line must not begin in the middle of this one
            os.ftruncate(self._file.fileno(), os.fstat(self._file.fileno()).st_size - (written or 0))
            raise OSError(f"{self.path} took only part of a line: is the disk full?")

    @staticmethod
    def _line(value: object) -> bytes:
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"
