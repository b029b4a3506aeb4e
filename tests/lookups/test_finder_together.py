"""Groups are searched for at once, in whatever order they are answered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from interleaved import InTurn, converse_interleaved
from simulated_records import LOCATION, HighLevel, Lies, contact, emails, leaves, people, world

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.conversation import Together
from airflow_provider_ghl.exceptions import BudgetSpent, RequestRejected, ServerError
from airflow_provider_ghl.lookups import Contact
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.outcomes import Resolution
from airflow_provider_ghl.lookups.search import LookupBy

BY_EMAIL = Contact(by="email")
EXAMPLES = 60 * int(os.environ.get("GHL_SOAK", "1"))


def find(ghl: HighLevel, chunks: Sequence[Sequence[str]], random: Random | None, lookup_by: LookupBy) -> dict[str, Resolution]:
    """All verdicts, second looks included; one request after the other without a ``random``."""
    finder, found = Finder(BY_EMAIL, LOCATION, lookup_by=lookup_by), dict[str, Resolution]()

    def hold(steps: Any) -> dict[str, Resolution]:
        result: dict[str, Resolution] = (
            ghl.hold(steps) if random is None else converse_interleaved(steps, ghl.answer, ghl.wait, random)
        )
        return result

    for chunk in chunks:
        found |= hold(finder.find(chunk))
    missing = [key for key, one in found.items() if one.is_missing]
    return found | hold(finder.find_again(missing))


class TestTogether:
    def test_the_first_group_is_searched_for_alone(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION, lookup_by="search")
        ghl.records["contact"] = people(350)
        steps = finder.find(emails(350))
        first = next(steps)
        assert isinstance(first, Call)
        rest = steps.send(ghl.answer(first))
        assert isinstance(rest, Together)
        assert len(rest.conversations) == 3
        assert [len(leaves(next(part).json)) for part in rest.conversations] == [100, 100, 50]
        steps.close()

    def test_no_group_is_once_one_was_accepted(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION, lookup_by="search")
        ghl.records["contact"] = people(200)
        ghl.hold(finder.find(emails(200)[:1]))
        assert isinstance(next(finder.find(emails(200)[1:])), Together)

    def test_second_looks_at_contacts(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION)
        steps = finder.find(emails(5))
        first = next(steps)
        assert isinstance(first, Call)
        alone = steps.send(ghl.answer(first))
        assert isinstance(alone, Call)
        assert alone.template == "/contacts/search/duplicate"
        rest = steps.send(ghl.answer(alone))
        assert isinstance(rest, Together)
        assert len(rest.conversations) == 4

    def test_groups_that_are_not_begun_yet_become_smaller_too(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(5_000)
        finder = Finder(BY_EMAIL, LOCATION, lookup_by="search")
        ghl.hold(finder.find(emails(1)))
        ghl.lies.largest_group = 30
        ghl.calls.clear()
        found = converse_interleaved(finder.find(emails(5_000)), ghl.answer, ghl.wait, Random(1), most=4)
        assert sum(one.record_id is not None for one in found.values()) == 5_000
        too_large = [body for body in ghl.searches() if len(leaves(body)) > 30]
        assert len(too_large) <= 4 * 3  # those under way when the first one was refused, with their halves

    def test_refused_keys_of_several_groups_do_not_add_up(self) -> None:
        """If they did, five in a row would be refused, and it would seem to be the filter."""
        refused = frozenset(key for at, key in enumerate(emails(1_000)) if at % 100 == 0)
        ghl = world(refuses=refused)
        ghl.records["contact"] = people(1_000)
        found = find(ghl, [emails(1_000)], InTurn(), "search")
        assert {key for key, one in found.items() if one.reason} == refused

    def test_a_filter_that_is_refused_from_then_on(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION, lookup_by="search")
        ghl.records["contact"] = people(1_000)
        ghl.hold(finder.find(emails(1)))
        ghl.lies.largest_group = 0
        with pytest.raises(RequestRejected):
            converse_interleaved(finder.find(emails(1_000)), ghl.answer, ghl.wait, Random(1))
        assert len(ghl.calls) < 150

    @pytest.mark.parametrize(("lookup_by", "is_found"), [("search", False), ("cheaper", True)])
    def test_a_filter_that_is_ignored_from_then_on(self, lookup_by: Any, is_found: bool) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION, lookup_by=lookup_by)
        ghl.records["contact"] = people(60_000)
        ghl.hold(finder.find(emails(1)))
        ghl.lies.ignores_filters = True
        steps = finder.find(emails(1_000))
        if is_found:
            found = converse_interleaved(steps, ghl.answer, ghl.wait, Random(1))
            assert all(one.record_id for one in found.values())
        else:
            with pytest.raises(ServerError, match="ignores the filter"):
                converse_interleaved(steps, ghl.answer, ghl.wait, Random(1))
        assert len(ghl.calls) <= 1 + 1 + 8 + 121

    def test_what_ends_a_load_comes_out_and_the_keys_can_be_asked_for_again(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION, lookup_by="search")
        ghl.records["contact"] = people(1_000)

        def answer(call: Call) -> Any:
            if len(ghl.calls) >= 5:
                raise BudgetSpent("no more")
            return ghl.answer(call)

        with pytest.raises(BudgetSpent):
            converse_interleaved(finder.find(emails(1_000)), answer, ghl.wait, Random(1))
        assert len(ghl.calls) == 5
        assert all(one.record_id for one in ghl.hold(finder.find(emails(1_000))).values())


@settings(max_examples=EXAMPLES)
@given(
    st.integers(0, 1_000),
    st.sampled_from(["cheaper", "search", "page"]),
    st.builds(
        Lies,
        largest_group=st.sampled_from([1, 7, 50, 1_000]),
        refuses=st.frozensets(st.sampled_from(emails(250)), max_size=4),
        refuses_paging=st.booleans(),
        largest_page=st.sampled_from([90, 500]),
        largest_limit=st.sampled_from([100, 500]),
        misses_all=st.booleans(),
    ),
    st.integers(0, 250),
    st.sampled_from([100, 170, 250]),
)
def test_in_any_order_the_verdicts_are_the_same(seed: int, lookup_by: Any, lies: Lies, there: int, chunk: int) -> None:
    lies.refuses_paging &= lookup_by != "page"
    records = [*people(there), *people(300, first=2_000), *[contact(f"twin{at}", f"p{at}@example.org") for at in range(3)]]
    chunks = [emails(250)[:chunk], emails(250)[chunk:]]
    one_by_one = find(HighLevel(records={"contact": records}, lies=lies), chunks, None, lookup_by)
    at_once = find(HighLevel(records={"contact": records}, lies=lies), chunks, Random(seed), lookup_by)
    assert one_by_one == at_once
