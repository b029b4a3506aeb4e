"""What all searches have in common: pages, cursors, order; and the worlds in which they are slow, late, or lie."""

from __future__ import annotations

from typing import Any

import pytest
from record_searches import BUSINESSES, CONTACTS, LISTS, OPPORTUNITIES, POLICIES, POLICY, WHOLE, eq, find, is_in, refusal
from sandbox_client import CONTACT, HttpClient

from airflow_provider_ghl.sandbox import Sandbox, Searches, State
from airflow_provider_ghl.sandbox.search import Search, Searcher
from airflow_provider_ghl.sandbox.search_filters import Group

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

PATHS = [CONTACTS, POLICIES, OPPORTUNITIES]
LIMIT = {CONTACTS: "pageLimit", POLICIES: "pageLimit", OPPORTUNITIES: "limit"}
KEY = {CONTACTS: "email", POLICIES: "properties.number", OPPORTUNITIES: "name"}


def fill(sandbox: Sandbox, path: str, number: int) -> list[str]:
    """The ids of that many records, whose keys are ``0@example.org`` and so on."""
    object_key, field = {CONTACTS: (CONTACT, "email"), POLICIES: (POLICY, "number"), OPPORTUNITIES: ("opportunity", "name")}[
        path
    ]
    return [sandbox.add(object_key, **{field: f"{one}@example.org"}) for one in range(number)]


def page_of(client: HttpClient, path: str, **changes: Any) -> list[dict[str, Any]]:
    answer = client.search(path, **{**WHOLE[path], **changes})
    assert answer.status_code in (200, 201), answer.text
    return list(answer.json()[LISTS[path]])


def cursor_of(record: dict[str, Any]) -> Any:
    return record.get("searchAfter") or record["sort"]


def by_cursor(client: HttpClient, path: str, most: int, **changes: Any) -> list[list[str]]:
    """The ids on each page, until one is empty or there are that many."""
    pages: list[list[str]] = []
    after: dict[str, Any] = {}
    while len(pages) < most:
        records = page_of(client, path, **changes, **after)
        if not records:
            break
        pages.append([record["id"] for record in records])
        after = {"searchAfter": cursor_of(records[-1])}
    return pages


@pytest.mark.parametrize("path", PATHS)
class TestPages:
    def test_by_number(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 5)
        pages = [page_of(client, path, **{LIMIT[path]: 2, "page": page}) for page in (1, 2, 3, 4)]
        assert [[one["id"] for one in page] for page in pages] == [ids[:2], ids[2:4], ids[4:], []]
        assert client.search(path, **{**WHOLE[path], LIMIT[path]: 2, "page": 4}).json()["total"] == 5

    def test_by_cursor(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 5)
        assert by_cursor(client, path, 9, **{LIMIT[path]: 2}) == [ids[:2], ids[2:4], ids[4:]]

    def test_by_cursor_with_a_filter_and_an_order(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 6)
        some = [is_in(KEY[path], *(f"{one}@example.org" for one in (0, 2, 3, 5)))]
        assert by_cursor(client, path, 9, filters=some, **{LIMIT[path]: 3}) == [[ids[0], ids[2], ids[3]], [ids[5]]]
        last_first = [{"field": KEY[path], "direction": "desc"}]
        pages = by_cursor(client, path, 9, filters=some, sort=last_first, **{LIMIT[path]: 3})
        assert pages == [[ids[5], ids[3], ids[2]], [ids[0]]]

    def test_a_cursor_goes_on_where_its_record_was(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 3)
        cursor = cursor_of(page_of(client, path, **{LIMIT[path]: 1})[0])
        object_key = {CONTACTS: CONTACT, POLICIES: POLICY, OPPORTUNITIES: "opportunity"}[path]
        fill(client.sandbox, path, 1)
        client.sandbox.remove(object_key, ids[1])
        assert page_of(client, path, searchAfter=cursor)[0]["id"] == ids[2]

    def test_by_number_ends_at_10000(self, client: HttpClient, path: str) -> None:
        fill(client.sandbox, path, 1)
        assert page_of(client, path, **{LIMIT[path]: 500, "page": 20}) == []
        status, message = refusal(client, path, **{LIMIT[path]: 500, "page": 21})
        assert (status, message) == (400, "Pages end at 10000 records: use searchAfter")

    def test_an_empty_cursor_is_none(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 2)
        assert [one["id"] for one in page_of(client, path, searchAfter=[])] == ids

    def test_records_without_a_value_are_last_in_any_order(self, client: HttpClient, path: str) -> None:
        object_key = {CONTACTS: CONTACT, POLICIES: POLICY, OPPORTUNITIES: "opportunity"}[path]
        ids = fill(client.sandbox, path, 2)
        without = client.sandbox.add(object_key)
        for direction, expected in (("asc", ids), ("desc", ids[::-1])):
            sort = [{"field": KEY[path], "direction": direction}]
            assert [one["id"] for one in page_of(client, path, sort=sort)] == [*expected, without]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"searchAfter": "x"}, "searchAfter must be that of a record"),
            ({"searchAfter": ["x", 1]}, "searchAfter must be that of a record"),
            ({"page": -1}, "page must not be less than"),
            ({"page": "1"}, "page must be an integer number"),
            ({"page": True}, "page must be an integer number"),
            ({"query": "a" * 76}, "query must be a string of at most 75 characters"),
            ({"filters": {}}, "filters must be an array"),
            ({"sort": [{"field": "id"}]}, "sort must have a field, and a direction"),
            ({"sort": [{}, {}, {}]}, "sort must be an array of at most 2 items"),
            ({"locationIds": []}, "property locationIds should not exist"),
        ],
    )
    def test_wrong_bodies(self, client: HttpClient, path: str, changes: dict[str, Any], message: str) -> None:
        fill(client.sandbox, path, 1)
        answer = client.search(path, **{**WHOLE[path], **changes})
        assert answer.status_code == 422
        assert answer.json()["message"][0].startswith(message)

    def test_the_length_of_a_page_is_required_and_at_most_500(self, client: HttpClient, path: str) -> None:
        fill(client.sandbox, path, 1)
        for limit, status in ((1, {200, 201}), (500, {200, 201}), (501, {422}), (0, {422}), ("10", {422}), (None, {422})):
            answer = client.search(path, **{**WHOLE[path], LIMIT[path]: limit})
            assert answer.status_code in status

    def test_the_location_is_required(self, client: HttpClient, path: str) -> None:
        fill(client.sandbox, path, 1)
        answer = client.search(path, **{**WHOLE[path], "locationId": None})
        assert (answer.status_code, answer.json()["message"]) == (422, ["locationId should not be empty"])
        assert client.search(path, **{**WHOLE[path], "locationId": "elsewhere"}).status_code == 403

    def test_no_json_is_no_search(self, client: HttpClient, path: str) -> None:
        fill(client.sandbox, path, 1)
        assert client.send("POST", path, data=b"{").status_code == 400

    def test_it_counts_against_the_limits(self, client: HttpClient, path: str) -> None:
        fill(client.sandbox, path, 1)
        client.sandbox.set_limit(2)
        statuses = [client.search(path, **WHOLE[path]).status_code for _ in range(3)]
        assert statuses[:2] in ([200, 200], [201, 201])
        assert statuses[2] == 429


