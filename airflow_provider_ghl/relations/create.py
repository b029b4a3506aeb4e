"""The requests of one row, from the first to its result.

A row is a conversation: a generator that yields requests and is sent their answers, or has their errors thrown in. So the order
of its requests reads top to bottom, while ``dispatch`` keeps hundreds of conversations in flight.
"""

from __future__ import annotations

from collections.abc import Generator

from airflow_provider_ghl.api.answers import mask
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.relations import PairSearch, create_call, find_relation, read_relation_id
from airflow_provider_ghl.exceptions import (
    APIError,
    BudgetSpent,
    ConfigurationError,
    DuplicateRelation,
    GHLError,
    NotFound,
    PossibleDuplicate,
    QuotaExhausted,
    RelationLimitReached,
    RequestRejected,
    Stopped,
    TransportError,
    Unauthorized,
)
from airflow_provider_ghl.load.reasons import without_ids
from airflow_provider_ghl.load.results.outcomes import SUCCESSES, Evidence, Outcome, RowResult, StoppedBy

__all__ = ["create", "result_of_error"]

_Conversation = Generator[Call, Answer, RowResult]

#: After this many successful answers that contain no relation, the row has failed.
_CLEAR_WITHIN = 2
#: Errors from our side that end a row's requests and are no evidence about the row.
_ENDED_BY_US = (QuotaExhausted, BudgetSpent, Stopped)


def create(
    location_id: str,
    association_id: str,
    first: str,
    second: str,
    *,
    is_again: bool = False,
    duplicates: set[str] | None = None,
) -> _Conversation:
    """Create the relation of one pair. Where the answer is ambiguous, read whether the relation exists.

    :param is_again: an earlier attempt of this load may have sent the pair and got no answer.
    :param duplicates: refusals that were found to mean that the relation exists, as status and message without ids. New ones
        are added.
    """
    duplicates = set() if duplicates is None else duplicates
    unclear = 0
    while unclear < _CLEAR_WITHIN:
        try:
            answer = yield create_call(location_id, association_id, first, second)
        except GHLError as error:
            error.unanswered_before += unclear
            if isinstance(error, DuplicateRelation):
                return _existing(error, Evidence.ANSWER, None, is_again)
            # HighLevel may change its messages, so no text is known in advance: read once what each one means.
            refusal = (
                f"{error.status}: {without_ids(error.message, first, second)}" if isinstance(error, PossibleDuplicate) else ""
            )
            if isinstance(error, PossibleDuplicate) and refusal in duplicates:
                return _existing(error, Evidence.ANSWER, None, is_again)
            if not isinstance(error, PossibleDuplicate | RelationLimitReached):
                return result_of_error(error)
            result = yield from _settle_by_reading(error, location_id, association_id, first, second, is_again)
            if refusal and result.outcome in SUCCESSES:
                duplicates.add(refusal)
            return result
        if relation_id := read_relation_id(answer.data):
            return RowResult(Outcome.CREATED, Evidence.ANSWER, relation_id, answer.status, trace_id=answer.trace_id)
        # For example a proxy's empty 200. On a second request HighLevel tells whether the relation exists.
        unclear += 1
    reason = "the answers name no relation: is it HighLevel that answers?"
    return RowResult(Outcome.FAILED, None, None, answer.status, reason, answer.trace_id)


def result_of_error(error: GHLError) -> RowResult:
    """The result of a row whose requests ended with this error."""
    reason = _reason(error)
    status, trace_id = (error.status, error.trace_id) if isinstance(error, APIError) else (None, None)
    if isinstance(error, Unauthorized):
        # A refused token is no evidence about an earlier try that got no answer.
        never_sent = Outcome.NOT_ATTEMPTED if error.is_unsent else Outcome.REJECTED
        outcome = Outcome.FAILED if error.unanswered_before else never_sent
        return RowResult(outcome, None, None, status, reason, trace_id, stops=StoppedBy.TOKEN)
    if isinstance(error, RequestRejected):
        return RowResult(Outcome.REJECTED, None, None, status, reason, trace_id, is_missing=isinstance(error, NotFound))
    if isinstance(error, _ENDED_BY_US) and not error.unanswered_before:
        return RowResult(Outcome.NOT_ATTEMPTED, reason=reason)
    if isinstance(error, Stopped):
        reason = "told to stop before HighLevel gave a definite answer"
    return RowResult(Outcome.FAILED, None, None, status, reason, trace_id)


def _settle_by_reading(
    error: RequestRejected, location_id: str, association_id: str, first: str, second: str, is_again: bool
) -> _Conversation:
    """Read whether the relation exists: HighLevel gives the same answer for an existing pair and for a refused one.

    The record that the answer names is full and may have thousands of relations. So the other record's relations are read,
    which is mostly a single page.
    """
    records = (second, first) if first in error.message else (first, second)
    try:
        found = yield from find_relation(location_id, PairSearch(association_id, first, second), records)
    except GHLError as unreadable:
        return _unsettled(error, unreadable)
    if found is not None:
        return _existing(error, Evidence.READ, read_relation_id(found), is_again)
    if isinstance(error, PossibleDuplicate) and (error.unanswered_before or is_again):
        # This load may have created it just now, and HighLevel may not list it yet.
        reason = mask(f"{error.message}; it is not listed")
        return RowResult(Outcome.FAILED, None, None, error.status, reason, error.trace_id)
    return result_of_error(error)


def _unsettled(error: RequestRejected, unreadable: GHLError) -> RowResult:
    """The result where HighLevel refused the pair and reading could not show whether it exists."""
    if isinstance(unreadable, _ENDED_BY_US) and not (error.unanswered_before or unreadable.unanswered_before):
        return result_of_error(unreadable)
    is_definite = isinstance(unreadable, Unauthorized | RequestRejected | ConfigurationError) and not error.unanswered_before
    outcome = Outcome.REJECTED if is_definite else Outcome.FAILED
    # A token may only lack the scope to read. If the token itself is refused, stop the location: other rows would fail too.
    is_refused = isinstance(unreadable, Unauthorized) and unreadable.kind in {"token", "location"}
    why = mask(f"{error.message}; whether the pair is there could not be read: {_reason(unreadable)}")
    stops = StoppedBy.TOKEN if is_refused else None
    return RowResult(outcome, None, None, error.status, why, error.trace_id, stops=stops)


def _existing(error: APIError, evidence: Evidence, relation_id: str | None, is_again: bool) -> RowResult:
    if error.unanswered_before or is_again:
        # An earlier try of this load sent the pair and got no answer: that try created it.
        outcome, evidence = Outcome.CREATED, Evidence.PRESUMED
    else:
        outcome = Outcome.ALREADY_EXISTS
    return RowResult(outcome, evidence, relation_id, error.status, None, error.trace_id)


def _reason(error: GHLError) -> str:
    if isinstance(error, APIError | TransportError):
        return error.message
    return mask(str(error))
