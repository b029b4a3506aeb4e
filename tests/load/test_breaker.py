"""The breaker stops a location after equal refusals with no success in between; and reasons without ids."""

from __future__ import annotations

import pytest

from airflow_provider_ghl.load.reasons import mentions, without_ids
from airflow_provider_ghl.load.results.outcomes import Outcome, RowResult
from airflow_provider_ghl.load.send.breaker import Breaker

FAILED = RowResult(Outcome.FAILED, reason="the connection broke")


def rejected(reason: str, status: int = 400) -> RowResult:
    return RowResult(Outcome.REJECTED, status_code=status, reason=reason)


def notes(breaker: Breaker, *results: tuple[RowResult, str, str]) -> list[str | None]:
    """What the breaker returns after each result, as text."""
    stoppages = [breaker.note(result, (first, second)) for result, first, second in results]
    return [None if stoppage is None else stoppage.text for stoppage in stoppages]


def test_equal_refusals_of_different_rows_stop_the_location() -> None:
    breaker = Breaker(3)
    assert notes(breaker, *((rejected("wrong side"), f"a{n}", f"b{n}") for n in range(3))) == [None, None, "400: wrong side"]


def test_ids_make_no_difference() -> None:
    breaker = Breaker(3)
    results = [(rejected(f"record a{n} has no side"), f"a{n}", f"b{n}") for n in range(3)]
    assert notes(breaker, *results) == [None, None, "400: record <id> has no side"]


def test_short_ids_make_no_difference_either() -> None:
    breaker = Breaker(5)
    results = [(rejected("the relation is refused"), first, "r") for first in "thela"]
    assert notes(breaker, *results) == [None] * 4 + ["400: the relation is refused"]


def test_status_and_message_together_are_a_kind() -> None:
    breaker = Breaker(2)
    assert not any(notes(breaker, (rejected("no"), "a", "b"), (rejected("no", 422), "c", "d"), (rejected("nope"), "e", "f")))


def test_a_success_begins_the_count_anew() -> None:
    breaker = Breaker(2)
    for outcome in (Outcome.CREATED, Outcome.ALREADY_EXISTS):
        assert not any(notes(breaker, (rejected("no"), "a", "b"), (RowResult(outcome), "c", "d")))
    assert notes(breaker, (rejected("no"), "e", "f"), (rejected("no"), "g", "h")) == [None, "400: no"]


def test_a_refusal_that_names_a_record_counts_once_per_record() -> None:
    breaker = Breaker(2)
    results = [(rejected("record hub not found"), "hub", f"b{n}") for n in range(50)]
    assert not any(notes(breaker, *results))
    assert notes(breaker, (rejected("record hub2 not found"), "hub2", "b")) == ["400: record <id> not found"]


def test_rows_without_a_definite_answer_are_one_kind() -> None:
    breaker = Breaker(3)
    results = [FAILED, RowResult(Outcome.FAILED, status_code=503, reason="down"), RowResult(Outcome.FAILED, reason="gone")]
    assert notes(breaker, *((result, "a", "b") for result in results)) == [None, None, "no definite answer"]


def test_an_outage_is_worth_another_try() -> None:
    outage, refusal = Breaker(1).note(FAILED, ("a", "b")), Breaker(1).note(rejected("no"), ("a", "b"))
    assert outage is not None
    assert refusal is not None
    assert (outage.is_final, refusal.is_final) == (False, True)


@pytest.mark.parametrize("outcome", [Outcome.INVALID, Outcome.NOT_ATTEMPTED, Outcome.REPEATED])
def test_other_outcomes_do_not_count(outcome: Outcome) -> None:
    assert not any(notes(Breaker(1), (RowResult(outcome, reason="no"), "a", "b")))


@pytest.mark.parametrize(
    ("reason", "ids", "expected"),
    [
        ("record 6758b5c1f5e2a1d3c4b5a697 not found", (), "record <id> not found"),
        ("record zxVbGp0Qq4nM1c9LrT2w not found", (), "record <id> not found"),
        ("limit[1] reached for record[a-b]", ("a-b",), "limit[<id>] reached for record[<id>]"),
        ("internationalization is refused", (), "internationalization is refused"),
        ("every e is an e", ("e", ""), "every <id> is an <id>"),
        ("a.c and abc", ("a.c",), "<id> and abc"),
        ("row 12, column 'x'", (), "row <id>, column 'x'"),
    ],
)
def test_reasons_without_ids(reason: str, ids: tuple[str, ...], expected: str) -> None:
    assert without_ids(reason, *ids) == expected


def test_an_id_is_mentioned_only_as_a_whole_word() -> None:
    assert mentions("record[ab] is full", "ab")
    assert not mentions("record[abc] is full", "ab")
    assert not mentions("record[] is full", "")
