"""A table that was loaded before costs almost nothing, and no missing relation is skipped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from remembering import DAY, PAIRS, Time, evidence, known, server
from simulated_highlevel import ASSOCIATION, KEY
from simulated_load import load_pairs

from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.load.ledger.ledger import Ledger


class TestAgain:
    def test_an_unchanged_table_costs_one_request(self, ledger: Ledger) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        again = load_pairs(PAIRS, world, ledger=ledger, load_id="tomorrow")
        assert again.summary["requests"] == 1
        assert evidence(again) == {("already_exists", "ledger"): 300}
        assert set(world.creations.values()) == {1}

    def test_new_pairs_are_sent(self, ledger: Ledger) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        again = load_pairs([*PAIRS, ("new", "teacher1"), *PAIRS[:5]], world, ledger=ledger, load_id="tomorrow")
        assert again.summary["requests"] == 2
        assert evidence(again) == {("already_exists", "ledger"): 300, ("created", "answer"): 1, ("repeated", None): 5}
        assert again.results[-1]["reason"] == "the same pair as row 4"

    def test_relations_that_existed_before_are_remembered_too(self, ledger: Ledger) -> None:
        world = server()
        world.add(*PAIRS)
        assert evidence(load_pairs(PAIRS, world, ledger=ledger)) == {("already_exists", "answer"): 300}
        assert load_pairs(PAIRS, world, ledger=ledger).summary["requests"] == 1

    @pytest.mark.parametrize("rows", [10, 5_000])
    def test_a_small_and_a_large_table_find_the_same(self, ledger: Ledger, rows: int) -> None:
        """A few pairs are looked up one by one; many are loaded all at once."""
        pairs = [(f"s{n}", "t") for n in range(rows)]
        world = server(limit=10_000)
        load_pairs(pairs[::2], world, ledger=ledger)
        again = load_pairs(pairs, world, ledger=ledger, load_id="tomorrow")
        assert evidence(again) == {("already_exists", "ledger"): rows // 2, ("created", "answer"): rows // 2}

    def test_a_refused_pair_is_sent_again(self, ledger: Ledger) -> None:
        world = server(missing=frozenset({"student3"}))
        assert load_pairs(PAIRS[:6], world, ledger=ledger, tolerance=1).summary["rejected"] == 1
        world.missing = frozenset()
        assert evidence(load_pairs(PAIRS[:6], world, ledger=ledger)) == {
            ("already_exists", "ledger"): 5,
            ("created", "answer"): 1,
        }

    def test_another_host_and_another_association_are_not_known(self, ledger: Ledger) -> None:
        load_pairs(PAIRS[:5], server(), ledger=ledger)
        recreated = server(associations={KEY: "6758b5c1f5e2a1d3c4b5ffff"})
        assert load_pairs(PAIRS[:5], recreated, ledger=ledger).summary["created"] == 5
        targets = [(one["host"], one["association_id"]) for one in ledger.statistics()["targets"]]
        assert targets == [(DEFAULT_HOST, ASSOCIATION), (DEFAULT_HOST, "6758b5c1f5e2a1d3c4b5ffff")]

    def test_a_record_that_is_gone_takes_its_pairs_along(self, ledger: Ledger) -> None:
        world = server()
        rows = [("gone", "teacher1"), ("gone", "teacher2"), ("student1", "gone")]
        load_pairs(rows, world, ledger=ledger)
        world.missing = frozenset({"gone"})
        load_pairs([("gone", "teacher3")], world, ledger=ledger, tolerance=1)
        # The same id on the other side may be another record, one that exists.
        assert known(ledger) == 1


class TestAge:
    def test_no_known_relation_exceeds_its_age(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        looked_up = []
        for day in range(30):
            time.now += DAY
            looked_up.append(load_pairs(PAIRS, world, ledger=ledger, load_id=f"day {day}").summary["requests"] - 1)
        # Each relation is due on its own day. Several relations of a teacher may be due together, and are read at once.
        assert 7 <= sum(looked_up) <= 300
        assert max(looked_up) <= 7
        oldest = ledger.statistics()["oldest_confirmed"]
        assert time.now - oldest <= 30 * DAY

    def test_relations_of_one_record_are_read_together(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        time.now += 31 * DAY
        again = load_pairs(PAIRS, world, ledger=ledger, load_id="next month")
        assert again.summary["requests"] == 1 + 7
        assert evidence(again) == {("already_exists", "read"): 300}

    def test_a_relation_that_was_removed_is_made_again(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        del world.relations[PAIRS[5]], world.relations[PAIRS[200]]
        assert load_pairs(PAIRS, world, ledger=ledger).summary["created"] == 0
        time.now += 1.0
        again = load_pairs(PAIRS, world, ledger=ledger, load_id="strict", ledger_max_age=timedelta(0))
        assert evidence(again) == {("already_exists", "read"): 298, ("created", "answer"): 2}

    def test_single_relations_are_sent(self, ledger: Ledger, time: Time) -> None:
        world = server()
        pairs = [(f"s{n}", f"t{n}") for n in range(50)]
        load_pairs(pairs, world, ledger=ledger)
        time.now += 31 * DAY
        again = load_pairs(pairs, world, ledger=ledger, load_id="next month")
        assert again.summary["requests"] == 51
        assert evidence(again) == {("already_exists", "answer"): 50}
        assert load_pairs(pairs, world, ledger=ledger, load_id="once more").summary["requests"] == 1
