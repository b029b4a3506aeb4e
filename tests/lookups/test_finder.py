"""A finder: chunk after chunk of keys."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_records import LOCATION, POLICY, contact, emails, people, policy, world

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Opportunity
from airflow_provider_ghl.lookups.finder import Finder
from airflow_provider_ghl.lookups.outcomes import Resolution

BY_EMAIL = Contact(by="email")
BY_NUMBER = CustomObject(POLICY, by="policy_no")
NO_CONTACT = "no contact has this e-mail"


class TestNames:
    @pytest.mark.parametrize(
        ("lookup", "region", "name"),
        [
            (BY_EMAIL, "US", "contact by email"),
            (Contact(by="phone"), "us", "contact by phone (US)"),
            (Contact(by="phone"), None, "contact by phone"),
            (Contact(by="id"), "US", "contact by id"),
            (Contact(by="custom_field:tier"), "US", "contact by custom_field:tier (US)"),
            (BY_NUMBER, None, "custom_objects.policy by policy_no"),
            (BY_NUMBER, "DE", "custom_objects.policy by policy_no (DE)"),
            (CustomObject(POLICY, by="id"), "DE", "custom_objects.policy by id"),
            (Business(by="name"), None, "business by name"),
            (Opportunity(by="name"), "US", "opportunity by name"),
        ],
    )
    def test_a_region_is_named_where_it_can_matter(self, lookup: Any, region: Any, name: str) -> None:
        assert Finder(lookup, LOCATION, phone_region=region).name == name


class TestBeginning:
    def test_the_schema_is_read_once(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION)
        ghl.hold(finder.begin())
        ghl.hold(finder.begin())
        assert [call.template for call in ghl.calls] == ["/objects/{key}"]

    def test_a_property_that_is_not_there(self) -> None:
        ghl, finder = world(), Finder(CustomObject(POLICY, by="policyno"), LOCATION)
        with pytest.raises(ConfigurationError, match="did you mean 'policy_no'"):
            ghl.hold(finder.begin())

    def test_ids_need_no_request(self) -> None:
        ghl, finder = world(), Finder(CustomObject(POLICY, by="id"), LOCATION)
        ghl.hold(finder.begin())
        found = ghl.hold(finder.find(["one", "a@example.org"]))
        assert found["one"] == Resolution("one")
        assert found["a@example.org"].is_invalid
        assert ghl.hold(finder.find_again(["one"])) == {"one": Resolution("one")}
        assert ghl.calls == []


class TestReasons:
    @pytest.mark.parametrize("length", [1, 20, 24, 60, 400])
    def test_they_are_short_however_many_records_have_a_key(self, length: int) -> None:
        ghl, ids = world(), [f"{at:0{length}}" for at in range(9)]
        ghl.records["contact"] = [contact(each, "p0@example.org") for each in ids]
        verdict = ghl.hold(Finder(BY_EMAIL, LOCATION).find(emails(1)))["p0@example.org"]
        assert verdict.candidates == tuple(ids)
        assert verdict.reason is not None
        assert verdict.reason.startswith("9 contacts have it")
        assert len(verdict.reason) <= 160
        assert verdict.reason.count(",") == min(4, max(0, 120 // length - 1))


class TestMissing:
    def test_what_may_still_turn_up_is_missing_until_it_is_looked_for_again(self) -> None:
        ghl, finder = world(), Finder(BY_NUMBER, LOCATION)
        ghl.records[POLICY] = [policy("one", "A-1")]
        ghl.new[POLICY] = [policy("two", "A-2")]
        reason = f"no record of {POLICY} has this policy_no"
        found = ghl.hold(finder.find(["A-1", "A-2", "A-3"]))
        missing = Resolution(reason=reason, is_missing=True)
        assert found == {"A-1": Resolution("one"), "A-2": missing, "A-3": missing}
        ghl.wait(finder.index_lag)
        assert ghl.hold(finder.find_again(["A-2", "A-3"])) == {"A-2": Resolution("two"), "A-3": Resolution(reason=reason)}

    def test_what_search_duplicate_says_of_a_contact_is_final(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION)
        ghl.records["contact"] = people(1)
        ghl.new["contact"] = [contact("new", "p1@example.org")]
        found = ghl.hold(finder.find(emails(3)))
        assert list(found.values()) == [Resolution("contact0"), Resolution("new"), Resolution(reason=NO_CONTACT)]

    def test_a_hundred_contacts_are_asked_for_one_by_one(self) -> None:
        ghl, finder = world(), Finder(BY_EMAIL, LOCATION, lookup_by="search")
        first, second = emails(400)[:150], emails(400)[150:]
        found = ghl.hold(finder.find(first)) | ghl.hold(finder.find(second))
        missing = [key for key, one in found.items() if one.is_missing]
        assert missing == emails(400)[100:]
        assert len(ghl.calls) == 2 + 100 + 3
        ghl.records["contact"] = people(400)
        assert len([one for one in ghl.hold(finder.find_again(missing)).values() if one.record_id]) == 300
        assert len(ghl.calls) == 105 + 3
