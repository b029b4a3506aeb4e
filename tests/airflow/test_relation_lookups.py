"""Keys instead of ids in the operators on single relations, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import requests_mock
from running import fail, run

from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.exceptions import ConfigurationError, UnresolvedKey
from airflow_provider_ghl.lookups import Contact, CustomObject, Opportunity
from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLRequestRefused, GHLTokenRefused
from airflow_provider_ghl.operators.relations import CreateRelationOperator, DeleteRelationOperator
from airflow_provider_ghl.sandbox import Sandbox

EMAIL, NOBODY = "ada@example.org", "nobody@example.org"
EVENT = CustomObject("custom_objects.event", by="event_no")
KEYS: dict[str, Any] = {
    "first_record_id": EMAIL,
    "first_lookup": Contact(by="email"),
    "second_record_id": "E-1",
    "second_lookup": EVENT,
}
READ, SEARCH, DUPLICATE = "GET /associations/key/{key_name}", "POST /contacts/search", "GET /contacts/search/duplicate"
EVENTS = "POST /objects/{schemaKey}/records/search"


def create(**arguments: Any) -> CreateRelationOperator:
    return CreateRelationOperator(task_id="link", **{"association_key": "attended", **KEYS, **arguments})


def delete(**arguments: Any) -> DeleteRelationOperator:
    return DeleteRelationOperator(task_id="unlink", **{"association_key": "attended", **KEYS, **arguments})


@pytest.fixture
def pair(ghl: Sandbox) -> tuple[str, str]:
    """Ada, and an event."""
    return ghl.add("contact", email=EMAIL), ghl.add("custom_objects.event", event_no="E-1")


@pytest.mark.parametrize("stored", [("contact", "custom_objects.event"), ("custom_objects.event", "contact")])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("by", ["id", "key"])
def test_any_way_round(ghl: Sandbox, pair: tuple[str, str], stored: tuple[str, str], turned: bool, by: str) -> None:
    """Which object a record is of follows from the look-up."""
    association = ghl.state.add_association("attended", *stored, "A", "B")
    said = dict(KEYS)
    if turned:
        said = {name: KEYS[_other(name)] for name in KEYS}
    if by == "id":
        said |= {"association_key": None, "association_id": association}
    made = run(create(**said))
    assert ghl.state.pairs(association) == {pair if stored[0] == "contact" else pair[::-1]}
    assert run(create(**said))["id"] == made["id"]
    assert run(delete(**said)) is True
    assert ghl.state.count_relations() == 0
    assert run(delete(**said)) is False


def _other(name: str) -> str:
    side, rest = name.split("_", 1)
    return f"{'second' if side == 'first' else 'first'}_{rest}"


def test_a_key_and_an_id(ghl: Sandbox, attended: str, pair: tuple[str, str]) -> None:
    run(create(second_record_id=pair[1], second_lookup=None))
    assert ghl.state.pairs(attended) == {pair}
    assert ghl.stats()["by_route"] == {READ: 1, SEARCH: 1, "POST /associations/relations": 1}


def test_a_look_up_by_id_says_only_whose_it_is(ghl: Sandbox) -> None:
    association = ghl.state.add_association("attended", "custom_objects.event", "contact", "A", "B")
    by_id: dict[str, Any] = {"first_lookup": Contact(by="id"), "second_lookup": None, "second_record_id": 7}
    run(create(first_record_id=" contact-1 ", **by_id))
    assert ghl.state.pairs(association) == {("7", "contact-1")}
    assert run(delete(first_record_id="contact-1", **by_id)) is True
    assert not {SEARCH, DUPLICATE, EVENTS} & set(ghl.stats()["by_route"])


@pytest.mark.parametrize("make", [create, delete])
@pytest.mark.parametrize("side", ["first", "second"])
@pytest.mark.parametrize("by_id", [None, Contact(by="id")], ids=["no look-up", "a look-up by id"])
def test_an_e_mail_address_needs_a_look_up(ghl: Sandbox, attended: str, make: Any, side: str, by_id: Any) -> None:
    """No record has it for its id: to delete such a relation would look as if there were none."""
    ids: dict[str, Any] = {"first_record_id": "a", "first_lookup": None, "second_record_id": "b", "second_lookup": None}
    said = ids | {f"{side}_record_id": f" {EMAIL} ", f"{side}_lookup": by_id}
    expected = f"{side}_record_id looks like an e-mail address; keys need a look-up: see {side}_lookup"
    assert fail(make(**said), GHLMisconfigured) == expected
    assert ghl.stats()["requests"] == 0


def test_two_keys_of_one_kind_are_one_request(ghl: Sandbox) -> None:
    """Between two records of one object, the first stays the first."""
    association = ghl.state.add_association("attended", "contact", "contact", "Student", "Teacher")
    student, teacher = (ghl.add("contact", email=f"{name}@example.org") for name in ("zoe", "ada"))
    run(create(first_record_id="Zoe@example.org", second_record_id=EMAIL, second_lookup=Contact(by="email")))
    assert ghl.state.pairs(association) == {(student, teacher)}
    assert ghl.stats()["by_route"][SEARCH] == 1


class TestUnresolved:
    @pytest.fixture(autouse=True)
    def ada(self, ghl: Sandbox, attended: str) -> str:
        return ghl.add("contact", email=EMAIL)

    @pytest.fixture(autouse=True)
    def event(self, ghl: Sandbox) -> str:
        return ghl.add("custom_objects.event", event_no="E-1")

    def test_no_record(self, ghl: Sandbox) -> None:
        for make in (create, lambda **said: delete(**said, if_missing="fail")):
            with pytest.raises(GHLRequestRefused) as raised:
                run(make(first_record_id=NOBODY))
            assert str(raised.value) == "first_record_id: no contact has this e-mail"
            assert isinstance(raised.value.__cause__, UnresolvedKey)
        assert ghl.state.count_relations() == 0

    def test_no_record_and_nothing_to_delete(self, ghl: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(delete(first_record_id=NOBODY)) is False
        assert "There is no such relation: first_record_id: no contact has this e-mail" in capsys.readouterr().out

    def test_no_record_of_another_object(self, ghl: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        """It is looked for once more, after the minute that the index may take."""
        waited: list[float] = []
        monkeypatch.setattr(Client, "sleep", lambda client, seconds: waited.append(seconds))
        reason = "second_record_id: no record of custom_objects.event has this event_no"
        assert run(delete(second_record_id="E-2")) is False
        assert fail(create(second_record_id="E-2"), GHLRequestRefused) == reason
        assert waited == [60.0, 60.0]

    @pytest.mark.parametrize("make", [create, delete])
    def test_several_records(self, ghl: Sandbox, ada: str, make: Any) -> None:
        other = ghl.add("contact", email=EMAIL)
        message = fail(make(), GHLRequestRefused)
        assert message.startswith("first_record_id: 2 contacts have it: ")
        assert {ada, other} == set(message.partition("it: ")[2].split(", "))

    def test_several_are_an_error_beside_one_that_is_missing(self, ghl: Sandbox) -> None:
        ghl.add("contact", email=EMAIL)
        ghl.state.add_association("known", "contact", "contact", "A", "B")
        asked = {"association_key": "known", "second_record_id": NOBODY, "second_lookup": Contact(by="email")}
        message = fail(delete(**asked), GHLRequestRefused)
        assert "first_record_id: 2 contacts have it" in message
        assert message.endswith("; second_record_id: no contact has this e-mail")

    def test_a_search_that_is_refused_is_no_missing_record(self, ghl: Sandbox) -> None:
        with requests_mock.Mocker(real_http=True) as http:
            http.post(f"{ghl.url}/contacts/search", status_code=422, json={"message": f"bad value {NOBODY}"})
            message = fail(delete(first_record_id=NOBODY), GHLRequestRefused)
        assert message == "first_record_id: HighLevel refuses to search for it (422)"

    @pytest.mark.parametrize("make", [create, delete])
    def test_what_can_be_no_key(self, ghl: Sandbox, make: Any) -> None:
        for wrong, reason in (("ada", "no e-mail address"), (["a"], "a value of type list: cast it to text in the query")):
            assert fail(make(first_record_id=wrong), GHLMisconfigured) == f"first_record_id: {reason}"
        assert SEARCH not in ghl.stats()["by_route"]

    @pytest.mark.parametrize("make", [create, delete])
    @pytest.mark.parametrize("empty", ["", " ", "None", None])
    def test_a_key_that_rendered_to_nothing(self, ghl: Sandbox, make: Any, empty: Any) -> None:
        assert fail(make(first_record_id=empty), GHLMisconfigured) == "first_record_id is empty"
        assert ghl.stats()["requests"] == 0


@pytest.mark.parametrize("make", [create, delete])
class TestArguments:
    def test_the_wrong_side(self, ghl: Sandbox, attended: str, make: Any) -> None:
        message = fail(make(first_lookup=Opportunity(by="name")), GHLMisconfigured)
        assert (
            message == "association 'attended' links contact to custom_objects.event, not opportunity to custom_objects.event"
        )
        assert ghl.stats()["by_route"] == {READ: 1}

    @pytest.mark.parametrize("object_key", ["contact", " Contact ", "", None])
    def test_an_object_key_that_agrees(self, ghl: Sandbox, pair: Any, attended: str, make: Any, object_key: Any) -> None:
        if make is delete:
            ghl.state.add_relation(attended, *pair)
        assert run(make(first_object_key=object_key))
        assert ghl.state.pairs(attended) == ({pair} if make is create else set())

    def test_one_that_contradicts_is_told_while_the_dag_is_parsed(self, make: Callable[..., Any]) -> None:
        with pytest.raises(ConfigurationError) as raised:
            make(second_object_key="opportunity")
        assert str(raised.value) == (
            "second_lookup=CustomObject(object_key='custom_objects.event', by='event_no') finds records of "
            "'custom_objects.event', and second_object_key is 'opportunity': correct one of them, or leave second_object_key "
            "out"
        )

    def test_or_where_it_is_a_template_when_the_task_runs(self, ghl: Sandbox, make: Any) -> None:
        operator = make(first_object_key="{{ which }}")
        operator.render_template_fields({"which": "business"})
        message = fail(operator, GHLMisconfigured)
        assert message.startswith("first_lookup=Contact(by='email') finds records of 'contact', and first_object_key is 'busin")
        assert ghl.stats()["requests"] == 0

    @pytest.mark.parametrize("name", ["first_lookup", "second_lookup"])
    def test_what_is_no_look_up(self, make: Callable[..., Any], name: str) -> None:
        said = f"{name} must be a Contact, CustomObject, Business or Opportunity, not a str"
        with pytest.raises(ConfigurationError, match=said):
            make(**{name: "email"})

    def test_a_missing_scope_is_named(self, ghl: Sandbox, attended: str, make: Any) -> None:
        ghl.set_scopes(ghl.token, {"associations.readonly"})
        message = fail(make(), GHLTokenRefused)
        assert "the token lacks the scope contacts.readonly: add it to the Private Integration" in message
        assert "or to the OAuth app, and authorise it anew with `airflow ghl login --lookups`" in message


def test_a_relation_id_stands_alone(ghl: Sandbox) -> None:
    said = {"association_key": None, "relation_id": "r", "second_record_id": None}
    for record in (EMAIL, None):
        message = fail(delete(**said, first_record_id=record), GHLMisconfigured)
        assert message == "give relation_id alone, or an association and both records"
    assert ghl.stats()["requests"] == 0
