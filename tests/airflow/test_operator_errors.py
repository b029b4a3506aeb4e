"""From the core's errors to Airflow's: every class has its place."""

from __future__ import annotations

import inspect
import pickle

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from airflow_provider_ghl import exceptions as core
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.operators import errors
from airflow_provider_ghl.operators.errors import error_for, translated_errors

#: Every error of the core, and what the operators raise for it.
TABLE: dict[type[core.GHLError], type[Exception]] = {
    core.ConfigurationError: errors.GHLMisconfigured,
    core.Unauthorized: errors.GHLTokenRefused,
    core.RequestRejected: errors.GHLRequestRefused,
    core.DuplicateRelation: errors.GHLRequestRefused,
    core.DuplicateAssociation: errors.GHLRequestRefused,
    core.RelationLimitReached: errors.GHLRequestRefused,
    core.PossibleDuplicate: errors.GHLRequestRefused,
    core.NotFound: errors.GHLRequestRefused,
    core.UnresolvedKey: errors.GHLRequestRefused,
    core.GuardTripped: errors.GHLGuardTripped,
    core.QuotaExhausted: errors.GHLQuotaSpent,
    core.LedgerError: errors.GHLLedgerFailed,
    core.SourceError: errors.GHLSourceFailed,
    core.ResultsError: errors.GHLResultsFailed,
    core.Stopped: errors.GHLStopped,
    core.RateLimited: errors.GHLUnavailable,
    core.ServerError: errors.GHLUnavailable,
    core.TransportError: errors.GHLUnavailable,
    core.TokenUnavailable: errors.GHLUnavailable,
    core.BudgetSpent: errors.GHLUnavailable,
    core.APIError: errors.GHLUnavailable,
    core.GHLError: errors.GHLUnavailable,
}
FAILURES: dict[Failure, type[Exception]] = {
    Failure.FINAL: errors.GHLFailed,
    Failure.MISCONFIGURED: errors.GHLMisconfigured,
    Failure.TOKEN_REFUSED: errors.GHLTokenRefused,
    Failure.REQUEST_REFUSED: errors.GHLRequestRefused,
    Failure.ROWS_REFUSED: errors.GHLRowsRefused,
    Failure.GUARD_TRIPPED: errors.GHLGuardTripped,
    Failure.RETRYABLE: errors.GHLRetryable,
    Failure.UNAVAILABLE: errors.GHLUnavailable,
    Failure.QUOTA_SPENT: errors.GHLQuotaSpent,
    Failure.ROWS_FAILED: errors.GHLRowsFailed,
    Failure.TOO_FEW_ROWS: errors.GHLTooFewRows,
    Failure.SOURCE_FAILED: errors.GHLSourceFailed,
    Failure.RESULTS_FAILED: errors.GHLResultsFailed,
    Failure.LEDGER_FAILED: errors.GHLLedgerFailed,
    Failure.STOPPED: errors.GHLStopped,
}
FINAL = {errors.GHLMisconfigured, errors.GHLTokenRefused, errors.GHLRequestRefused, errors.GHLGuardTripped}


def test_none_is_forgotten() -> None:
    there = {kind for _, kind in inspect.getmembers(core, inspect.isclass) if issubclass(kind, core.GHLError)}
    assert set(TABLE) == there


@pytest.mark.parametrize(("cause", "kind"), TABLE.items(), ids=lambda kind: kind.__name__)
def test_each_becomes_one_of_airflows(cause: type[core.GHLError], kind: type[Exception]) -> None:
    error = cause("what HighLevel said")
    with pytest.raises(AirflowException) as raised, translated_errors():
        raise error
    assert raised.type is kind
    assert raised.value.__cause__ is error
    assert "what HighLevel said" in str(raised.value)
    assert issubclass(kind, AirflowFailException) is (kind in FINAL)


def test_what_is_not_ours_passes() -> None:
    with pytest.raises(ZeroDivisionError), translated_errors():
        _ = 1 / 0


def test_the_cores_errors_are_not_airflows() -> None:
    assert not any(issubclass(kind, AirflowException) for kind in TABLE)


def test_all_can_be_told_apart_and_pickled() -> None:
    for name in errors.__all__:
        kind = getattr(errors, name)
        if inspect.isclass(kind) and issubclass(kind, Exception):
            assert str(pickle.loads(pickle.dumps(kind("a message")))) == "a message"
            assert issubclass(kind, errors.GHLFailed) is not issubclass(kind, errors.GHLRetryable)


@pytest.mark.parametrize("failure", Failure)
def test_a_loads_end(failure: Failure) -> None:
    end = End.FINAL if failure.is_final else End.RETRYABLE
    error = error_for(Verdict(end, "It ended.", "It ended. So it did.", {}, [], failure, cause=OSError("why")), "See there.")
    assert type(error) is FAILURES[failure]
    assert (str(error), str(error.__cause__)) == ("It ended.\nSo it did.\nSee there.", "why")
    assert isinstance(error, AirflowFailException) is (end is End.FINAL)
