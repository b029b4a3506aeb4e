"""The conversation of one row, driven by hand: each answer and its result."""

from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.exceptions import (
    APIError,
    BudgetSpent,
    DuplicateRelation,
    GHLError,
    NotFound,
    PossibleDuplicate,
    QuotaExhausted,
    RateLimited,
    RelationLimitReached,
    RequestRejected,
    ServerError,
    Stopped,
    TransportError,
    Unauthorized,
)
from airflow_provider_ghl.load.kind import Conversation
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult, StoppedBy
from airflow_provider_ghl.relations.create import create

FIRST, SECOND = "6758b5c1f5e2a1d3c4b5a697", "zxVbGp0Qq4nM1c9LrT2w"
TRACE = "b3a1c5d0-trace"


def begin() -> tuple[Conversation, Call]:
    conversation = create("location", "association", FIRST, SECOND)
    return conversation, next(conversation)


def finish(conversation: Conversation, answer: Answer | GHLError, unanswered: int = 0) -> RowResult:
    """The result after this answer, which must be the last one."""
    with pytest.raises(StopIteration) as end:
        give(conversation, answer, unanswered)
    result: RowResult = end.value.value
    return result


def give(conversation: Conversation, answer: Answer | GHLError, unanswered: int = 0) -> Call:
    if isinstance(answer, Answer):
        return conversation.send(answer)
    answer.unanswered_before = unanswered
    return conversation.throw(answer)


def api_error(kind: type[APIError], status: int, message: str = "no") -> APIError:
    return kind(message, method="POST", path="/associations/relations", status=status, trace_id=TRACE)


def page(*pairs: tuple[str, str], total: int | None = None, start: int = 0) -> Answer:
    relations = [
        {"id": f"relation{start + at}", "associationId": "association", "firstRecordId": first, "secondRecordId": second}
        for at, (first, second) in enumerate(pairs)
    ]
    return Answer(200, {"relations": relations, "total": len(pairs) if total is None else total})


def settling(unanswered: int = 0) -> tuple[Conversation, Call]:
    """A conversation after the answer that a record has reached its limit of relations."""
    conversation, _ = begin()
    return conversation, give(conversation, api_error(RelationLimitReached, 400, "Max relation limit[1] reached"), unanswered)


def test_it_begins_with_the_create() -> None:
    _, call = begin()
    assert (call.method, call.template, call.location_id, call.repeat_safe) == (
        "POST",
        "/associations/relations",
        "location",
        True,
    )
    assert call.json == {
        "locationId": "location",
        "associationId": "association",
        "firstRecordId": FIRST,
        "secondRecordId": SECOND,
    }


@pytest.mark.parametrize("unanswered", [0, 2])
@pytest.mark.parametrize(("data", "relation_id"), [({"id": "r1"}, "r1"), ({"relationId": "r2"}, "r2")])
def test_a_success_is_created(data: Any, relation_id: str, unanswered: int) -> None:
    conversation, _ = begin()
    result = finish(conversation, Answer(201, data, TRACE, unanswered))
    assert result == RowResult(Outcome.CREATED, Evidence.ANSWER, relation_id, 201, None, TRACE)


EMPTY: list[Any] = [None, {}, [], {"success": False, "message": "nope"}]


@pytest.mark.parametrize("data", EMPTY)
def test_a_success_without_a_relation_is_sent_again(data: Any) -> None:
    conversation, first = begin()
    assert conversation.send(Answer(200, data)) == first
    result = finish(conversation, api_error(DuplicateRelation, 400))
    assert (result.outcome, result.evidence) == (Outcome.CREATED, Evidence.PRESUMED)


@pytest.mark.parametrize("data", EMPTY)
def test_a_success_that_never_names_a_relation_is_no_definite_answer(data: Any) -> None:
    conversation, _ = begin()
    conversation.send(Answer(200, data))
    result = finish(conversation, Answer(204, data, TRACE))
    assert (result.outcome, result.status_code) == (Outcome.FAILED, 204)


def test_a_stop_after_a_success_without_a_relation_is_failed() -> None:
    conversation, _ = begin()
    conversation.send(Answer(200, None))
    assert finish(conversation, Stopped("stop")).outcome is Outcome.FAILED


def test_a_duplicate_already_exists() -> None:
    result = finish(begin()[0], api_error(DuplicateRelation, 400))
    assert result == RowResult(Outcome.ALREADY_EXISTS, Evidence.ANSWER, None, 400, None, TRACE)


def test_a_duplicate_after_a_try_without_an_answer_is_presumed_ours() -> None:
    result = finish(begin()[0], api_error(DuplicateRelation, 400), unanswered=1)
    assert result == RowResult(Outcome.CREATED, Evidence.PRESUMED, None, 400, None, TRACE)


