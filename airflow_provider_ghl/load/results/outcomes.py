"""The outcomes of rows and the evidence for them; how a load ends; reasons without ids."""

from __future__ import annotations

import re
from collections.abc import Iterable
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
    "without_keys",
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
    """How it is known that a relation exists."""

    ANSWER = "answer"
    PRESUMED = "presumed"
    READ = "read"
    LEDGER = "ledger"


class StoppedBy(StrEnum):
    """What stopped a load before its last row."""

    MAX_REQUESTS = "max_requests"
    QUOTA = "quota"
    ABORT = "abort"
    TOKEN = "token"


class End(StrEnum):
    """What the task does after a load."""

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
    """The result of one row.

    :param made_id: HighLevel's id of what was made from the row.
    :param requests: how many requests were sent for the row.
    :param stops: set where this result stops the row's location, too.
    :param is_missing: HighLevel has no record with the id that the reason names.
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

    @property
    def is_success(self) -> bool:
        """Whether what the row names is there."""
        return self.outcome in SUCCESSES

    @property
    def is_refused(self) -> bool:
        """Whether HighLevel gave a definite no."""
        return self.outcome is Outcome.REJECTED

    @property
    def is_unanswered(self) -> bool:
        """Whether there was no definite answer."""
        return self.outcome is Outcome.FAILED


_ID = re.compile(r"(?=\w*\d)[\w-]{12,}|\d+")
#: The line numbers, values, counts and ids in our own reasons: see ``source/files``, ``validation``, ``cardinality`` and
#: ``lookups``.
_DETAIL = re.compile(
    r"^(lines?) \d+(?: to \d+)?|(': |HighLevel finds )\S+(?= is an? \w+;| \w+ have it:| for it, )"
    r"|(?<= is reached) \([\w :,]+\)|(?<= have it): [^;]*"
)
#: Characters of a key that is cut. Fewer tell nothing.
_SHORTEST_HALF = 4
#: Characters that JSONB cannot hold, and control characters, which would garble a log.
_UNSTORABLE = re.compile("[\x00-\x1f\ud800-\udfff]")
_INT64 = range(-(2**63), 2**63)


def storable(value: Any) -> str | int | None:
    """A value of the source in a form that XCom and PostgreSQL's JSONB can hold.

    A missing value becomes ``None``. A bool stays, and so does an int of 64 bits. All other values become text; control
    characters and lone surrogates in it are escaped as in Python. Never raises.
    """
    if isinstance(value, str):
        return _escaped(str.__str__(value))
    if isinstance(value, bool | numpy.bool_):
        return bool(value)
    if isinstance(value, int | numpy.integer) and not isinstance(value, numpy.timedelta64):
        return _storable_int(int(value))
    try:
        return None if pandas.api.types.is_scalar(value) and pandas.isna(value) else _escaped(str(value))
    except Exception:  # noqa: BLE001 - the source's own types may raise anything, and no result may be lost to that
        return f"a value of type {type(value).__name__}"


def _storable_int(number: int) -> str | int:
    if number in _INT64:
        return number
    try:
        return str(number)
    except ValueError:  # Python converts a few thousand digits at most
        return f"an int of {number.bit_length()} bits"


def _escaped(text: str) -> str:
    return _UNSTORABLE.sub(_escape, text) if _UNSTORABLE.search(text) else text


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x20 else f"\\u{code:04x}"


def without_details(reason: str) -> str:
    """One of our own reasons, with … for its line numbers and values: like :func:`without_ids`, for counting."""
    return _DETAIL.sub(lambda found: f"{found[1]} …" if found[1] else f"{found[2]}…" if found[2] else "", reason)


def without_ids(reason: str, *ids: str) -> str:
    """A reason from HighLevel with its ids replaced, so that reasons that differ only in ids are counted together."""
    for value in ids:
        if mentions(reason, value):
            reason = _as_word(value).sub("<id>", reason)
    return _ID.sub("<id>", reason)


def without_keys(reason: str, keys: Iterable[str]) -> str:
    """A reason from HighLevel without a row's keys, in any case; the last of them may have been cut. Ids stay whole."""
    for key in filter(None, keys):
        folded = reason.casefold()
        if key.casefold() in folded:
            begin, end = (r"(?<!\w)" if _is_word(key[0]) else ""), (r"(?!\w)" if _is_word(key[-1]) else "")
            reason = re.sub(f"{begin}{re.escape(key)}{end}", "<key>", reason, flags=re.IGNORECASE)
        if reason.endswith("…"):
            halves = (key[:length] for length in range(len(key) - 1, _SHORTEST_HALF - 1, -1))
            half = next((one for one in halves if reason[:-1].casefold().endswith(one.casefold())), "")
            reason = f"{reason[: -1 - len(half)]}<key>…" if half else reason
    return reason


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def mentions(reason: str, value: str) -> bool:
    """Whether a reason contains an id as a whole word: the id ``e`` is not in every message with an e."""
    return bool(value) and value in reason and _as_word(value).search(reason) is not None


def _as_word(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
