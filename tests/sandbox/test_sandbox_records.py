"""Records that a test adds in a line, and what is remembered of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from sandbox_client import CONTACT, EVENT, HttpClient, add_attends

from airflow_provider_ghl.sandbox import Refused, Sandbox, State
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.sandbox import DEFAULT_LOCATION

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

POLICY = "custom_objects.policy"
CODE, ID = re.compile("[A-Za-z0-9]{20}"), re.compile("[0-9a-f]{24}")


def record_of(state: State, object_key: str, record_id: str) -> Record:
    record = state.objects.at(None).records(object_key).get(record_id)
    assert record is not None
    return record


def types_of(state: State, object_key: str) -> dict[str, str]:
    return {field.key: field.data_type for field in state.objects.at(None).schemas[object_key].fields.values()}


class TestAdding:
    @pytest.mark.parametrize(("object_key", "form"), [(CONTACT, CODE), ("opportunity", CODE), (POLICY, ID), ("business", ID)])
    def test_ids_have_the_form_of_their_object(self, ghl_sandbox: Sandbox, object_key: str, form: re.Pattern[str]) -> None:
        assert form.fullmatch(ghl_sandbox.add(object_key))
        assert ghl_sandbox.add(object_key, id="own") == "own"

    def test_a_contact_has_the_names_of_highlevel_and_custom_fields(self, ghl_sandbox: Sandbox) -> None:
        values: dict[str, Any] = {"email": "ann@example.org", "first_name": "Ann", "additional_emails": ("a@example.org",)}
        ann = record_of(ghl_sandbox.state, CONTACT, ghl_sandbox.add(CONTACT, **values, custom_fields={"tier": "gold"}))
        assert ann.values == {"email": "ann@example.org", "firstName": "Ann", "additionalEmails": ["a@example.org"]}
        assert ann.custom == {"tier": "gold"}

    def test_missing_objects_and_fields_are_made_after_their_first_value(self, ghl_sandbox: Sandbox) -> None:
        ghl_sandbox.add(POLICY, policy_no="A-1")
        ghl_sandbox.add(POLICY, policy_no="A-2", premium=12.5)
        assert types_of(ghl_sandbox.state, POLICY) == {"policy_no": "TEXT", "premium": "NUMERICAL"}

    def test_an_object_may_be_defined_first_and_grow(self, ghl_sandbox: Sandbox) -> None:
        ghl_sandbox.add_object(POLICY, properties={"policy_no": "TEXT", "state": ("SINGLE_OPTIONS", {"on": "In force"})})
        ghl_sandbox.add_object(POLICY, properties={"since": "DATE"})
        ghl_sandbox.add(POLICY, policy_no="A-1", state="on", since=None)
        assert types_of(ghl_sandbox.state, POLICY) == {"policy_no": "TEXT", "state": "SINGLE_OPTIONS", "since": "DATE"}

    def test_a_company_has_its_fields_from_the_start(self, ghl_sandbox: Sandbox) -> None:
        assert types_of(ghl_sandbox.state, "business")["name"] == "TEXT"

    @pytest.mark.parametrize(
        ("object_key", "values", "message"),
        [
            (CONTACT, {"firstName": "Ann"}, r"no field \['firstName'\] of contact: it has email, .*custom_fields"),
            (CONTACT, {"tags": "vip"}, "tags is a list of texts"),
            (CONTACT, {"tags": [1]}, "tags is a list of texts"),
            (CONTACT, {"email": 5}, "email is a text, not 5"),
            ("opportunity", {"monetary_value": "5"}, "monetary_value is a number, not '5'"),
            (POLICY, {"state": "In force"}, r"state of custom_objects.policy takes \['on'\], not 'In force'"),
            (POLICY, {"premium": "12"}, "premium .* is no number"),
            (POLICY, {"policy_no": 12}, "policy_no .* is no text"),
            (POLICY, {"paid": True}, r"paid: the type of True is unclear; add_object\(\) defines it"),
            (CONTACT, {"id": "taken"}, "there is a record 'taken' of contact already"),
        ],
    )
    def test_what_cannot_be(self, ghl_sandbox: Sandbox, object_key: str, values: dict[str, Any], message: str) -> None:
        options = ("SINGLE_OPTIONS", {"on": "In force"})
        ghl_sandbox.add_object(POLICY, properties={"policy_no": "TEXT", "premium": "NUMERICAL", "state": options})
        ghl_sandbox.add(CONTACT, id="taken")
        with pytest.raises(ValueError, match=message):
            ghl_sandbox.add(object_key, **values)

    @pytest.mark.parametrize(
        ("object_key", "definition", "message"),
        [
            (POLICY, "STRING", "there is no type 'STRING'; there are CHECKBOX"),
            (POLICY, "RADIO", "RADIO needs options"),
            (POLICY, ("TEXT", {"a": "A"}), "TEXT has no options"),
            ("policy", "TEXT", "'policy' is no object"),
        ],
    )
    def test_what_cannot_be_defined(self, ghl_sandbox: Sandbox, object_key: str, definition: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            ghl_sandbox.add_object(object_key, properties={"a": definition})

    def test_an_object_that_is_no_object_gets_no_record(self, ghl_sandbox: Sandbox) -> None:
        with pytest.raises(ValueError, match="'policy' is no object"):
            ghl_sandbox.add("policy", policy_no="A-1")

    def test_options_of_a_contact_are_held_by_their_label(self, ghl_sandbox: Sandbox) -> None:
        ghl_sandbox.add_object(CONTACT, properties={"tier": ("SINGLE_OPTIONS", {"gold": "Gold"})})
        ghl_sandbox.add(CONTACT, custom_fields={"tier": "Gold"})
        with pytest.raises(ValueError, match=r"takes \['Gold'\]"):
            ghl_sandbox.add(CONTACT, custom_fields={"tier": "gold"})


class TestRelations:
    def test_added_records_may_be_related_and_no_others(self, ghl_sandbox: Sandbox) -> None:
        attends = add_attends(ghl_sandbox)
        ann, party = ghl_sandbox.add(CONTACT), ghl_sandbox.add(EVENT, name="Party")
        with HttpClient(ghl_sandbox) as client:
            assert client.relate(attends, ann, party).status_code == 201
            assert client.relate(attends, ann, "f" * 24).json()["error"] == f"Record with id {'f' * 24} not found"

    def test_a_removed_record_is_gone_with_its_relations(self, ghl_sandbox: Sandbox) -> None:
        state, attends = ghl_sandbox.state, add_attends(ghl_sandbox)
        ann, bob, party = ghl_sandbox.add(CONTACT), ghl_sandbox.add(CONTACT), ghl_sandbox.add(EVENT)
        state.add_relation(attends, ann, party)
        state.add_relation(attends, bob, party)
        ghl_sandbox.remove(CONTACT, ann)
        assert (state.pairs(attends), state.records(CONTACT)) == ({(bob, party)}, {bob})
        with pytest.raises(Refused, match="contact_not_found"):
            state.add_relation(attends, ann, party)
        with pytest.raises(ValueError, match="there is no record"):
            ghl_sandbox.remove(CONTACT, ann)


class TestStateFile:
    def test_it_remembers_records_with_their_values_and_times(self, tmp_path: Path) -> None:
        state = State(tmp_path / "state", clock=lambda: 1_700_000_000.5)
        objects = state.objects
        objects.add_object(POLICY, {"state": ("RADIO", {"on": "In force"})})
        policy = objects.add(POLICY, {"state": "on"})
        ann = objects.add(CONTACT, {"email": "ann@example.org", "custom_fields": {"tier": "gold"}})
        objects.remove(CONTACT, objects.add(CONTACT, {}))
        before = [record_of(state, POLICY, policy), record_of(state, CONTACT, ann)]
        schema = objects.at(None).schemas[POLICY]
        state.close()
        again = State(tmp_path / "state")
        assert [record_of(again, POLICY, policy), record_of(again, CONTACT, ann)] == before
        assert before[0].added == 1_700_000_000_500
        assert again.objects.at(None).schemas[POLICY] == schema
        assert again.records(CONTACT) == {ann}
        again.close()

    def test_a_file_of_an_older_version_has_ids_only(self, tmp_path: Path) -> None:
        events = [{"ghl_sandbox": 1}, ["location", DEFAULT_LOCATION], ["record", DEFAULT_LOCATION, CONTACT, "ann"]]
        (tmp_path / "state").write_text("".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events))
        state = State(tmp_path / "state")
        assert record_of(state, CONTACT, "ann").values == {}
        state.close()
