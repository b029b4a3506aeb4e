"""How many requests a look-up takes, and what it makes of refusals."""

from __future__ import annotations

import pytest
from simulated_records import LOCATION, contact, emails, leaves, people, world

from airflow_provider_ghl.api.conversation import converse
from airflow_provider_ghl.exceptions import (
    RequestRejected,
)
from airflow_provider_ghl.lookups import Contact
from airflow_provider_ghl.lookups.resolve import resolve

BY_EMAIL = Contact(by="email")


class TestCost:
    def test_ten_thousand_among_fifty_thousand(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(50_000)
        found = ghl.resolve(BY_EMAIL, emails(10_000))
        assert len(found.record_ids) == 10_000
        assert len(ghl.calls) <= 102

    def test_a_hundred_thousand_among_fifty_thousand(self) -> None:
        ghl = world(total=lambda total: total)
        ghl.records["contact"] = people(50_000)
        found = ghl.resolve(BY_EMAIL, emails(50_000) + [f"{address} " for address in emails(50_000)])
        assert len(found.record_ids) == 100_000
        assert len(ghl.calls) <= 110

    def test_few_keys_are_searched_for_at_once(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(3_000)
        assert len(ghl.resolve(BY_EMAIL, emails(200)).record_ids) == 200
        assert [len(leaves(body)) for body in ghl.searches()] == [100, 100]

    def test_a_small_base_is_read_whole(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(499)
        assert len(ghl.resolve(BY_EMAIL, emails(499)).record_ids) == 499
        assert ["filters" in body for body in ghl.searches()] == [False]

    def test_pages_beyond_ten_thousand_take_the_cursor(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(10_600)
        assert len(ghl.resolve(BY_EMAIL, emails(10_600), lookup_by="page").record_ids) == 10_600
        assert ["page" in body for body in ghl.searches()] == [True] + [False] * 21


class TestRefusals:
    @pytest.mark.parametrize("status", [400, 413, 422])
    def test_a_group_that_is_too_large_is_halved_and_the_size_remembered(self, status: int) -> None:
        ghl = world(largest_group=30, status=status)
        ghl.records["contact"] = people(1_000)
        assert len(ghl.resolve(BY_EMAIL, emails(400), lookup_by="search").record_ids) == 400
        sizes = [len(leaves(body)) for body in ghl.searches()]
        assert sizes[:4] == [100, 50, 25, 25]
        assert max(sizes[2:]) == 25

    def test_a_key_that_is_refused_is_that_keys_verdict_alone(self) -> None:
        ghl = world(refuses=frozenset({"p7@example.org"}))
        ghl.records["contact"] = people(1_000)
        found = ghl.resolve(BY_EMAIL, emails(300), lookup_by="search")
        assert found.reasons == {"p7@example.org": "HighLevel refuses to search for it (422)"}
        assert len(found.record_ids) == 299
        assert len(leaves(ghl.searches()[-1])) == 100  # it was not the size

    def test_filters_that_are_refused_at_all_are_given_up_for_paging(self) -> None:
        ghl = world(largest_group=0)
        ghl.records["contact"] = people(700)
        assert len(ghl.resolve(BY_EMAIL, emails(150)).record_ids) == 150
        assert len(ghl.calls) < 20

    def test_or_end_it_where_paging_is_not_wanted(self) -> None:
        ghl = world(largest_group=0)
        with pytest.raises(RequestRejected):
            ghl.resolve(BY_EMAIL, emails(1_000), lookup_by="search")
        assert len(ghl.calls) < 20

    def test_paging_that_is_refused_leaves_filters(self) -> None:
        ghl = world(refuses_paging=True)
        ghl.records["contact"] = people(700)
        assert len(ghl.resolve(BY_EMAIL, emails(700)).record_ids) == 700

    def test_large_pages_that_are_refused_become_smaller(self) -> None:
        ghl = world(largest_limit=100)
        ghl.records["contact"] = people(700)
        assert len(ghl.resolve(BY_EMAIL, emails(700), lookup_by="page").record_ids) == 700
        assert [body["pageLimit"] for body in ghl.searches()] == [500] + [100] * 8

    def test_pages_of_a_search_that_are_refused_become_smaller(self) -> None:
        ghl = world(largest_limit=100)
        ghl.records["contact"] = people(700)
        assert len(ghl.resolve(BY_EMAIL, emails(400), lookup_by="search").record_ids) == 400
        assert ghl.searches()[-1]["pageLimit"] == 100

    def test_a_key_that_is_refused_is_not_asked_for_alone(self) -> None:
        """``search/duplicate`` gives one contact where several have the e-mail."""
        ghl = world(refuses=frozenset({"p0@example.org"}))
        ghl.records["contact"] = [*people(2), contact("twin", "p0@example.org")]
        assert ghl.resolve(BY_EMAIL, emails(2)).record_ids == {"p1@example.org": "contact1"}
        assert {call.method for call in ghl.calls} == {"POST"}

    def test_other_errors_are_the_callers(self) -> None:
        ghl = world(largest_group=0, status=404)
        with pytest.raises(RequestRejected):
            ghl.resolve(BY_EMAIL, emails(1))
        assert len(ghl.calls) == 1

    def test_second_looks_that_are_refused_end_soon(self) -> None:
        ghl = world()
        ghl.lies.refuses = frozenset(emails(50))
        found = converse(resolve(BY_EMAIL, emails(50), LOCATION, lookup_by="page"), ghl.answer, ghl.wait)
        assert set(found.reasons.values()) == {"no contact has this e-mail"}
        assert len(ghl.calls) == 6
