"""Statuses, bodies and rules of the ten endpoints, over a real socket."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sandbox_client import CONTACT, EVENT, HttpClient, add_attends

from airflow_provider_ghl.sandbox import Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]


@pytest.fixture(params=["2021-07-28", "v3"])
def client(request: pytest.FixtureRequest, ghl_sandbox: Sandbox) -> Iterator[HttpClient]:
    with HttpClient(ghl_sandbox, version=request.param) as made:
        yield made


def status_and_message(answer: requests.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json().get("message")


def test_life_of_an_association(client: HttpClient) -> None:
    made = client.create_association()
    body = made.json()
    assert made.status_code == 201
    assert body.pop("traceId")
    assert len(body["id"]) == 24
    assert int(body["id"], 16)
    assert body == {
        "locationId": client.sandbox.location_id,
        "id": body["id"],
        "key": "attends",
        "firstObjectLabel": "Guest",
        "firstObjectKey": CONTACT,
        "secondObjectLabel": "Event",
        "secondObjectKey": EVENT,
        "associationType": "USER_DEFINED",
    }
    by_id = client.send("GET", f"/associations/{body['id']}")
    by_key = client.get("/associations/key/attends")
    for answer in (by_id, by_key):
        assert answer.status_code == 200
        assert answer.json() | {"traceId": ""} == body | {"traceId": ""}
    labels = {"firstObjectLabel": "Member", "secondObjectLabel": "Meeting"}
    updated = client.send("PUT", f"/associations/{body['id']}", json=labels)
    assert (updated.status_code, updated.json() | {"traceId": ""}) == (200, body | labels | {"traceId": ""})
    gone = client.send("DELETE", f"/associations/{body['id']}")
    assert (gone.status_code, gone.json()["deleted"], gone.json()["id"]) == (200, True, body["id"])
    assert status_and_message(client.send("GET", f"/associations/{body['id']}")) == (400, "Association not found")
    assert status_and_message(client.get("/associations/key/attends")) == (404, "Association not found")


def test_lists_of_associations_hold_those_of_the_system(client: HttpClient) -> None:
    attends = add_attends(client.sandbox)
    listed = client.get("/associations/", skip=0, limit=100).json()["associations"]
    system = ["OPPORTUNITIES_CONTACTS_ASSOCIATION", "BUSINESSES_CONTACTS_ASSOCIATION"]
    assert [item["id"] for item in listed] == [*system, attends]
    assert [item["associationType"] for item in listed] == ["SYSTEM_DEFINED", "SYSTEM_DEFINED", "USER_DEFINED"]
    assert [a["id"] for a in client.get("/associations/", skip=2, limit=100).json()["associations"]] == [attends]
    assert len(client.get("/associations/", skip=0, limit=2).json()["associations"]) == 2
    of_event = client.get(f"/associations/objectKey/{EVENT}").json()
    assert [a["id"] for a in of_event] == [attends]
    of_contact = client.send("GET", "/associations/objectKey/contact").json()
    assert [a["id"] for a in of_contact] == [*system, attends]
    assert client.get("/associations/objectKey/custom_objects.none").json() == []


@pytest.mark.parametrize("ghl_sandbox", [{"single_object": True}], indirect=True)
def test_list_by_object_may_be_one_object(client: HttpClient) -> None:
    attends = add_attends(client.sandbox)
    assert client.get(f"/associations/objectKey/{EVENT}").json()["id"] == attends
    assert len(client.get("/associations/objectKey/contact").json()) == 3


def test_associations_of_the_system_can_be_used_and_not_deleted(client: HttpClient) -> None:
    system = "BUSINESSES_CONTACTS_ASSOCIATION"
    assert client.relate(system, "business", "person").status_code == 201
    assert client.send("DELETE", f"/associations/{system}").status_code == 400
    assert client.relate(system, "another business", "person").json()["message"].startswith("Max relation limit[1]")


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
def test_associations_that_are_refused(client: HttpClient, changes: dict[str, Any], status: int, message: object) -> None:
    client.sandbox.state.add_association("taken", CONTACT, CONTACT, "a", "b")
    assert status_and_message(client.create_association(**changes)) == (status, message)
    assert len(client.sandbox.state.associations()) == 3


def test_updates_that_are_refused(client: HttpClient) -> None:
    path = f"/associations/{add_attends(client.sandbox)}"
    same = {"firstObjectLabel": "Event", "secondObjectLabel": "Event"}
    assert status_and_message(client.send("PUT", path, json=same)) == (422, "Both object labels can not be same")
    assert client.send("PUT", path, json={"firstObjectLabel": "Event"}).status_code == 422
    assert status_and_message(client.send("PUT", "/associations/none", json=same)) == (400, "Association not found")


def test_life_of_a_relation(client: HttpClient) -> None:
    attends = add_attends(client.sandbox)
    made = client.relate(attends, "ann", "party")
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
        "locationId": client.sandbox.location_id,
    }
    for record in ("ann", "party"):
        page = client.get(f"/associations/relations/{record}", skip=0, limit=100).json()
        assert page.pop("traceId")
        assert page == {"relations": [body], "total": 1}
    assert client.delete_relation(body["id"]).json()["deleted"] is True
    assert client.sandbox.state.pairs(attends) == set()
    assert client.get("/associations/relations/ann", skip=0, limit=100).json()["relations"] == []
    assert status_and_message(client.delete_relation(body["id"])) == (404, "Relation not found")


def test_a_repeat_is_refused_and_a_swapped_pair_or_another_case_is_another_pair(client: HttpClient) -> None:
    friends = client.sandbox.state.add_association("friends", CONTACT, CONTACT, "a", "b")
    assert client.relate(friends, "ann", "bob").status_code == 201
    repeat = client.relate(friends, "ann", "bob")
    assert repeat.status_code == 400
    assert repeat.json()["message"] == "Could not create relation: duplicate relation of object Ids for given association"
    assert repeat.json()["error"] == "Bad Request"
    assert client.relate(friends, "bob", "ann").status_code == 201
    assert client.relate(friends, "Ann", "bob").status_code == 201
    assert client.sandbox.state.pairs(friends) == {("ann", "bob"), ("bob", "ann"), ("Ann", "bob")}


def test_limits_of_relations_come_before_the_duplicate(client: HttpClient) -> None:
    attends = add_attends(client.sandbox, max_per_first=1, max_per_second=2)
    assert client.relate(attends, "ann", "party").status_code == 201
    for second in ("concert", "party"):
        expected = f"Max relation limit[1] reached for record[ann] for association[{attends}]"
        assert status_and_message(client.relate(attends, "ann", second)) == (400, expected)
    assert client.relate(attends, "bob", "party").status_code == 201
    expected = f"Max relation limit[2] reached for record[party] for association[{attends}]"
    assert status_and_message(client.relate(attends, "cid", "party")) == (400, expected)


def test_limits_count_each_side_of_a_record_alone(client: HttpClient) -> None:
    mentors = client.sandbox.state.add_association("mentors", CONTACT, CONTACT, "a", "b", max_per_first=1)
    assert client.relate(mentors, "ann", "bob").status_code == 201
    assert client.relate(mentors, "bob", "cid").status_code == 201
    assert client.relate(mentors, "ann", "cid").status_code == 400


def test_records_are_checked_once_the_object_has_any(client: HttpClient) -> None:
    state = client.sandbox.state
    attends = add_attends(client.sandbox)
    assert client.relate(attends, "nobody", "nothing").status_code == 201
    ann = state.add_record(CONTACT)
    assert len(ann) == 20
    refused = client.relate(attends, "X", "nothing")
    assert (refused.status_code, refused.json()) == (400, {"error": "Contact with id X not found", "status": 400})
    assert client.relate(attends, ann, "nothing").status_code == 201
    party = state.add_record(EVENT)
    assert client.relate(attends, ann, "nowhere").json() == {"error": "Record with id nowhere not found", "status": 400}
    assert client.relate(attends, ann, party).status_code == 201


def test_relations_of_an_association_that_is_not_there_are_refused(client: HttpClient) -> None:
    assert status_and_message(client.relate("none", "ann", "party")) == (400, "Association not found")


def test_deleting_an_association_takes_its_relations_along(client: HttpClient) -> None:
    attends, friends = add_attends(client.sandbox), client.sandbox.state.add_association("f", CONTACT, CONTACT, "a", "b")
    client.relate(attends, "ann", "party")
    client.relate(friends, "ann", "bob")
    client.send("DELETE", f"/associations/{attends}")
    assert [r["secondRecordId"] for r in client.get("/associations/relations/ann").json()["relations"]] == ["bob"]


@pytest.mark.parametrize("ghl_sandbox", [{"page_cap": 3}], indirect=True)
def test_pages_of_relations(client: HttpClient) -> None:
    state = client.sandbox.state
    attends, friends = add_attends(client.sandbox), state.add_association("f", CONTACT, CONTACT, "a", "b")
    made = [state.add_relation(attends, "ann", f"event {number}") for number in range(7)]
    other = state.add_relation(friends, "bob", "ann")

    def ids(**params: Any) -> tuple[list[str], int]:
        page = client.get("/associations/relations/ann", **params).json()
        return [relation["id"] for relation in page["relations"]], page["total"]

    assert ids(skip=0, limit=100) == (made[:3], 8)
    assert ids(skip=6, limit=3) == ([made[6], other], 8)
    assert ids(skip=9, limit=3) == ([], 8)
    assert ids(skip=1, limit=2) == (made[1:3], 8)
    assert ids(skip=0, limit=3, associationIds=[friends]) == ([other], 1)
    assert ids(skip=6, limit=3, associationIds=[attends, friends]) == ([made[6], other], 8)
    assert client.get("/associations/relations/ann", skip="x", limit=-1).json()["message"] == [
        "skip must be a number string",
        "limit must be a number string",
    ]


def test_an_id_is_one_segment_whatever_is_in_it(client: HttpClient) -> None:
    odd = "a/../b?x=1 #%é"
    friends = client.sandbox.state.add_association(odd, CONTACT, CONTACT, "a", "b")
    assert client.relate(friends, odd, "bob").status_code == 201
    assert client.get(f"/associations/relations/{quote(odd, safe='')}").json()["total"] == 1
    assert client.get(f"/associations/key/{quote(odd, safe='')}").json()["id"] == friends


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
def test_paths_are_taken_to_the_letter(client: HttpClient, method: str, path: str, status: int) -> None:
    answer = client.send(method, path, params={"locationId": client.sandbox.location_id})
    assert answer.status_code == status
    assert answer.content == b"" if status == 404 else "IAM Service" in answer.text


def test_creating_an_association_works_without_the_slash_too(client: HttpClient) -> None:
    body = {"locationId": client.sandbox.location_id, "key": "k", "firstObjectLabel": "a", "secondObjectLabel": "b"}
    keys = {"firstObjectKey": CONTACT, "secondObjectKey": CONTACT}
    assert client.send("POST", "/associations", json=body | keys).status_code == 201


def test_a_body_that_is_no_json_is_refused(client: HttpClient) -> None:
    for body in (b"", b"{", b"[]", b"\xff"):
        assert client.send("POST", "/associations/relations", data=body).status_code == 400
