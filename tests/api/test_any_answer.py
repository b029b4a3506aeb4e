"""Whatever HighLevel answers, nothing but the package's own errors comes of it."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from api_fakes import LOCATION, FakeTransport, answer, client_of
from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_time import FakeClock
from soak import LONGER

from airflow_provider_ghl.api.associations import Associations
from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.find_association import find_association
from airflow_provider_ghl.api.oauth import App, OAuth
from airflow_provider_ghl.api.relations import Relations, read_relation_id
from airflow_provider_ghl.api.retry import Retry
from airflow_provider_ghl.api.token_store import Stored, TokenPair
from airflow_provider_ghl.exceptions import BudgetSpent, GHLError

#: Requests of one conversation: who needs more would go on for ever.
MOST = 30
GET = Call("GET", "/x", "/x", LOCATION, repeat_safe=True)
APP = App("app-1", "secret")

ASSOCIATION = {"id": "a-1", "key": "k", "locationId": LOCATION, "firstObjectKey": "contact", "secondObjectKey": "business"}
RELATION = {"id": "r-1", "associationId": "a-1", "firstRecordId": "one", "secondRecordId": "two"}
LISTED = {"associations": [ASSOCIATION, {**ASSOCIATION, "id": "a-2"}], "total": 2}
RELATIONS = {"relations": [RELATION, {**RELATION, "id": "r-2"}], "total": 2}
PAIR = {
    "access_token": "t",
    "refresh_token": "r",
    "expires_in": 86_399,
    "userType": "Company",
    "companyId": "c",
    "scope": "a b",
}
PAIR_V3 = {"accessToken": "t", "refreshToken": "r", "expiresIn": 86_399}
BY_SKIP = {"locations": [{"_id": "one", "isInstalled": True}], "count": 2}
BY_TOKEN = {"items": [{"id": "one"}], "pagination": {"hasNextPage": True, "nextPageToken": "next"}}
REFUSAL = {"statusCode": 400, "message": "no", "error": {"message": "no"}, "traceId": "t-1"}

Conversation = Callable[[Client, Budget], Any]


def associations(work: Callable[[Associations], Any]) -> Conversation:
    return lambda client, budget: work(Associations(client, LOCATION, budget))


def relations(work: Callable[[Relations], Any]) -> Conversation:
    return lambda client, budget: work(Relations(client, LOCATION, budget))


def tokens(version: str, work: Callable[[OAuth], Any]) -> Conversation:
    return lambda client, budget: work(OAuth(client, APP, version))


def create(these: Associations) -> Any:
    sides = {"first_object_key": "contact", "second_object_key": "business"}
    return these.create(key="k", **sides, first_object_label="one", second_object_label="two")


#: A conversation, what it may be answered, and what it gives.
CONVERSATIONS: dict[str, tuple[Conversation, Any, Any]] = {
    "create an association": (associations(create), ASSOCIATION, dict),
    "get by id": (associations(lambda these: these.get("a-1")), {"association": ASSOCIATION}, dict),
    "get by key": (associations(lambda these: these.get_by_key("k")), ASSOCIATION, dict),
    "find by id": (associations(lambda these: find_association(these, association_id="a-2")), LISTED, dict),
    "find by key": (associations(lambda these: find_association(these, association_key="k")), LISTED, dict),
    "all associations": (associations(lambda these: list(these.iterate())), LISTED, list),
    "the first page": (associations(lambda these: these.first_page()), LISTED, list),
    "those of an object": (associations(lambda these: these.list_by_object("contact")), [ASSOCIATION], list),
    "update": (
        associations(lambda these: these.update_labels("a-1", first_object_label="a", second_object_label="b")),
        ASSOCIATION,
        dict,
    ),
    "delete an association": (associations(lambda these: these.delete("a-1")), {"deleted": True, "id": "a-1"}, dict),
    "create a relation": (relations(lambda these: these.create("a-1", "one", "two")), RELATION, dict),
    "all relations": (relations(lambda these: list(these.iterate("one"))), RELATIONS, list),
    "find a relation": (relations(lambda these: these.find("a-1", "one", "two")), RELATIONS, dict | None),
    "delete a relation": (relations(lambda these: these.delete("r-1")), {"id": "r-1"}, dict),
    "anything": (lambda client, budget: client.request(GET, budget), REFUSAL, object),
    "exchange": (tokens("v3", lambda oauth: oauth.exchange("code")), PAIR_V3, TokenPair),
    "refresh": (tokens("2021-07-28", lambda oauth: oauth.refresh("r")), PAIR, TokenPair),
    "mint": (tokens("2021-07-28", lambda oauth: oauth.mint("token", "company", LOCATION)), PAIR, TokenPair),
    "mint, v3": (tokens("v3", lambda oauth: oauth.mint("token", "company", LOCATION)), PAIR_V3, TokenPair),
    "locations": (tokens("2021-07-28", lambda oauth: list(oauth.iterate_locations("token", "company"))), BY_SKIP, list),
    "locations, v3": (tokens("v3", lambda oauth: list(oauth.iterate_locations("token", "company"))), BY_TOKEN, list),
}

#: What no field should hold, and any may.
ODD: list[Any] = [None, True, False, 0, -1, 1, 3, 10**400, 1e308, float("inf"), float("nan")]
ODD += ["", " ", "a\nb", "ü", "\ud83d", "\x00", "5", "9" * 400]
ODD += [[], [[]], [None], [1, "a"], [{}], [{}, {"id": None}], [{"id": []}], {}, {"id": {}}, {"id": "a-1"}]
ODD += [{"associations": {"associations": []}}, {"relation": {"relation": {}}}, {"message": {"message": []}}]

leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.sampled_from(ODD)
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
digits = st.integers().map(str) | st.integers(0, 300).map(str) | st.just("9" * 100) | st.text(max_size=12)
headers = st.fixed_dictionaries(
    {},
    optional={
        "x-ratelimit-max": digits,
        "x-ratelimit-remaining": digits,
        "x-ratelimit-interval-milliseconds": digits,
        "x-ratelimit-limit-daily": digits,
        "x-ratelimit-daily-remaining": digits,
        "x-ratelimit-daily-reset": digits,
    },
)


def places(body: Any) -> Iterator[tuple[Any, ...]]:
    """The way to each place in a body, the whole of it first."""
    yield ()
    inner = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for name, value in inner:
        yield from ((name, *more) for more in places(value))


def with_odd(body: Any, place: tuple[Any, ...], odd: Any) -> Any:
    if not place:
        return odd
    changed = copy.copy(body)
    changed[place[0]] = with_odd(changed[place[0]], place[1:], odd)
    return changed


def client_for(*answers: Any) -> Client:
    retry = Retry(max_failures=3, max_limited=3, draw=lambda: 0.0)
    return client_of(FakeTransport(*answers), FakeClock(), retry=retry)


def converse(name: str, *answers: Any) -> None:
    conversation, _, gives = CONVERSATIONS[name]
    try:
        found = conversation(client_for(*answers), Budget(MOST))
    except BudgetSpent:
        pytest.fail("it goes on for ever")
    except GHLError as error:
        if "unforeseen" in str(error):
            pytest.fail(str(error))
        return
    assert isinstance(found, gives)
    if isinstance(found, TokenPair):
        stored = Stored(found, "f", 1)
        assert Stored.from_dict(json.loads(json.dumps(stored.as_dict(), allow_nan=False))) == stored
        assert found.header.isascii()
        assert found.header.isprintable()


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_each_conversation_understands_what_it_is_usually_answered(name: str) -> None:
    conversation, usual, gives = CONVERSATIONS[name]
    assert isinstance(conversation(client_for(answer(usual)), Budget(MOST)), gives)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_any_field_may_hold_what_is_odd(name: str) -> None:
    usual = CONVERSATIONS[name][1]
    for place in places(usual):
        for odd in ODD:
            converse(name, answer(with_odd(usual, place, odd)))


@settings(max_examples=300 * LONGER, deadline=None)
@given(st.sampled_from(sorted(CONVERSATIONS)), st.data(), anything)
def test_any_field_may_hold_anything(name: str, data: st.DataObject, odd: Any) -> None:
    usual = CONVERSATIONS[name][1]
    converse(name, answer(with_odd(usual, data.draw(st.sampled_from(list(places(usual)))), odd)))


@settings(max_examples=200 * LONGER, deadline=None)
@given(st.sampled_from(sorted(CONVERSATIONS)), st.integers(100, 599), headers, anything, st.sampled_from(sorted(REFUSAL)))
def test_any_status_may_come_with_any_refusal(name: str, status: int, limits: dict[str, str], odd: Any, field: str) -> None:
    converse(name, answer({**REFUSAL, field: odd}, status, limits), answer(CONVERSATIONS[name][1]))


@settings(max_examples=100 * LONGER, deadline=None)
@given(st.sampled_from(sorted(CONVERSATIONS)), st.integers(100, 599), st.binary(max_size=30))
def test_a_body_may_be_any_bytes(name: str, status: int, body: bytes) -> None:
    converse(name, (status, {}, body))


@given(anything)
def test_the_id_of_a_relation_is_a_text_or_none(body: Any) -> None:
    assert isinstance(read_relation_id(body), str | None)


@settings(max_examples=200 * LONGER, deadline=None)
@given(st.lists(st.tuples(headers, st.sampled_from([200, 200, 429, 500])), min_size=1, max_size=4))
def test_limits_stay_within_reason_whatever_headers_say(answers: list[tuple[dict[str, str], int]]) -> None:
    client = client_for(*(answer({}, status, limits) for limits, status in answers))
    for _ in range(3):
        with contextlib.suppress(GHLError):
            client.request(Call("GET", "/x", "/x", LOCATION))
    limit = client.limit(LOCATION)
    assert 1 <= limit.capacity <= 1_000_000_000
    assert 0.0 < limit.interval <= 3_600.0
    assert 0 <= (limit.daily_left or 0) <= 1_000_000_000
    assert 1 <= (limit.daily_limit or 1) <= 1_000_000_000
    assert client.clock.monotonic() < 1_000.0 + 24 * 3_600.0
