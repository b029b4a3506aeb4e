"""Every answer that is known of HighLevel is understood as what it means."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl import exceptions
from airflow_provider_ghl.api.answers import LONGEST_MESSAGE, mask, read_answer
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.rate_headers import RateHeaders
from airflow_provider_ghl.exceptions import (
    APIError,
    DuplicateRelation,
    NotFound,
    PossibleDuplicate,
    QuotaExhausted,
    RateLimited,
    RelationLimitReached,
    RequestRejected,
    ServerError,
    Unauthorized,
)
from airflow_provider_ghl.sandbox.recorded import RECORDED, Recorded

CALL = Call("POST", "/associations/relations", "/associations/relations", scope="associations/relation.write")
CLASSES_BY_NAME = vars(exceptions)


def body_of(recorded: Recorded) -> bytes:
    if recorded.body == "{associations}":  # nothing but a placeholder, here for a list
        return b"[]"
    return recorded.body.encode() if isinstance(recorded.body, str) else json.dumps(recorded.body).encode()


def error_for(status: int, body: object, rate: RateHeaders | None = None) -> APIError:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(APIError) as caught:
        read_answer(CALL, status, raw, rate or RateHeaders())
    return caught.value


def message_for(body: object, status: int = 400) -> str:
    return error_for(status, body).message


@pytest.mark.parametrize("recorded", [entry for entry in RECORDED if entry.means], ids=lambda entry: entry.name)
def test_a_recorded_refusal_becomes_its_error(recorded: Recorded) -> None:
    rate = RateHeaders.from_headers({"x-ratelimit-daily-remaining": "17", **recorded.headers})
    with pytest.raises(APIError) as caught:
        read_answer(CALL, recorded.status, body_of(recorded), rate)
    error = caught.value
    assert type(error) is CLASSES_BY_NAME[recorded.means]
    assert (error.status, error.method, error.path) == (recorded.status, "POST", "/associations/relations")
    assert getattr(error, "kind", "") == recorded.kind


@pytest.mark.parametrize("recorded", [entry for entry in RECORDED if not entry.means], ids=lambda entry: entry.name)
def test_a_recorded_success_becomes_an_answer(recorded: Recorded) -> None:
    answer = read_answer(CALL, recorded.status, body_of(recorded), RateHeaders())
    assert isinstance(answer, Answer)
    assert (answer.status, answer.data) == (recorded.status, json.loads(body_of(recorded)))


def test_the_table_knows_every_class_that_an_answer_can_become() -> None:
    means = {entry.means for entry in RECORDED}
    assert {"Unauthorized", "DuplicateRelation", "DuplicateAssociation", "RelationLimitReached", "NotFound"} <= means
    assert {"RateLimited", "QuotaExhausted", "ServerError", "RequestRejected", ""} <= means


def test_a_missing_scope_is_named() -> None:
    error = error_for(401, {"message": "The token is not authorized for this scope."})
    assert isinstance(error, Unauthorized)
    assert (error.kind, error.scope) == ("scope", "associations/relation.write")


def test_the_two_429_differ_by_what_is_left_of_the_day() -> None:
    body = {"statusCode": 429, "message": "Too Many Requests"}
    burst = error_for(429, body, RateHeaders(daily_remaining=4, interval=7.0))
    day = error_for(429, body, RateHeaders(daily_remaining=0, daily_resets_in=3600.0))
    assert isinstance(burst, RateLimited)
    assert isinstance(day, QuotaExhausted)
    assert day.resets_in == 3600.0


def test_a_429_without_headers_or_body_is_one_of_the_burst_window() -> None:
    assert isinstance(error_for(429, b""), RateLimited)


@pytest.mark.parametrize("status", [400, 403, 502, 504])
def test_html_comes_from_the_network_in_front(status: int) -> None:
    error = error_for(status, b"<html><head><title>Attention</title></head></html>")
    assert isinstance(error, ServerError)
    assert "html" not in str(error)


@pytest.mark.parametrize("body", [b'{"id": "abc', b"[", b"OK"])
def test_a_success_that_is_cut_off_is_no_success(body: bytes) -> None:
    error = error_for(200, body)
    assert isinstance(error, ServerError)
    assert error.message == "the answer is not JSON"


def test_an_empty_success_is_one() -> None:
    assert read_answer(CALL, 204, b"", RateHeaders()).data is None


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (409, "Relation already exists"),
        (409, "Conflict"),
        (409, ""),
        (409, "Contact not found"),
        (400, "Relation Already Exists between these records"),
        (422, "a DUPLICATE of another relation"),
        (422, ["one", "already exists"]),
    ],
)
def test_a_refusal_that_may_mean_a_duplicate_is_one_of_its_own(status: int, message: object) -> None:
    assert type(error_for(status, {"message": message})) is PossibleDuplicate


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (409, "duplicate relation of object Ids", DuplicateRelation),
        (409, "Max relation limit[1] reached", RelationLimitReached),
        (400, "wrong", RequestRejected),
        (403, "already exists", Unauthorized),
        (404, "already exists", NotFound),
        (500, "already exists", ServerError),
    ],
)
def test_what_is_known_to_mean_something_else_is_none(status: int, message: str, kind: type[APIError]) -> None:
    assert type(error_for(status, {"message": message})) is kind


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/associations/relations"), ("POST", "/associations/"), ("POST", "/contacts/")]
)
def test_only_the_creation_of_a_relation_may_be_a_duplicate(method: str, path: str) -> None:
    with pytest.raises(RequestRejected) as caught:
        read_answer(Call(method, path, path), 409, b'{"message": "already exists"}', RateHeaders())
    assert type(caught.value) is RequestRejected


def test_an_empty_404_is_not_found() -> None:
    assert isinstance(error_for(404, b""), NotFound)


def test_bytes_that_are_no_text_are_no_crash() -> None:
    assert isinstance(error_for(200, b"\xff\xfe{\x00"), ServerError)


def test_the_status_in_the_body_is_not_trusted() -> None:
    error = error_for(400, {"statusCode": 500, "message": ["wrong"]})
    assert type(error) is RequestRejected
    assert error.status == 400


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "one"}, "one"),
        ({"message": ["one", "two"]}, "one; two"),
        ({"error": {"code": "X", "message": "nested"}}, "nested"),
        ({"error": "Contact with id a1 not found", "status": 400}, "Contact with id a1 not found"),
        ({"message": "", "error": "Bad Request"}, "Bad Request"),
        ({"message": "two\n  lines"}, "two lines"),
        ({}, "refused without a message"),
        (["odd"], "refused without a message"),
    ],
)
def test_a_message_is_read_in_all_its_shapes(body: object, message: str) -> None:
    assert message_for(body) == message


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mail ada.l+x@example.co.uk now", "mail <e-mail> now"),
        ('{"email":"a@b.io"}', '{"email":"<e-mail>"}'),
        ("call +1 (555) 010-9999 now", "call <phone> now"),
        ("call 0049 30 1234567", "call <phone>"),
        ("record[67a3c0b1d2e3f4a5b6c7d8e9] of 123456", "record[67a3c0b1d2e3f4a5b6c7d8e9] of 123456"),
        ("contact emqfAb12Cd34Ef56Gh78", "contact emqfAb12Cd34Ef56Gh78"),
        ("id 5a9db0c5-0000-4000-8000-000000000001 stays", "id 5a9db0c5-0000-4000-8000-000000000001 stays"),
    ],
)
def test_people_are_masked_and_ids_stay(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_a_long_message_is_cut() -> None:
    assert len(message_for({"message": "x" * 1000})) == LONGEST_MESSAGE == 200
    assert message_for({"message": "x" * 200}) == "x" * 200


def test_an_address_at_the_cut_is_masked_first() -> None:
    assert "ada" not in message_for({"message": "y" * 190 + " ada.lovelace@example.com"})


LONG = 100_000


@pytest.mark.parametrize(
    "piece", ["a", "1", "1- ", "1(", "a@", "a@b ", "@", ".", " ", "\n", "ü", "x" * 63 + ":", "+1 (555) 010-99 "]
)
@pytest.mark.parametrize("end", ["", "@", "x"])
def test_a_message_of_any_length_is_masked_at_once(piece: str, end: str) -> None:
    text = (piece * LONG)[:LONG] + end
    began = time.process_time()
    mask(text)
    assert time.process_time() - began < 5.0


@given(st.text(max_size=40), st.text(max_size=10))
def test_anything_at_length_is_masked_at_once(piece: str, end: str) -> None:
    test_a_message_of_any_length_is_masked_at_once(piece or "-", end)


@pytest.mark.parametrize("secret", ["ada.lovelace@example.com", "+1 555 010 010 010"])
@pytest.mark.parametrize("padding", range(0, 100, 3))
def test_no_half_of_a_secret_is_left_where_a_long_message_is_cut(secret: str, padding: int) -> None:
    """What is masked is shorter, so that the cut may come early in what is shown."""
    masked_before = f"{'x' * 200}@example.com, " * 9
    shown = mask(f"{masked_before}{',' * padding}{secret}{' and more' * 1_000}")
    assert "ada" not in shown
    assert "010" not in shown


def test_the_trace_id_is_kept() -> None:
    error = error_for(400, {"message": "no", "traceId": "t-1"})
    assert error.trace_id == "t-1"
    assert "t-1" in str(error)
    assert read_answer(CALL, 200, b'{"traceId": "t-2"}', RateHeaders()).trace_id == "t-2"


@pytest.mark.parametrize("status", [301, 302, 308, 404])
def test_a_page_where_the_api_should_be_is_another_host(status: int) -> None:
    error = error_for(status, b"<html><head><title>Moved</title></head></html>")
    assert type(error) is RequestRejected
    assert "is the host right?" in error.message


def test_json_that_is_nested_too_deep_is_no_json() -> None:
    assert type(error_for(400, b"[" * 200_000)) is ServerError


@pytest.mark.parametrize(
    ("said", "kept"),
    [("bad \ud83d thing", "bad \\ud83d thing"), ("nul \x00 here", "nul here"), ("call 0170/1234567 now", "call <phone> now")],
)
def test_a_message_can_be_written_anywhere(said: str, kept: str) -> None:
    assert mask(said) == kept


@pytest.mark.parametrize("trace_id", ["x@y.z +491701234567", "a" * 101, "a b", "\x00"])
def test_a_trace_id_that_is_none_is_left_out(trace_id: str) -> None:
    error = error_for(400, json.dumps({"message": "no", "traceId": trace_id}).encode())
    assert error.trace_id is None
