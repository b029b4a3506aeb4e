"""Tables of keys become relations: what is found, what is not, and how many requests that takes."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from keyed_world import BY_NUMBER, contact_id, keyed_server, load_keys, policy_id, table
from remembering import DAY, Time
from simulated_records import POLICY, Lies, contact, policy

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.lookups import Contact, CustomObject

#: Within it no key comes due.
HOUR = 3_600.0
TEN = table(*((at, at % 4) for at in range(10)))


def outcomes(load: Any) -> Counter[str]:
    return Counter(load.outcomes)


class TestFound:
    def test_keys_become_relations_whichever_way_round_highlevel_keeps_them(self, ledger: Ledger) -> None:
        world = keyed_server()
        load = load_keys(TEN, world, ledger=ledger)
        assert load.verdict.is_green
        assert set(world.relations) == {(contact_id(at % 4), policy_id(at)) for at in range(10)}
        # Results keep the table's order.
        assert load.results[5]["first_record_id"] == policy_id(5)
        assert load.results[5]["second_record_id"] == contact_id(1)
        # Ten policies, four contacts: the association, the policies' schema and a search for each.
        assert (load.summary["looked_up"], load.summary["lookup_requests"]) == (14, 3)
        assert load.summary["requests"] == 14

    def test_without_a_ledger_too(self) -> None:
        assert outcomes(load_keys(TEN, keyed_server(), batch_size=3)) == {"created": 10}

    def test_the_next_night_nothing_is_looked_up(self, ledger: Ledger) -> None:
        world = keyed_server()
        load_keys(TEN, world, ledger=ledger)
        again = load_keys(TEN, world, ledger=ledger, load_id="tomorrow")
        assert outcomes(again) == {"already_exists": 10}
        assert (again.summary["requests"], again.summary["looked_up"], again.summary["lookup_requests"]) == (1, 0, 0)

    def test_each_key_is_looked_up_once_however_many_chunks_name_it(self, ledger: Ledger) -> None:
        world = keyed_server()
        rows = table(*((0, at % 7) for at in range(20)), *((1, at % 7) for at in range(20)))
        load = load_keys(rows, world, ledger=ledger, batch_size=5)
        assert load.summary["looked_up"] == 2 + 7

    def test_two_spellings_of_one_key_make_one_pair(self, ledger: Ledger) -> None:
        rows = [("P1", "p1@example.org"), (" P1 ", " P1@Example.ORG")]
        load = load_keys(rows, keyed_server(), ledger=ledger)
        assert load.outcomes == ["created", "repeated"]
        assert load.results[1]["reason"] == "the same pair as row 0"

    def test_one_column_may_hold_ids(self, ledger: Ledger) -> None:
        world = keyed_server()
        load = load_keys([("P1", contact_id(3))], world, ledger=ledger, lookups=(BY_NUMBER, Contact(by="id")))
        assert load.outcomes == ["created"]
        assert set(world.relations) == {(contact_id(3), policy_id(1))}


class TestNotFound:
    def test_a_key_of_no_record_and_one_of_several(self, ledger: Ledger) -> None:
        world = keyed_server()
        assert world.records is not None
        world.records.records["contact"].append(contact("twin", "p2@example.org"))
        load = load_keys(table((1, 1), (1, 99), (1, 2)), world, ledger=ledger)
        assert load.outcomes == ["created", "unresolved", "unresolved"]
        assert load.results[1]["reason"] == "column 'second_record_id': no contact has this e-mail"
        assert load.results[2]["reason"] == f"column 'second_record_id': 2 contacts have it: {contact_id(2)}, twin"
        assert load.results[2]["first_record_id"] == policy_id(1)
        assert load.results[2]["second_record_id"] is None
        assert load.verdict.end is End.FINAL
        assert load.summary["unresolved"] == 2

    def test_skipped_rows_are_told_and_do_not_count(self, ledger: Ledger) -> None:
        rows = table((1, 1), (1, 98), (1, 99))
        load = load_keys(rows, keyed_server(), ledger=ledger, fails_unresolved=False)
        assert load.verdict.is_green
        assert load.summary["unresolved"] == 2
        assert load.verdict.attention[:2] == [
            "2 of 3 rows were skipped:",
            "  2 unresolved: column 'second_record_id': no contact has this e-mail",
        ]
        assert "2 × unresolved" in load.verdict.message

    def test_other_failures_count_beside_skipped_rows(self, ledger: Ledger) -> None:
        rows = [*table((1, 99)), ("P1", "no address")]
        load = load_keys(rows, keyed_server(), ledger=ledger, fails_unresolved=False)
        assert load.verdict.end is End.FINAL
        assert "1 of 2 rows failed, all of them invalid" in load.verdict.headline

    def test_all_reasons_of_a_row_and_invalid_before_unresolved(self, ledger: Ledger) -> None:
        rows = [("P999", "p99@example.org"), ("P999", "two@of@them"), ("P1", ""), ("P1", None), ("P1", 1.5)]
        load = load_keys(rows, keyed_server(), ledger=ledger)
        assert load.outcomes == ["unresolved", "invalid", "invalid", "invalid", "invalid"]
        both = "column 'first_record_id': no record of custom_objects.policy has this policy_no; column 'second_record_id': "
        assert load.results[0]["reason"] == f"{both}no contact has this e-mail"
        assert load.results[1]["reason"] == "column 'second_record_id': more than one e-mail address, or no plain one"
        assert load.results[2]["reason"] == load.results[3]["reason"] == "column 'second_record_id' is empty"
        assert load.results[4]["reason"].endswith("a value of type float: cast it to text in the query")
        assert load.summary["looked_up"] == 2, "what cannot be a key is not asked for"

    def test_rows_of_a_stopped_load_are_not_attempted(self, ledger: Ledger) -> None:
        load = load_keys([*TEN, ("P1", ""), *table((1, 99))], keyed_server(), ledger=ledger, max_requests=3)
        assert load.verdict.end is End.FINAL
        assert outcomes(load) == {"not_attempted": 11, "invalid": 1}


class TestSecondLooks:
    def test_a_new_contact_is_found_at_once(self, ledger: Ledger) -> None:
        world = keyed_server(indexed_at=1e9)
        assert world.records is not None
        world.records.new["contact"] = [contact("newcomer", "new@example.org")]
        load = load_keys([("P1", "new@example.org")], world, ledger=ledger)
        assert load.outcomes == ["created"]
        assert load.seconds < 10

    def test_another_new_record_is_looked_for_once_more_at_the_end(self, ledger: Ledger) -> None:
        world = keyed_server(indexed_at=1_030.0)
        assert world.records is not None
        world.records.new[POLICY] = [policy("newcomer", "P777")]
        rows = [("P777", "p1@example.org"), *TEN, ("P777", "p2@example.org"), ("P888", "p2@example.org")]
        load = load_keys(rows, world, ledger=ledger, batch_size=4)
        assert load.outcomes == ["created"] * 12 + ["unresolved"]
        assert 60 <= load.seconds < 70
        assert load.results[0]["first_record_id"] == "newcomer"

    def test_rows_that_wait_do_not_keep_the_source_from_being_read(self, ledger: Ledger) -> None:
        world = keyed_server(policies=100)
        rows = [("P777", "p1@example.org"), *table(*((at % 100, at % 20) for at in range(120_000)))]
        world.add(*((contact_id(at % 20), policy_id(at % 100)) for at in range(100)))
        load = load_keys(rows, world, ledger=ledger, batch_size=10_000)
        assert outcomes(load)["unresolved"] == 1
        assert outcomes(load)["repeated"] + outcomes(load)["already_exists"] == 120_000

    def test_a_long_load_waits_for_the_index_once(self, ledger: Ledger) -> None:
        """Every window of rows has one without a record: each would wait for a minute, though nothing is to be sent."""
        world = keyed_server(policies=20)
        known = table(*((at % 20, at % 19) for at in range(380)))
        load_keys(known, world, ledger=ledger)
        rows = [row for at in range(4) for row in [(f"P9{at}", "p1@example.org"), *(known * 150)]]
        load = load_keys(rows, world, ledger=ledger, load_id="again", batch_size=10_000)
        assert outcomes(load)["unresolved"] == 4
        assert load.seconds < 70


class TestGone:
    def test_a_record_that_is_gone_is_looked_up_once_more(self, ledger: Ledger, time: Time) -> None:
        world = keyed_server()
        load_keys(table((1, 1), (2, 2)), world, ledger=ledger)
        assert world.records is not None
        # p1 was deleted and made anew; its relations are gone with it.
        world.missing = frozenset({contact_id(1)})
        world.records.records["contact"][1] = contact("another", "p1@example.org")
        time.now += HOUR
        load = load_keys(table((1, 1), (2, 2), (3, 1), (4, 1)), world, ledger=ledger, load_id="tomorrow")
        assert load.verdict.is_green
        assert ("another", policy_id(3)) in world.relations
        assert ("another", policy_id(4)) in world.relations
        assert load.results[2]["second_record_id"] == "another"
        third = load_keys(table((5, 1)), world, ledger=ledger, load_id="the day after")
        assert third.outcomes == ["created"]
        assert third.summary["looked_up"] == 1  # the policy

    def test_one_that_highlevel_still_finds_is_not_sent_again(self, ledger: Ledger, time: Time) -> None:
        world = keyed_server()
        load_keys(table((1, 1)), world, ledger=ledger)
        world.missing = frozenset({contact_id(1)})
        time.now += HOUR
        load = load_keys(table((3, 1), (4, 1), (5, 1)), world, ledger=ledger, load_id="tomorrow")
        assert outcomes(load) == {"unresolved": 3}
        assert load.results[0]["reason"].endswith(f"HighLevel finds {contact_id(1)} for it, and has no such record")

    def test_one_that_no_search_finds_any_more_is_unresolved(self, ledger: Ledger, time: Time) -> None:
        world = keyed_server()
        load_keys(table((1, 1)), world, ledger=ledger)
        world.missing = frozenset({contact_id(1)})
        assert world.records is not None
        del world.records.records["contact"][1]
        time.now += HOUR
        load = load_keys(table((3, 1)), world, ledger=ledger, load_id="tomorrow")
        assert load.results[0]["reason"] == "column 'second_record_id': no contact has this e-mail"

    def test_many_that_are_gone_stop_nothing(self, ledger: Ledger, time: Time) -> None:
        """A restored sub-account has the same people under other ids."""
        world = keyed_server(contacts=60)
        load_keys(table(*((at % 20, at) for at in range(60))), world, ledger=ledger)
        assert world.records is not None
        world.missing = frozenset(contact_id(at) for at in range(60))
        world.records.records["contact"] = [contact(f"again{at}", f"p{at}@example.org") for at in range(60)]
        time.now += HOUR
        load = load_keys(table(*((at % 19, at) for at in range(60))), world, ledger=ledger, load_id="tomorrow")
        assert load.verdict.is_green

    def test_freshly_found_ones_stop_the_load_as_ids_do(self, ledger: Ledger) -> None:
        world = keyed_server(contacts=60)
        world.missing = frozenset(contact_id(at) for at in range(60))
        load = load_keys(table(*((at % 20, at) for at in range(60))), world, ledger=ledger)
        assert load.summary["stopped_by"] == "abort"
        assert load.summary["requests"] <= 25 + load.summary["lookup_requests"]


class TestAge:
    def test_no_key_is_believed_for_longer_than_its_age(self, ledger: Ledger, time: Time) -> None:
        world = keyed_server(contacts=200, policies=1)
        rows = table(*((0, at) for at in range(200)))
        load_keys(rows, world, ledger=ledger)
        looked_up = []
        for day in range(1, 8):
            time.now += DAY
            load = load_keys(rows, world, ledger=ledger, load_id=f"day {day}", lookup_max_age=timedelta(days=7))
            looked_up.append(load.summary["looked_up"])
        assert sum(looked_up) == 201
        assert max(looked_up) < 60

    def test_with_an_age_of_nothing_every_load_looks_them_up(self, ledger: Ledger, time: Time) -> None:
        world = keyed_server()
        load_keys(TEN, world, ledger=ledger)
        time.now += 1.0
        load = load_keys(TEN, world, ledger=ledger, load_id="again", lookup_max_age=timedelta(0), batch_size=3)
        assert load.summary["looked_up"] == 14


class TestErrors:
    def test_an_unknown_property_ends_it_before_a_write(self, ledger: Ledger) -> None:
        lookups = (CustomObject(POLICY, by="policy_nr"), Contact(by="email"))
        load = load_keys(TEN, keyed_server(), ledger=ledger, lookups=lookups)
        assert load.verdict.end is End.FINAL
        assert "did you mean 'policy_no'?" in load.verdict.headline
        assert outcomes(load) == {"not_attempted": 10}
        assert load.server.relations == {}

    def test_a_lookup_for_the_wrong_side_says_what_the_association_links(self, ledger: Ledger) -> None:
        lookups = (CustomObject(POLICY, by="policy_no"), CustomObject(POLICY, by="policy_no"))
        load = load_keys(TEN, keyed_server(), ledger=ledger, lookups=lookups)
        assert f"links contact to {POLICY}, not {POLICY} to {POLICY}" in load.verdict.headline
        assert load.summary["requests"] == 1

    def test_a_missing_scope_is_named_before_a_write(self, ledger: Ledger) -> None:
        load = load_keys(TEN, keyed_server(refuse_reads=True), ledger=ledger)
        assert load.summary["stopped_by"] == "token"
        assert "objects/schema.readonly" in load.verdict.headline
        assert load.server.relations == {}

    def test_a_search_that_lies_makes_it_worth_a_retry(self, ledger: Ledger) -> None:
        world = keyed_server(policies=2_000, lies=Lies(ignores_filters=True, repeats_pages=True))
        load = load_keys(table(*((at, 1) for at in range(100))), world, ledger=ledger)
        assert load.verdict.end is End.RETRYABLE
        assert load.server.relations == {}

    def test_an_outage_is_waited_out(self, ledger: Ledger) -> None:
        world = keyed_server(faults=dict.fromkeys(range(2, 12), "503_before"))
        assert outcomes(load_keys(TEN, world, ledger=ledger)) == {"created": 10}


class TestPlan:
    def test_a_plan_finds_the_records_and_writes_nothing(self, ledger: Ledger) -> None:
        world = keyed_server()
        load = load_keys([*TEN, *table((1, 99))], world, ledger=ledger, plan_only=True)
        assert outcomes(load) == {"not_attempted": 10, "unresolved": 1}
        assert load.server.relations == {}
        assert load.summary["looked_up"] == 15
        assert load.summary["plan"]["requests"] == 10 + load.summary["requests"]
        assert ledger.statistics()["keys"] == 0
