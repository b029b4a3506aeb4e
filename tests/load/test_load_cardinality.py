"""Rows over a record's limit, in whole loads: refused before a request is spent, in each location."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from remembering import DAY, Time, known
from simulated_agency import SimulatedAgency, check_sums, load_rows, row
from simulated_highlevel import SimulatedServer
from simulated_load import Load, load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst

Pair = tuple[str, str]


def server(**world: Any) -> SimulatedServer:
    return SimulatedServer(FakeClock(), **world)


def reasons(load: Load) -> list[str | None]:
    return [result["reason"] for result in load.results]


def full(side: str, most: int, there: int, earlier: int, column: str | None = None) -> str:
    counts = f"(known to be there: {there}, earlier rows: {earlier})"
    return f"column '{column or f'{side}_record_id'}': max_per_{side}={most} is reached {counts}"


class TestOneLocation:
    @pytest.mark.parametrize("batch_size", [1, 2, 1000])
    def test_earlier_rows_win_and_the_others_are_not_sent(self, batch_size: int) -> None:
        pairs = [("A", "x"), ("A", "y"), ("B", "x"), ("A", "z"), ("A", "x"), ("B", "y"), ("C", "x")]
        world = server()
        load = load_pairs(pairs, world, max_per_first=2, max_per_second=2, batch_size=batch_size)
        assert load.outcomes == ["created", "created", "created", "invalid", "repeated", "created", "invalid"]
        assert reasons(load)[3] == full("first", 2, 0, 2)
        assert reasons(load)[6] == full("second", 2, 0, 2)
        assert (world.requests, load.verdict.end) == (5, End.FINAL)
        assert set(world.relations) == {("A", "x"), ("A", "y"), ("B", "x"), ("B", "y")}

    def test_both_reasons_are_given(self) -> None:
        load = load_pairs([("A", "x"), ("A", "y"), ("B", "y"), ("A", "y"), ("A", "x")], server(), max_per_first=1)
        assert load.outcomes == ["created", "invalid", "created", "repeated", "repeated"]
        load = load_pairs([("A", "x"), ("B", "y"), ("A", "y")], server(), max_per_first=1, max_per_second=1)
        assert reasons(load)[2] == f"{full('first', 1, 0, 1)}; {full('second', 1, 0, 1)}"

    def test_repeats_take_no_room_and_repeats_of_refused_rows_count_as_failures(self) -> None:
        pairs = [("A", "x"), ("A", "x"), ("A", "x"), ("A", "y"), ("A", "z"), ("A", "z")]
        load = load_pairs(pairs, server(), max_per_first=2, tolerance=1)
        assert load.outcomes == ["created", "repeated", "repeated", "created", "invalid", "repeated"]
        assert load.verdict.end is End.FINAL
        assert load_pairs(pairs, server(), max_per_first=2, tolerance=2).verdict.end is End.GREEN

    def test_they_are_counted_as_one_reason(self) -> None:
        pairs = [(f"student{number % 40}", f"teacher{number}") for number in range(200)]
        load = load_pairs(pairs, server(), max_per_first=2)
        assert load.summary["invalid"] == 120
        why = "column 'first_record_id': max_per_first=2 is reached."
        assert load.verdict.headline == f"120 of 200 rows failed, all of them invalid: {why}"

    def test_a_plan_refuses_and_prices_as_the_load_does(self, ledger: Ledger) -> None:
        world, pairs = server(), [("A", f"x{number}") for number in range(9)] + [("B", "x1")]
        load_pairs(pairs[:2], world, ledger=ledger, load_id="before")
        plan = load_pairs(pairs, world, ledger=ledger, load_id="plan", max_per_first=4, plan_only=True)
        assert (plan.summary["already_exists"], plan.summary["invalid"], plan.summary["not_attempted"]) == (2, 5, 3)
        load = load_pairs(pairs, world, ledger=ledger, load_id="load", max_per_first=4)
        assert load.summary["requests"] == plan.summary["plan"]["requests"] == 4
        assert [one for one, outcome in zip(reasons(plan), plan.outcomes, strict=True) if outcome == "invalid"] == [
            one for one, outcome in zip(reasons(load), load.outcomes, strict=True) if outcome == "invalid"
        ]

    @pytest.mark.parametrize("most", [0, -1, True, 1.5, "3"])
    @pytest.mark.parametrize("name", ["max_per_first", "max_per_second"])
    def test_a_wrong_limit_raises_before_any_request(self, name: str, most: Any) -> None:
        agency, world = SimulatedAgency.build(["a"]), server()
        with pytest.raises(ConfigurationError, match=f"{name} must be a whole number"):
            load_pairs([("A", "x")], world, **{name: most})
        with pytest.raises(ConfigurationError, match=f"{name} must be a whole number"):
            load_rows([row("a", "A", "x")], agency, **{name: most})
        assert (world.requests, agency.requests) == (0, 0)


class TestWhatIsThere:
    def test_what_an_earlier_load_made_counts(self, ledger: Ledger) -> None:
        world = server()
        load_pairs([("A", "x"), ("A", "y"), ("B", "x")], world, ledger=ledger, load_id="one")
        pairs = [("A", "z"), ("B", "y"), ("A", "x"), ("B", "z")]
        load = load_pairs(pairs, world, ledger=ledger, load_id="two", max_per_first=2)
        assert load.outcomes == ["invalid", "created", "already_exists", "invalid"]
        assert [reasons(load)[at] for at in (0, 3)] == [full("first", 2, 2, 0), full("first", 2, 1, 1)]

    @pytest.mark.parametrize("diff_against", list(DiffAgainst))
    @pytest.mark.parametrize("days", [0, 1, 31])
    def test_a_rerun_refuses_the_same_rows(self, ledger: Ledger, time: Time, diff_against: DiffAgainst, days: int) -> None:
        """Also where known relations are checked again, or the ledger is not used."""
        world = server()
        pairs = [("A", "x"), ("A", "y"), ("B", "y"), ("B", "z"), ("C", "z")]
        first = load_pairs(pairs, world, ledger=ledger, load_id="one", max_per_first=1)
        assert first.outcomes == ["created", "invalid", "created", "invalid", "created"]
        time.now += days * DAY
        again = load_pairs(pairs, world, ledger=ledger, load_id="two", max_per_first=1, diff_against=diff_against)
        assert again.outcomes == ["already_exists", "invalid", "already_exists", "invalid", "already_exists"]
        assert len(world.relations) == 3

    def test_a_relation_that_is_checked_again_counts_once(self, ledger: Ledger) -> None:
        world, pairs = server(), [("A", "x"), ("A", "y"), ("A", "z")]
        load_pairs(pairs[:2], world, ledger=ledger, load_id="one")
        again = load_pairs(pairs, world, ledger=ledger, load_id="two", max_per_first=3, ledger_max_age=timedelta(0))
        assert again.outcomes == ["already_exists", "already_exists", "created"]

    @pytest.mark.parametrize("batch_size", [1, 4, 1000])
    def test_another_try_of_the_same_load_makes_no_more(self, ledger: Ledger, batch_size: int) -> None:
        pairs = [(f"s{number % 6}", f"t{number}") for number in range(30)]
        world = server(faults={number: "hang_after" for number in range(5, 60, 3)})
        load_pairs(pairs, world, ledger=ledger, max_per_first=3, batch_size=batch_size)
        world.faults = {}
        load = load_pairs(pairs, world, ledger=ledger, max_per_first=3, batch_size=batch_size, try_number=2)
        assert Counter(load.outcomes) == {"created": 18, "invalid": 12}
        assert set(Counter(first for first, _ in world.relations).values()) == {3}
        assert set(world.creations.values()) == {1}

    def test_what_was_read_counts_though_no_ledger_knew_it(self, ledger: Ledger) -> None:
        world, hub = server(), [("A", f"t{number}") for number in range(6)]
        world.add(*hub[:3])
        load = load_pairs(hub, world, ledger=ledger, max_per_first=4, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.outcomes == ["already_exists"] * 3 + ["created"] + ["invalid"] * 2
        assert reasons(load)[5] == full("first", 4, 3, 1)

    def test_what_is_read_in_a_later_batch_counts_too(self, ledger: Ledger) -> None:
        """Its record came up in an earlier batch, when none of its relations was known."""
        world, pairs = server(), [("A", "t0"), ("B", "t0"), ("A", "t1"), ("A", "t2"), ("A", "t3"), ("B", "t3")]
        world.add(*pairs[2:4])
        load = load_pairs(pairs, world, ledger=ledger, max_per_first=3, diff_against=DiffAgainst.HIGHLEVEL, batch_size=2)
        assert load.outcomes[:4] == ["created", "created", "already_exists", "already_exists"]
        assert load.outcomes[4:] == ["invalid", "created"]

    def test_without_a_ledger_the_input_alone_counts(self) -> None:
        world = server(relations_per_record=2)
        world.add(("A", "x"))
        load = load_pairs([("A", "y"), ("A", "z"), ("A", "q")], world, max_per_first=2)
        assert load.outcomes == ["created", "rejected", "invalid"]


class TestManyLocations:
    @pytest.mark.parametrize("at_once", [1, 7, 5000])
    @pytest.mark.parametrize("is_sorted", [False, True])
    def test_each_is_counted_by_itself(self, ledger: Ledger, at_once: int, is_sorted: bool) -> None:
        names = ["a", "b", "c"]
        agency = SimulatedAgency.build(names)
        rows = [row(name, f"s{number % 5}", f"t{number}") for number in range(20) for name in names[: 2 + number % 2]]
        rows = sorted(rows, key=lambda one: str(one["location_id"])) if is_sorted else rows
        load_rows([row("b", "s0", f"other{number}") for number in range(2)], agency, ledger=ledger, load_id="before")
        load = load_rows(rows, agency, ledger=ledger, max_per_first=3, at_once=at_once, rows_ahead=10)
        check_sums(load, len(rows))
        made = {name: Counter(first for first, _ in server.relations) for name, server in agency.locations.items()}
        assert made["a"] == made["b"] == {f"s{number}": 3 for number in range(5)}
        assert made["c"] == {f"s{number}": 2 for number in range(5)}
        lines = load.summary["locations"]
        assert [(lines[name].get("invalid", 0), lines[name]["created"]) for name in names] == [(5, 15), (7, 13), (0, 10)]
        (reason,) = {result["reason"] for result in load.results if result["location_id"] == "b"} & {
            full("first", 3, 2, 1, "first")
        }
        assert load.verdict.headline == f"12 of 50 rows failed, all of them invalid: {reason.partition(' (')[0]}."

    @pytest.mark.parametrize("seed", range(4))
    def test_a_count_row_by_row_gives_the_same(self, ledger: Ledger, seed: int) -> None:
        draw = random.Random(seed)
        names = ["a", "b", "c"]
        agency = SimulatedAgency.build(names)
        drawn = [(draw.choice(names), f"s{draw.randrange(25)}", f"t{draw.randrange(25)}") for _ in range(900)]
        before = drawn[:60]
        load_rows([row(*one) for one in before], agency, ledger=ledger, load_id="before")
        there, taken, expected = set(before), Counter[tuple[str, str, str]](), list[str]()
        for location, first, _ in there:
            taken[location, "first", first] += 1
        for location, _, second in there:
            taken[location, "second", second] += 1
        seen: set[tuple[str, str, str]] = set()
        for one in drawn:
            records = (one[0], "first", one[1]), (one[0], "second", one[2])
            if one in seen or one in there:
                expected.append("repeated" if one in seen else "already_exists")
            elif taken[records[0]] >= 7 or taken[records[1]] >= 9:
                expected.append("invalid")
            else:
                taken.update(records)
                expected.append("created")
            seen.add(one)
        load = load_rows(
            [row(*one) for one in drawn],
            agency,
            ledger=ledger,
            max_per_first=7,
            max_per_second=9,
            at_once=draw.choice([1, 50, 5000]),
            batch_size=draw.choice([3, 1000]),
            rows_ahead=100,
        )
        assert load.outcomes == expected
        assert known(ledger) == sum(len(server.relations) for server in agency.locations.values())