def test_page_and_cursor_together_are_refused_for_contacts_only(client: HttpClient) -> None:
    for path in PATHS:
        fill(client.sandbox, path, 2)
        cursor = cursor_of(page_of(client, path, **{LIMIT[path]: 1})[0])
        status = client.search(path, **{**WHOLE[path], "page": 1, "searchAfter": cursor}).status_code
        assert (status == 422) == (path == CONTACTS)


def test_custom_objects_need_a_page(client: HttpClient) -> None:
    fill(client.sandbox, POLICIES, 1)
    answer = client.search(POLICIES, pageLimit=10)
    assert (answer.status_code, answer.json()["message"]) == (422, ["page should not be empty"])


def test_contacts_are_ordered_by_when_they_were_added(client: HttpClient) -> None:
    ids = fill(client.sandbox, CONTACTS, 2)
    sort = [{"field": "dateAdded", "direction": "asc"}]
    assert [one["id"] for one in page_of(client, CONTACTS, sort=sort)] == ids


class TestLag:
    def test_a_search_finds_a_record_so_many_seconds_after_it_was_added(self) -> None:
        now = [1000.0]
        state = State(clock=lambda: now[0])
        searcher = Searcher(Searches(index_lag=12), state.objects.clock)
        records = state.objects.at(None).records

        def found() -> tuple[list[str], int]:
            page = searcher.run(records(CONTACT), Search(Group(), limit=10))
            return [record.id for record in page.records], page.total

        ann = state.objects.add(CONTACT, {})
        now[0] += 7
        bob = state.objects.add(CONTACT, {})
        assert found() == ([], 0)
        now[0] += 5
        assert found() == ([ann], 1)
        now[0] += 7
        assert found() == ([ann, bob], 2)

    def test_without_a_lag_a_search_finds_it_within_the_same_millisecond(self) -> None:
        state = State(clock=lambda: 1000.0007)
        searcher = Searcher(Searches(), state.objects.clock)
        ann = state.objects.add(CONTACT, {})
        page = searcher.run(state.objects.at(None).records(CONTACT), Search(Group(), limit=10))
        assert [record.id for record in page.records] == [ann]

    @pytest.mark.parametrize("ghl_sandbox", [{"searches": Searches(index_lag=3600)}], indirect=True)
    def test_reading_knows_no_lag(self, client: HttpClient) -> None:
        ann = client.sandbox.add(CONTACT, email="ann@example.org")
        acme = client.sandbox.add("business", name="Acme")
        assert find(client, CONTACTS, eq("email", "ann@example.org")) == []
        assert find(client, BUSINESSES) == []
        assert client.send("GET", f"/contacts/{ann}").status_code == 200
        assert client.get("/contacts/search/duplicate", email="ann@example.org").json()["contact"]["id"] == ann
        assert client.get("/businesses/").json()["businesses"][0]["id"] == acme
        client.sandbox.searches.index_lag = 0
        assert find(client, CONTACTS, eq("email", "ann@example.org")) == [ann]


