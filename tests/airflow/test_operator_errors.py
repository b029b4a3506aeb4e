"""From the core's errors to Airflow's: every class has its place."""

from __future__ import annotations

import inspect
import pickle

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_ghl import exceptions as core
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.operators import errors
from airflow_provider_ghl.operators.errors import error_of, translated

#: Every error of the core, and what the operators raise for it.
TABLE: dict[type[core.GHLError], type[Exception]] = {
    core.ConfigurationError: errors.GHLMisconfigured,
    core.Unauthorized: errors.GHLTokenRefused,
    core.RequestRejected: errors.GHLRequestRefused,
    core.DuplicateRelation: errors.GHLRequestRefused,
    core.DuplicateAssociation: errors.GHLRequestRefused,
    core.RelationLimitReached: errors.GHLRequestRefused,
    core.NotFound: errors.GHLRequestRefused,
    core.QuotaExhausted: errors.GHLQuotaSpent,
    core.LedgerError: errors.GHLLedgerFailed,
    core.Stopped: errors.GHLStopped,
    core.RateLimited: errors.GHLUnavailable,
    core.ServerError: errors.GHLUnavailable,
    core.TransportError: errors.GHLUnavailable,
    core.BudgetSpent: errors.GHLUnavailable,
    core.APIError: errors.GHLUnavailable,
    core.GHLError: errors.GHLUnavailable,
}
FINAL = {errors.GHLMisconfigured, errors.GHLTokenRefused, errors.GHLRequestRefused}


def test_none_is_forgotten() -> None:
    there = {kind for _, kind in inspect.getmembers(core, inspect.isclass) if issubclass(kind, core.GHLError)}
    assert set(TABLE) == there


@pytest.mark.parametrize(("cause", "kind"), TABLE.items(), ids=lambda kind: kind.__name__)
def test_each_becomes_one_of_airflows(cause: type[core.GHLError], kind: type[Exception]) -> None:
    error = cause("what HighLevel said")
    with pytest.raises(AirflowException) as raised, translated():
        raise error
    assert raised.type is kind
    assert raised.value.__cause__ is error
    assert "what HighLevel said" in str(raised.value)
    assert issubclass(kind, AirflowFailException) is (kind in FINAL)


def test_what_is_not_ours_passes() -> None:
    with pytest.raises(ZeroDivisionError), translated():
        _ = 1 / 0


def test_the_cores_errors_are_not_airflows() -> None:
    assert not any(issubclass(kind, AirflowException) for kind in TABLE)


def test_all_can_be_told_apart_and_pickled() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if inspect.isclass(kind) and issubclass(kind, Exception):
            assert str(pickle.loads(pickle.dumps(kind("a message")))) == "a message"
            assert issubclass(kind, errors.GHLFailed) is not issubclass(kind, errors.GHLRetryable)


@pytest.mark.parametrize(
    ("end", "cause", "stopped_by", "failed", "was_stopped", "kind"),
    [
        (End.FINAL, None, None, 0, False, errors.GHLRowsRefused),
        (End.FINAL, None, "abort", 0, False, errors.GHLRowsRefused),
        (End.FINAL, None, "token", 0, False, errors.GHLTokenRefused),
        (End.FINAL, core.ConfigurationError("x"), "abort", 0, False, errors.GHLMisconfigured),
        (End.FINAL, core.ServerError("x"), None, 0, False, errors.GHLFailed),
        (End.RETRYABLE, None, None, 3, False, errors.GHLRowsFailed),
        (End.RETRYABLE, None, "abort", 3, False, errors.GHLRowsFailed),
        (End.RETRYABLE, None, None, 0, False, errors.GHLTooFewRows),
        (End.RETRYABLE, None, None, 3, True, errors.GHLStopped),
        (End.RETRYABLE, core.Stopped("x"), None, 0, True, errors.GHLStopped),
        (End.RETRYABLE, core.QuotaExhausted("x"), "quota", 0, False, errors.GHLQuotaSpent),
        (End.RETRYABLE, core.TransportError("x"), None, 0, False, errors.GHLUnavailable),
        (End.RETRYABLE, core.ConfigurationError("x"), None, 0, False, errors.GHLRetryable),
        (End.RETRYABLE, OSError("the disk"), None, 0, False, errors.GHLSourceFailed),
    ],
)
def test_a_loads_end(
    end: End, cause: Exception | None, stopped_by: str | None, failed: int, was_stopped: bool, kind: type[Exception]
) -> None:
    summary = {"stopped_by": stopped_by, "failed": failed}
    error = error_of(Verdict(end, "It ended.", summary, [], cause=cause), "See there.", was_stopped=was_stopped)
    assert type(error) is kind
    assert (str(error), error.__cause__) == ("It ended. See there.", cause)
    assert isinstance(error, AirflowFailException) is (end is End.FINAL)
