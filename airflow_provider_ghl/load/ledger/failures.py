"""What a database's error means, in words that hold no value, no user and no password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy.exc

__all__ = ["Failure", "failure_of"]

_LONGEST = 160
#: SQLite's SQLITE_BUSY and SQLITE_LOCKED, and PostgreSQL's deadlock, serialization failure and lock timeout.
_PASSING_CODES = (5, 6)
_PASSING_STATES = ("40P01", "40001", "55P03")
#: What PostgreSQL's errors come to. Their own texts name users and quote values, so they are never shown.
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
    "53300": "the server has too many connections",
    "55P03": "locked by others for too long",
    "57014": "the server cancelled the statement",
    "57P01": "the server is shutting down",
    "57P03": "the server is starting up or shutting down",
}
#: The same by what the texts hold, for failures to connect, which have no SQLSTATE.
_TEXTS = {
    "password authentication failed": "the server refuses the user or the password",
    "no password supplied": "the server wants a password",
    "no pg_hba.conf entry": "the server takes no connections from here",
    "does not exist": "there is no such database or user",
    "refused": "nothing answers there",
    "No such file": "nothing answers there",
    "resolve host": "the host's name is unknown",
    "translate host name": "the host's name is unknown",
    "imeout": "no answer in time",
    "timed out": "no answer in time",
    "too many clients": "the server has too many connections",
    "starting up": "the server is starting up or shutting down",
    "shutting down": "the server is starting up or shutting down",
    "closed": "the connection was lost",
    "lost": "the connection was lost",
    "reset by peer": "the connection was lost",
    "Broken pipe": "the connection was lost",
    "SSL": "no encrypted connection came about",
}


@dataclass(frozen=True, slots=True)
class Failure:
    """:param may_pass: the same transaction may succeed when it is run again.
    :param is_lost: the connection is gone; a new one may do."""

    text: str
    may_pass: bool = False
    is_lost: bool = False


def failure_of(error: BaseException) -> Failure:
    """Of anything that SQLAlchemy or a driver raised."""
    cause: Any = error
    if isinstance(error, sqlalchemy.exc.StatementError) and error.orig is not None:
        cause = error.orig
    is_lost = bool(getattr(error, "connection_invalidated", False))
    name = type(cause).__name__
    if type(cause).__module__.startswith("sqlite3"):
        code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        return Failure(f"{name}: {_shortened(str(cause))}", code in _PASSING_CODES, is_lost)
    state = getattr(cause, "sqlstate", None) or getattr(cause, "pgcode", None)
    if state:
        meaning = f": {_STATES[state]}" if state in _STATES else ""
        return Failure(f"{name} (SQLSTATE {state}){meaning}", state in _PASSING_STATES, is_lost)
    known = [meaning for part, meaning in _TEXTS.items() if part in str(cause)]
    return Failure(f"{name}: {known[0]}" if known and _is_of_driver(cause) else name, is_lost=is_lost)


def _is_of_driver(error: BaseException) -> bool:
    return not isinstance(error, UnicodeError)


def _shortened(text: str) -> str:
    # SQLite's texts name tables, columns and files' states; all values of ours are bound, and never in them.
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"
