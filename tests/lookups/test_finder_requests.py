"""How many requests a finder takes for all its chunks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from simulated_records import LOCATION, POLICY, HighLevel, contact, emails, leaves, people, policy, world

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.conversation import converse
from airflow_provider_ghl.exceptions import RequestRejected
from airflow_provider_ghl.lookups import Contact, CustomObject
from airflow_provider_ghl.lookups.find_field import find_field
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.outcomes import Resolution
from airflow_provider_ghl.lookups.search import Search

BY_EMAIL = Contact(by="email")
BY_NUMBER = CustomObject(POLICY, by="policy_no")
CHUNK = 16_384


@pytest.fixture(scope="module")
def base() -> list[dict[str, Any]]:
    return people(50_000)


def of(records: list[dict[str, Any]], **lies: Any) -> HighLevel:
    ghl = world(**lies)
    ghl.records["contact"] = records
    return ghl


def chunks(keys: Sequence[str], size: int = CHUNK) -> list[Sequence[str]]:
    return [keys[at : at + size] for at in range(0, len(keys), size)]


def find_all(ghl: HighLevel, finder: Finder, keys: Sequence[str], size: int, expected: float) -> dict[str, Resolution]:
    found: dict[str, Resolution] = {}
    for chunk in chunks(keys, size):
        found |= ghl.hold(finder.find(chunk, expected))
    return found


class TestFirstLooks:
    def test_ten_thousand_among_a_million(self) -> None:
        ghl = of(people(10_000), total=lambda total: 1_000_000 if total > 100 else total)
        found = ghl.hold(Finder(BY_EMAIL, LOCATION).find(emails(10_000)))
        assert all(one.record_id for one in found.values())
        assert len(ghl.calls) <= 101

    def test_a_thousand_among_fifty_thousand(self, base: Any) -> None:
        ghl = of(base)
        assert all(one.record_id for one in ghl.hold(Finder(BY_EMAIL, LOCATION).find(emails(1_000))).values())
        assert len(ghl.calls) == 11

    def test_a_hundred_thousand_among_fifty_thousand_in_chunks(self, base: Any) -> None:
        ghl, finder = of(base), Finder(BY_EMAIL, LOCATION)
        keys = [key for email in emails(50_000) for key in (email, email.upper())]
        found = find_all(ghl, finder, keys, CHUNK, 100_000 / CHUNK)
        assert [found[key].record_id for key in keys] == [f"contact{at // 2}" for at in range(100_000)]
        assert len(ghl.calls) <= 105

    @pytest.mark.parametrize("size", [300, 2_000, CHUNK])
    def test_where_more_come_than_were_expected_it_is_at_most_twice_the_best(self, base: Any, size: int) -> None:
        ghl, finder = of(base), Finder(BY_EMAIL, LOCATION)
        find_all(ghl, finder, emails(50_000), size, 1.0)
        assert len(ghl.calls) <= 2 * 101 + 1

    def test_even_where_each_chunk_is_too_small_to_ask_how_many_there_are(self, base: Any) -> None:
        ghl, finder = of(base), Finder(BY_EMAIL, LOCATION)
        find_all(ghl, finder, emails(30_000), 100, 1.0)
        assert len(ghl.calls) <= 2 * 101 + 1

    def test_few_keys_of_many_chunks_to_come_are_paged_for(self, base: Any) -> None:
        ghl, finder = of(base), Finder(BY_EMAIL, LOCATION)
        find_all(ghl, finder, emails(20_000), 100, 200.0)
        assert len(ghl.calls) == 101

    def test_an_estimate_below_one_counts_as_one(self, base: Any) -> None:
        ghl = of(base)
        ghl.hold(Finder(BY_EMAIL, LOCATION).find(emails(20_000), 0.0))
        assert len(ghl.calls) == 101

    def test_what_is_not_in_the_whole_costs_no_search(self, base: Any) -> None:
        ghl, finder = of(base), Finder(BY_EMAIL, LOCATION)
        find_all(ghl, finder, emails(20_000), CHUNK, 2.0)
        ghl.calls.clear()
        unknown = [f"nobody{at}@example.org" for at in range(20_000)]
        found = find_all(ghl, finder, unknown, CHUNK, 2.0)
        assert {call.method for call in ghl.calls} == {"GET"}
        assert len(ghl.calls) == 100
        assert [one.is_missing for one in found.values()] == [False] * 100 + [True] * 19_900

    def test_a_total_that_is_not_told_is_asked_for_once(self) -> None:
        ghl, finder = of(people(2_000), total=lambda total: total if total <= 100 else None), Finder(BY_EMAIL, LOCATION)
        find_all(ghl, finder, emails(2_000), 500, 1.0)
        assert sum("filters" not in body for body in ghl.searches()) == 1

    def test_short_pages_are_counted_as_they_come(self, base: Any) -> None:
        ghl = of(base, largest_page=100)
        ghl.hold(Finder(BY_EMAIL, LOCATION).find(emails(20_000)))
        assert len(ghl.calls) == 1 + 200  # 501 pages would be more

    def test_a_page_that_fails_is_the_callers_and_nothing_is_kept(self) -> None:
        ghl, finder = of(people(2_000)), Finder(BY_EMAIL, LOCATION)

        def answer(call: Call) -> Any:
            if len(ghl.calls) == 2:
                raise RequestRejected("gone", method="POST", path="/contacts/search", status=404)
            return ghl.answer(call)

        with pytest.raises(RequestRejected):
            converse(finder.find(emails(2_000)), answer, ghl.wait)
        assert all(one.record_id for one in ghl.hold(finder.find(emails(2_000))).values())
        assert len(ghl.calls) == 2 + 5


class TestAWholeThatIsTooLarge:
    def find(self, ghl: HighLevel, lookup_by: Any, sizes: list[int]) -> list[int]:
        """Requests for chunks of so many keys."""
        field = ghl.hold(find_field(BY_EMAIL, LOCATION, None))
        search, spent = Search(field, LOCATION, lookup_by, most_kept=1_000), []
        for size in sizes:
            before, hits = len(ghl.calls), Hits()
            ghl.hold(search.find(emails(size), hits, 1_000.0))
            assert all(hits.ids(key) for key in emails(size))
            spent.append(len(ghl.calls) - before)
        return spent

    def test_groups_are_preferred(self) -> None:
        assert self.find(of(people(2_000)), "cheaper", [200, 200, 300]) == [3, 2, 3]

    def test_but_not_where_one_chunk_is_worth_it(self) -> None:
        assert self.find(of(people(2_000)), "cheaper", [2_000, 2_000]) == [5, 5]

    def test_it_is_paged_for_each_chunk_where_that_is_asked_for(self) -> None:
        assert self.find(of(people(2_000)), "page", [200, 200]) == [5, 5]

    def test_a_total_that_hides_it_is_believed_once(self) -> None:
        records = [contact(f"c{at}", f"p{at}@example.org", additionalEmails=[f"q{at}@example.org"]) for at in range(900)]
        assert self.find(of(records), "cheaper", [300, 100, 100]) == [2, 1, 1]

    def test_a_key_that_no_filter_takes_is_not_worth_it(self) -> None:
        ghl = of(people(2_000))
        field = ghl.hold(find_field(BY_EMAIL, LOCATION, None))
        search, hits, long = Search(field, LOCATION, most_kept=1_000), Hits(), "x" * 80 + "@example.org"
        for _ in range(2):
            ghl.hold(search.find([long, *emails(1)], hits))
        assert (hits.ids(emails(1)[0]), hits.unsearched) == (("contact0",), {long})
        assert len(ghl.calls) == 3


class TestSecondLooks:
    def missing(self, ghl: HighLevel, finder: Finder, keys: list[str], size: int = 1_000) -> list[str]:
        found = find_all(ghl, finder, keys, size, len(keys) / size)
        return [key for key, one in found.items() if one.is_missing]

    def test_they_are_searches_for_groups(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION)
        ghl.records[POLICY] = [policy(f"r{at}", f"A-{at}") for at in range(9_000)]
        missing = self.missing(ghl, finder, [f"B-{at}" for at in range(350)])
        ghl.calls.clear()
        ghl.hold(finder.find_again(missing))
        assert [len(leaves(body)) for body in ghl.searches()] == [100, 100, 100, 50]

    def test_or_the_whole_once_more_for_all_of_them(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION)
        ghl.records[POLICY] = [policy(f"r{at}", f"A-{at}") for at in range(1_000)]
        missing = self.missing(ghl, finder, [f"B-{at}" for at in range(3_000)])
        assert len(missing) == 3_000
        assert len(ghl.calls) == 4
        ghl.calls.clear()
        ghl.records[POLICY] += [policy("new", "B-7"), policy("newer", "B-2999")]
        found: dict[str, Resolution] = {}
        for chunk in chunks(missing, 1_000):
            found |= ghl.hold(finder.find_again(chunk))
        assert {key: one.record_id for key, one in found.items() if one.record_id} == {"B-7": "new", "B-2999": "newer"}
        assert not any(one.is_missing for one in found.values())
        assert len(ghl.calls) == 3

    def test_how_many_are_to_come_is_known(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION)
        ghl.records[POLICY] = [policy(f"r{at}", f"A-{at}") for at in range(10_000)]
        missing = self.missing(ghl, finder, [f"B-{at}" for at in range(5_000)])
        ghl.calls.clear()
        for chunk in chunks(missing, 1_000):
            ghl.hold(finder.find_again(chunk))
        assert len(ghl.calls) == 21

    def test_what_second_looks_have_read_is_too_old_for_keys_that_come_later(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION, lookup_by="page")
        ghl.records[POLICY] = [policy("one", "A-1")]
        ghl.hold(finder.find(["B-1"]))
        ghl.hold(finder.find_again(["B-1"]))
        assert ghl.hold(finder.find(["B-2"]))["B-2"].is_missing
        ghl.records[POLICY].append(policy("two", "B-2"))
        assert ghl.hold(finder.find_again(["B-2"]))["B-2"] == Resolution("two")

    def test_a_later_key_profits_from_what_second_looks_have_read(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION, lookup_by="page")
        ghl.records[POLICY] = [policy("one", "A-1")]
        ghl.hold(finder.find(["A-1", "B-1"]))
        ghl.records[POLICY].append(policy("two", "B-2"))
        ghl.hold(finder.find_again(["B-1"]))
        ghl.calls.clear()
        assert ghl.hold(finder.find(["A-1", "B-2"])) == {"A-1": Resolution("one"), "B-2": Resolution("two")}
        assert ghl.calls == []


PHONE = Contact(by="phone")


def phones(number: int) -> list[str]:
    return [f"+1202555{at:04}" for at in range(number)]


def callers(number: int) -> list[dict[str, Any]]:
    return [{"id": f"caller{at}", "phone": phone} for at, phone in enumerate(phones(number))]


class TestAFilterThatMissesAll:
    def test_one_by_one_a_hundred_show_it_and_the_others_are_paged_for(self) -> None:
        ghl, finder = of([*people(60_000), *callers(1_000)], misses_all=True), Finder(PHONE, LOCATION)
        found = ghl.hold(finder.find(phones(1_000)))
        assert all(one.record_id for one in found.values())
        # Groups, with a page that says how many there are; contacts one by one; all pages.
        assert len(ghl.calls) == 10 + 1 + 100 + 123

    def test_the_others_are_asked_for_one_by_one_where_paging_costs_more(self) -> None:
        ghl, finder = of([*people(90_000), *callers(250)], misses_all=True), Finder(PHONE, LOCATION)
        found = ghl.hold(finder.find(phones(250)))
        missing = [key for key, one in found.items() if one.is_missing]
        assert len(missing) == 150
        assert all(one.record_id for one in ghl.hold(finder.find_again(missing)).values())
        assert len(ghl.calls) == 3 + 1 + 100 + 2 + 150

    def test_a_table_of_strangers_does_not_prove_it(self, base: Any) -> None:
        ghl, finder = of([*base, *people(50_000, 50_000)]), Finder(PHONE, LOCATION)
        found = ghl.hold(finder.find(phones(1_000)))
        missing = [key for key, one in found.items() if one.is_missing]
        ghl.hold(finder.find_again(missing))
        assert len(ghl.calls) == 10 + 1 + 100 + 9

    def test_a_small_base_is_read_whole(self) -> None:
        ghl, finder = of([*people(1_000), *callers(30)], misses_all=True), Finder(PHONE, LOCATION)
        assert all(one.record_id for one in ghl.hold(finder.find(phones(30))).values())
        assert len(ghl.calls) == 1 + 3
