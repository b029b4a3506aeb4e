"""The verdicts: what became of each row, on what evidence, and what that means for the task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy
import pandas

__all__ = [
    "FAILURES",
    "OUTCOMES",
    "SUCCESSES",
    "End",
    "Evidence",
    "Outcome",
    "RowResult",
    "StoppedBy",
    "mentions",
    "storable",
    "without_details",
    "without_ids",
]


class Outcome(StrEnum):
    """Every row that was read ends in exactly one of these."""

    CREATED = "created"
    ALREADY_EXISTS = "already_exists"
    REPEATED = "repeated"
    INVALID = "invalid"
    UNRESOLVED = "unresolved"
    REJECTED = "rejected"
    FAILED = "failed"
    NOT_ATTEMPTED = "not_attempted"


class Evidence(StrEnum):
    """By whose word a relation is there."""

    ANSWER = "answer"
    PRESUMED = "presumed"
    READ = "read"
    LEDGER = "ledger"


class StoppedBy(StrEnum):
    """What ended a load before its last row."""

    MAX_REQUESTS = "max_requests"
    QUOTA = "quota"
    ABORT = "abort"
    TOKEN = "token"


class End(StrEnum):
    """What the task has to do at the end."""

    GREEN = "green"
    #: Wait for another day of quota, and go on.
    DEFERRED = "deferred"
    RETRYABLE = "retryable"
    FINAL = "final"


OUTCOMES = tuple(Outcome)
SUCCESSES = frozenset({Outcome.CREATED, Outcome.ALREADY_EXISTS})
FAILURES = frozenset({Outcome.INVALID, Outcome.UNRESOLVED, Outcome.REJECTED, Outcome.FAILED})


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row.

    :param made_id: HighLevel's id of what the row became.
    :param requests: how many were sent for it.
    :param stops: what it ends besides the row: all rows of its location.
    :param is_missing: HighLevel does not have what the reason names.
    """

    outcome: Outcome
    evidence: Evidence | None = None
    made_id: str | None = None
    status_code: int | None = None
    reason: str | None = None
    trace_id: str | None = None
    requests: int = 0
    stops: StoppedBy | None = None
    is_missing: bool = False


_ID = re.compile(r"(?=\w*\d)[\w-]{12,}|\d+")
#: Where our own reasons say which line, show a value or count: see ``files``, ``validate`` and ``cardinality``.
_DETAIL = re.compile(r"^(lines?) \d+(?: to \d+)?|(': )\S+(?= is an? \w+;)|(?<= is reached) \([\w :,]+\)")
#: What JSONB cannot hold, and control characters that would garble a log.
_UNSTORABLE = re.compile("[\x00-\x1f\ud800-\udfff]")
_INT64 = range(-(2**63), 2**63)


def storable(value: Any) -> str | int | None:
    """A value of the source's as XCom and PostgreSQL's JSONB can hold it.

    Missing values become ``None``; ints of 64 bits and bools stay; all else becomes text, in which control characters and
    lone surrogates are escaped as Python writes them. Never raises.
    """
    if isinstance(value, str):
        return _escaped(str.__str__(value))
    if isinstance(value, bool | numpy.bool_):
        return bool(value)
    if isinstance(value, int | numpy.integer) and not isinstance(value, numpy.timedelta64):
        return _storable_int(int(value))
    try:
        return None if pandas.api.types.is_scalar(value) and pandas.isna(value) else _escaped(str(value))
    except Exception:  # noqa: BLE001 - a type of the source's own may raise anything, and no verdict may be lost to that
        return f"a value of type {type(value).__name__}"


def _storable_int(number: int) -> str | int:
    if number in _INT64:
        return number
    try:
        return str(number)
    except ValueError:  # Python writes out a few thousand digits at most
        return f"an int of {number.bit_length()} bits"


def _escaped(text: str) -> str:
    return _UNSTORABLE.sub(_escape, text) if _UNSTORABLE.search(text) else text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


def without_details(reason: str) -> str:
    """A reason of our own, with … for the lines and the values in it: for the same end as :func:`without_ids`."""
    return _DETAIL.sub(lambda found: f"{found[1]} …" if found[1] else f"{found[2]}…" if found[2] else "", reason)


def without_ids(reason: str, *ids: str) -> str:
    """A reason of HighLevel's without the ids in it, so that reasons that differ in nothing else are counted together."""
    for value in ids:
        if mentions(reason, value):
            reason = _as_word(value).sub("<id>", reason)
    return _ID.sub("<id>", reason)


def mentions(reason: str, value: str) -> bool:
    """Whether an id stands in a reason, as a word of its own: the id ``e`` is not in every message that has an e."""
    return bool(value) and value in reason and _as_word(value).search(reason) is not None


def _as_word(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
