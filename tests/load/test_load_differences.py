"""Where a load looks up which relations exist: in HighLevel, or nowhere."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
from remembering import PAIRS, Time, evidence, known, server
from simulated_load import load_pairs

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst


class TestHighLevel:
    HUBS: ClassVar = [(f"student{n}", f"teacher{n % 20}") for n in range(2_000)]

    @pytest.mark.parametrize("page_cap", [100, 40])
    def test_pages_are_read_instead_of_rows_sent(self, ledger: Ledger, page_cap: int) -> None:
        world = server(page_cap=page_cap)
        world.add(*self.HUBS)
        load = load_pairs(self.HUBS, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, batch_size=100_000)
        assert load.summary["requests"] == 1 + 20 * -(-100 // page_cap)
        assert evidence(load) == {("already_exists", "read"): 2_000}
        assert not world.creations
        assert known(ledger) == 2_000

    def test_what_is_missing_is_sent(self, ledger: Ledger) -> None:
        world = server()
        world.add(*self.HUBS[::2])
        load = load_pairs(self.HUBS, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, batch_size=100_000)
        assert evidence(load) == {("already_exists", "read"): 1_000, ("created", "answer"): 1_000}
        assert load.summary["requests"] == 1 + 20 + 1_000

    def test_the_ledger_is_not_used_but_is_filled(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(self.HUBS, world, ledger=ledger)
        del world.relations[self.HUBS[7]]
        time.now += 60.0
        load = load_pairs(
            self.HUBS, world, ledger=ledger, load_id="truth", diff_against=DiffAgainst.HIGHLEVEL, batch_size=2_000
        )
        assert evidence(load) == {("already_exists", "read"): 1_999, ("created", "answer"): 1}
        assert load_pairs(self.HUBS, world, ledger=ledger, load_id="after").summary["requests"] == 1

    def test_one_to_one_is_not_read(self, ledger: Ledger) -> None:
        world = server()
        pairs = [(f"s{n}", f"t{n}") for n in range(100)]
        world.add(*pairs)
        load = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["requests"] == 101
        assert evidence(load) == {("already_exists", "answer"): 100}

    def test_reading_that_finds_nothing_ends(self, ledger: Ledger) -> None:
        """In a new table with small groups, reading stops early when nothing is found."""
        pairs = [(f"s{n}", f"t{n // 3}") for n in range(3_000)]
        load = load_pairs(pairs, server(limit=10_000), ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["created"] == 3_000
        assert load.summary["requests"] < 3_001 + 200

    def test_a_record_with_far_more_relations_than_the_table_has_is_given_up(self, ledger: Ledger) -> None:
        world = server()
        world.add(*((f"other{n}", "teacher") for n in range(5_000)))
        pairs = [(f"s{n}", "teacher") for n in range(10)]
        load = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["requests"] == 1 + 1 + 10

    @pytest.mark.parametrize("there", [0, 30, 60])
    @pytest.mark.parametrize(("hubs", "others"), [(1, 5_000), (10, 3_000), (1, 0)])
    def test_reading_costs_at_most_one_request_per_record(self, ledger: Ledger, hubs: int, others: int, there: int) -> None:
        world = server(limit=10_000)
        pairs = [(f"s{n}", f"t{n % hubs}") for n in range(60 * hubs)]
        world.add(*((f"other{n}", f"t{n % hubs}") for n in range(others * hubs)), *pairs[: there * hubs])
        plan = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, plan_only=True, batch_size=1000)
        load = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, batch_size=1000)
        assert load.summary["requests"] <= plan.summary["plan"]["requests"] == 1 + hubs + 60 * hubs
        assert load.summary["created"] == (60 - there) * hubs

    def test_what_is_deleted_while_it_is_read_is_not_learned(self, ledger: Ledger) -> None:
        world = server(faults={n: "503_before" for n in range(2, 5)})
        world.add(*self.HUBS[:200])

        def delete() -> None:
            del world.relations[self.HUBS[0]]
            assert ledger.forget(RelationFilter(pair=self.HUBS[0])) == 0

        load_pairs(
            self.HUBS[:200],
            world,
            ledger=ledger,
            diff_against=DiffAgainst.HIGHLEVEL,
            prepare=lambda workers: workers.at(world.clock.now + 0.95, delete),
        )
        load_pairs(self.HUBS[:200], world, ledger=ledger, load_id="after")
        assert self.HUBS[0] in world.relations

    def test_with_a_token_that_may_not_read_rows_are_sent(self, ledger: Ledger) -> None:
        world = server(refuse_reads=True)
        load = load_pairs(self.HUBS[:100], world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["created"] == 100
        assert any("could not be read" in warning for warning in load.verdict.warnings)

    def test_repeats_and_invalid_rows_are_as_without_reading(self, ledger: Ledger) -> None:
        rows: list[Any] = [*self.HUBS[:100], self.HUBS[3], ("", "x")]
        load = load_pairs(rows, server(), ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, tolerance=1)
        assert (load.summary["created"], load.summary["repeated"], load.summary["invalid"]) == (100, 1, 1)


class TestNone:
    def test_every_row_is_sent(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        time.now += 1.0
        load = load_pairs(PAIRS, world, ledger=ledger, load_id="sceptic", diff_against=DiffAgainst.NONE)
        assert evidence(load) == {("already_exists", "answer"): 300}
        assert load.summary["requests"] == 301

    @pytest.mark.parametrize("diff_against", DiffAgainst)
    def test_its_own_earlier_attempts_are_trusted(self, ledger: Ledger, diff_against: DiffAgainst) -> None:
        """Otherwise a load of five days would start anew every day."""
        world = server(daily_limit=100)
        first = load_pairs(PAIRS, world, ledger=ledger, diff_against=diff_against)
        assert (first.summary["stopped_by"], first.verdict.end) == ("quota", End.RETRYABLE)
        world.daily_limit = 10_000
        second = load_pairs(PAIRS, world, ledger=ledger, diff_against=diff_against)
        assert evidence(second)[("created", "ledger")] == first.summary["created"]
        assert evidence(second)[("created", "answer")] == 300 - first.summary["created"]
        assert set(world.creations.values()) == {1}
