"""Statuses, bodies and rules of the ten endpoints, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sandbox_client import CONTACT, EVENT, Talker, add_attends

from airflow_provider_ghl.sandbox import Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


@pytest.fixture(params=["2021-07-28", "v3"])
def talker(request: pytest.FixtureRequest, ghl_sandbox: Sandbox) -> Iterator[Talker]:
    with Talker(ghl_sandbox, version=request.param) as made:
        yield made


def said(answer: requests.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("message")


def test_life_of_an_association(talker: Talker) -> None:
    made = talker.create_association()
    body = made.json()
    assert made.status_code == 201
    assert body.pop("traceId")
    assert len(body["id"]) == 24
    assert int(body["id"], 16)
    assert body == {
        "locationId": talker.sandbox.location_id,
        "id": body["id"],
        "key": "attends",
        "firstObjectLabel": "Guest",
        "firstObjectKey": CONTACT,
        "secondObjectLabel": "Event",
        "secondObjectKey": EVENT,
        "associationType": "USER_DEFINED",
    }
    by_id = talker.send("GET", f"/associations/{body['id']}")
    by_key = talker.get("/associations/key/attends")
    for answer in (by_id, by_key):
        assert answer.status_code == 200
        assert answer.json() | {"traceId": ""} == body | {"traceId": ""}
    labels = {"firstObjectLabel": "Member", "secondObjectLabel": "Meeting"}
    updated = talker.send("PUT", f"/associations/{body['id']}", json=labels)
    assert (updated.status_code, updated.json() | {"traceId": ""}) == (200, body | labels | {"traceId": ""})
    gone = talker.send("DELETE", f"/associations/{body['id']}")
    assert (gone.status_code, gone.json()["deleted"], gone.json()["id"]) == (200, True, body["id"])
    assert said(talker.send("GET", f"/associations/{body['id']}")) == (400, "Association not found")
    assert said(talker.get("/associations/key/attends")) == (404, "Association not found")


def test_lists_of_associations_hold_those_of_the_system(talker: Talker) -> None:
    attends = add_attends(talker.sandbox)
    listed = talker.get("/associations/", skip=0, limit=100).json()["associations"]
    system = ["OPPORTUNITIES_CONTACTS_ASSOCIATION", "BUSINESSES_CONTACTS_ASSOCIATION"]
    assert [item["id"] for item in listed] == [*system, attends]
    assert [item["associationType"] for item in listed] == ["SYSTEM_DEFINED", "SYSTEM_DEFINED", "USER_DEFINED"]
    assert [a["id"] for a in talker.get("/associations/", skip=2, limit=100).json()["associations"]] == [attends]
    assert len(talker.get("/associations/", skip=0, limit=2).json()["associations"]) == 2
    of_event = talker.get(f"/associations/objectKey/{EVENT}").json()
    assert [a["id"] for a in of_event] == [attends]
    of_contact = talker.send("GET", "/associations/objectKey/contact").json()
    assert [a["id"] for a in of_contact] == [*system, attends]
    assert talker.get("/associations/objectKey/custom_objects.none").json() == []


@pytest.mark.parametrize("ghl_sandbox", [{"single_object": True}], indirect=True)
def test_list_by_object_may_be_one_object(talker: Talker) -> None:
    attends = add_attends(talker.sandbox)
    assert talker.get(f"/associations/objectKey/{EVENT}").json()["id"] == attends
    assert len(talker.get("/associations/objectKey/contact").json()) == 3


def test_associations_of_the_system_can_be_used_and_not_deleted(talker: Talker) -> None:
    system = "BUSINESSES_CONTACTS_ASSOCIATION"
    assert talker.relate(system, "business", "person").status_code == 201
    assert talker.send("DELETE", f"/associations/{system}").status_code == 400
    assert talker.relate(system, "another business", "person").json()["message"].startswith("Max relation limit[1]")


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"secondObjectLabel": "Guest"}, 422, "Both object labels can not be same"),
        ({"key": "taken"}, 400, "Duplicate Association key"),
        ({"key": None}, 422, ["key must be a string", "key should not be empty"]),
        ({"key": ""}, 422, ["key should not be empty"]),
        ({"firstObjectLabel": {"a": 1}}, 422, ["firstObjectLabel must be a string"]),
        ({"locationId": None}, 422, ["locationId must be a string", "locationId should not be empty"]),
        ({"cardinality": "ONE"}, 422, ["property cardinality should not exist"]),
        ({"locationId": "elsewhere"}, 403, "The token does not have access to this location."),
    ],
)
def test_associations_that_are_refused(talker: Talker, changes: dict[str, Any], status: int, message: object) -> None:
    talker.sandbox.state.add_association("taken", CONTACT, CONTACT, "a", "b")
    assert said(talker.create_association(**changes)) == (status, message)
    assert len(talker.sandbox.state.associations()) == 3


def test_updates_that_are_refused(talker: Talker) -> None:
    path = f"/associations/{add_attends(talker.sandbox)}"
    same = {"firstObjectLabel": "Event", "secondObjectLabel": "Event"}
    assert said(talker.send("PUT", path, json=same)) == (422, "Both object labels can not be same")
    assert talker.send("PUT", path, json={"firstObjectLabel": "Event"}).status_code == 422
    assert said(talker.send("PUT", "/associations/none", json=same)) == (400, "Association not found")


def test_life_of_a_relation(talker: Talker) -> None:
    attends = add_attends(talker.sandbox)
    made = talker.relate(attends, "ann", "party")
    body = made.json()
    assert made.status_code == 201
    assert body.pop("traceId")
    assert body == {
        "id": body["id"],
        "associationId": attends,
        "firstObjectKey": CONTACT,
        "firstRecordId": "ann",
        "secondObjectKey": EVENT,
        "secondRecordId": "party",
        "locationId": talker.sandbox.location_id,
    }
    for record in ("ann", "party"):
        page = talker.get(f"/associations/relations/{record}", skip=0, limit=100).json()
        assert page.pop("traceId")
        assert page == {"relations": [body], "total": 1}
    assert talker.delete_relation(body["id"]).json()["deleted"] is True
    assert talker.sandbox.state.pairs(attends) == set()
    assert talker.get("/associations/relations/ann", skip=0, limit=100).json()["relations"] == []
    assert said(talker.delete_relation(body["id"])) == (404, "Relation not found")


def test_a_repeat_is_refused_and_a_swapped_pair_or_another_case_is_another_pair(talker: Talker) -> None:
    friends = talker.sandbox.state.add_association("friends", CONTACT, CONTACT, "a", "b")
    assert talker.relate(friends, "ann", "bob").status_code == 201
    repeat = talker.relate(friends, "ann", "bob")
    assert repeat.status_code == 400
    assert repeat.json()["message"] == "Could not create relation: duplicate relation of object Ids for given association"
    assert repeat.json()["error"] == "Bad Request"
    assert talker.relate(friends, "bob", "ann").status_code == 201
    assert talker.relate(friends, "Ann", "bob").status_code == 201
    assert talker.sandbox.state.pairs(friends) == {("ann", "bob"), ("bob", "ann"), ("Ann", "bob")}


def test_limits_of_relations_come_before_the_duplicate(talker: Talker) -> None:
    attends = add_attends(talker.sandbox, max_per_first=1, max_per_second=2)
    assert talker.relate(attends, "ann", "party").status_code == 201
    for second in ("concert", "party"):
        expected = f"Max relation limit[1] reached for record[ann] for association[{attends}]"
        assert said(talker.relate(attends, "ann", second)) == (400, expected)
    assert talker.relate(attends, "bob", "party").status_code == 201
    expected = f"Max relation limit[2] reached for record[party] for association[{attends}]"
    assert said(talker.relate(attends, "cid", "party")) == (400, expected)


def test_limits_count_each_side_of_a_record_alone(talker: Talker) -> None:
    mentors = talker.sandbox.state.add_association("mentors", CONTACT, CONTACT, "a", "b", max_per_first=1)
    assert talker.relate(mentors, "ann", "bob").status_code == 201
    assert talker.relate(mentors, "bob", "cid").status_code == 201
    assert talker.relate(mentors, "ann", "cid").status_code == 400


def test_records_are_checked_once_the_object_has_any(talker: Talker) -> None:
    state = talker.sandbox.state
    attends = add_attends(talker.sandbox)
    assert talker.relate(attends, "nobody", "nothing").status_code == 201
    ann = state.add_record(CONTACT)
    assert len(ann) == 20
    refused = talker.relate(attends, "X", "nothing")
    assert (refused.status_code, refused.json()) == (400, {"error": "Contact with id X not found", "status": 400})
    assert talker.relate(attends, ann, "nothing").status_code == 201
    party = state.add_record(EVENT)
    assert talker.relate(attends, ann, "nowhere").json() == {"error": "Record with id nowhere not found", "status": 400}
    assert talker.relate(attends, ann, party).status_code == 201


def test_relations_of_an_association_that_is_not_there_are_refused(talker: Talker) -> None:
    assert said(talker.relate("none", "ann", "party")) == (400, "Association not found")


def test_deleting_an_association_takes_its_relations_along(talker: Talker) -> None:
    attends, friends = add_attends(talker.sandbox), talker.sandbox.state.add_association("f", CONTACT, CONTACT, "a", "b")
    talker.relate(attends, "ann", "party")
    talker.relate(friends, "ann", "bob")
    talker.send("DELETE", f"/associations/{attends}")
    assert [r["secondRecordId"] for r in talker.get("/associations/relations/ann").json()["relations"]] == ["bob"]


@pytest.mark.parametrize("ghl_sandbox", [{"page_cap": 3}], indirect=True)
def test_pages_of_relations(talker: Talker) -> None:
    state = talker.sandbox.state
    attends, friends = add_attends(talker.sandbox), state.add_association("f", CONTACT, CONTACT, "a", "b")
    made = [state.add_relation(attends, "ann", f"event {number}") for number in range(7)]
    other = state.add_relation(friends, "bob", "ann")

    def ids(**params: Any) -> tuple[list[str], int]:
        page = talker.get("/associations/relations/ann", **params).json()
        return [relation["id"] for relation in page["relations"]], page["total"]

    assert ids(skip=0, limit=100) == (made[:3], 8)
    assert ids(skip=6, limit=3) == ([made[6], other], 8)
    assert ids(skip=9, limit=3) == ([], 8)
    assert ids(skip=1, limit=2) == (made[1:3], 8)
    assert ids(skip=0, limit=3, associationIds=[friends]) == ([other], 1)
    assert ids(skip=6, limit=3, associationIds=[attends, friends]) == ([made[6], other], 8)
    assert talker.get("/associations/relations/ann", skip="x", limit=-1).json()["message"] == [
        "skip must be a number string",
        "limit must be a number string",
    ]


def test_an_id_is_one_segment_whatever_is_in_it(talker: Talker) -> None:
    odd = "a/../b?x=1 #%é"
    friends = talker.sandbox.state.add_association(odd, CONTACT, CONTACT, "a", "b")
    assert talker.relate(friends, odd, "bob").status_code == 201
    assert talker.get(f"/associations/relations/{quote(odd, safe='')}").json()["total"] == 1
    assert talker.get(f"/associations/key/{quote(odd, safe='')}").json()["id"] == friends


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Associations/", 401),
        ("POST", "/associations/Relations", 401),
        ("GET", "/associations/objectkey/contact", 401),
        ("GET", "/associations", 404),
        ("GET", "/associations/relations/ann/", 404),
        ("GET", "/association/", 404),
        ("PATCH", "/associations/", 404),
        ("POST", "/associations/relations/bulk", 401),
    ],
)
def test_paths_are_taken_to_the_letter(talker: Talker, method: str, path: str, status: int) -> None:
    answer = talker.send(method, path, params={"locationId": talker.sandbox.location_id})
    assert answer.status_code == status
    assert answer.content == b"" if status == 404 else "IAM Service" in answer.text


def test_creating_an_association_works_without_the_slash_too(talker: Talker) -> None:
    body = {"locationId": talker.sandbox.location_id, "key": "k", "firstObjectLabel": "a", "secondObjectLabel": "b"}
    keys = {"firstObjectKey": CONTACT, "secondObjectKey": CONTACT}
    assert talker.send("POST", "/associations", json=body | keys).status_code == 201


def test_a_body_that_is_no_json_is_refused(talker: Talker) -> None:
    for body in (b"", b"{", b"[]", b"\xff"):
        assert talker.send("POST", "/associations/relations", data=body).status_code == 400
