"""The seven endpoints of associations: what is asked, and answers in all their shapes."""

from __future__ import annotations

from typing import Any

import pytest
from api_fakes import LOCATION, FakeTransport, answer, client_of, lost, refusal, sent_by

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.exceptions import DuplicateAssociation, NotFound, RequestRejected, ServerError, TransportError

ID = "669e5795add2094075906c65"
NEW = {
    "key": "student_teacher",
    "first_object_key": "custom_objects.student",
    "first_object_label": "Student",
    "second_object_key": "contact",
    "second_object_label": "Teacher",
}
BODY = {
    "key": "student_teacher",
    "firstObjectKey": "custom_objects.student",
    "firstObjectLabel": "Student",
    "secondObjectKey": "contact",
    "secondObjectLabel": "Teacher",
}
WHOLE = {"id": ID, "locationId": LOCATION, "associationType": "USER_DEFINED", **BODY}
HERE = {"locationId": LOCATION}
MISSING = refusal(404, "Association not found")
MISSING_400 = refusal(400, "Association not found")
TAKEN = refusal(400, "Duplicate Association key")


def associations(transport: FakeTransport, budget: Budget | None = None) -> Associations:
    return Associations(client_of(transport), LOCATION, budget)


def items(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{**WHOLE, "id": f"id-{number}"} for number in range(start, start + count)]


@pytest.mark.parametrize(
    ("use", "method", "path", "params", "body"),
    [
        (lambda a: a.create(**NEW), "POST", "/associations/", None, {**HERE, **BODY}),
        (lambda a: a.get("a/../b?x=1"), "GET", "/associations/a%2F..%2Fb%3Fx%3D1", None, None),
        (lambda a: a.get_by_key("student_teacher"), "GET", "/associations/key/student_teacher", HERE, None),
        (lambda a: a.list_by_object("custom_objects.x"), "GET", "/associations/objectKey/custom_objects.x", HERE, None),
        (lambda a: list(a.iterate()), "GET", "/associations/", {**HERE, "skip": 0, "limit": 100}, None),
        (lambda a: a.first_page(), "GET", "/associations/", {**HERE, "skip": 0, "limit": 1}, None),
        (
            lambda a: a.update_labels(ID, first_object_label="A", second_object_label="B"),
            "PUT",
            f"/associations/{ID}",
            None,
            {"firstObjectLabel": "A", "secondObjectLabel": "B"},
        ),
        (lambda a: a.delete(ID), "DELETE", f"/associations/{ID}", None, None),
    ],
    ids=["create", "get", "by key", "by object", "list", "first page", "update", "delete"],
)
def test_what_is_asked(use: Any, method: str, path: str, params: Any, body: Any) -> None:
    transport = FakeTransport(answer({**WHOLE, "total": 0}))
    use(associations(transport))
    call = transport.calls[0]
    assert (call.method, call.path, call.params, call.json) == (method, path, params, body)


@pytest.mark.parametrize("data", [WHOLE, {"association": WHOLE}, [WHOLE], {"associations": [WHOLE]}])
@pytest.mark.parametrize("status", [200, 201])
def test_one_association_in_all_its_shapes(data: Any, status: int) -> None:
    assert associations(FakeTransport(answer(data, status))).get(ID) == WHOLE


@pytest.mark.parametrize("data", [WHOLE, [WHOLE], {"associations": [WHOLE]}, {"associations": WHOLE}])
def test_a_list_in_all_its_shapes(data: Any) -> None:
    assert associations(FakeTransport(answer(data))).list_by_object("contact") == [WHOLE]


@pytest.mark.parametrize("data", [None, [], {"associations": []}, {"traceId": "t"}])
def test_an_answer_without_an_association_is_no_association(data: Any) -> None:
    with pytest.raises(ServerError, match="no association"):
        associations(FakeTransport(answer(data))).get_by_key("k")
    assert associations(FakeTransport(answer(data))).list_by_object("contact") == []


