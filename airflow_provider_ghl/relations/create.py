"""The requests of one row, from its first to its verdict.

Written as a conversation: it yields the requests that it needs and is sent their answers (or has their errors thrown in), so
that the order of things reads top to bottom while ``dispatch`` keeps hundreds of them in flight.
"""

from __future__ import annotations

from collections.abc import Generator

from airflow_provider_ghl.api.answers import mask
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages
from airflow_provider_ghl.api.relations import create_call, is_pair, list_call, read_page, read_relation_id
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
from airflow_provider_ghl.load.results.outcomes import SUCCESSES, Evidence, Outcome, RowResult, StoppedBy, without_ids

__all__ = ["create", "verdict_on"]

_Conversation = Generator[Call, Answer, RowResult]

#: Successes without a relation in them, after which a create is given up.
_CLEAR_WITHIN = 2
#: What ends a row's requests from our side, and says nothing of the row.
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
    """Create the relation of one pair, and settle what the answer leaves open.

    :param is_again: an earlier attempt of this load may have sent it, and had no answer.
    :param duplicates: refusals (status and message, ids removed) that were found to mean that the relation is there. What is
        found here is added.
    """
    duplicates = set() if duplicates is None else duplicates
    unclear = 0
    while unclear < _CLEAR_WITHIN:
        try:
            answer = yield create_call(location_id, association_id, first, second)
        except GHLError as error:
            error.unanswered_before += unclear
            if isinstance(error, DuplicateRelation):
                return _there(error, Evidence.ANSWER, None, is_again)
            # HighLevel may word tomorrow otherwise what it words so today: it is read once what it means.
            wording = (
                f"{error.status}: {without_ids(error.message, first, second)}" if isinstance(error, PossibleDuplicate) else ""
            )
            if isinstance(error, PossibleDuplicate) and wording in duplicates:
                return _there(error, Evidence.ANSWER, None, is_again)
            if not isinstance(error, PossibleDuplicate | RelationLimitReached):
                return verdict_on(error)
            result = yield from _settle_by_reading(error, location_id, association_id, first, second, is_again)
            if wording and result.outcome in SUCCESSES:
                duplicates.add(wording)
            return result
        if relation_id := read_relation_id(answer.data):
            return RowResult(Outcome.CREATED, Evidence.ANSWER, relation_id, answer.status, trace_id=answer.trace_id)
        # A proxy's empty 200, say. Asked again, HighLevel says whether the relation is there.
        unclear += 1
    reason = "the answers name no relation: is it HighLevel that answers?"
    return RowResult(Outcome.FAILED, None, None, answer.status, reason, answer.trace_id)


def verdict_on(error: GHLError) -> RowResult:
    """What an error that ends a row's requests says of the row."""
    reason = _reason(error)
    status, trace_id = (error.status, error.trace_id) if isinstance(error, APIError) else (None, None)
    if isinstance(error, Unauthorized):
        # A refused token says nothing of what an earlier try without an answer did.
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
    """The same answer comes for a pair that is there and for one that is refused: only reading tells them apart.

    The record that the answer names is full, and may be a hub of thousands: the other one is read, which is a page mostly.
    """
    other = second if first in error.message else first
    pages = Pages()
    try:
        while pages.skip is not None:
            call = list_call(location_id, other, [association_id], pages.skip, PAGE_SIZE)
            answer = yield call
            for relation in pages.take(*read_page(call, answer.data)):
                if is_pair(relation, association_id, first, second):
                    return _there(error, Evidence.READ, read_relation_id(relation), is_again)
    except GHLError as unreadable:
        return _unsettled(error, unreadable)
    if isinstance(error, PossibleDuplicate) and (error.unanswered_before or is_again):
        # We may have made it just now, and HighLevel may not list it yet.
        reason = mask(f"{error.message}; it is not listed")
        return RowResult(Outcome.FAILED, None, None, error.status, reason, error.trace_id)
    return verdict_on(error)


def _unsettled(error: RequestRejected, unreadable: GHLError) -> RowResult:
    """HighLevel said no, and whether that means "it is there" could not be read."""
    if isinstance(unreadable, _ENDED_BY_US) and not (error.unanswered_before or unreadable.unanswered_before):
        return verdict_on(unreadable)
    is_definite = isinstance(unreadable, Unauthorized | RequestRejected | ConfigurationError) and not error.unanswered_before
    outcome = Outcome.REJECTED if is_definite else Outcome.FAILED
    # A token may lack only the scope to read; if it is refused as such, no other row needs to find out.
    is_refused = isinstance(unreadable, Unauthorized) and unreadable.kind in {"token", "location"}
    why = mask(f"{error.message}; whether the pair is there could not be read: {_reason(unreadable)}")
    stops = StoppedBy.TOKEN if is_refused else None
    return RowResult(outcome, None, None, error.status, why, error.trace_id, stops=stops)


def _there(error: APIError, evidence: Evidence, relation_id: str | None, is_again: bool) -> RowResult:
    if error.unanswered_before or is_again:
        # We sent this pair before and never heard of it: that try made it.
        outcome, evidence = Outcome.CREATED, Evidence.PRESUMED
    else:
        outcome = Outcome.ALREADY_EXISTS
    return RowResult(outcome, evidence, relation_id, error.status, None, error.trace_id)


def _reason(error: GHLError) -> str:
    if isinstance(error, APIError | TransportError):
        return error.message
    return mask(str(error))
