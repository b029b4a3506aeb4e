"""The operators on single relations, against the sandbox."""

from __future__ import annotations

from typing import Any

import pytest
from running import fail, run

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLRequestRefused, GHLTokenRefused
from airflow_provider_ghl.operators.relations import CreateRelationOperator, DeleteRelationOperator
from airflow_provider_ghl.sandbox import Fault, Sandbox

PAIR = ("contact-1", "event-1")
RECORDS = {"first_record_id": "contact-1", "second_record_id": "event-1"}
BY_KEY = {"association_key": "attended"}


def create(**arguments: Any) -> CreateRelationOperator:
    return CreateRelationOperator(task_id="link", **{**BY_KEY, **RECORDS, **arguments})


def delete(**arguments: Any) -> DeleteRelationOperator:
    return DeleteRelationOperator(task_id="unlink", **{**BY_KEY, **RECORDS, **arguments})


class TestCreate:
    def test_by_key_and_by_id(self, ghl: Sandbox, attended: str) -> None:
        made = run(create())
        assert made["id"] == ghl.state.relations()[0]["id"]
        other = run(create(association_key=None, association_id=attended, second_record_id="event-2"))
        assert other["secondRecordId"] == "event-2"
        assert ghl.state.pairs(attended) == {PAIR, ("contact-1", "event-2")}

    def test_again_it_is_the_same_one(self, ghl: Sandbox, attended: str) -> None:
        assert run(create())["id"] == run(create())["id"]
        assert ghl.state.count_relations() == 1

    def test_fail_fails_where_it_is_there(self, ghl: Sandbox, attended: str) -> None:
        run(create(if_exists="fail"))
        assert "duplicate relation" in fail(create(if_exists="fail"), GHLRequestRefused)

    @pytest.mark.parametrize("if_exists", ["skip", "fail"])
    @pytest.mark.parametrize("most", [None, 1])
    @pytest.mark.parametrize("lost", ["reset_after", "error_after", "truncated_json", "reset_before"])
    def test_a_lost_reply_is_a_success(self, ghl: Sandbox, lost: Any, most: int | None, if_exists: str) -> None:
        association = ghl.state.add_association("attended", "contact", "event", "A", "B", max_per_first=most)
        ghl.add_fault(Fault(lost, method="POST", times=1))
        assert run(create(if_exists=if_exists))["id"] == ghl.state.relations()[0]["id"]
        assert ghl.state.pairs(association) == {PAIR}

    def test_a_pair_that_is_there_and_fills_its_limit(self, ghl: Sandbox) -> None:
        ghl.state.add_association("attended", "contact", "event", "A", "B", max_per_first=1)
        made = run(create())
        assert run(create())["id"] == made["id"]
        assert "the relation is there" in fail(create(if_exists="fail"), GHLRequestRefused)

    def test_a_limit_that_another_pair_fills(self, ghl: Sandbox) -> None:
        ghl.state.add_association("attended", "contact", "event", "A", "B", max_per_first=1)
        run(create())
        assert "Max relation limit[1]" in fail(create(second_record_id="event-2"), GHLRequestRefused)

    def test_a_missing_record(self, ghl: Sandbox, attended: str) -> None:
        ghl.state.add_record("contact", "somebody-else")
        assert "contact-1 not found" in fail(create(), GHLRequestRefused)

    def test_a_wrong_key_names_the_keys_there_are(self, ghl: Sandbox, attended: str) -> None:
        message = fail(create(association_key="attends"), GHLMisconfigured)
        assert "the key 'attends'; the keys there are:" in message
        assert message.endswith("attended")

    @pytest.mark.parametrize("empty", ["", " ", "None"])
    @pytest.mark.parametrize("name", ["first_record_id", "second_record_id"])
    def test_an_id_that_rendered_to_nothing(self, ghl: Sandbox, attended: str, name: str, empty: str) -> None:
        assert fail(create(**{name: empty}), GHLMisconfigured) == f"{name} is empty"
        assert ghl.state.count_relations() == 0

    def test_if_exists_is_judged_at_once(self) -> None:
        with pytest.raises(ConfigurationError, match="if_exists must be one of 'skip', 'fail', not 'reuse'"):
            create(if_exists="reuse")