@pytest.mark.parametrize("unanswered", [0, 1])
@pytest.mark.parametrize(("kind", "status"), [(NotFound, 404), (RequestRejected, 422), (RequestRejected, 409)])
def test_a_definite_no_is_rejected(kind: type[APIError], status: int, unanswered: int) -> None:
    result = finish(begin()[0], api_error(kind, status, "no such record"), unanswered)
    is_missing = kind is NotFound
    assert result == RowResult(Outcome.REJECTED, None, None, status, "no such record", TRACE, is_missing=is_missing)


def test_a_refused_token_stops_the_load() -> None:
    result = finish(begin()[0], api_error(Unauthorized, 401))
    assert (result.outcome, result.stops) == (Outcome.REJECTED, StoppedBy.TOKEN)


def test_a_refused_token_is_no_evidence_about_an_earlier_try() -> None:
    result = finish(begin()[0], api_error(Unauthorized, 401), unanswered=1)
    assert (result.outcome, result.stops) == (Outcome.FAILED, StoppedBy.TOKEN)


@pytest.mark.parametrize(
    "error",
    [
        api_error(ServerError, 503, "down"),
        api_error(RateLimited, 429, "down"),
        TransportError("down", method="POST", path="/associations/relations"),
    ],
)
def test_no_definite_answer_is_failed(error: GHLError) -> None:
    result = finish(begin()[0], error, unanswered=6)
    assert (result.outcome, result.reason, result.stops) == (Outcome.FAILED, "down", None)


@pytest.mark.parametrize("error", [Stopped("told"), BudgetSpent("spent"), api_error(QuotaExhausted, 429, "spent")])
def test_a_row_that_we_end_is_not_attempted_unless_a_try_got_no_answer(error: GHLError) -> None:
    assert finish(begin()[0], error).outcome is Outcome.NOT_ATTEMPTED
    assert finish(begin()[0], error, unanswered=1).outcome is Outcome.FAILED


def test_a_limit_is_settled_by_reading_the_first_record() -> None:
    conversation, call = settling()
    assert (call.method, call.path) == ("GET", f"/associations/relations/{FIRST}")
    assert call.params == {"locationId": "location", "skip": 0, "limit": 100, "associationIds": ["association"]}
    result = finish(conversation, page(("x", "y"), (SECOND, FIRST), (FIRST, SECOND)))
    assert result == RowResult(Outcome.ALREADY_EXISTS, Evidence.READ, "relation2", 400, None, TRACE)


def test_a_limit_after_a_try_without_an_answer_where_the_pair_exists() -> None:
    result = finish(settling(unanswered=1)[0], page((FIRST, SECOND)))
    assert result == RowResult(Outcome.CREATED, Evidence.PRESUMED, "relation0", 400, None, TRACE)


@pytest.mark.parametrize("there", [(), ((FIRST, "other"),), ((SECOND, FIRST),), ((FIRST.upper(), SECOND),)])
def test_a_limit_where_the_pair_does_not_exist(there: tuple[tuple[str, str], ...]) -> None:
    result = finish(settling()[0], page(*there))
    assert result == RowResult(Outcome.REJECTED, None, None, 400, "Max relation limit[1] reached", TRACE)


@pytest.mark.parametrize(("full", "read"), [(FIRST, SECOND), (SECOND, FIRST)])
def test_the_record_that_is_not_full_is_read(full: str, read: str) -> None:
    """The full record may have a thousand relations, and each of its rows would read them again."""
    conversation, _ = begin()
    message = f"Max relation limit[1000] reached for record[{full}] for association[association]"
    call = give(conversation, api_error(RelationLimitReached, 400, message))
    assert call.path.endswith(read)


def test_a_limit_is_settled_over_all_pages() -> None:
    conversation, call = settling()
    skips = []
    for start in (0, 99):
        skips.append(call.params and call.params["skip"])
        call = conversation.send(page(*((FIRST, f"other{start + n}") for n in range(100)), total=200, start=start))
    skips.append(call.params and call.params["skip"])
    assert skips == [0, 99, 198]  # each page begins with the last one of the page before
    there = page((FIRST, "other198"), (FIRST, SECOND), total=200, start=198)
    assert finish(conversation, there).outcome is Outcome.ALREADY_EXISTS


def test_pages_that_do_not_agree_are_no_evidence_of_absence() -> None:
    """While others delete relations of the record, the pages move up, and one of them may miss the pair."""
    conversation, _ = settling()
    for _ in range(3):
        conversation.send(page(total=1))
    result = finish(conversation, page(total=1))
    assert (result.outcome, result.evidence) == (Outcome.FAILED, None)
    assert "the pages do not agree" in str(result.reason)


