"""Which column holds which side: bulk loads against a sandbox that stores associations the other way round."""

from __future__ import annotations

from typing import Any

import pytest
from running import TaskInstance, fail, run

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.errors import GHLMisconfigured
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.sandbox import Sandbox

EVENT = "custom_objects.event"
#: (event, contact): the order of the table and of what is asked for. HighLevel stores the contact first.
ROWS = [(f"6758b5c1f5e2a1d3c4b5{n:04x}", f"zxVbGp0Qq4nM1c9LrT{n:02d}") for n in range(25)]
AS_STORED = {(contact, event) for event, contact in ROWS}


def bulk(rows: Any = ROWS, **arguments: Any) -> BulkCreateRelationsOperator:
    arguments = {"association_key": "Held_For", **arguments}
    return BulkCreateRelationsOperator(task_id="load", rows=rows, **arguments)


def create() -> Any:
    """An association that is asked for with capitals, and with the event first."""
    sides = {"first_object_key": EVENT, "first_object_label": "Event", "second_object_key": "contact"}
    return run(CreateAssociationOperator(task_id="create", key="Held_For", second_object_label="Guest", **sides))


@pytest.fixture
def held_for(ghl: Sandbox) -> str:
    """Its id; HighLevel has rewritten it."""
    made = create()
    assert (made["key"], made["firstObjectKey"]) == ("held_for", "contact")
    return str(made["id"])


@pytest.mark.parametrize(
    "said",
    [
        {"first_object_key": EVENT},
        {"second_object_key": "contact"},
        {"first_object_key": EVENT, "second_object_key": "contact"},
        {"first_object_key": "CUSTOM_OBJECTS.Event"},
    ],
)
@pytest.mark.parametrize("diff_against", ["ledger", "highlevel", "none"])
def test_columns_change_places(ghl: Sandbox, held_for: str, said: dict[str, str], diff_against: str) -> None:
    ti = TaskInstance()
    assert run(bulk(**said, diff_against=diff_against), ti)["created"] == len(ROWS)
    assert ghl.state.pairs(held_for) == AS_STORED
    results = [(result["first_record_id"], result["second_record_id"]) for result in ti.xcoms["results"]]
    assert results == ROWS, "results keep the table's order"
    assert run(bulk(**said, diff_against=diff_against))["already_exists"] == len(ROWS)


@pytest.mark.parametrize("sandbox", [{"rewrites_associations": False}], indirect=True)
def test_the_same_task_where_highlevel_keeps_the_order(ghl: Sandbox) -> None:
    association = create()
    assert association["firstObjectKey"] == EVENT
    assert run(bulk(first_object_key=EVENT))["created"] == len(ROWS)
    assert ghl.state.pairs(association["id"]) == set(ROWS)


@pytest.mark.parametrize("key", ["HELD_FOR", "Held_For", "held_for"])
def test_a_key_is_found_in_any_case(ghl: Sandbox, held_for: str, key: str) -> None:
    assert run(bulk(association_key=key, first_object_key=EVENT))["created"] == len(ROWS)


def test_by_id(ghl: Sandbox, held_for: str) -> None:
    assert run(bulk(association_key=None, association_id=held_for, first_object_key=EVENT))["created"] == len(ROWS)
    assert ghl.state.pairs(held_for) == AS_STORED


@pytest.mark.parametrize("is_planned", [False, True])
def test_ids_that_look_swapped_end_it_before_a_write(ghl: Sandbox, held_for: str, is_planned: bool) -> None:
    before = ghl.stats()["requests"]
    ti = TaskInstance()
    message = fail(bulk(association_key="held_for", plan_only=is_planned), GHLMisconfigured, ti)
    assert "column 'first_record_id' holds what look like ids of custom object records" in message
    assert f"links contact (first) to {EVENT} (second)" in message
    assert f"swap the two column arguments, or pass first_object_key='{EVENT}'" in message
    assert ghl.stats()["requests"] == before + 1
    assert (ghl.stats()["writes"], ghl.state.count_relations()) == (0, 0)
    assert (ti.xcoms["return_value"]["not_attempted"], len(ti.xcoms["results"])) == (len(ROWS), len(ROWS))


