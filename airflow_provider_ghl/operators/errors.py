"""Turns the core's errors into Airflow exceptions. Only here it is decided whether a task may be retried.

::

    AirflowFailException
    └─ GHLFailed                 a new try would end the same way
       ├─ GHLMisconfigured       connection, argument or association is wrong (a ValueError too)
       ├─ GHLTokenRefused        the token is refused
       ├─ GHLRequestRefused      HighLevel gave a definite no to a single call, or a key has no record or several
       ├─ GHLRowsRefused         too many rows ended in a definite no
       └─ GHLGuardTripped        more would be deleted than a guard allows
    AirflowException
    └─ GHLRetryable              a new try may help
       ├─ GHLUnavailable         HighLevel did not answer, or not clearly
       ├─ GHLQuotaSpent          the day's requests are spent
       ├─ GHLRowsFailed          too many rows failed, some without a definite answer
       ├─ GHLTooFewRows          the source has fewer rows than min_rows
       ├─ GHLSourceFailed        the database or the file's storage failed
       ├─ GHLLedgerFailed        the ledger could not be read or written
       └─ GHLStopped             the task was told to stop

The names are for retry rules (``RetryRule``) and callbacks. The core's error is the ``__cause__``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_ghl.exceptions import GHLError, Unauthorized
from airflow_provider_ghl.load.results.failure import Failure

if TYPE_CHECKING:
    from airflow_provider_ghl.load.results.verdict import Verdict

__all__ = [
    "GHLFailed",
    "GHLGuardTripped",
    "GHLLedgerFailed",
    "GHLMisconfigured",
    "GHLQuotaSpent",
    "GHLRequestRefused",
    "GHLResultsFailed",
    "GHLRetryable",
    "GHLRowsFailed",
    "GHLRowsRefused",
    "GHLSourceFailed",
    "GHLStopped",
    "GHLTokenRefused",
    "GHLTooFewRows",
    "GHLUnavailable",
    "error_for",
    "error_of",
    "translated_errors",
]


class GHLFailed(AirflowFailException):
    """A new try would end the same way."""


class GHLMisconfigured(GHLFailed, ValueError):
    """A connection, an argument or an association is wrong. The message says what would be right."""


class GHLTokenRefused(GHLFailed):
    """HighLevel refuses the token. The message says whether the token, a scope, the location or the route is at fault."""


class GHLRequestRefused(GHLFailed):
    """HighLevel gave a definite no, or a key has no record or several."""


class GHLRowsRefused(GHLFailed):
    """More rows than ``failure_tolerance`` allows ended in a definite no."""


class GHLGuardTripped(GHLFailed):
    """More would be deleted than a guard allows. Nothing was deleted."""


class GHLRetryable(AirflowException):
    """A new try may help."""


class GHLUnavailable(GHLRetryable):
    """HighLevel did not answer, or not clearly."""


class GHLQuotaSpent(GHLRetryable):
    """The day's requests are spent."""


class GHLRowsFailed(GHLRetryable):
    """More rows than ``failure_tolerance`` allows failed, and some of them may succeed in a new try."""


class GHLTooFewRows(GHLRetryable):
    """The source has fewer rows than ``min_rows``. It may have more later."""


class GHLSourceFailed(GHLRetryable):
    """Reading the source failed. Its own error is the ``__cause__``."""


class GHLLedgerFailed(GHLRetryable):
    """The ledger could not be read or written. Nothing more was sent."""


class GHLResultsFailed(GHLRetryable):
    """The results could not be written. What was sent stands in the ledger, so that the next try does not send it again."""


class GHLStopped(GHLRetryable):
    """The task was stopped before its load was done."""


_KINDS: dict[Failure, type[AirflowException]] = {
    Failure.FINAL: GHLFailed,
    Failure.MISCONFIGURED: GHLMisconfigured,
    Failure.TOKEN_REFUSED: GHLTokenRefused,
    Failure.REQUEST_REFUSED: GHLRequestRefused,
    Failure.ROWS_REFUSED: GHLRowsRefused,
    Failure.GUARD_TRIPPED: GHLGuardTripped,
    Failure.RETRYABLE: GHLRetryable,
    Failure.UNAVAILABLE: GHLUnavailable,
    Failure.QUOTA_SPENT: GHLQuotaSpent,
    Failure.ROWS_FAILED: GHLRowsFailed,
    Failure.TOO_FEW_ROWS: GHLTooFewRows,
    Failure.SOURCE_FAILED: GHLSourceFailed,
    Failure.LEDGER_FAILED: GHLLedgerFailed,
    Failure.RESULTS_FAILED: GHLResultsFailed,
    Failure.STOPPED: GHLStopped,
}


@contextmanager
def translated_errors() -> Iterator[None]:
    """Raise the Airflow exception for each error of the core."""
    try:
        yield
    except GHLError as error:
        message = error.explain() if isinstance(error, Unauthorized) else str(error)
        # The class and the text are enough; a traceback of our own frames would bury them in the log.
        raise _KINDS[Failure.from_error(error)](message) from error.with_traceback(None)


def error_for(verdict: Verdict, *where: str) -> Exception:
    """The exception for a load that ended red.

    :param where: lines on where to find the results; empty ones are left out.
    """
    rest = verdict.message.removeprefix(verdict.headline).strip()
    text = "\n".join(line for line in (verdict.headline, rest, *where) if line)
    return error_of(verdict.failure or Failure.RETRYABLE, text, verdict.cause)


def error_of(failure: Failure, message: str, cause: Exception | None) -> Exception:
    """The exception for a failure."""
    error = _KINDS[failure](message)
    error.__cause__ = None if cause is None else cause.with_traceback(None)
    return error
