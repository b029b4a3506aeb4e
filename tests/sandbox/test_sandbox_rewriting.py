"""What HighLevel makes of what it is sent: new associations are rewritten, and fields beside the specified ones are taken."""

from __future__ import annotations

from typing import Any

import pytest
from sandbox_client import CONTACT, EVENT, HttpClient, add_attends

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

SWAPPED = {"firstObjectKey": EVENT, "firstObjectLabel": "Event", "secondObjectKey": CONTACT, "secondObjectLabel": "Guest"}


def sides_of(association: dict[str, Any]) -> list[tuple[str, str]]:
    return [(association[f"{side}ObjectKey"], association[f"{side}ObjectLabel"]) for side in ("first", "second")]


class TestNewAssociations:
    @pytest.mark.parametrize("sent", [SWAPPED, {}])
    def test_the_key_is_in_lower_case_and_the_sides_are_sorted_by_object(
        self, client: HttpClient, sent: dict[str, str]
    ) -> None:
        made = client.create_association(key="Event_ATTENDS", **sent).json()
        assert (made["key"], sides_of(made)) == ("event_attends", [(CONTACT, "Guest"), (EVENT, "Event")])
        found = client.send("GET", f"/associations/{made['id']}").json()
        assert sides_of(found) == sides_of(made)

    @pytest.mark.parametrize(
        ("first", "second"), [("business", "custom_objects.a"), ("contact", "opportunity"), ("custom_objects.a", "opportunity")]
    )
    def test_the_order_of_objects(self, client: HttpClient, first: str, second: str) -> None:
        made = client.create_association(firstObjectKey=second, secondObjectKey=first).json()
        assert [key for key, _ in sides_of(made)] == [first, second]

    def test_two_sides_of_one_object_keep_their_order(self, client: HttpClient) -> None:
        made = client.create_association(secondObjectKey=CONTACT, firstObjectLabel="Z", secondObjectLabel="A").json()
        assert sides_of(made) == [(CONTACT, "Z"), (CONTACT, "A")]

    def test_a_look_up_minds_the_case(self, client: HttpClient) -> None:
        client.create_association(key="Attends")
        assert client.get("/associations/key/Attends").status_code == 404
        assert client.get("/associations/key/attends").status_code == 200

    def test_a_key_is_taken_in_any_case(self, client: HttpClient) -> None:
        client.create_association(key="attends")
        assert client.create_association(key="ATTENDS").json()["message"] == "Duplicate Association key"

    def test_what_a_test_adds_is_stored_as_given(self, client: HttpClient) -> None:
        association_id = client.sandbox.state.add_association("Attends", EVENT, CONTACT, "Event", "Guest")
        found = client.send("GET", f"/associations/{association_id}").json()
        assert (found["key"], sides_of(found)) == ("Attends", [(EVENT, "Event"), (CONTACT, "Guest")])

    @pytest.mark.parametrize("ghl_sandbox", [{"rewrites_associations": False}], indirect=True)
    def test_it_can_be_switched_off(self, client: HttpClient) -> None:
        made = client.create_association(key="Attends", **SWAPPED).json()
        assert (made["key"], sides_of(made)) == ("Attends", [(EVENT, "Event"), (CONTACT, "Guest")])


class TestPipeline:
    def test_it_is_taken_between_opportunities_and_contacts(self, client: HttpClient) -> None:
        made = client.relate("OPPORTUNITIES_CONTACTS_ASSOCIATION", "deal", "ann", pipelineId="sales")
        assert made.status_code == 201
        assert "pipelineId" not in made.json()

    def test_it_is_refused_for_others(self, client: HttpClient) -> None:
        answer = client.relate(add_attends(client.sandbox), "ann", "party", pipelineId="sales")
        assert (answer.status_code, answer.json()["message"]) == (422, ["property pipelineId should not exist"])


@pytest.mark.parametrize("name", ["associationIds", "associationIds[]"])
def test_relations_of_some_associations_in_either_spelling(client: HttpClient, name: str) -> None:
    state = client.sandbox.state
    attends, friends = add_attends(client.sandbox), state.add_association("friends", CONTACT, CONTACT, "a", "b")
    hosts = state.add_association("hosts", CONTACT, EVENT, "Host", "Event")
    made = [state.add_relation(one, "ann", "party") for one in (attends, friends, hosts)]
    found = client.get("/associations/relations/ann", **{name: [friends, hosts]}).json()
    assert ([relation["id"] for relation in found["relations"]], found["total"]) == (made[1:], 2)
