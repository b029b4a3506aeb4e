"""What became of relations that were to be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["Deletion", "RemovalOutcome", "RemovalResult"]


class RemovalOutcome(StrEnum):
    """Everything that was to be deleted ends in exactly one of these."""

    DELETED = "deleted"
    #: It was not there any more.
    ALREADY_GONE = "already_gone"
    #: It was left alone, for a reason.
    KEPT = "kept"
    REJECTED = "rejected"
    FAILED = "failed"
    NOT_ATTEMPTED = "not_attempted"


@dataclass(frozen=True, slots=True)
class RemovalResult:
    """The result of one deletion.

    :param requests: how many requests were sent for it.
    :param stops: set where this result stops the location, too.
    """

    outcome: RemovalOutcome
    status_code: int | None = None
    reason: str | None = None
    trace_id: str | None = None
    requests: int = 0
    stops: StoppedBy | None = None

    @property
    def is_success(self) -> bool:
        """Whether it is not there now."""
        return self.outcome in (RemovalOutcome.DELETED, RemovalOutcome.ALREADY_GONE)

    @property
    def is_refused(self) -> bool:
        """Whether HighLevel gave a definite no."""
        return self.outcome is RemovalOutcome.REJECTED

    @property
    def is_unanswered(self) -> bool:
        """Whether there was no definite answer."""
        return self.outcome is RemovalOutcome.FAILED


@dataclass(frozen=True, slots=True)
class Deletion:
    """One deletion and its result.

    :param values: what it linked or held, in the table's order.
    :param made_id: HighLevel's id of it, where it is known.
    """

    location_id: str
    target_id: str
    values: tuple[str, ...]
    made_id: str | None
    result: RemovalResult

    def as_noted(self) -> dict[str, str | int | None]:
        """As the ledger keeps it."""
        first, second = self.values
        return {
            "location_id": self.location_id,
            "association_id": self.target_id,
            "first_record_id": first,
            "second_record_id": second,
            "relation_id": self.made_id,
            "outcome": str(self.result.outcome),
            "status_code": self.result.status_code,
            "reason": self.result.reason,
        }
