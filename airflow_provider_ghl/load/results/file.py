"""The results file: every row's result, in input order. It is published whole or not at all."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import os
import platform
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Literal, Protocol, Self

import pandas

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.results.typed import INTEGERS, typed

__all__ = ["ResultsFile", "local_results_file"]

_ROW_GROUP = 50_000
_DAY = 24 * 3600.0


class ResultsFile:
    """Collects results in a temporary file. ``commit`` writes it to disk and publishes it.

    As a context manager it commits at the end of the block, and discards the file after an exception. It removes temporary
    files of the same name that killed processes left behind: those of this host at once, those of other hosts a day after
    their last write.

    :param name: the file's name. Its ending decides the format: ``.csv``, ``.jsonl`` or ``.parquet``.
    :param fields: the columns.
    :param publish: puts the finished file in its place. Where it leaves the temporary file, that is removed.
    :param folder: the folder of the temporary file; ``None`` for the system's own.
    :param where: the file as the load's summary names it; ``None``: by its name.
    :raises ConfigurationError: the format is unknown, pyarrow is missing, or the folder cannot be written to.
    """

    title = "the results file"
    summary_field = "results_path"

    def __init__(
        self,
        name: str,
        fields: Sequence[str],
        publish: Callable[[Path], None],
        folder: Path | None = None,
        where: str | None = None,
    ) -> None:
        self.where = name if where is None else where
        self._fields = fields
        self._publish = publish
        start = _writer_for(name)
        folder = folder or Path(tempfile.gettempdir())
        _remove_leftovers(folder, name)
        self._temporary, file = _new_file(folder, name)
        self._is_over = False
        #: Whether the finished file is in its place.
        self.is_published = False
        self._file: IO[bytes] | None = file
        self._writer = start(file, fields)

    def append(self, frame: pandas.DataFrame) -> None:
        """Add results: a frame with the columns ``fields``. Missing values may be ``None``, ``NaN`` or ``<NA>``."""
        if self._file is None:
            raise ValueError("the results file is closed")
        self._writer.write(typed(frame, self._fields))

    def commit(self) -> None:
        """Write the file to disk, then publish it. Where publishing fails, call ``commit`` again."""
        if self._file is not None:
            self._writer.close()
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
        if not self._is_over:
            self._publish(self._temporary)
            self.is_published = True
            self.discard()

    def discard(self) -> None:
        """Remove the temporary file. May be called at any time, and more than once."""
        self._is_over = True
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk must not prevent the removal
                self._writer.close()
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        try:
            if kind is None:
                self.commit()
        finally:
            self.discard()


def local_results_file(path: str | Path, fields: Sequence[str], where: str | None = None) -> ResultsFile:
    """A results file at a local path. It is written beside that path, then moved there in one step. Missing folders are made.

    :param where: the file as the load's summary names it; ``None``: by its path.
    :raises ConfigurationError: as :class:`ResultsFile`; also where the folder cannot be made, or the path is a folder itself.
    """
    target = Path(path).absolute()
    if target.is_symlink():
        target = target.resolve()
    _writer_for(target.name)  # first, so that a wrong name leaves no folder behind
    _make_folder(path, target.parent)
    if target.is_dir():
        raise ConfigurationError(f"cannot write {path}: it is a folder; name a file in it")

    def publish(temporary: Path) -> None:
        temporary.replace(target)
        _sync_folder(target.parent)

    return ResultsFile(target.name, fields, publish, target.parent, where=str(path) if where is None else where)


def _make_folder(path: str | Path, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: the folder {folder} cannot be made ({error.strerror})") from error


class _Writer(Protocol):
    def write(self, frame: pandas.DataFrame) -> None: ...

    def close(self) -> None: ...


class _Csv:
    def __init__(self, file: IO[bytes], fields: Sequence[str]):
        self._file = file
        self._file.write((",".join(fields) + "\n").encode())

    def write(self, frame: pandas.DataFrame) -> None:
        text = self._text(frame, csv.QUOTE_MINIMAL)
        if "\r" in text:  # the csv module leaves it unquoted, but readers take it for the end of a line
            text = self._text(frame, csv.QUOTE_ALL)
        self._file.write(text.encode())

    def _text(self, frame: pandas.DataFrame, quoting: Literal[0, 1]) -> str:
        return frame.to_csv(header=False, index=False, lineterminator="\n", quoting=quoting)

    def close(self) -> None: ...


class _JsonLines:
    def __init__(self, file: IO[bytes], fields: Sequence[str]):
        self._file = file

    def write(self, frame: pandas.DataFrame) -> None:
        if len(frame):
            lines = frame.to_json(orient="records", lines=True, force_ascii=False)
            self._file.write(lines.encode().rstrip(b"\n") + b"\n")

    def close(self) -> None: ...


class _Parquet:
    def __init__(self, file: IO[bytes], fields: Sequence[str]):
        import pyarrow
        from pyarrow import parquet

        self._pyarrow = pyarrow
        types = {name: getattr(pyarrow, INTEGERS.get(name, "string"))() for name in fields}
        self._schema = pyarrow.schema(types)
        self._parquet = parquet.ParquetWriter(file, self._schema)
        self._waiting: list[Any] = []

    def write(self, frame: pandas.DataFrame) -> None:
        self._waiting.append(self._pyarrow.Table.from_pandas(frame, schema=self._schema, preserve_index=False))
        if sum(map(len, self._waiting)) >= _ROW_GROUP:
            self._write_waiting()

    def close(self) -> None:
        if self._waiting:
            self._write_waiting()
        self._parquet.close()

    def _write_waiting(self) -> None:
        self._parquet.write_table(self._pyarrow.concat_tables(self._waiting))
        self._waiting.clear()


_WRITERS: dict[str, Callable[[IO[bytes], Sequence[str]], _Writer]] = {".csv": _Csv, ".jsonl": _JsonLines, ".parquet": _Parquet}


def _writer_for(name: str) -> Callable[[IO[bytes], Sequence[str]], _Writer]:
    ending = Path(name).suffix.lower()
    if ending not in _WRITERS:
        raise ConfigurationError(f"a results file must be named {', '.join(_WRITERS)}; '{ending}' is none of these")
    if ending == ".parquet":
        try:
            import pyarrow.parquet  # noqa: F401 - fails before the first row is sent, not after the last
        except ImportError as error:
            raise ConfigurationError("Parquet files need pyarrow: pip install 'airflow-provider-ghl[parquet]'") from error
    return _WRITERS[ending]


def _new_file(folder: Path, name: str) -> tuple[Path, IO[bytes]]:
    path = folder / f".{Path(name).name}.{_host()}-{os.getpid()}-{os.urandom(4).hex()}.part"
    try:
        return path, path.open("xb")  # not mkstemp, which lets only the owner read the file
    except OSError as error:
        why = f"no file can be made in the folder {folder} ({error.strerror})"
        raise ConfigurationError(f"cannot write {name}: {why}") from error


def _host() -> str:
    """An id of the place in which process ids are unique: the host, and on Linux the container."""
    space = ""
    with contextlib.suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]


def _remove_leftovers(folder: Path, name: str) -> None:
    form = re.compile(rf"\.{re.escape(Path(name).name)}\.([0-9a-f]{{8}})-(\d{{1,9}})-[0-9a-f]{{8}}\.part")
    with contextlib.suppress(OSError):  # where the folder is at fault, making the new file fails next, and its error says why
        named = [(path, form.fullmatch(path.name)) for path in folder.iterdir()]
        for path, made_by in named:
            with contextlib.suppress(OSError):  # another user's file, or one that is gone
                if made_by and _is_left(path, made_by[1], int(made_by[2])):
                    path.unlink()


def _is_left(path: Path, host: str, process: int) -> bool:
    if host != _host():
        return time.time() - path.stat().st_mtime > _DAY
    try:
        os.kill(process, 0)  # signal 0 only checks whether the process exists
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def _sync_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # not every file system can do this, and the file is in its place already
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
