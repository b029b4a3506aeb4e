"""What is deleted through this package is sent again by the next load."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from connecting import Connect
from running import PAIRS, run

from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, NotFound
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.operators.associations import CreateAssociationOperator, DeleteAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator, DeleteRelationOperator
from airflow_provider_ghl.sandbox import Sandbox

pytestmark = pytest.mark.usefixtures("ledger")

OTHERS = [("contact-8", "event-8"), ("contact-9", "event-9")]


def load(**arguments: Any) -> dict[str, int]:
    arguments = {"association_key": "attended", "rows": [*PAIRS, *OTHERS], **arguments}
    summary = run(BulkCreateRelationsOperator(task_id="load", **arguments))
    return {name: summary[name] for name in ("created", "already_exists") if summary[name]}


def unlink(**arguments: Any) -> bool:
    return bool(run(DeleteRelationOperator(task_id="unlink", **arguments)))


def relation_of(ghl: Sandbox, pair: tuple[str, str]) -> str:
    (found,) = [r for r in ghl.state.relations() if (r["firstRecordId"], r["secondRecordId"]) == pair]
    return str(found["id"])


def unlink_by_path(ghl: Sandbox, relation_id: str) -> None:
    GHLHook().run("delete", f"/associations/relations/{relation_id}", params={"locationId": ghl.location_id})


Delete = Callable[[Sandbox, str, tuple[str, str]], Any]
#: Ways to unlink a pair.
WAYS: dict[str, Delete] = {
    "operator, by id": lambda ghl, _, pair: unlink(relation_id=relation_of(ghl, pair)),
    "operator, by association id": lambda ghl, association, pair: unlink(
        association_id=association, first_record_id=pair[0], second_record_id=pair[1]
    ),
    "operator, by association key": lambda ghl, _, pair: unlink(
        association_key="attended", first_record_id=f" {pair[0]}", second_record_id=pair[1]
    ),
    "hook": lambda ghl, _, pair: GHLHook().delete_relation(relation_of(ghl, pair)),
    "hook, by path": lambda ghl, _, pair: unlink_by_path(ghl, relation_of(ghl, pair)),
}


@pytest.fixture
def loaded(ghl: Sandbox, attended: str) -> str:
    """The association, of which the ledger knows five relations."""
    assert load() == {"created": 5}
    assert load() == {"already_exists": 5}
    return attended


@pytest.mark.parametrize("way", WAYS)
def test_an_unlinked_pair_is_sent_again_and_no_other(ghl: Sandbox, loaded: str, way: str) -> None:
    WAYS[way](ghl, loaded, PAIRS[1])
    assert ghl.state.count_relations() == 4
    assert load() == {"created": 1, "already_exists": 4}
    assert ghl.stats()["by_route"]["POST /associations/relations"] == 6


@pytest.mark.parametrize("way", ["operator, by association id", "operator, by association key"])
def test_one_that_somebody_else_had_unlinked_before(ghl: Sandbox, loaded: str, way: str) -> None:
    ghl.state.remove_relation(relation_of(ghl, PAIRS[1]))
    assert load() == {"already_exists": 5}, "the ledger does not know yet"
    assert WAYS[way](ghl, loaded, PAIRS[1]) is False
    assert load() == {"created": 1, "already_exists": 4}


def test_an_id_that_is_gone(ghl: Sandbox, loaded: str) -> None:
    relation = relation_of(ghl, PAIRS[1])
    ghl.state.remove_relation(relation)
    assert unlink(relation_id=relation) is False
    assert load() == {"created": 1, "already_exists": 4}
    ghl.state.remove_relation(relation := relation_of(ghl, PAIRS[0]))
    with pytest.raises(NotFound):
        GHLHook().delete_relation(relation)
    assert load() == {"created": 1, "already_exists": 4}
    ghl.state.remove_relation(relation := relation_of(ghl, PAIRS[0]))
    with pytest.raises(NotFound):
        unlink_by_path(ghl, relation)
    assert load() == {"created": 1, "already_exists": 4}


def test_one_whose_id_the_ledger_never_learned(ghl: Sandbox, attended: str) -> None:
    """A duplicate is answered without the relation's id, so that it could be any of those: all are asked again."""
    ghl.state.add_relation(attended, *PAIRS[0])
    assert load(diff_against="none") == {"created": 4, "already_exists": 1}
    unlink(relation_id=relation_of(ghl, PAIRS[0]))
    assert load() == {"created": 1, "already_exists": 4}


@pytest.mark.parametrize("way", ["operator, by id", "operator, by key", "hook", "hook, by path"])
def test_an_association_takes_its_relations_with_it(ghl: Sandbox, loaded: str, way: str) -> None:
    other = ghl.state.add_association("other", "contact", "custom_objects.event", "A", "B")
    assert load(association_key="other") == {"created": 5}
    if way == "hook":
        GHLHook().delete_association(loaded)
    elif way == "hook, by path":
        GHLHook().run("DELETE", f"/associations/{loaded}")
    elif way == "operator, by id":
        assert run(DeleteAssociationOperator(task_id="delete", association_id=loaded)) is True
    else:
        assert run(DeleteAssociationOperator(task_id="delete", association_key="attended")) is True
    assert GHLHook().forget(association_id=loaded) == 0, "nothing was left of it"
    made = run(
        CreateAssociationOperator(
            task_id="create",
            key="attended",
            first_object_key="contact",
            first_object_label="Attendee",
            second_object_key="custom_objects.event",
            second_object_label="Event",
        )
    )
    assert made["id"] not in (loaded, other)
    assert load() == {"created": 5}
    assert load(association_key="other") == {"already_exists": 5}


def test_an_association_that_was_gone_before(ghl: Sandbox, loaded: str) -> None:
    ghl.state.remove_association(loaded)
    assert run(DeleteAssociationOperator(task_id="delete", association_id=loaded)) is False
    assert GHLHook().forget(association_id=loaded) == 0


@pytest.mark.parametrize("way", [("GET", "/associations/{}"), ("DELETE", "/contacts/{}"), ("DELETE", "/associations/key/{}")])
def test_other_endpoints_make_it_forget_nothing(ghl: Sandbox, loaded: str, way: tuple[str, str]) -> None:
    method, path = way
    with contextlib.suppress(GHLError):
        GHLHook().run(method, path.format(loaded))
    assert load() == {"already_exists": 5}


def test_without_a_location_nothing_is_deleted_by_path(ghl: Sandbox, loaded: str, connect: Connect) -> None:
    fields = json.loads(ghl.connection_json)
    del fields["extra"]["location_id"]
    connect(ghl_default=json.dumps(fields))
    with pytest.raises(ConfigurationError, match="no sub-account"):
        GHLHook().run("DELETE", f"/associations/{loaded}")
    assert ghl.state.count_relations() == 5


@pytest.mark.parametrize("sandbox", [{"any_location": True}], indirect=True)
def test_another_location_keeps_what_it_has(ghl: Sandbox, loaded: str) -> None:
    other = ghl.state.add_location()
    ghl.state.add_association("attended", "contact", "custom_objects.event", "A", "B", location_id=other)
    assert load(location_id=other) == {"created": 5}
    GHLHook().delete_association(loaded)
    assert load(location_id=other) == {"already_exists": 5}