def test_a_limit_that_may_never_be_read_is_rejected() -> None:
    error = api_error(Unauthorized, 401, "The token is not authorized for this scope.")
    assert isinstance(error, Unauthorized)
    error.kind = "scope"
    result = finish(settling()[0], error)
    assert (result.outcome, result.status_code, result.stops) == (Outcome.REJECTED, 400, None)
    assert result.reason == (
        "Max relation limit[1] reached; whether the pair is there could not be read: "
        "The token is not authorized for this scope."
    )


def test_a_limit_that_cannot_be_settled_and_a_try_without_an_answer_is_failed() -> None:
    assert finish(settling(unanswered=1)[0], api_error(NotFound, 404)).outcome is Outcome.FAILED


@pytest.mark.parametrize("error", [api_error(ServerError, 503), TransportError("down"), api_error(RateLimited, 429)])
def test_a_limit_that_cannot_be_settled_now_is_failed(error: GHLError) -> None:
    assert finish(settling()[0], error, unanswered=6).outcome is Outcome.FAILED


def test_an_answer_that_is_no_page_is_no_evidence_of_absence() -> None:
    result = finish(settling()[0], Answer(200, {"message": "hello"}))
    assert result.outcome is Outcome.FAILED


def test_a_relation_that_cannot_be_read_is_no_evidence_of_absence() -> None:
    unreadable = {"relations": [{"id": "relation0", "associationId": "association"}], "total": 1}
    result = finish(settling()[0], Answer(200, unreadable))
    assert result.outcome is Outcome.FAILED
    assert "whose records cannot be read" in str(result.reason)


def test_a_limit_that_we_leave_is_not_attempted_unless_a_try_got_no_answer() -> None:
    assert finish(settling()[0], Stopped("told")).outcome is Outcome.NOT_ATTEMPTED
    assert finish(settling(unanswered=1)[0], Stopped("told")).outcome is Outcome.FAILED
    assert finish(settling()[0], Stopped("told"), unanswered=1).outcome is Outcome.FAILED


def test_a_token_that_is_refused_while_settling_stops_the_load() -> None:
    result = finish(settling()[0], api_error(Unauthorized, 401, "Invalid JWT"))
    assert (result.outcome, result.stops) == (Outcome.REJECTED, StoppedBy.TOKEN)


def test_reasons_are_short_and_hold_no_addresses() -> None:
    error = api_error(RelationLimitReached, 400, "Max relation limit[1] reached for ada@example.com " + "x" * 190)
    conversation, _ = begin()
    give(conversation, error)
    reason = finish(conversation, api_error(NotFound, 404)).reason or ""
    assert len(reason) <= 200
    assert "ada@example.com" not in reason


class TestPossibleDuplicates:
    """A refusal that may mean that the relation exists: reading shows once what it means."""

    def begin(self, duplicates: set[str], *, is_again: bool = False, first: str = FIRST) -> Conversation:
        conversation = create("location", "association", first, SECOND, is_again=is_again, duplicates=duplicates)
        next(conversation)
        return conversation

    def refusal(self, first: str = FIRST) -> APIError:
        return api_error(PossibleDuplicate, 409, f"Relation of {first} already exists")

    def test_a_refusal_that_was_understood_holds_for_the_next_row(self) -> None:
        duplicates: set[str] = set()
        conversation = self.begin(duplicates)
        assert give(conversation, self.refusal()).method == "GET"
        result = finish(conversation, page((FIRST, SECOND)))
        assert (result.outcome, result.evidence, result.made_id) == (Outcome.ALREADY_EXISTS, Evidence.READ, "relation0")
        other = "6758b5c1f5e2a1d3c4b5a698"
        result = finish(self.begin(duplicates, first=other), self.refusal(other))
        assert (result.outcome, result.evidence) == (Outcome.ALREADY_EXISTS, Evidence.ANSWER)

    def test_one_that_is_not_there_is_refused_and_teaches_nothing(self) -> None:
        duplicates: set[str] = set()
        conversation = self.begin(duplicates)
        give(conversation, self.refusal())
        assert finish(conversation, page()).outcome is Outcome.REJECTED
        assert duplicates == set()

    @pytest.mark.parametrize(("unanswered", "is_again"), [(1, False), (0, True)])
    def test_after_a_lost_answer_it_is_ours(self, unanswered: int, is_again: bool) -> None:
        conversation = self.begin(set(), is_again=is_again)
        give(conversation, self.refusal(), unanswered)
        result = finish(conversation, page((FIRST, SECOND)))
        assert (result.outcome, result.evidence) == (Outcome.CREATED, Evidence.PRESUMED)

    @pytest.mark.parametrize(("unanswered", "is_again"), [(1, False), (0, True)])
    def test_after_a_lost_answer_one_that_is_not_listed_is_no_refusal(self, unanswered: int, is_again: bool) -> None:
        conversation = self.begin(set(), is_again=is_again)
        give(conversation, self.refusal(), unanswered)
        assert finish(conversation, page()).outcome is Outcome.FAILED
