"""The outcomes of rows."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

__all__ = ["FAILURES", "OUTCOMES", "SUCCESSES", "Outcome", "rows_by_outcome"]


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


OUTCOMES = tuple(Outcome)
SUCCESSES = frozenset({Outcome.CREATED, Outcome.ALREADY_EXISTS})
FAILURES = frozenset({Outcome.INVALID, Outcome.UNRESOLVED, Outcome.REJECTED, Outcome.FAILED})


def rows_by_outcome(counts: Mapping[str, Any]) -> dict[str, int]:
    """The outcomes in a load's summary that any row has."""
    return {str(outcome): int(counts[outcome]) for outcome in OUTCOMES if counts.get(outcome)}
