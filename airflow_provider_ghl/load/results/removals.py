"""What became of relations that were to be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_ghl.api.answers import mask
from airflow_provider_ghl.exceptions import (
    APIError,
    BudgetSpent,
    GHLError,
    QuotaExhausted,
    RequestRejected,
    Stopped,
    TransportError,
    Unauthorized,
)
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["Deletion", "RemovalOutcome", "RemovalResult", "result_of_error"]

_ENDED_BY_US = (QuotaExhausted, BudgetSpent, Stopped)


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


def result_of_error(error: GHLError, before: str = "") -> RemovalResult:
    """The result of a deletion that failed.

    :param before: stands before the reason.
    """
    status, trace_id = (error.status, error.trace_id) if isinstance(error, APIError) else (None, None)
    text = error.message if isinstance(error, APIError | TransportError) else str(error)
    reason = mask(f"{before}{text}")
    if isinstance(error, Unauthorized):
        return RemovalResult(RemovalOutcome.REJECTED, status, reason, trace_id, stops=StoppedBy.TOKEN)
    if isinstance(error, RequestRejected):
        return RemovalResult(RemovalOutcome.REJECTED, status, reason, trace_id)
    if isinstance(error, _ENDED_BY_US) and not error.unanswered_before:
        return RemovalResult(RemovalOutcome.NOT_ATTEMPTED, reason=reason)
    if isinstance(error, _ENDED_BY_US):
        reason = f"{before}no clear answer before the load stopped"
    return RemovalResult(RemovalOutcome.FAILED, status, reason, trace_id)