def test_what_the_message_says_helps(ghl: Sandbox, held_for: str) -> None:
    assert run(bulk(first_object_key=EVENT))["created"] == len(ROWS)
    swapped = {"first_record_column": "second_record_id", "second_record_column": "first_record_id"}
    rows = [{"first_record_id": event, "second_record_id": contact} for event, contact in ROWS]
    assert run(bulk(rows, **swapped))["already_exists"] == len(ROWS)


def test_an_argument_that_says_the_wrong_thing_is_told_by_the_ids(ghl: Sandbox, held_for: str) -> None:
    message = fail(bulk(first_object_key="contact"), GHLMisconfigured)
    assert "column 'first_record_id' holds what look like ids of custom object records" in message
    assert ghl.state.count_relations() == 0


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"first_object_key": "opportunity"}, "not anything to opportunity"),
        ({"first_object_key": EVENT, "second_object_key": EVENT}, f"not {EVENT} to {EVENT}"),
    ],
)
def test_other_objects_end_it_before_a_write(ghl: Sandbox, held_for: str, said: dict[str, str], message: str) -> None:
    before = ghl.stats()["requests"]
    assert f"association 'held_for' links contact to {EVENT}, {message}" in fail(
        bulk(association_key="held_for", **said), GHLMisconfigured
    )
    assert ghl.stats()["requests"] == before + 1
    assert ghl.state.count_relations() == 0


#: (student, teacher).
CONTACTS = [(f"student-{n}", f"teacher-{n % 3}") for n in range(6)]


class TestBetweenContacts:
    @pytest.fixture(params=[("Student", "Teacher"), ("Teacher", "Student")])
    def labels(self, request: pytest.FixtureRequest) -> tuple[str, str]:
        """As HighLevel stores them."""
        labels: tuple[str, str] = request.param
        return labels

    @pytest.fixture
    def teaches(self, ghl: Sandbox, labels: tuple[str, str]) -> str:
        return ghl.state.add_association("teaches", "contact", "contact", *labels)

    @pytest.mark.parametrize("label", ["Student", " student "])
    @pytest.mark.parametrize("keys", [{}, {"first_object_key": "contact"}])
    def test_a_label_tells(self, ghl: Sandbox, teaches: str, labels: tuple[str, str], label: str, keys: dict[str, str]) -> None:
        said = {"association_key": "teaches", "first_object_label": label, **keys}
        assert run(bulk(CONTACTS, **said))["created"] == len(CONTACTS)
        is_student_first = labels[0] == "Student"
        assert ghl.state.pairs(teaches) == {pair if is_student_first else pair[::-1] for pair in CONTACTS}

    def test_a_label_that_is_none_of_them(self, ghl: Sandbox, teaches: str, labels: tuple[str, str]) -> None:
        message = fail(bulk(CONTACTS, association_key="teaches", first_object_label="Boss"), GHLMisconfigured)
        assert f"the labels of association 'teaches' are '{labels[0]}' and '{labels[1]}', not 'Boss'" in message
        assert ghl.state.count_relations() == 0

    def test_without_one_the_columns_are_the_sides_as_stored(self, ghl: Sandbox, teaches: str) -> None:
        run(bulk(CONTACTS, association_key="teaches", first_object_key="contact"))
        assert ghl.state.pairs(teaches) == set(CONTACTS)


def test_what_is_said_is_templated(ghl: Sandbox, held_for: str) -> None:
    names = ("first_object_key", "second_object_key", "first_object_label")
    operator = bulk(**{name: f"{{{{ {name} }}}}" for name in names})
    operator.render_template_fields(
        {"first_object_key": EVENT, "second_object_key": None, "first_object_label": ""}  # type: ignore[typeddict-unknown-key]
    )
    assert run(operator)["created"] == len(ROWS)
    assert ghl.state.pairs(held_for) == AS_STORED
