"""The results of rows and the evidence for them; how a load ends."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy
import pandas

from airflow_provider_ghl.load.outcome import FAILURES, OUTCOMES, SUCCESSES, Outcome

__all__ = [
    "FAILURES",
    "OUTCOMES",
    "SUCCESSES",
    "End",
    "Evidence",
    "Outcome",
    "RowResult",
    "StoppedBy",
    "storable",
]


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
