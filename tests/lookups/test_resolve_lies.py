"""A search that lies: no wrong pair, and an end."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_records import LOCATION, contact, emails, people, world

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import converse
from airflow_provider_ghl.exceptions import (
    ServerError,
)
from airflow_provider_ghl.lookups import Contact
from airflow_provider_ghl.lookups.resolve import resolve

BY_EMAIL = Contact(by="email")


def _never(seconds: float) -> None:
    raise AssertionError("nothing is to be waited for")


class TestLies:
    def test_a_hit_whose_value_differs_is_no_hit(self) -> None:
        ghl = world(adds=contact("other", "other@example.org"))
        ghl.records["contact"] = people(2)
        found = ghl.resolve(BY_EMAIL, ["p0@example.org", "p9@example.org"])
        assert (found.record_ids, list(found.reasons)) == ({"p0@example.org": "contact0"}, ["p9@example.org"])

    def test_a_filter_that_is_ignored_is_given_up_for_paging(self) -> None:
        ghl = world(ignores_filters=True)
        ghl.records["contact"] = people(50_000)
        assert len(ghl.resolve(BY_EMAIL, emails(200)).record_ids) == 200
        assert len(ghl.calls) <= 103
        with pytest.raises(ServerError, match="ignores the filter"):
            ghl.resolve(BY_EMAIL, emails(200), lookup_by="search")

    @pytest.mark.parametrize(
        ("lies", "said"),
        [
            ({"repeats_pages": True}, "came twice"),
            ({"keeps_cursor": True}, "came twice|stands still"),
            ({"total": lambda total: 10 * total}, "end before its total"),
            ({"total": lambda _: 0}, "more records than its total"),
            ({"has_no_cursor": True}, "and no cursor"),
        ],
    )
    def test_pages_that_contradict_each_other_end_it(self, lies: Any, said: str) -> None:
        ghl = world(**lies)
        ghl.records["contact"] = people(12_000)
        with pytest.raises(ServerError, match=said):
            ghl.resolve(BY_EMAIL, emails(10), lookup_by="page")
        assert len(ghl.calls) <= 30

    def test_short_pages_are_not_taken_for_the_last(self) -> None:
        ghl = world(largest_page=100)
        ghl.records["contact"] = people(1_050)
        assert len(ghl.resolve(BY_EMAIL, emails(1_050), lookup_by="page").record_ids) == 1_050
        ghl = world(largest_page=100, total=lambda _: None)
        ghl.records["contact"] = people(1_050)
        assert len(ghl.resolve(BY_EMAIL, emails(1_050), lookup_by="page").record_ids) == 1_050

    def test_a_total_that_cannot_be_true_is_none(self) -> None:
        ghl = world(total=lambda _: 0, largest_page=1)
        ghl.records["contact"] = [contact("one", "a@example.org"), contact("two", "a@example.org")]
        assert ghl.resolve(BY_EMAIL, ["a@example.org"])["a@example.org"].candidates == ("one", "two")

    def test_a_total_that_is_too_small_hides_no_second_record(self) -> None:
        ghl = world(total=lambda _: 500)
        ghl.records["contact"] = [*people(500), contact("twin", "p0@example.org")]
        assert ghl.resolve(BY_EMAIL, emails(1), lookup_by="page")["p0@example.org"].candidates == ("contact0", "twin")

    @pytest.mark.parametrize(
        "data",
        [
            None,
            [],
            {},
            "ok",
            {"contacts": None},
            {"contacts": {}},
            {"contacts": ["x"]},
            {"contacts": [{"email": "a@example.org"}]},
        ],
    )
    def test_an_answer_that_cannot_be_understood_is_no_miss(self, data: Any) -> None:
        with pytest.raises(ServerError, match="holds no contacts"):
            converse(resolve(BY_EMAIL, ["a@example.org"], LOCATION), lambda _: Answer(200, data), _never)

    @pytest.mark.parametrize("data", [None, {}, [], {"contact": {}}, {"contact": "one"}, {"id": "one"}])
    def test_nor_is_a_second_look(self, data: Any) -> None:
        def answer(call: Call) -> Answer:
            return Answer(200, data if call.method == "GET" else {"contacts": [], "total": 0})

        with pytest.raises(ServerError, match="does not say whether there is a contact"):
            converse(resolve(BY_EMAIL, ["a@example.org"], LOCATION), answer, _never)