@pytest.mark.parametrize("line", [MISSING, MISSING_400], ids=["404", "400"])
def test_an_unknown_key_is_not_found(line: Any) -> None:
    with pytest.raises(NotFound):
        associations(FakeTransport(line)).get_by_key("k")


def test_exactly_one_page_without_a_total_asks_once_more() -> None:
    transport = FakeTransport(answer({"associations": items(100)}), answer({"associations": []}))
    assert len(list(associations(transport).iterate())) == 100
    assert [call.params["skip"] for call in transport.calls if call.params] == [0, 100]


def test_a_server_that_ignores_skip_does_not_keep_us() -> None:
    transport = FakeTransport(answer({"associations": items(24)}))
    assert len(list(associations(transport).iterate())) == 24
    assert len(transport.calls) == 2


@pytest.mark.parametrize("failure", [lost(), refusal(502, "x")], ids=["no answer", "502"])
def test_a_create_whose_answer_was_lost_is_read_back_by_key(failure: Any) -> None:
    transport = FakeTransport(failure, answer(WHOLE))
    assert associations(transport).create(**NEW) == WHOLE
    assert sent_by(transport) == [("POST", "/associations/"), ("GET", "/associations/key/student_teacher")]


def test_a_create_that_did_not_take_effect_is_sent_again() -> None:
    transport = FakeTransport(lost(), MISSING, answer(WHOLE, 201))
    assert associations(transport).create(**NEW) == WHOLE
    assert [method for method, _ in sent_by(transport)] == ["POST", "GET", "POST"]


def test_a_create_that_took_effect_late_is_ours() -> None:
    transport = FakeTransport(lost(), MISSING, TAKEN, answer(WHOLE))
    assert associations(transport).create(**NEW) == WHOLE


def test_a_create_is_not_sent_for_ever() -> None:
    transport = FakeTransport(lost(), MISSING, lost(), MISSING, lost(), MISSING)
    with pytest.raises(TransportError):
        associations(transport).create(**NEW)
    assert [method for method, _ in sent_by(transport)] == ["POST", "GET"] * 3


def test_a_key_that_was_taken_before_is_an_error() -> None:
    transport = FakeTransport(TAKEN)
    with pytest.raises(DuplicateAssociation):
        associations(transport).create(**NEW)
    assert len(transport.calls) == 1


@pytest.mark.parametrize("name", list(BODY)[1:])
def test_somebody_elses_association_is_not_taken_for_ours(name: str) -> None:
    transport = FakeTransport(lost(), answer({**WHOLE, name: "other"}), TAKEN, answer({**WHOLE, name: "other"}))
    with pytest.raises(DuplicateAssociation):
        associations(transport).create(**NEW)


def test_equal_labels_are_refused_as_highlevel_words_it() -> None:
    with pytest.raises(RequestRejected, match="can not be same"):
        associations(FakeTransport(refusal(422, "Both object labels can not be same"))).create(**NEW)


def test_deleting() -> None:
    done = {"deleted": True, "id": ID, "message": "ok"}
    assert associations(FakeTransport(answer(done))).delete(ID) == done


def test_a_delete_whose_answer_was_lost_succeeded() -> None:
    transport = FakeTransport(lost(), MISSING)
    assert associations(transport).delete(ID) == {"deleted": True, "id": ID}
    assert len(transport.calls) == 2


def test_deleting_what_is_not_there_is_an_error() -> None:
    for failure in ([], [lost(sent=False)]):
        with pytest.raises(NotFound):
            associations(FakeTransport(*failure, MISSING)).delete(ID)


def test_all_is_charged_to_the_budget_that_was_given() -> None:
    budget = Budget()
    associations(FakeTransport(lost(), answer(WHOLE)), budget).create(**NEW)
    assert budget.spent == 2


@pytest.mark.parametrize("data", [None, {}, {"message": "hello"}])
def test_what_is_no_list_of_associations_is_not_taken_for_an_empty_one(data: Any) -> None:
    with pytest.raises(ServerError, match="no associations"):
        associations(FakeTransport(answer(data))).first_page()
