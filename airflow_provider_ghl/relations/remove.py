"""The requests that delete one relation. It is deleted by its id, and only after it was read to be the one that is meant."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.relations import PairSearch, delete_call, find_relation, read_relation_id
from airflow_provider_ghl.exceptions import GHLError, NotFound, ServerError
from airflow_provider_ghl.load.results.removals import RemovalOutcome, RemovalResult, result_of_error

__all__ = ["MadeRelation", "remove"]

_Conversation = Generator[Call, Answer, RemovalResult]


@dataclass(frozen=True, slots=True)
class MadeRelation:
    """A relation that is to be deleted.

    :param first_record_id: in the order in which HighLevel stores the sides; in either order where the id is known and is read
        first.
    :param is_read: whether its id was read to be this pair's lately, so that it is deleted without another look.
    """

    location_id: str
    association_id: str
    first_record_id: str
    second_record_id: str
    relation_id: str | None
    is_read: bool


def remove(relation: MadeRelation) -> _Conversation:
    """Delete one relation.

    An id that was not read lately, or is not known, is looked for among the relations of its records. A relation of the same
    pair with another id was made by somebody else since, and stays. An answer that cannot be understood never means that it is
    gone, nor do pages that do not agree with each other.
    """
    relation_id = relation.relation_id if relation.is_read else None
    if relation_id is None:
        try:
            relation_id = yield from _find(relation)
        except GHLError as error:
            return result_of_error(error, "whether it is there could not be read: ")
        if relation_id is None:
            return RemovalResult(RemovalOutcome.ALREADY_GONE)
    try:
        answer = yield delete_call(relation.location_id, relation_id)
    except NotFound as error:
        # An earlier try of this very request deleted it, where only its answer was lost.
        outcome = RemovalOutcome.DELETED if error.unanswered_before else RemovalOutcome.ALREADY_GONE
        return RemovalResult(outcome, error.status, None, error.trace_id)
    except GHLError as error:
        return result_of_error(error)
    return RemovalResult(RemovalOutcome.DELETED, answer.status, None, answer.trace_id)


def _find(relation: MadeRelation) -> Generator[Call, Answer, str | None]:
    """The relation's id, as HighLevel has it now; ``None`` where it is not there.

    :raises ServerError: whether it is there cannot be read, or the id is another pair's.
    """
    records = relation.first_record_id, relation.second_record_id
    found = yield from find_relation(
        relation.location_id, PairSearch(relation.association_id, *records, relation.relation_id), records
    )
    if found is None:
        return None
    relation_id = read_relation_id(found)
    if relation_id is None:
        raise ServerError("the answer shows the relation without its id", method="GET", status=200)
    return relation_id