class TestDelete:
    @pytest.fixture(autouse=True)
    def relation(self, ghl: Sandbox, attended: str) -> str:
        ghl.state.add_relation(attended, "contact-1", "event-2")
        return ghl.state.add_relation(attended, *PAIR)

    @pytest.mark.parametrize("if_missing", ["skip", "fail"])
    @pytest.mark.parametrize("lost", [None, "reset_after", "error_after", "truncated_json", "reset_before"])
    def test_by_its_id(self, ghl: Sandbox, attended: str, relation: str, lost: Any, if_missing: str) -> None:
        if lost:
            ghl.add_fault(Fault(lost, method="DELETE", times=1))
        operator = DeleteRelationOperator(task_id="unlink", relation_id=relation, if_missing=if_missing)
        assert run(operator) is True
        assert ghl.state.pairs(attended) == {("contact-1", "event-2")}

    @pytest.mark.parametrize("by", ["id", "key"])
    def test_by_its_records(self, ghl: Sandbox, attended: str, by: str) -> None:
        operator = delete() if by == "key" else delete(association_key=None, association_id=attended)
        assert run(operator) is True
        assert ghl.state.pairs(attended) == {("contact-1", "event-2")}

    def test_the_swapped_pair_is_another_one(self, ghl: Sandbox, attended: str) -> None:
        assert run(delete(first_record_id="event-1", second_record_id="contact-1")) is False
        assert ghl.state.count_relations() == 2

    @pytest.mark.parametrize(
        "missing", [{"second_record_id": "event-9"}, {"association_key": "no_such"}, {"association_key": None}]
    )
    def test_skip_and_fail_where_it_is_missing(self, ghl: Sandbox, missing: dict[str, Any]) -> None:
        if missing == {"association_key": None}:
            missing = {"association_key": None, "first_record_id": None, "second_record_id": None, "relation_id": "0" * 24}
        assert run(delete(**missing)) is False
        kind = GHLMisconfigured if missing.get("association_key") == "no_such" else GHLRequestRefused
        message = fail(delete(**missing, if_missing="fail"), kind)
        assert "keys there are" in message if kind is GHLMisconfigured else "not" in message

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            ({"association_key": None}, "give exactly one of relation_id, association_id, association_key; given: none"),
            ({"relation_id": "r", "association_id": "a"}, "given: relation_id and association_id and association_key"),
            ({"relation_id": "r", "association_key": None}, "give relation_id alone"),
            (
                {**dict.fromkeys(["association_key", *RECORDS]), "relation_id": "r", "first_object_key": "contact"},
                "give relation_id alone",
            ),
            ({"second_record_id": None}, "second_record_id is empty"),
        ],
    )
    def test_names_it_in_one_way(self, ghl: Sandbox, given: dict[str, Any], said: str) -> None:
        assert said in fail(delete(**given), GHLMisconfigured)
        assert ghl.state.count_relations() == 2


SWAPPED = {"first_record_id": "event-1", "second_record_id": "contact-1"}
NAMED: dict[str, dict[str, Any]] = {"id": {}, "key": BY_KEY, "key in capitals": {"association_key": "ATTENDED"}}


@pytest.mark.parametrize("stored", [("contact", "custom_objects.event"), ("custom_objects.event", "contact")])
class TestAnyWayRound:
    """Object keys say which record is whose, however HighLevel stores the association."""

    @pytest.fixture(autouse=True)
    def association(self, ghl: Sandbox, stored: tuple[str, str]) -> str:
        return ghl.state.add_association("attended", *stored, "A", "B")

    @pytest.fixture
    def there(self, stored: tuple[str, str]) -> set[tuple[str, str]]:
        """The pair as HighLevel has it."""
        return {PAIR if stored[0] == "contact" else PAIR[::-1]}

    @pytest.mark.parametrize("by", NAMED)
    @pytest.mark.parametrize(
        "said",
        [
            {**RECORDS, "first_object_key": "contact"},
            {**RECORDS, "second_object_key": "custom_objects.event"},
            {**RECORDS, "first_object_key": "contact", "second_object_key": "custom_objects.event"},
            {**SWAPPED, "first_object_key": "custom_objects.event"},
            {**SWAPPED, "second_object_key": " Contact "},
        ],
    )
    def test_create_and_delete(
        self, ghl: Sandbox, association: str, there: set[tuple[str, str]], said: dict[str, str], by: str
    ) -> None:
        named = NAMED[by] or {"association_key": None, "association_id": association}
        made = run(create(**named, **said))
        assert ghl.state.pairs(association) == there
        assert run(create(**named, **said))["id"] == made["id"]
        assert run(delete(**named, **said)) is True
        assert ghl.state.count_relations() == 0
        assert run(delete(**named, **said)) is False

    @pytest.mark.parametrize("make", [create, delete])
    def test_other_objects_are_refused_with_what_it_links(self, ghl: Sandbox, stored: tuple[str, str], make: Any) -> None:
        message = fail(make(first_object_key="opportunity"), GHLMisconfigured)
        assert message == f"association 'attended' links {stored[0]} to {stored[1]}, not anything to opportunity"
        assert ghl.stats()["by_route"] == {"GET /associations/key/{key_name}": 1}


@pytest.mark.parametrize("make", [create, delete])
def test_object_keys_are_templated(ghl: Sandbox, make: Any) -> None:
    association = ghl.state.add_association("attended", "custom_objects.event", "contact", "A", "B")
    if make is delete:
        ghl.state.add_relation(association, *PAIR[::-1])
    operator = make(first_object_key="{{ first }}", second_object_key="{{ second }}")
    operator.render_template_fields({"first": "contact", "second": ""})
    assert run(operator)
    assert ghl.state.pairs(association) == ({PAIR[::-1]} if make is create else set())


def test_with_nothing_said_an_association_that_is_named_by_its_id_is_not_read(ghl: Sandbox, attended: str) -> None:
    run(create(association_key=None, association_id=attended))
    assert ghl.stats()["by_route"] == {"POST /associations/relations": 1}


@pytest.mark.parametrize("make", [create, delete])
def test_a_missing_scope_is_named(ghl: Sandbox, attended: str, make: Any) -> None:
    ghl.set_scopes(ghl.token, {"associations.readonly"})
    scope = "associations/relation.write" if make is create else "associations/relation.readonly"
    message = fail(make(), GHLTokenRefused)
    assert f"the token lacks the scope {scope}" in message
    assert "authorise it anew with `airflow ghl login` (" in message
    assert ghl.token not in message
