"""The file of an SQLite ledger: its owner alone may read it, and it is missed when it is gone.

SQLite writes on into a file that was deleted, as if nothing had happened; all of that is lost when the last process closes it.
So the file's place is looked at before each transaction. Where it is gone, what this process still has open is written there
again, with all that it holds. Where another file has taken its place, nothing more is written: that one belongs to others, and
has nothing of what this process claimed.

What this does not do: what another process writes at the very moment at which the copy is made may be missing in it. That
costs requests, and no row.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import secrets
import sqlite3
import stat
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.failures import Failure

__all__ = ["SqliteFile"]

log = logging.getLogger(__name__)

_OWNERS_ALONE = 0o600
#: In ``ghl_ledger`` of a copy: the file that it is a copy of, by device and inode. Nobody else gets these two as long as any
#: process has the lost file open, so it can tell the copy of that file from another ledger.
_COPY_OF = "copy_of"


class SqliteFile:
    """The file, from the first transaction on.

    :param path: of the file; it need not be there.
    :param where: names the ledger in messages.
    """

    def __init__(self, path: Path, where: str) -> None:
        self.path = path
        self._where = where
        self._opened: os.stat_result | None = None
        #: SQLite's file beside it, which holds the latest transactions.
        self._wal: os.stat_result | None = None
        #: What a user should know of it.
        self.warnings: list[str] = []

    def check(self, engine: sa.Engine) -> None:
        """Make the file, or see that it is still the one that the engine's connections have open; to be called before each
        transaction.

        :raises LedgerError: it is gone and cannot be written again, or another ledger stands in its place.
        """
        found = _find(self.path)
        if self._opened is None:
            if found is None:
                self._make(self.path, _OWNERS_ALONE)
                found = _find(self.path)
            self._opened = found
        elif found is None:
            self._write_again(engine, self._opened)
        elif not os.path.samestat(found, self._opened):
            self._turn_to(engine, self._opened)
        elif self._wal is None:
            self._wal = _find(self._beside("-wal"))

    def close(self) -> None:
        """Take in that the engine has no connection any more."""
        self._opened = self._wal = None

    @staticmethod
    def _make(path: Path, mode: int) -> None:
        """SQLite gives the same mode to the files that it makes beside it."""
        with contextlib.suppress(OSError):  # SQLite says what is wrong
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode))

    def _write_again(self, engine: sa.Engine, lost: os.stat_result) -> None:
        copy = self._beside(f".{secrets.token_hex(4)}")
        try:
            self._make(copy, _OWNERS_ALONE)
            _copy(engine, copy, _name(lost))
            copy.chmod(stat.S_IMODE(lost.st_mode))
            engine.dispose()
            self._delete_wal()
            with contextlib.suppress(FileExistsError):  # another process was faster, and has what this one has
                os.link(copy, self.path)
        except (OSError, sqlite3.Error, sa.exc.SQLAlchemyError) as error:
            text = error.strerror if isinstance(error, OSError) else Failure.from_error(error).text
            reason = text or type(error).__name__
        else:
            reason = ""
        finally:
            copy.unlink(missing_ok=True)
        if reason:
            raise LedgerError(
                f"the ledger {self._where} was deleted while it was in use, and cannot be written again ({reason})"
            )
        self._turn_to(engine, lost)

    def _turn_to(self, engine: sa.Engine, lost: os.stat_result) -> None:
        """Go on with what stands there now, if it is a copy of the lost file."""
        engine.dispose()
        self._delete_wal()
        if self._copied_from() != _name(lost):
            raise LedgerError(
                f"the ledger {self._where} was replaced by another file while it was in use: nothing more is written, and the "
                "next try goes on with the new one"
            )
        self._opened, self._wal = _find(self.path), None
        warning = (
            f"The ledger {self._where} was deleted while it was in use, and was written again with all that it held. "
            "To have it forget: airflow ghl ledger forget."
        )
        log.warning("%s", warning)
        self.warnings.append(warning)

    def _copied_from(self) -> str | None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(self.path)) as connection:
            for (value,) in connection.execute("SELECT value FROM ghl_ledger WHERE name = ?", (_COPY_OF,)):
                return str(value)
        return None

    def _delete_wal(self) -> None:
        """Delete what SQLite left beside the lost file: it would take that for a part of the file that stands there now."""
        found = _find(self._beside("-wal"))
        if found is not None and self._wal is not None and os.path.samestat(found, self._wal):
            for ending in ("-wal", "-shm"):
                self._beside(ending).unlink(missing_ok=True)

    def _beside(self, ending: str) -> Path:
        return self.path.with_name(self.path.name + ending)


def _copy(engine: sa.Engine, copy: Path, lost: str) -> None:
    """Write what a connection of the engine has open into a file.

    :raises OSError: no connection has it open any more.
    """
    with engine.connect() as connection, contextlib.closing(sqlite3.connect(copy)) as target:
        if "ghl_ledger" not in connection.info:
            raise FileNotFoundError(errno.ENOENT, "no connection has it open")
        source: Any = connection.connection.dbapi_connection
        source.backup(target)
        target.execute("INSERT OR REPLACE INTO ghl_ledger (name, value) VALUES (?, ?)", (_COPY_OF, lost))
        target.commit()


def _find(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except OSError:
        return None


def _name(file: os.stat_result) -> str:
    return f"{file.st_dev}:{file.st_ino}"