class TestGroups:
    @pytest.mark.parametrize("path", PATHS)
    def test_one_comparison_too_many_is_refused(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 4)
        client.sandbox.searches.largest_group = 3
        keys = [f"{number}@example.org" for number in range(4)]
        assert find(client, path, is_in(KEY[path], *keys[:3])) == ids[:3]
        assert refusal(client, path, is_in(KEY[path], *keys)) == (400, "Too many filters: at most 3 in an OR group")

    def test_nested_groups_count_as_one(self, client: HttpClient) -> None:
        client.sandbox.searches.largest_group = 3
        two = {"group": "AND", "filters": [eq("email", "a"), eq("phone", "b")]}
        assert refusal(client, CONTACTS, {"group": "OR", "filters": [two, two]})[0] == 400
        assert find(client, CONTACTS, *[eq("email", "a")] * 4) == []

    def test_100_are_taken_by_default(self, client: HttpClient) -> None:
        assert find(client, CONTACTS, is_in("email", *map(str, range(100)))) == []
        assert refusal(client, CONTACTS, is_in("email", *map(str, range(101))))[0] == 400
        client.sandbox.searches.largest_group = None
        assert find(client, CONTACTS, is_in("email", *map(str, range(500)))) == []


class TestWorlds:
    def test_phones_that_the_filter_misses(self, client: HttpClient) -> None:
        ann = client.sandbox.add(CONTACT, phone="+15550100")
        assert find(client, CONTACTS, eq("phone", "+15550100")) == [ann]
        client.sandbox.searches.misses_phones = True
        assert find(client, CONTACTS, eq("phone", "+15550100")) == []
        assert page_of(client, CONTACTS)[0]["phone"] == "+15550100"
        assert client.get("/contacts/search/duplicate", number="+15550100").json()["contact"]["id"] == ann

    def test_searches_are_slow_and_other_requests_are_not(self, client: HttpClient) -> None:
        client.sandbox.searches.latency = 0.2
        client.sandbox.add(CONTACT)
        assert client.search(CONTACTS, pageLimit=1).elapsed.total_seconds() >= 0.2
        assert client.get("/contacts/search/duplicate", email="a@example.org").elapsed.total_seconds() < 0.2

    @pytest.mark.parametrize("path", PATHS)
    def test_a_filter_is_ignored(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 3)
        client.sandbox.searches.lies = {"filter_ignored"}
        assert find(client, path, eq(KEY[path], "1@example.org")) == ids

    @pytest.mark.parametrize("path", PATHS)
    def test_a_stranger_is_found(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 3)
        client.sandbox.searches.lies = {"strangers"}
        assert find(client, path, eq(KEY[path], "2@example.org")) == [ids[0], ids[2]]
        assert find(client, path, eq(KEY[path], "nobody@example.org")) == [ids[0]]

    @pytest.mark.parametrize("path", PATHS)
    def test_a_page_comes_twice(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 3)
        client.sandbox.searches.lies = {"page_twice"}
        assert by_cursor(client, path, 9, **{LIMIT[path]: 2}) == [ids[:2], ids[:2], ids[2:]]

    @pytest.mark.parametrize("path", PATHS)
    def test_a_numbered_page_comes_twice(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 3)
        client.sandbox.searches.lies = {"page_twice"}
        pages = [page_of(client, path, **{LIMIT[path]: 1, "page": page})[0]["id"] for page in (1, 2, 3)]
        assert pages == [ids[0], ids[0], ids[2]]

    @pytest.mark.parametrize("path", PATHS)
    def test_a_cursor_stands_still(self, client: HttpClient, path: str) -> None:
        ids = fill(client.sandbox, path, 3)
        client.sandbox.searches.lies = {"cursor_stands"}
        assert by_cursor(client, path, 5, **{LIMIT[path]: 2}) == [ids[:2]] * 5

    @pytest.mark.parametrize("wrong", [{"index_lag": -1}, {"latency": -0.1}, {"largest_group": 0}, {"lies": ["white"]}])
    def test_worlds_that_cannot_be(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"at least|no lie \['white'\]; there are: filter_ignored"):
            Searches(**wrong)
