"""What a database's error means, in words that hold no value, no user and no password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy.exc

__all__ = ["Failure"]

_LONGEST = 160
#: SQLite's SQLITE_BUSY and SQLITE_LOCKED, and PostgreSQL's deadlock, serialization failure and lock timeout.
_LOCK_CODES = (5, 6)
_LOCK_STATES = ("40P01", "40001", "55P03")
#: PostgreSQL: too many connections, three ways to shut down or start up, and all of class 08, failures of connections.
_AWAY_STATES = ("53300", "57P01", "57P02", "57P03")
_AWAY_CLASS = "08"
_LOST = "the connection was lost"
_NO_ANSWER = "nothing answers there"
_SILENT = "no answer in time"
_FULL = "the server has too many connections"
_RESTARTS = "the server is starting up or shutting down"
#: What PostgreSQL's errors mean. Their own texts name users and quote values, so they are never shown.
_STATES = {
    "25006": "the server takes no writes",
    "28000": "the server refuses the user or the password",
    "28P01": "the server refuses the user or the password",
    "3D000": "there is no such database",
    "40001": "other transactions were always faster",
    "40P01": "deadlock",
    "42501": "the user may not do that",
    "42P01": "a table is missing",
    "53100": "the disk is full",
    "53300": _FULL,
    "55P03": "locked by others for too long",
    "57014": "the server cancelled the statement",
    "57P01": "the server is shutting down",
    "57P02": "the server has crashed",
    "57P03": _RESTARTS,
}
#: The same by what the texts hold, for failures to connect, which have no SQLSTATE.
_TEXTS = {
    "password authentication failed": "the server refuses the user or the password",
    "no password supplied": "the server wants a password",
    "no pg_hba.conf entry": "the server takes no connections from here",
    "does not exist": "there is no such database or user",
    "refused": _NO_ANSWER,
    "No such file": _NO_ANSWER,
    "resolve host": "the host's name is unknown",
    "translate host name": "the host's name is unknown",
    "imeout": _SILENT,
    "timed out": _SILENT,
    "too many clients": _FULL,
    "too many connections": _FULL,
    "connection slots": _FULL,
    "starting up": _RESTARTS,
    "shutting down": _RESTARTS,
    "recovery mode": _RESTARTS,
    "closed": _LOST,
    "lost": _LOST,
    "reset by peer": _LOST,
    "Broken pipe": _LOST,
    "SSL": "no encrypted connection came about",
}
_AWAY_MEANINGS = {_NO_ANSWER, _SILENT, _FULL, _RESTARTS, _LOST}


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a transaction failed.

    :param text: without values.
    :param is_lock: others hold locks, or were faster.
    :param is_away: the server cannot be reached, or the connection to it is gone.
    """

    text: str
    is_lock: bool = False
    is_away: bool = False

    @classmethod
    def from_error(cls, error: BaseException) -> Failure:
        """From anything that SQLAlchemy or a driver raised."""
        cause: Any = error
        if isinstance(error, sqlalchemy.exc.StatementError) and error.orig is not None:
            cause = error.orig
        name = type(cause).__name__
        if type(cause).__module__.startswith("sqlite3"):
            code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
            return cls(f"{name}: {_shortened(str(cause))}", is_lock=code in _LOCK_CODES)
        is_lost = bool(getattr(error, "connection_invalidated", False))
        state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
        if state:
            meaning = f": {_STATES[state]}" if state in _STATES else ""
            is_away = is_lost or state in _AWAY_STATES or state.startswith(_AWAY_CLASS)
            return cls(f"{name} (SQLSTATE {state}){meaning}", state in _LOCK_STATES, is_away)
        meanings = [] if isinstance(cause, UnicodeError) else [one for part, one in _TEXTS.items() if part in str(cause)]
        text = f"{name}: {meanings[0]}" if meanings else name
        return cls(text, is_away=is_lost or (bool(meanings) and meanings[0] in _AWAY_MEANINGS))


def _shortened(text: str) -> str:
    # SQLite's texts name tables, columns and files' states; all values of ours are bound, and never in them.
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
