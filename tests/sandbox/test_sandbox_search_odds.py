"""Any filter finds what looking at each record finds, and any body is answered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from record_searches import CONTACTS, OPPORTUNITIES, POLICIES, POLICY, WHOLE
from sandbox_client import CONTACT, HttpClient

from airflow_provider_ghl.sandbox import Sandbox, Searches, State
from airflow_provider_ghl.sandbox.records import Record
from airflow_provider_ghl.sandbox.search import Search, Searcher
from airflow_provider_ghl.sandbox.search_filters import TEXTS, Group, Leaf, Searchable

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

NAMES = ("email", "city")
VALUES = ["a", "B", "b", "ab"]
FIELDS = [
    Searchable("email", lambda record: record.values.get("email"), TEXTS, folds=True),
    Searchable("city", lambda record: record.values.get("city"), TEXTS),
]
LEAVES = st.builds(Leaf, st.sampled_from(FIELDS), st.sampled_from(sorted(TEXTS)), st.sampled_from(VALUES))
FILTERS = st.recursive(
    LEAVES,
    lambda parts: st.builds(Group, st.lists(parts, min_size=1, max_size=4).map(tuple), st.booleans()),
    max_leaves=8,
)
RECORDS = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, st.sampled_from(VALUES))), max_size=12)


@given(RECORDS, RECORDS, FILTERS, st.integers(1, 5))
def test_indexes_find_what_looking_at_each_record_finds(
    first: list[dict[str, str]], later: list[dict[str, str]], where: Any, limit: int
) -> None:
    state = State(clock=lambda: 1000.0)
    searcher = Searcher(Searches(), state.objects.clock)

    def find() -> list[Record]:
        found: list[Record] = []
        while True:
            after = found[-1].cursor if found else None
            page = searcher.run(state.objects.at(None).records(CONTACT), Search(Group((where,)), limit, after=after))
            if not page.records:
                assert page.total == len(found)
                return found
            found += page.records

    for added in (first, later):  # the indexes of the first search are those of the second
        for values in added:
            state.objects.add(CONTACT, values)
        everything = state.objects.at(None).records(CONTACT).until(float("inf"))
        assert find() == [record for record in everything if where.matches(record)]


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-2, 600),
        st.floats(allow_nan=False, allow_infinity=False),
        st.sampled_from(["eq", "range", "OR", "email", "name", "properties.number", "asc", ""]),
        st.text(max_size=5),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["field", "operator", "value"]), inner),
    max_leaves=6,
)
RIGHT = {
    "field": st.sampled_from(["email", "name", "properties.number"]),
    "operator": st.sampled_from([*sorted(TEXTS), "range"]),
    "value": st.sampled_from(["a", 1, {"gte": 1}]),
}
#: Comparisons of which one part is odd, or none.
LEAF = st.one_of([st.fixed_dictionaries({**RIGHT, odd: RIGHT[odd] | JSON}) for odd in RIGHT])
GROUP = st.fixed_dictionaries({"group": JSON | st.just("OR"), "filters": st.lists(LEAF, max_size=3) | JSON})
ODD = {
    "page": JSON,
    "limit": JSON,
    "pageLimit": JSON,
    "filters": st.lists(LEAF | GROUP | JSON, max_size=3) | JSON,
    "searchAfter": st.tuples(st.integers(), st.text(max_size=3)) | JSON,
    "sort": st.lists(st.fixed_dictionaries({"field": RIGHT["field"] | JSON, "direction": st.just("asc") | JSON})) | JSON,
    "query": JSON,
    "additionalDetails": JSON,
}
BODY = st.one_of(
    st.fixed_dictionaries({"filters": st.lists(LEAF | GROUP, min_size=1, max_size=2)}),
    *(st.fixed_dictionaries({name: odd}) for name, odd in ODD.items()),
    st.fixed_dictionaries({}, optional=ODD),
)


@pytest.fixture
def client(ghl_sandbox: Sandbox) -> Iterator[HttpClient]:
    ghl_sandbox.add(CONTACT, email="a@example.org")
    ghl_sandbox.add(POLICY, number=1)
    ghl_sandbox.add("opportunity", name="Roof")
    with HttpClient(ghl_sandbox) as made:
        yield made


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(path=st.sampled_from([CONTACTS, POLICIES, OPPORTUNITIES]), body=BODY)
def test_any_body_is_answered(client: HttpClient, path: str, body: dict[str, Any]) -> None:
    answer = client.search(path, **WHOLE[path] | body)
    assert answer.status_code in (200, 201, 400, 422)
