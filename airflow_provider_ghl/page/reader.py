"""The ledgers that the page reads, kept open from one request to the next. Nothing here writes, or makes a ledger."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from airflow_provider_ghl.exceptions import GHLError, LedgerError
from airflow_provider_ghl.hooks.ledger import configured, read_ledger
from airflow_provider_ghl.hooks.settings import outside_tasks

__all__ = ["LedgerReaders", "Opened", "open_reader"]

#: Seconds after which the connection is looked up anew: somebody may have corrected it.
_LONGEST_KEPT = 60.0
#: Seconds for which one that could not be opened is not tried again.
_PAUSE = 3.0
#: How many requests wait for ledgers at the same time.
_MOST_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Opened:
    """A ledger that can be read.

    :param where: names the database without user and password.
    :param conn_id: the Airflow connection that names it; ``None``: the file in ``AIRFLOW_HOME``.
    :param ledger: ``None`` where there is none yet.
    """

    where: str
    conn_id: str | None
    ledger: Any


class LedgerReaders:
    """One open ledger for each connection. Any thread may use it.

    Threads are what Airflow's own routes run on too. So no more than a few of them wait for a ledger at once, and a ledger that
    could not be opened is not tried again at once.

    :param opens: opens the ledger of a connection, or of the configuration.
    :param clock: seconds that only grow.
    :param patience: seconds that a request waits for its turn.
    """

    def __init__(
        self,
        opens: Callable[[str | None], Opened] | None = None,
        clock: Callable[[], float] = time.monotonic,
        patience: float = 2.0,
    ) -> None:
        self._open = opens or open_reader
        self._clock = clock
        self._patience = patience
        self._kept: dict[str | None, tuple[Opened, float]] = {}
        self._failed: dict[str | None, tuple[GHLError, float]] = {}
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._turns = threading.BoundedSemaphore(_MOST_AT_ONCE)

    @contextmanager
    def reading(self, conn_id: str | None) -> Iterator[Opened]:
        """The ledger of a connection; ``None``: the one that loads use by default. After a failure it is opened anew.

        :raises ConfigurationError: there is no such connection, or it cannot hold a ledger.
        :raises LedgerError: it cannot be read, or was written by another release; or too many ask at once.
        """
        with self._turn():
            opened = self._opened(conn_id)
            try:
                yield opened
            except LedgerError:
                self._drop(conn_id)
                raise

    def in_turns(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Pieces that may each read the ledger: each waits for its turn, and holds it no longer than it is made.

        :raises LedgerError: from the iterator: the ledger cannot be read, or too many ask at once.
        """
        while True:
            with self._turn():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._patience):
            raise LedgerError("too many people ask for this page at once, or its ledger is slow: try again in a moment")
        try:
            yield
        finally:
            self._turns.release()

    def _opened(self, conn_id: str | None) -> Opened:
        if (known := self._known(conn_id)) is not None:
            return known
        with self._opening:
            if (known := self._known(conn_id)) is not None:
                return known
            self._drop(conn_id)
            try:
                opened = self._open(conn_id)
            except GHLError as error:
                self._failed[conn_id] = error, self._clock()
                raise
            self._failed.pop(conn_id, None)
            if opened.ledger is not None:
                with self._lock:
                    self._kept[conn_id] = opened, self._clock()
            return opened

    def _known(self, conn_id: str | None) -> Opened | None:
        """:raises GHLError: it could not be opened a moment ago."""
        with self._lock:
            opened, since = self._kept.get(conn_id, (None, 0.0))
        if opened is not None and self._clock() < since + _LONGEST_KEPT:
            return opened
        error, at = self._failed.get(conn_id, (None, 0.0))
        if error is not None and self._clock() < at + _PAUSE:
            raise type(error)(str(error))
        return None

    def _drop(self, conn_id: str | None) -> None:
        with self._lock:
            opened, _ = self._kept.pop(conn_id, (None, 0.0))
        if opened is not None:
            opened.ledger.close()  # a reader in another thread gets a new connection


def open_reader(conn_id: str | None) -> Opened:
    """Open a ledger that is only read: no file is made, no table is changed. Errors as in :meth:`LedgerReaders.reading`."""
    with outside_tasks():
        conn_id = conn_id or configured()
        where, ledger = read_ledger(conn_id)
    return Opened(where, conn_id, ledger)
