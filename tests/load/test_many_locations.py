"""One load of many locations: in parallel, each with its own association, limits, quota and counts."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from remembering import known
from simulated_agency import COLUMNS, Row, SimulatedAgency, check_sums, load_rows, make_rows, row
from simulated_load import Load
from simulated_time import spread_around

from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Batch, Columns
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.results.file import local_results_file
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.batches import make_batch
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.spec import DiffAgainst
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

ABC = ["a", "b", "c"]


def location_outcomes(load: Load, location: str) -> Counter[str]:
    return Counter(result["outcome"] for result in load.results if result["location_id"] == location)


@dataclass
class Other:
    """Another load that holds claims in location ``a`` until it ends."""

    ledger: Ledger
    agency: SimulatedAgency

    def __post_init__(self) -> None:
        begin = self.ledger.loads.begin
        self.attempt = begin("other", try_number=1, is_resumed=False, location_id="a", association="key")

    def claim(self, rows: list[Row]) -> None:
        target = self.ledger.relations.target(DEFAULT_HOST, "a", self.agency["a"].association_id)
        first, second = (np.array([one[name] for one in rows], dtype=object) for name in ("first", "second"))
        now = self.ledger.time()
        words = self.ledger.identity((first, second))
        self.ledger.relations.claim(self.attempt, target, *words, first.tolist(), second.tolist(), Freshness(now, now, None))

    def end(self) -> None:
        self.ledger.loads.end(self.attempt, end="retryable", message="", counts={}, is_well=False)


class TestSideBySide:
    @pytest.mark.parametrize("is_sorted", [False, True], ids=["mixed", "sorted"])
    @pytest.mark.parametrize("count", [1, 12])
    def test_many_take_about_as_long_as_one(self, count: int, is_sorted: bool) -> None:
        names = [f"location{number}" for number in range(count)]
        agency = SimulatedAgency.build(names)
        load = load_rows(make_rows(names, 250, is_sorted=is_sorted), agency)
        check_sums(load, 250 * count)
        assert load.verdict.end is End.GREEN
        assert load.seconds <= 20.0 * 1.1  # three windows of 100; the last one begins after 20 s
        assert load.workers.most_in_flight <= max(256, 32 * count)
        assert (load.summary["rate_limited"], load.summary["requests"]) == (0, 251 * count)

    def test_a_slow_location_delays_no_other(self) -> None:
        agency = SimulatedAgency.build(ABC)
        agency["a"].limit = 5
        load = load_rows(make_rows(ABC, 150, is_sorted=True), agency)
        check_sums(load, 450)
        last = agency.last_writes()
        assert load.summary["created"] == 450
        assert last["a"] >= 290.0
        assert max(last["b"], last["c"]) <= 11.0

    @pytest.mark.parametrize("latency", [25.0, None], ids=["slow answers", "none"])
    def test_slow_locations_do_not_take_all_requests_in_flight(self, latency: float | None) -> None:
        names = [*"abcdefgh"]
        agency = SimulatedAgency.build(names)
        for name in "abcd":
            agency[name].faults = {} if latency else {number: "hang_before" for number in range(150, 450)}
            agency[name].latencies = spread_around(latency, 0.1, 1) if latency else agency.latencies
        load = load_rows(make_rows(names, 600), agency)
        assert load.workers.most_in_flight <= 256
        last = agency.last_writes()
        assert max(last[name] for name in "efgh") <= 60.0 * 1.1, "as long as they need for themselves"

    def test_ids_of_locations_differ_by_case(self) -> None:
        agency = SimulatedAgency.build(["Loc", "loc"])
        load = load_rows([row("Loc", "s", "t"), row("loc", "s", "t"), row(" loc", "s", "t")], agency)
        assert load.outcomes == ["created", "created", "repeated"]
        assert load.results[2]["reason"] == "the same pair as row 1"


class TestRows:
    def test_each_result_has_its_location_and_association(self) -> None:
        agency = SimulatedAgency.build(ABC)
        rows = [*make_rows(ABC, 3), row("b", "", "t"), row("c", "s0", "t0"), row("a", "s0", None)]
        load = load_rows(rows, agency, tolerance=2)
        check_sums(load, 12)
        for one, result in zip(rows, load.results, strict=True):
            assert result["location_id"] == one["location_id"]
            assert result["association_id"] == agency[one["location_id"]].association_id
        assert load.outcomes == ["created"] * 9 + ["invalid", "repeated", "invalid"]
        assert {name: set(server.relations) for name, server in agency.locations.items()} == {
            name: {("s0", "t0"), ("s1", "t1"), ("s2", "t2")} for name in ABC
        }

    def test_rows_without_a_location_are_invalid_and_the_others_are_loaded(self) -> None:
        cells = ["", "  ", None, math.nan, 7.0, True, ["a"], b"a", {"a": 1}, "a\0", Decimal("1.5"), " a ", 7, "7", Decimal(7)]
        agency = SimulatedAgency.build(["a", "7"])
        load = load_rows([row(cell, f"s{at}", "t") for at, cell in enumerate(cells)], agency)
        check_sums(load, len(cells))
        results = load.results
        assert load.outcomes == ["invalid"] * 11 + ["created"] * 4
        assert all(result["reason"].startswith("column 'location_id'") for result in results[:11])
        assert [result["location_id"] for result in results] == [None] * 11 + ["a", "7", "7", "7"]
        assert set(agency.asked) == {"a", "7"}
        assert load.verdict.end is End.FINAL

    def test_a_missing_column_is_found_before_any_request(self) -> None:
        agency = SimulatedAgency.build(ABC)
        with pytest.raises(ConfigurationError, match="no column 'sub_account' in the rows"):
            load_rows(make_rows(ABC, 1), agency, columns=Columns("first", "second", location="sub_account"))
        with pytest.raises(ConfigurationError, match="pairs have no column 'location_id'"):
            load_rows([("s", "t")], agency)
        assert agency.requests == 0

    def test_only_rows_without_a_location(self) -> None:
        agency = SimulatedAgency.build(ABC)
        load = load_rows([row(None, "s", "t")] * 3, agency)
        check_sums(load, 3)
        assert (load.verdict.end, agency.requests, load.summary["locations"]) == (End.FINAL, 0, {})

    def test_a_batch_without_rows(self) -> None:
        batches = [*from_data([row("a", "s", "t")], COLUMNS, 10), make_batch(1, [[], [], [], []], {})]
        assert load_rows(iter(batches), SimulatedAgency.build(["a"])).outcomes == ["created"]

    def test_a_row_key_beside_the_location(self) -> None:
        columns = Columns("first", "second", row_key="key", location="location_id")
        rows = [row("a", "s", "t", key=1), row(None, "s", "t", key="two"), row("b", "s", "t", key=None)]
        load = load_rows(rows, SimulatedAgency.build(ABC), columns=columns)
        assert [result["row_key"] for result in load.results] == [1, "two", None]

    def test_those_that_need_attention_come_first_to_xcom(self) -> None:
        agency = SimulatedAgency.build(ABC, missing=frozenset({"s7"}))
        load = load_rows([*make_rows(ABC, 20), row("", "s", "t")], agency, keep_results=10)
        assert len(load.results) == 10
        assert load.summary["results_cut"]
        kept = Counter(result["outcome"] for result in load.results)
        assert kept == {"rejected": 3, "invalid": 1, "created": 6}

    @pytest.mark.parametrize("rows_ahead", [1, 10_000])
    def test_the_file_has_them_in_input_order(self, tmp_path: Path, rows_ahead: int) -> None:
        agency = SimulatedAgency.build(["a", "b"])
        agency["a"].limit = 7
        rows = [*make_rows(["a", "b", "c"], 30), row(None, "s", "t"), row("b", "s", "")]
        path = tmp_path / "results.csv"
        load = load_rows(rows, agency, results_file=local_results_file(path, RESULT_FIELDS), at_once=9, rows_ahead=rows_ahead)
        with path.open(encoding="utf-8", newline="") as file:
            written = list(csv.DictReader(file))
        assert [(one["row"], one["location_id"] or None) for one in written] == [
            (str(at), one["location_id"]) for at, one in enumerate(rows)
        ]
        for one, result in zip(written, load.results, strict=True):
            assert one == {name: "" if result[name] is None else str(result[name]) for name in RESULT_FIELDS}


class TestLedger:
    def test_a_rerun_sends_no_writes_and_only_new_rows_are_sent(self, ledger: Ledger) -> None:
        agency = SimulatedAgency.build(ABC)
        load_rows(make_rows(ABC, 40), agency, ledger=ledger, load_id="one")
        load = load_rows(make_rows(ABC, 40), agency, ledger=ledger, load_id="two")
        check_sums(load, 120)
        assert (load.summary["already_exists"], load.summary["requests"], known(ledger)) == (120, 3, 120)
        load = load_rows([*make_rows(ABC, 40), row("b", "new", "t0")], agency, ledger=ledger, load_id="three")
        assert (location_outcomes(load, "b"), load.summary["requests"]) == ({"already_exists": 40, "created": 1}, 4)
        assert agency["b"].creations["new", "t0"] == 1

    def test_claims_of_another_load_delay_no_other_location(self, ledger: Ledger) -> None:
        agency = SimulatedAgency.build(ABC)
        rows, other = make_rows(ABC, 100, is_sorted=True), Other(ledger, agency)
        other.claim(rows[:50])
        load = load_rows(rows, agency, ledger=ledger, prepare=lambda workers: workers.at(1_100.0, other.end))
        check_sums(load, 300)
        assert load.summary["created"] == 300
        last = agency.last_writes()
        assert last["a"] >= 100.0
        assert max(last["b"], last["c"]) <= 11.0

    @pytest.mark.parametrize("head", ["spent", "slow", "held"])
    def test_a_location_at_the_head_that_waits_with_few_rows_read_ahead(self, ledger: Ledger, head: str) -> None:
        agency = SimulatedAgency.build(ABC)
        rows, other = make_rows(ABC, 150, is_sorted=True), Other(ledger, agency)
        other.claim(rows[:50] if head == "held" else rows[:0])
        agency["a"].limit = 5 if head == "slow" else 100
        agency["a"].daily_limit = 20 if head == "spent" else 200_000
        load = load_rows(
            rows, agency, ledger=ledger, rows_ahead=200, at_once=30, prepare=lambda workers: workers.at(1_100.0, other.end)
        )
        check_sums(load, 450)
        assert load.summary["created"] == (319 if head == "spent" else 450)
        assert location_outcomes(load, "b") == location_outcomes(load, "c") == {"created": 150}

    def test_held_rows_are_claimed_again_while_others_are_sent(self, ledger: Ledger) -> None:
        """The location of the held rows has nothing else to do, and the source is slow."""
        agency = SimulatedAgency.build(ABC)
        rows, other = [*make_rows(["a"], 50), *make_rows(["b"], 2000), *make_rows(["c"], 50)], Other(ledger, agency)
        other.claim(rows[:50])

        def batches() -> Iterator[Batch]:
            for batch in from_data(rows, COLUMNS, 50):
                agency.clock.sleep(0.5)
                yield batch

        load = load_rows(
            batches(), agency, ledger=ledger, rows_ahead=1000, prepare=lambda workers: workers.at(1_030.0, other.end)
        )
        check_sums(load, 2100)
        assert agency.last_writes()["a"] <= 35.0

    @pytest.mark.parametrize("at_once", [1000, 60])
    def test_what_is_there_is_read_in_each_location(self, ledger: Ledger, at_once: int) -> None:
        agency = SimulatedAgency.build(ABC)
        for name, pairs in (("a", range(90)), ("b", range(30))):
            agency[name].add(*((f"s{number}", "t0") for number in pairs))
        load = load_rows(
            make_rows(ABC, 90, hubs=1), agency, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, at_once=at_once, batch_size=7
        )
        check_sums(load, 270)
        assert location_outcomes(load, "a") == {"already_exists": 90}
        assert location_outcomes(load, "b") == {"already_exists": 30, "created": 60}
        assert location_outcomes(load, "c") == {"created": 90}
        assert agency.asked["a"] <= 1 + math.ceil(270 / at_once)
        assert {server.association_id for server in agency.locations.values()} == {
            result["association_id"] for result in load.results
        }


class TestPlan:
    def test_a_plan_has_the_seconds_of_the_slowest_location(self, ledger: Ledger) -> None:
        agency = SimulatedAgency.build(ABC)
        agency["b"].limit, agency["c"].limit, agency["c"].daily_limit = 10, 40, 50
        load_rows(make_rows(ABC, 20), agency, ledger=ledger, load_id="before")
        writes = [len(server.write_times) for server in agency.locations.values()]
        load = load_rows([*make_rows(ABC, 100), row("", "s", "t")], agency, ledger=ledger, plan_only=True, load_id="plan")
        check_sums(load, 301)
        assert [len(server.write_times) for server in agency.locations.values()] == writes
        assert load.verdict.end is End.GREEN
        assert (load.summary["requests"], load.summary["not_attempted"], load.summary["already_exists"]) == (3, 240, 60)
        # 81 requests each are nine windows of ten. The third location has 28 of 50 requests left today, so it takes three days.
        assert load.summary["plan"] == {
            "requests": 243,
            "seconds": 80.0,
            "left_today": 28,
            "share_of_today": round(81 / 28, 4),
            "days": 3,
        }


class TestCost:
    def test_the_work_per_answer_does_not_grow_with_locations(self) -> None:
        """An answer must touch only its own location."""

        class Counting(Client):
            looks = 0

            def limit(self, location_id: str | None) -> Limit:
                Counting.looks += 1
                return super().limit(location_id)

        names = [f"location{number}" for number in range(200)]
        load = load_rows(make_rows(names, 3), SimulatedAgency.build(names), client_type=Counting)
        assert load.summary["created"] == 600
        assert Counting.looks <= 10 * load.summary["requests"]
