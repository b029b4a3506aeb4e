"""The verdicts: what became of each row, on what evidence, and what that means for the task."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["FAILURES", "OUTCOMES", "SUCCESSES", "End", "Evidence", "Outcome", "RowResult", "StoppedBy", "gist", "names"]


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


class StoppedBy(StrEnum):
    """What ended a load before its last row."""

    MAX_REQUESTS = "max_requests"
    QUOTA = "quota"
    ABORT = "abort"
    TOKEN = "token"


class End(StrEnum):
    """What the task has to do at the end."""

    GREEN = "green"
    RETRYABLE = "retryable"
    FINAL = "final"


OUTCOMES = tuple(Outcome)
SUCCESSES = frozenset({Outcome.CREATED, Outcome.ALREADY_EXISTS})
FAILURES = frozenset({Outcome.INVALID, Outcome.UNRESOLVED, Outcome.REJECTED, Outcome.FAILED})


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of one row. ``stops`` is set where it ends the whole load."""

    outcome: Outcome
    evidence: Evidence | None = None
    relation_id: str | None = None
    status_code: int | None = None
    reason: str | None = None
    trace_id: str | None = None
    requests: int = 0
    stops: StoppedBy | None = None


_ID = re.compile(r"(?=\w*\d)[\w-]{12,}|\d+")


def gist(reason: str, *ids: str) -> str:
    """A reason without the ids in it, so that reasons that differ in nothing else are counted together."""
    for value in ids:
        if names(reason, value):
            reason = _as_word(value).sub("<id>", reason)
    return _ID.sub("<id>", reason)


def names(reason: str, value: str) -> bool:
    """Whether an id stands in a reason, as a word of its own: the id ``e`` is not in every message that has an e."""
    return bool(value) and value in reason and _as_word(value).search(reason) is not None


def _as_word(value: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w){re.escape(value)}(?!\w)")
