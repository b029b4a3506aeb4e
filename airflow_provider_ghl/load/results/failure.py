"""Why a task is red, and what that means for its next try."""

from __future__ import annotations

from enum import StrEnum

from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    GHLError,
    GuardTripped,
    LedgerError,
    QuotaExhausted,
    RequestRejected,
    ResultsError,
    SourceError,
    Stopped,
    Unauthorized,
    UnresolvedKey,
)

__all__ = ["Failure"]


class Failure(StrEnum):
    """Why a task is red. Each value has its exception in the operators."""

    #: A new try would end the same way.
    FINAL = "final"
    #: Connection, argument or association is wrong.
    MISCONFIGURED = "misconfigured"
    #: The token is refused.
    TOKEN_REFUSED = "token refused"
    #: HighLevel gave a definite no to a single call.
    REQUEST_REFUSED = "request refused"
    #: Too many rows ended in a definite no.
    ROWS_REFUSED = "rows refused"
    #: More would be deleted than a guard allows.
    GUARD_TRIPPED = "guard tripped"
    #: A new try may help.
    RETRYABLE = "retryable"
    #: HighLevel did not answer, or not clearly.
    UNAVAILABLE = "unavailable"
    #: The requests of the day are spent.
    QUOTA_SPENT = "quota spent"
    #: Too many rows failed, and some of them got no definite answer.
    ROWS_FAILED = "rows failed"
    #: The source has fewer rows than ``min_rows``.
    TOO_FEW_ROWS = "too few rows"
    #: The database or the file's storage failed.
    SOURCE_FAILED = "source failed"
    #: The ledger could not be read or written.
    LEDGER_FAILED = "ledger failed"
    #: The results could not be written.
    RESULTS_FAILED = "results failed"
    #: The task was stopped before its load was done.
    STOPPED = "stopped"

    @property
    def is_final(self) -> bool:
        """Whether a new try would end the same way."""
        return self in _FINAL

    @classmethod
    def from_error(cls, error: Exception) -> Failure:
        """The failure that an error means for the task. An error that is none of this package comes from the source."""
        return next((failure for kind, failure in _BY_ERROR if isinstance(error, kind)), cls.SOURCE_FAILED)


_FINAL = frozenset(
    {
        Failure.FINAL,
        Failure.MISCONFIGURED,
        Failure.TOKEN_REFUSED,
        Failure.REQUEST_REFUSED,
        Failure.ROWS_REFUSED,
        Failure.GUARD_TRIPPED,
    }
)
#: The first that fits decides.
_BY_ERROR: tuple[tuple[type[GHLError], Failure], ...] = (
    (ConfigurationError, Failure.MISCONFIGURED),
    (Unauthorized, Failure.TOKEN_REFUSED),
    (RequestRejected, Failure.REQUEST_REFUSED),
    (UnresolvedKey, Failure.REQUEST_REFUSED),
    (GuardTripped, Failure.GUARD_TRIPPED),
    (QuotaExhausted, Failure.QUOTA_SPENT),
    (LedgerError, Failure.LEDGER_FAILED),
    (SourceError, Failure.SOURCE_FAILED),
    (ResultsError, Failure.RESULTS_FAILED),
    (Stopped, Failure.STOPPED),
    (GHLError, Failure.UNAVAILABLE),
)
