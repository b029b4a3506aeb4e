"""Look-ups: what they find, and what they say of the rest."""

from __future__ import annotations

from typing import Any

import pytest
from simulated_records import LOCATION, POLICY, contact, emails, leaves, people, policy, world

from airflow_provider_ghl.lookups import Business, Contact, CustomObject, Opportunity
from airflow_provider_ghl.lookups.outcomes import Resolution
from airflow_provider_ghl.lookups.resolve import INDEX_LAG

BY_EMAIL = Contact(by="email")
BY_PHONE = Contact(by="phone")
BY_NUMBER = CustomObject(POLICY, by="policy_no")


class TestContacts:
    def test_by_email(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(3)
        found = ghl.resolve(BY_EMAIL, ["P1@Example.org ", "p2@example.org", "p2@example.org", "nobody@example.org"])
        assert found.record_ids == {"P1@Example.org ": "contact1", "p2@example.org": "contact2"}
        assert found.reasons == {"nobody@example.org": "no contact has this e-mail"}
        assert [one.record_id for one in found.in_order] == ["contact1", "contact2", "contact2", None]
        # One search for the distinct keys, and a second look for the one that it missed.
        assert [call.template for call in ghl.calls] == ["/contacts/search", "/contacts/search/duplicate"]
        assert [leaf["value"] for leaf in leaves(ghl.searches()[0])] == [
            "p1@example.org",
            "p2@example.org",
            "nobody@example.org",
        ]
        assert ghl.waits == []

    def test_a_new_contact_that_the_search_misses_is_found_by_the_second_look(self) -> None:
        ghl = world()
        ghl.new["contact"] = people(1)
        assert ghl.resolve(BY_EMAIL, emails(1))["p0@example.org"] == Resolution("contact0")

    def test_further_emails_count(self) -> None:
        ghl = world()
        ghl.records["contact"] = [
            contact("one", "a@example.org", additionalEmails=["B@example.org", {"email": "c@example.org"}])
        ]
        found = ghl.resolve(BY_EMAIL, ["a@example.org", "b@example.org"])
        assert found.record_ids == {"a@example.org": "one", "b@example.org": "one"}
        assert ghl.resolve(BY_EMAIL, ["c@example.org"], lookup_by="page").record_ids == {"c@example.org": "one"}

    @pytest.mark.parametrize("lookup_by", ["search", "page"])
    def test_an_own_email_comes_before_anothers_further_one(self, lookup_by: Any) -> None:
        ghl = world()
        ghl.records["contact"] = [
            contact("wife", "w@example.org", additionalEmails=["h@example.org"]),
            contact("husband", "h@example.org"),
        ]
        assert ghl.resolve(BY_EMAIL, ["h@example.org"], lookup_by=lookup_by).record_ids == {"h@example.org": "husband"}

    def test_by_phone(self) -> None:
        ghl = world()
        ghl.records["contact"] = [{"id": "one", "phone": "+12025550143"}, {"id": "two", "phone": "+493012345678"}]
        found = ghl.resolve(BY_PHONE, ["(202) 555-0143", "+49 30 12345678"], phone_region="us")
        assert list(found.record_ids.values()) == ["one", "two"]
        found = ghl.resolve(BY_PHONE, ["(202) 555-0143"])
        assert "no phone_region says whose" in found.reasons["(202) 555-0143"]

    def test_phones_that_the_filter_misses_are_found_one_by_one(self) -> None:
        ghl = world()
        ghl.new["contact"] = [{"id": "one", "phone": "+12025550143"}]
        assert ghl.resolve(BY_PHONE, ["+1 202 555 0143"]).record_ids == {"+1 202 555 0143": "one"}
        assert ghl.calls[-1].params == {"locationId": LOCATION, "number": "+12025550143"}

    def test_where_the_filter_misses_all_the_whole_is_read_if_that_costs_less(self) -> None:
        ghl = world(misses_all=True)
        ghl.records["contact"] = [*people(1_200), contact("twin", "p5@example.org")]
        found = ghl.resolve(BY_EMAIL, emails(30))
        assert (len(found.record_ids), found["p5@example.org"].candidates) == (29, ("contact5", "twin"))
        assert len(ghl.calls) == 4
        ghl.calls.clear()
        ghl.records["contact"] = people(20_000)
        assert len(ghl.resolve(BY_EMAIL, emails(30)).record_ids) == 30
        # A search, a page that says how many there are, and each key alone: what one page shows is no proof.
        assert len(ghl.calls) == 32

    def test_several_with_one_key_are_all_named(self) -> None:
        ghl = world()
        ghl.records["contact"] = [contact(name, "a@example.org") for name in ("one", "two", "three")]
        several = Resolution(reason="3 contacts have it: one, two, three", candidates=("one", "two", "three"))
        assert ghl.resolve(BY_EMAIL, ["a@example.org"])["a@example.org"] == several
        ghl.records["contact"] = [contact(f"c{at}", "a@example.org") for at in range(12)]
        found = ghl.resolve(BY_EMAIL, ["a@example.org"])["a@example.org"]
        assert found.reason == "12 contacts have it: c0, c1, c2, c3, c4 and 7 more"
        assert len(found.candidates) == 12

    def test_what_cannot_be_a_key_costs_no_request(self) -> None:
        ghl = world()
        found = ghl.resolve(BY_EMAIL, ["a@b@c", None, "", 1.5, ["a@example.org"]])
        assert all(one.is_invalid and one.record_id is None for one in found.in_order)
        assert (ghl.calls, len(found.in_order)) == ([], 5)

    def test_ids_are_taken_as_they_are(self) -> None:
        ghl = world()
        found = ghl.resolve(Contact(by="id"), [" one ", "a@example.org"])
        assert found.record_ids == {" one ": "one"}
        assert found["a@example.org"].is_invalid
        assert ghl.calls == []

    def test_no_keys_no_request(self) -> None:
        ghl = world()
        assert len(ghl.resolve(BY_NUMBER, [])) == 0
        assert ghl.calls == []

    def test_an_email_that_no_filter_takes_is_found_by_paging(self) -> None:
        long = "x" * 80 + "@example.org"
        ghl = world()
        ghl.records["contact"] = [contact("one", long)]
        assert ghl.resolve(BY_EMAIL, [long]).record_ids == {long: "one"}
        assert ghl.resolve(BY_EMAIL, [long], lookup_by="search")[long].is_invalid
        assert ["filters" in body for body in ghl.searches()] == [False]


class TestCustomFields:
    def test_a_number(self) -> None:
        ghl = world()
        ghl.records["contact"] = [{"id": "one", "customFields": [{"id": "c1", "value": 7}, {"id": "c2", "value": "7"}]}]
        assert ghl.resolve(Contact(by="custom_field:member_no"), ["007"]).record_ids == {"007": "one"}
        assert leaves(ghl.searches()[0]) == [{"field": "customFields.c1", "operator": "eq", "value": 7}]

    def test_an_option(self) -> None:
        ghl = world()
        ghl.records["contact"] = [{"id": "one", "customFields": [{"id": "c3", "value": "Gold"}]}]
        found = ghl.resolve(Contact(by="custom_field:contact.tier"), ["Gold", "Bronze"])
        assert found.record_ids == {"Gold": "one"}
        assert found.reasons == {"Bronze": "none of the field's options"}

    def test_a_date_is_found_by_paging(self) -> None:
        ghl = world()
        ghl.records["contact"] = [{"id": "one", "customFields": [{"id": "c4", "value": "2026-02-28T00:00:00.000Z"}]}]
        assert ghl.resolve(Contact(by="custom_field:joined"), ["2026-02-28"]).record_ids == {"2026-02-28": "one"}
        assert "filters" not in ghl.searches()[0]
        found = ghl.resolve(Contact(by="custom_field:joined"), ["2026-02-28"], lookup_by="search")
        assert found.reasons == {"2026-02-28": "no filter takes it, and paging was not to be had"}

    def test_a_text_that_no_filter_takes_is_found_by_paging(self) -> None:
        long = "x" * 76
        ghl = world()
        ghl.records["contact"] = [{"id": "one", "customFields": [{"id": "c2", "value": long}]}]
        lookup = Contact(by="custom_field:note")
        assert ghl.resolve(lookup, [long]).record_ids == {long: "one"}
        assert "filters" not in ghl.searches()[0]
        assert ghl.resolve(lookup, [long], lookup_by="search")[long].is_invalid
        ghl.lies.refuses_paging = True
        found = ghl.resolve(lookup, [long, "short"])
        assert (found[long].is_invalid, found["short"].reason) == (True, "no contact has this note")

    def test_of_an_opportunity(self) -> None:
        ghl = world()
        ghl.records["opportunity"] = [{"id": "one", "custom_fields": [{"id": "o1", "fieldValue": "D-1"}]}]
        assert ghl.resolve(Opportunity(by="custom_field:deal_no"), ["D-1"]).record_ids == {"D-1": "one"}
        assert leaves(ghl.searches()[0])[0]["field"] == "custom_fields.o1"


class TestOtherRecords:
    def test_a_custom_object(self) -> None:
        ghl = world()
        ghl.records[POLICY] = [policy("one", "A-1"), policy("two", "a-1")]
        found = ghl.resolve(BY_NUMBER, ["A-1", "B-1"])
        assert found.record_ids == {"A-1": "one"}
        assert found.reasons == {"B-1": f"no record of {POLICY} has this policy_no"}
        assert ghl.waits == [INDEX_LAG]

    def test_a_new_record_is_found_after_the_lag(self) -> None:
        ghl = world()
        ghl.new[POLICY] = [policy("one", "A-1")]
        assert ghl.resolve(BY_NUMBER, ["A-1"], index_lag=5.0).record_ids == {"A-1": "one"}
        assert ghl.waits == [5.0]

    def test_by_type(self) -> None:
        ghl = world()
        ghl.records[POLICY] = [
            policy("one", "A-1", amount={"currency": "default", "value": 7.5}, begins="2026-02-28", tier="g")
        ]
        for by, key in (("amount", "7.50"), ("begins", "2026-02-28"), ("tier", "Gold"), ("tier", "g")):
            found = ghl.resolve(CustomObject(POLICY, by=by), [key], lookup_by="page")
            assert found.record_ids == {key: "one"}
        assert ghl.resolve(CustomObject(POLICY, by="tier"), ["Gold"], lookup_by="search").record_ids == {"Gold": "one"}

    def test_a_company(self) -> None:
        ghl = world()
        ghl.records["business"] = [{"id": "one", "properties": {"name": "Acme"}}]
        found = ghl.resolve(Business(by="name"), ["Acme", "Bolt"])
        assert (found.record_ids, found.reasons) == ({"Acme": "one"}, {"Bolt": "no company has this name"})

    def test_opportunities_of_one_name(self) -> None:
        ghl = world()
        ghl.records["opportunity"] = [{"id": "one", "name": "Roof"}, {"id": "two", "name": "Roof"}]
        assert ghl.resolve(Opportunity(by="name"), ["Roof"]).reasons == {"Roof": "2 opportunities have it: one, two"}


class TestResolutions:
    def test_keys_of_several_types_are_told_apart(self) -> None:
        ghl = world()
        ghl.records[POLICY] = [policy("one", "1")]
        found = ghl.resolve(BY_NUMBER, [1, True, "1", 1.0])
        assert (found[1].record_id, found["1"].record_id) == ("one", "one")
        assert found[True].is_invalid
        assert found[1.0].is_invalid
        assert len(found) == 4

    def test_other_keys_are_not_there_and_not_quoted(self) -> None:
        found = world().resolve(BY_EMAIL, ["", ([],)])
        keys: list[Any] = ["secret", ["secret"], ([],)]
        for key in keys:
            with pytest.raises(KeyError) as error:
                found[key]
            assert "secret" not in repr(error.value)

    def test_repr_counts(self) -> None:
        ghl = world()
        ghl.records["contact"] = people(1)
        found = ghl.resolve(BY_EMAIL, ["p0@example.org", "p1@example.org", "a@b@c"])
        assert repr(found) == "<Resolutions: 1 found, 1 unresolved, 1 invalid>"
