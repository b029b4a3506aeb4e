"""Keys are in no log, exception or repr, whatever goes wrong."""

from __future__ import annotations

import json
import logging
import traceback
from typing import Any

import pytest
from simulated_records import LOCATION, POLICY
from simulated_time import FakeClock

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.conversation import converse
from airflow_provider_ghl.exceptions import GHLError, RequestRejected, Unauthorized
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.resolve import resolve

CANARIES = ["oriole.ada@example.org", "oriole.bob@example.org"]
NUMBERS = ["ORIOLE-0001", "ORIOLE-0002"]
FIELD = {"id": "f1", "fieldKey": f"{POLICY}.policy_no", "dataType": "TEXT"}


class Echo:
    """Answers each search with this status, and a message that repeats the whole body and the parameters."""

    def __init__(self, status: int, words: str = "") -> None:
        self.status = status
        self.words = words
        self.calls: list[Call] = []

    def send(self, call: Call, headers: Any) -> tuple[int, dict[str, str], bytes]:
        self.calls.append(call)
        if call.template == "/objects/{key}":
            return 200, {}, json.dumps({"fields": [FIELD]}).encode()
        said = f"{self.words} {json.dumps(call.json)} {call.params}".upper()
        return self.status, {}, json.dumps({"message": said, "error": said}).encode()

    def close(self) -> None: ...


def look_up(transport: Any, lookup: Any, keys: list[Any], **options: Any) -> Any:
    clock = FakeClock()
    client = Client(BearerToken("pit-1"), location_id=LOCATION, transport=transport, clock=clock)
    return converse(resolve(lookup, keys, LOCATION, **options), client.request, client.sleep)


def assert_none(text: str) -> None:
    assert "oriole" not in text.lower()


@pytest.mark.parametrize(("lookup", "keys"), [(Contact(by="email"), CANARIES), (CustomObject(POLICY, by="policy_no"), NUMBERS)])
@pytest.mark.parametrize("lookup_by", ["search", "cheaper"])
@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 409, 413, 422, 429, 500, 502])
def test_an_answer_that_repeats_the_keys(
    lookup: Any, keys: list[Any], lookup_by: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    transport = Echo(status)
    many = [f"{key}{at}" for key in keys for at in range(10)]
    with pytest.raises(GHLError) as error:
        look_up(transport, lookup, [*keys, *many], lookup_by=lookup_by)
    assert_none("".join(traceback.format_exception(error.value)))
    assert_none(repr(error.value) + str(error.value.args) + repr(error.value.__dict__))
    assert_none(repr(transport.calls) + caplog.text)


def test_verdicts_on_keys_that_are_refused_or_invalid() -> None:
    transport = Echo(422)
    found = look_up(transport, Contact(by="email"), [*CANARIES, "oriole@a@b", "oriole", ["oriole"]], lookup_by="search")
    assert [one.is_invalid for one in found.in_order] == [False, False, True, True, True]
    assert_none(repr(found) + repr(found.in_order) + repr(transport.calls))


def test_a_message_that_repeats_none_is_kept() -> None:
    class Refusal(Echo):
        def send(self, call: Call, headers: Any) -> tuple[int, dict[str, str], bytes]:
            self.calls.append(call)
            return 404, {}, b'{"message": "Location with id 1 not found"}'

    with pytest.raises(RequestRejected, match="Location with id 1 not found"):
        look_up(Refusal(404), Contact(by="email"), CANARIES)


def test_a_scope_that_is_missing_is_named_though_the_message_is_dropped() -> None:
    transport = Echo(401, "The token is not authorized for this scope.")
    with pytest.raises(Unauthorized) as error:
        look_up(transport, Contact(by="email"), CANARIES)
    assert (error.value.kind, error.value.scope, error.value.message) == ("scope", "contacts.readonly", "unauthorized")
    assert len(transport.calls) == 1


@pytest.mark.parametrize(
    ("lookup", "scope"),
    [
        (Contact(by="email"), "contacts.readonly"),
        (Contact(by="custom_field:tier"), "locations/customFields.readonly"),
        (CustomObject(POLICY, by="policy_no"), "objects/schema.readonly"),
    ],
)
def test_the_first_request_names_its_scope(lookup: Any, scope: str) -> None:
    class Refusal(Echo):
        def send(self, call: Call, headers: Any) -> tuple[int, dict[str, str], bytes]:
            return 401, {}, b'{"message": "The token is not authorized for this scope."}'

    with pytest.raises(Unauthorized) as error:
        look_up(Refusal(401), lookup, CANARIES)
    assert (error.value.kind, error.value.scope) == ("scope", scope)


def test_what_stands_between_requests_shows_none() -> None:
    steps = resolve(Contact(by="email"), CANARIES, LOCATION)
    call = next(steps)
    assert_none(repr(call) + repr(steps))
    steps.close()


class Page(Echo):
    """Answers with contacts that have the keys, until it has answered so often. Then it echoes."""

    def __init__(self, status: int, answers: int) -> None:
        super().__init__(status)
        self.answers = answers

    def send(self, call: Call, headers: Any) -> tuple[int, dict[str, str], bytes]:
        if len(self.calls) >= self.answers:
            return super().send(call, headers)
        self.calls.append(call)
        contacts = [{"id": f"c{at}", "email": key} for at, key in enumerate([*CANARIES, CANARIES[0]])]
        return 200, {}, json.dumps({"contacts": contacts, "total": 3}).encode()


@pytest.mark.parametrize("lookup_by", ["search", "page"])
@pytest.mark.parametrize("status", [200, 401, 404, 422, 500])
def test_nothing_that_a_finder_keeps_shows_one(lookup_by: Any, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    transport, clock = Page(status, 1), FakeClock()
    client = Client(BearerToken("pit-1"), location_id=LOCATION, transport=transport, clock=clock)
    finder = Finder(Contact(by="email"), LOCATION, lookup_by=lookup_by)
    found = converse(finder.find(CANARIES), client.request, client.sleep)
    assert [one.record_id for one in found.values()] == [None, "c1"]
    assert_none(repr(list(found.values())) + repr(finder) + repr(vars(finder)) + finder.name)
    many = [f"oriole{at}@example.org" for at in range(250)]
    with pytest.raises(GHLError) as error:
        converse(finder.find_again(many), client.request, client.sleep)
    assert_none("".join(traceback.format_exception(error.value)) + repr(error.value.__dict__) + caplog.text)
    steps = finder.find(many)
    if lookup_by == "search":
        assert_none(repr(next(steps)))
    steps.close()
