"""The operators on associations, against the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from running import fail, run

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.associations import (
    CreateAssociationOperator,
    DeleteAssociationOperator,
    GetAssociationOperator,
    ListAssociationsOperator,
    UpdateAssociationOperator,
)
from airflow_provider_ghl.operators.errors import GHLMisconfigured, GHLRequestRefused, GHLTokenRefused
from airflow_provider_ghl.sandbox import Fault, Sandbox

ATTENDED = {
    "key": "attended",
    "first_object_key": "contact",
    "first_object_label": "Attendee",
    "second_object_key": "custom_objects.event",
    "second_object_label": "Event",
}
BY_KEY = {"association_key": "attended"}
#: The same association, the event first.
EVENT_FIRST = {
    "first_object_key": "custom_objects.event",
    "first_object_label": "Event",
    "second_object_key": "contact",
    "second_object_label": "Attendee",
}
BETWEEN_CONTACTS = {"key": "teaches", "first_object_key": "contact", "second_object_key": "contact"}


def create(**arguments: Any) -> CreateAssociationOperator:
    return CreateAssociationOperator(task_id="create", **{**ATTENDED, **arguments})


def keys(sandbox: Sandbox) -> list[object]:
    return [a["key"] for a in sandbox.state.associations() if a["associationType"] == "USER_DEFINED"]


class TestCreate:
    def test_makes_it_and_returns_it_as_highlevel_gives_it(self, ghl: Sandbox) -> None:
        made = run(create())
        assert made["key"] == "attended"
        assert {name: made[name] for name in ghl.state.association(made["id"])} == ghl.state.association(made["id"])

    @pytest.mark.parametrize("if_exists", ["reuse", "update_labels"])
    def test_again_it_is_the_same_one(self, ghl: Sandbox, if_exists: str) -> None:
        first = run(create(if_exists=if_exists))
        again = run(create(if_exists=if_exists))
        assert again["id"] == first["id"]
        assert keys(ghl) == ["attended"]

    def test_the_log_says_whether_it_was_made(self, ghl: Sandbox, capsys: pytest.CaptureFixture[str]) -> None:
        made = run(create())
        assert f"Created association attended (id {made['id']})" in capsys.readouterr().out
        run(create())
        said = capsys.readouterr().out
        assert f"The association attended (id {made['id']}) is there" in said
        assert "Created" not in said
        run(create(first_object_label="Guest", if_exists="update_labels"))
        assert f"The association attended (id {made['id']}) is there, and has new labels" in capsys.readouterr().out

    def test_reuse_leaves_labels_alone(self, ghl: Sandbox) -> None:
        run(create())
        assert run(create(first_object_label="Guest"))["firstObjectLabel"] == "Attendee"

    def test_update_labels_sets_them(self, ghl: Sandbox) -> None:
        made = run(create())
        updated = run(create(first_object_label="Guest", if_exists="update_labels"))
        assert (updated["id"], updated["firstObjectLabel"]) == (made["id"], "Guest")
        assert ghl.state.association(made["id"])["firstObjectLabel"] == "Guest"

    def test_update_labels_sends_nothing_for_the_same_labels(self, ghl: Sandbox) -> None:
        run(create())
        run(create(if_exists="update_labels"))
        assert not any(route.startswith("PUT") for route in ghl.stats()["by_route"])

    def test_fail_fails_where_it_is_there(self, ghl: Sandbox) -> None:
        run(create())
        assert "Duplicate Association key" in fail(create(if_exists="fail"), GHLRequestRefused)

    @pytest.mark.parametrize("if_exists", ["reuse", "update_labels"])
    def test_other_objects_under_the_same_key_are_not_reused(self, ghl: Sandbox, if_exists: str) -> None:
        run(create())
        message = fail(create(second_object_key="custom_objects.course", if_exists=if_exists), GHLMisconfigured)
        assert "links contact to custom_objects.event, not contact to custom_objects.course" in message

    @pytest.mark.parametrize("if_exists", ["reuse", "update_labels", "fail"])
    @pytest.mark.parametrize("lost", ["reset_after", "error_after", "truncated_json", "reset_before", "error_before"])
    def test_a_lost_reply_is_a_success_and_makes_one(self, ghl: Sandbox, if_exists: str, lost: Any) -> None:
        ghl.add_fault(Fault(lost, method="POST", times=1))
        made = run(create(if_exists=if_exists))
        assert made["id"] in {a["id"] for a in ghl.state.associations()}
        assert keys(ghl) == ["attended"]
        assert ghl.stats()["faults"] == {lost: 1}

    def test_equal_labels_are_refused_by_highlevel(self, ghl: Sandbox) -> None:
        assert "labels can not be same" in fail(create(second_object_label="Attendee"), GHLRequestRefused)

    def test_if_exists_is_judged_at_once(self) -> None:
        with pytest.raises(ConfigurationError, match="if_exists must be one of 'reuse', 'update_labels', 'fail', not 'skip'"):
            create(if_exists="skip")


def labels_of(association: dict[str, Any]) -> dict[str, str]:
    """By object."""
    return {association[f"{side}ObjectKey"]: association[f"{side}ObjectLabel"] for side in ("first", "second")}


class TestCreateAnyWayRound:
    """HighLevel stores the contact first and the key in lower case, whatever is asked for."""

    @pytest.mark.parametrize("if_exists", ["reuse", "update_labels"])
    @pytest.mark.parametrize("key", ["attended", "Attended", "ATTENDED"])
    @pytest.mark.parametrize("sides", [{}, EVENT_FIRST])
    def test_twice_in_a_row(self, ghl: Sandbox, sides: dict[str, str], key: str, if_exists: str) -> None:
        made = run(create(key=key, if_exists=if_exists, **sides))
        assert (made["key"], made["firstObjectKey"]) == ("attended", "contact")
        again = run(create(key=key, if_exists=if_exists, **sides))
        assert {**again, "traceId": ""} == {**made, "traceId": ""}
        assert keys(ghl) == ["attended"]
        assert not any(route.startswith("PUT") for route in ghl.stats()["by_route"])

    @pytest.mark.parametrize("sandbox", [{"rewrites_associations": False}], indirect=True)
    @pytest.mark.parametrize("key", ["attended", "Attended"])
    @pytest.mark.parametrize("sides", [{}, EVENT_FIRST])
    def test_twice_where_highlevel_keeps_it_as_it_is(self, ghl: Sandbox, sides: dict[str, str], key: str) -> None:
        made = run(create(key=key, **sides))
        assert (made["key"], run(create(key=key, **sides))["id"]) == (key, made["id"])
        assert keys(ghl) == [key]

    @pytest.mark.parametrize("lost", ["reset_after", "error_after", "truncated_json"])
    def test_a_lost_reply_to_one_that_is_rewritten(self, ghl: Sandbox, lost: Any) -> None:
        ghl.add_fault(Fault(lost, method="POST", times=1))
        made = run(create(key="Attended", if_exists="fail", **EVENT_FIRST))
        assert [made["id"]] == [a["id"] for a in ghl.state.associations() if a["key"] == "attended"]

    @pytest.mark.parametrize("stored", [{}, EVENT_FIRST])
    def test_labels_are_set_on_the_right_sides(self, ghl: Sandbox, stored: dict[str, str]) -> None:
        definition = {**ATTENDED, **stored}
        objects = definition["first_object_key"], definition["second_object_key"]
        made = ghl.state.add_association(
            "attended", *objects, definition["first_object_label"], definition["second_object_label"]
        )
        labels = {"first_object_label": "Party", "second_object_label": "Guest"}
        updated = run(create(key="ATTENDED", if_exists="update_labels", **{**EVENT_FIRST, **labels}))
        assert (updated["id"], labels_of(updated)) == (made, {"custom_objects.event": "Party", "contact": "Guest"})
        assert labels_of(ghl.state.association(made)) == labels_of(updated)

    @pytest.mark.parametrize(
        ("asked", "there_then"),
        [
            (("Student", "Teacher"), ("Teacher", "Student")),
            (("Pupil", "Teacher"), ("Teacher", "Pupil")),
            (("Student", "Tutor"), ("Tutor", "Student")),
            (("Teacher", "Pupil"), ("Teacher", "Pupil")),
            (("student", "teacher"), ("teacher", "student")),
            (("pupil", "teacher"), ("teacher", "pupil")),
            (("Boss", "Clerk"), ("Boss", "Clerk")),  # nothing tells them apart
        ],
    )
    def test_between_contacts_a_label_that_is_there_tells_the_sides(
        self, ghl: Sandbox, asked: tuple[str, str], there_then: tuple[str, str]
    ) -> None:
        ghl.state.add_association("teaches", "contact", "contact", "Teacher", "Student")
        labels = {"first_object_label": asked[0], "second_object_label": asked[1]}
        updated = run(create(if_exists="update_labels", **BETWEEN_CONTACTS, **labels))
        assert (updated["firstObjectLabel"], updated["secondObjectLabel"]) == there_then

    @pytest.mark.parametrize("first", ["contact", "custom_objects.event"])
    @pytest.mark.parametrize("if_exists", ["reuse", "update_labels"])
    def test_other_objects_are_refused_with_what_it_links(self, ghl: Sandbox, first: str, if_exists: str) -> None:
        run(create())
        asked = {"first_object_key": first, "second_object_key": "custom_objects.course", "key": "Attended"}
        message = fail(create(if_exists=if_exists, **asked), GHLMisconfigured)
        assert message.startswith("association 'attended' links contact to custom_objects.event, ")
        assert message.endswith(f", not {first} to custom_objects.course")


@pytest.mark.usefixtures("attended")
class TestCapitals:
    """Of a key that HighLevel stores in lower case."""

    CAPITALS: ClassVar = {"association_key": "ATTENDED"}

    def test_get(self, attended: str) -> None:
        assert run(GetAssociationOperator(task_id="get", **self.CAPITALS))["id"] == attended

    def test_update(self, ghl: Sandbox, attended: str) -> None:
        labels = {"first_object_label": "Guest", "second_object_label": "Party"}
        run(UpdateAssociationOperator(task_id="update", **self.CAPITALS, **labels))
        assert labels_of(ghl.state.association(attended)) == {"contact": "Guest", "custom_objects.event": "Party"}

    @pytest.mark.parametrize("if_missing", ["skip", "fail"])
    def test_delete(self, ghl: Sandbox, if_missing: str) -> None:
        assert run(DeleteAssociationOperator(task_id="delete", **self.CAPITALS, if_missing=if_missing)) is True
        assert keys(ghl) == []


class TestUpdate:
    @pytest.mark.parametrize("lost", [None, "reset_after", "error_before"])
    @pytest.mark.parametrize("by", ["id", "key"])
    def test_sets_the_labels(self, ghl: Sandbox, attended: str, by: str, lost: Any) -> None:
        if lost:
            ghl.add_fault(Fault(lost, method="PUT", times=1))
        named = {"association_id": attended} if by == "id" else BY_KEY
        labels = {"first_object_label": "Guest", "second_object_label": "Party"}
        updated = run(UpdateAssociationOperator(task_id="update", **named, **labels))
        assert (updated["firstObjectLabel"], updated["secondObjectLabel"]) == ("Guest", "Party")
        assert ghl.state.association(attended)["secondObjectLabel"] == "Party"


class TestDelete:
    @pytest.mark.parametrize("lost", [None, "reset_after", "error_after", "reset_before"])
    @pytest.mark.parametrize("if_missing", ["skip", "fail"])
    @pytest.mark.parametrize("by", ["id", "key"])
    def test_removes_it(self, ghl: Sandbox, attended: str, by: str, if_missing: str, lost: Any) -> None:
        if lost:
            ghl.add_fault(Fault(lost, method="DELETE", times=1))
        named = {"association_id": attended} if by == "id" else BY_KEY
        assert run(DeleteAssociationOperator(task_id="delete", **named, if_missing=if_missing)) is True
        assert keys(ghl) == []

    @pytest.mark.parametrize("named", [{"association_id": "0" * 24}, {"association_key": "no_such"}])
    def test_skip_says_that_it_was_not_there(self, ghl: Sandbox, named: dict[str, str]) -> None:
        assert run(DeleteAssociationOperator(task_id="delete", **named)) is False

    def test_fail_names_the_keys_there_are(self, ghl: Sandbox, attended: str) -> None:
        operator = DeleteAssociationOperator(task_id="delete", association_key="atended", if_missing="fail")
        assert "'atended'; the keys there are: BUSINESSES" in fail(operator, GHLMisconfigured)
        by_id = DeleteAssociationOperator(task_id="delete", association_id="0" * 24, if_missing="fail")
        assert "not found" in fail(by_id, GHLRequestRefused)

    def test_if_missing_is_judged_at_once(self) -> None:
        with pytest.raises(ConfigurationError, match="if_missing must be one of 'skip', 'fail'"):
            DeleteAssociationOperator(task_id="delete", **BY_KEY, if_missing="ignore")


class TestGet:
    @pytest.mark.parametrize("by", ["id", "key"])
    def test_returns_it(self, ghl: Sandbox, attended: str, by: str) -> None:
        named = {"association_id": attended} if by == "id" else BY_KEY
        assert run(GetAssociationOperator(task_id="get", **named))["id"] == attended

    def test_highlevels_own_by_its_constant_id(self, ghl: Sandbox) -> None:
        own = run(GetAssociationOperator(task_id="get", association_id="BUSINESSES_CONTACTS_ASSOCIATION"))
        assert own["associationType"] == "SYSTEM_DEFINED"

    def test_a_wrong_key_names_the_keys_there_are(self, ghl: Sandbox, attended: str) -> None:
        message = fail(GetAssociationOperator(task_id="get", association_key="attends"), GHLMisconfigured)
        assert "the key 'attends'; the keys there are:" in message
        assert message.endswith("attended")


class TestList:
    def test_all_pages(self, ghl: Sandbox) -> None:
        for number in range(130):
            ghl.state.add_association(f"key_{number}", "contact", "custom_objects.event", "A", "B")
        listed = run(ListAssociationsOperator(task_id="list"))
        assert [a["id"] for a in listed] == [a["id"] for a in ghl.state.associations()]

    @pytest.mark.parametrize("sandbox", [{}, {"single_object": True}], indirect=True)
    def test_by_object(self, ghl: Sandbox, attended: str) -> None:
        listed = run(ListAssociationsOperator(task_id="list", object_key="custom_objects.event"))
        assert [a["key"] for a in listed] == ["attended"]


NAMED: list[tuple[Callable[..., Any], dict[str, str]]] = [
    (GetAssociationOperator, {}),
    (DeleteAssociationOperator, {}),
    (UpdateAssociationOperator, {"first_object_label": "A", "second_object_label": "B"}),
]


@pytest.mark.parametrize(("operator", "others"), NAMED)
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "given: none"),
        ({"association_id": "1", "association_key": "k"}, "given: association_id and association_key"),
        ({"association_id": "", "association_key": " "}, "given: none"),
        ({"association_key": "None"}, "given: none"),
    ],
)
def test_exactly_one_name_judged_when_it_runs(
    ghl: Sandbox, operator: Callable[..., Any], others: dict[str, str], given: dict[str, str], said: str
) -> None:
    message = fail(operator(task_id="task", **given, **others), GHLMisconfigured)
    assert message == f"give exactly one of association_id, association_key; {said}"
    assert ghl.stats()["requests"] == 0


ALL = [
    create,
    *(lambda o=o, kw=kw: o(task_id="task", **BY_KEY, **kw) for o, kw in NAMED),
    lambda: ListAssociationsOperator(task_id="t"),
]


@pytest.mark.parametrize("make", ALL)
def test_a_refused_token_ends_it_and_is_not_shown(ghl: Sandbox, make: Callable[[], Any]) -> None:
    ghl.revoke(ghl.token)
    message = fail(make(), GHLTokenRefused)
    assert message.startswith("HighLevel does not accept the token")
    assert ghl.token not in message
    assert ghl.stats()["requests"] == 1


@pytest.mark.parametrize("make", ALL)
def test_another_location_by_argument(ghl: Sandbox, make: Callable[[], Any]) -> None:
    operator = make()
    operator.location_id = "not-ours-000000000000"
    assert "does not belong to this location" in fail(operator, GHLTokenRefused)
