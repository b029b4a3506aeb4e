"""How loads of several locations end: some errors stop one location, others stop the load."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from remembering import Time
from simulated_agency import FORBIDDEN, Row, SimulatedAgency, check_sums, load_rows, make_rows, row
from simulated_highlevel import KEY, TOKEN, SimulatedServer
from simulated_load import Load, load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import LedgerError, QuotaExhausted
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst

ABC = ["a", "b", "c"]
WEEK = timedelta(days=7)
OUTAGE = 503, "Service Unavailable"


def location_outcomes(load: Load, location: str) -> Counter[str]:
    return Counter(result["outcome"] for result in load.results if result["location_id"] == location)


def location_reasons(load: Load, location: str) -> set[str | None]:
    return {result["reason"] for result in load.results if result["location_id"] == location}


class TestSpentDay:
    def agency(self, day_ends: float = 9_000.0, daily_limit: int = 20) -> SimulatedAgency:
        agency = SimulatedAgency.build(ABC)
        agency["b"].daily_limit, agency["b"].day_ends = daily_limit, day_ends
        return agency

    @pytest.mark.parametrize("is_sorted", [False, True])
    def test_the_others_go_on_and_the_task_is_worth_a_retry(self, is_sorted: bool) -> None:
        agency = self.agency()
        load = load_rows(make_rows(ABC, 150, is_sorted=is_sorted), agency)
        check_sums(load, 450)
        assert (load.verdict.end, load.verdict.wait, load.summary["stopped_by"]) == (End.RETRYABLE, None, "quota")
        assert location_outcomes(load, "b") == {"created": 19, "not_attempted": 131}
        assert location_outcomes(load, "a") == location_outcomes(load, "c") == {"created": 150}
        assert max(agency.last_writes().values()) <= 11.0
        assert (
            "1 of 3 locations was stopped: b: the day's requests are spent, they are back in 2 h 13 min" in load.verdict.message
        )
        assert load.summary["locations"]["b"]["stopped_by"] == "quota"
        assert isinstance(load.verdict.cause, QuotaExhausted)

    def test_it_waits_for_the_earliest_reset(self) -> None:
        agency = self.agency()
        agency["c"].daily_limit, agency["c"].day_ends = 30, 5_000.0
        load = load_rows(make_rows(ABC, 150), agency, defer_timeout=WEEK)
        assert (load.verdict.end, location_outcomes(load, "a")) == (End.DEFERRED, {"created": 150})
        assert load.verdict.wait is not None
        assert 5_000.0 - agency.clock.now <= load.verdict.wait <= 5_000.0 - agency.clock.now + 61.0

    def test_a_wait_that_would_take_too_long_is_red(self) -> None:
        load = load_rows(make_rows(ABC, 50), self.agency(), defer_timeout=timedelta(hours=1))
        assert (load.verdict.end, load.verdict.wait) == (End.RETRYABLE, None)

    def test_a_resumed_load_goes_on_with_it(self, ledger: Ledger) -> None:
        agency, rows = self.agency(daily_limit=60), make_rows(ABC, 100)
        first = load_rows(rows, agency, ledger=ledger, defer_timeout=WEEK)
        assert (first.verdict.end, first.summary["created"]) == (End.DEFERRED, 259)
        agency.clock.now = 9_100.0
        load = load_rows(rows, agency, ledger=ledger, defer_timeout=WEEK, is_resumed=True)
        check_sums(load, 300)
        assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 300)
        assert load.summary["requests"] == agency.requests
        assert all(set(server.creations.values()) == {1} for server in agency.locations.values())

    def test_a_day_that_ends_while_others_work_goes_on_in_the_same_attempt(self) -> None:
        agency = self.agency(day_ends=1_015.0, daily_limit=120)
        load = load_rows(make_rows(ABC, 300)[:600], agency)
        check_sums(load, 600)
        assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 600)
        assert agency.last_writes()["b"] > 15.0

    def test_an_agency_that_can_have_no_tokens_today_is_asked_again_tomorrow(self) -> None:
        class Minting:
            """The agency's quota is spent when the second location needs a token."""

            asked = 0

            def header(self, location_id: str | None) -> str:
                if location_id != "b":
                    return f"Bearer {TOKEN}"
                self.asked += 1
                assert self.asked < 100, "an end must be"
                error = QuotaExhausted("the agency's requests are spent", status=429)
                error.resets_in = 3_600.0
                raise error

            def renew(self, location_id: str | None, header: str) -> bool:
                return False

        minting = Minting()
        load = load_rows(make_rows(ABC, 50), SimulatedAgency.build(ABC), authorization=minting, defer_timeout=WEEK)
        assert minting.asked <= 3
        assert (load.verdict.end, load.summary["created"], location_outcomes(load, "b")) == (
            End.DEFERRED,
            100,
            {"not_attempted": 50},
        )


def forbidden(agency: SimulatedAgency) -> None:
    agency["b"].refused = FORBIDDEN


def taken_away(agency: SimulatedAgency) -> None:
    agency["b"].refuse_token_from, agency["b"].refusal = 30, FORBIDDEN[1]


def unknown(agency: SimulatedAgency) -> None:
    del agency.locations["b"]


def without_association(agency: SimulatedAgency) -> None:
    agency["b"].associations = {"another": "f" * 24}


def of_another(agency: SimulatedAgency) -> None:
    agency["b"].association_location = "a"


def of_missing_records(agency: SimulatedAgency) -> None:
    agency["b"].missing = frozenset(f"s{number}" for number in range(100))


def out_of_order(agency: SimulatedAgency) -> None:
    agency["b"].refused = OUTAGE


def writing_nothing(agency: SimulatedAgency) -> None:
    agency["b"].failing = frozenset(f"s{number}" for number in range(100))


class TestStopped:
    @pytest.mark.parametrize(
        ("befall", "end", "by", "explanation"),
        [
            (forbidden, End.FINAL, "token", "does not belong to this location"),
            (taken_away, End.FINAL, "token", "does not belong to this location"),
            (unknown, End.FINAL, "token", "does not belong to this location"),
            (without_association, End.FINAL, "abort", f"no association of this location has the key '{KEY}'"),
            (of_another, End.FINAL, "abort", "belongs to location a, not to b"),
            (of_missing_records, End.FINAL, "abort", "400: Contact with id <id> not found"),
            (out_of_order, End.RETRYABLE, None, "503: Service Unavailable"),
            (writing_nothing, End.RETRYABLE, "abort", "no answer from HighLevel for 5 min"),
        ],
    )
    def test_a_stopped_location_stops_no_other_and_has_its_reason(
        self, befall: Any, end: End, by: str | None, explanation: str
    ) -> None:
        agency = SimulatedAgency.build(ABC)
        befall(agency)
        load = load_rows(make_rows(ABC, 100, is_sorted=True), agency)
        check_sums(load, 300)
        assert location_outcomes(load, "a") == location_outcomes(load, "c") == {"created": 100}
        assert location_outcomes(load, "b")["not_attempted"] > 0
        assert location_outcomes(load, "b")["created"] == (29 if befall is taken_away else 0)
        assert agency.last_writes()["c"] <= 11.0
        assert (load.verdict.end, load.summary["stopped_by"]) == (end, by)
        assert load.verdict.message.startswith("1 of 3 locations was stopped: b: ")
        assert explanation in load.verdict.message
        summary = load.summary["locations"]["b"]
        assert (summary["stopped_by"], explanation in summary["reason"]) == (by, True)
        assert any((reason or "").startswith("the load stopped before it: ") for reason in location_reasons(load, "b"))

    def test_an_id_of_one_location_is_for_that_location(self) -> None:
        agency = SimulatedAgency.build(ABC)
        load = load_rows(make_rows(ABC, 30), agency, association_id=agency["b"].association_id)
        check_sums(load, 90)
        assert (load.verdict.end, load.summary["created"], location_outcomes(load, "b")["created"]) == (End.FINAL, 30, 30)

    @pytest.mark.parametrize("count", [50, 150])
    def test_an_outage_of_all_is_worth_another_try(self, count: int) -> None:
        names = [f"location{number}" for number in range(count)]
        load = load_rows(make_rows(names, 2), SimulatedAgency.build(names, refused=OUTAGE))
        check_sums(load, 2 * count)
        assert (load.verdict.end, load.summary["not_attempted"]) == (End.RETRYABLE, 2 * count)

    @pytest.mark.parametrize("befall", ["refused", "spent"])
    @pytest.mark.parametrize("is_single", [True, False])
    def test_one_that_is_stopped_while_it_is_read(self, befall: str, is_single: bool) -> None:
        class Hiding(SimulatedServer):
            def _list(self, call: Any) -> tuple[int, Any]:
                is_hidden = befall == "refused" and call.path.endswith("hub1")
                return (401, {"statusCode": 401, "message": "Invalid JWT"}) if is_hidden else super()._list(call)

        server = Hiding(FakeClock(), daily_limit=200 if befall == "refused" else 4)
        pairs = [(f"s{number}", f"hub{number // 300}") for number in range(600)]
        server.add(*pairs)
        if is_single:
            load = load_pairs(pairs, server, diff_against=DiffAgainst.HIGHLEVEL)
        else:
            agency = SimulatedAgency.build(["b"], daily_limit=server.daily_limit)
            agency["b"].relations = server.relations
            if befall == "refused":
                agency["b"].refuse_token_from, agency["b"].refusal = 4, FORBIDDEN[1]
            load = load_rows([row("b", *pair) for pair in pairs], agency, diff_against=DiffAgainst.HIGHLEVEL)
            check_sums(load, 600)
        assert load.summary["already_exists"] + load.summary["not_attempted"] == 600

    def test_what_is_read_is_not_decided_again_when_refusals_stop_it(self, ledger: Ledger) -> None:
        """Rows of an earlier batch are refused while HighLevel is read for the next batch."""
        ghosts = [row("a", f"ghost{number}", f"t{number}") for number in range(60)]
        there = [(f"s{number}", "hub") for number in range(90)]
        agency = SimulatedAgency.build(ABC, missing=frozenset(one["first"] for one in ghosts))
        agency["a"].add(*there)
        rows = [*ghosts, *(row("a", *pair) for pair in there), *make_rows(["b"], 20)]
        load = load_rows(rows, agency, ledger=ledger, at_once=60, diff_against=DiffAgainst.HIGHLEVEL, abort_after=50)
        check_sums(load, len(rows))
        assert location_outcomes(load, "b") == {"created": 20}


class TestEverybodys:
    @pytest.mark.parametrize("abort_after", [1, 20, 1000])
    def test_a_refused_token_costs_few_requests(self, abort_after: int) -> None:
        names = [f"location{number}" for number in range(300)]
        agency = SimulatedAgency.build(names, refused=(401, "Invalid JWT"))
        load = load_rows(make_rows(names, 5), agency, abort_after=abort_after)
        check_sums(load, 1500)
        assert agency.requests <= 25
        assert (load.verdict.end, load.summary["stopped_by"]) == (End.FINAL, "token")
        assert "HighLevel does not accept the token" in load.verdict.message

    @pytest.mark.parametrize("answer", [FORBIDDEN, (400, "locationId must be an id"), (404, "not found")], ids=str)
    def test_a_wrong_column_costs_few_requests_and_is_named(self, answer: tuple[int, str]) -> None:
        agency = SimulatedAgency.build(ABC)
        agency.unknown = answer
        load = load_rows([row(f"value{number}", "s", "t") for number in range(6_000)], agency)
        check_sums(load, 6_000)
        assert agency.requests <= 150
        assert load.verdict.end is End.FINAL
        assert "column 'location_id' names more than 5,000 locations: is it the right one?" in load.verdict.message

    def test_a_wrong_column_of_peoples_data_is_not_in_the_message(self) -> None:
        rows = [row("a", "s", "t"), row("jane.doe@example.com", "s", "t"), row("+1 (555) 123-4567", "s", "t")]
        load = load_rows(rows, SimulatedAgency.build(ABC))
        assert load.summary["created"] == 1
        assert not [secret for secret in ("jane.doe", "123-4567") if secret in f"{load.verdict.message} {load.summary}"]

    @pytest.mark.parametrize("most", [0, 2, 3, 40, 92, 93])
    def test_max_requests_applies_to_all_locations_together(self, most: int) -> None:
        agency = SimulatedAgency.build(ABC)
        load = load_rows(make_rows(ABC, 30), agency, max_requests=most)
        check_sums(load, 90)
        assert (load.verdict.end, agency.requests, load.summary["created"]) == (End.GREEN, most, max(0, most - 3))
        assert load.summary["stopped_by"] == (None if most == 93 else "max_requests")

    def test_min_rows_and_tolerance_apply_to_the_whole_table(self) -> None:
        agency, rows = (
            SimulatedAgency.build(ABC),
            [*make_rows(ABC, 9), row("", "s", "t"), row("a", "s", ""), row("b", "", "t")],
        )
        load = load_rows(rows, agency, min_rows=31, at_once=7)
        assert (load.verdict.end, agency.requests, load.summary["not_attempted"]) == (End.RETRYABLE, 0, 27)
        assert load_rows(rows, agency, min_rows=30, at_once=7, tolerance=0.1).verdict.end is End.GREEN
        assert load_rows(rows, agency, tolerance=2).verdict.end is End.FINAL

    def test_a_failing_ledger_ends_the_load_and_every_row_has_an_outcome(self) -> None:
        engine = sa.create_engine("sqlite://")
        agency, lost = SimulatedAgency.build(ABC), list[int]()

        def lose(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
            if agency.requests >= 150 and statement.startswith(("UPDATE", "INSERT")):
                lost.append(agency.requests)
                raise sa.exc.OperationalError(statement, {}, Exception("disk I/O error"))

        sa.event.listen(engine, "before_cursor_execute", lose)
        load = load_rows(make_rows(ABC, 200), agency, ledger=Ledger(engine, database_time=Time()))
        check_sums(load, 600)
        assert (load.verdict.end, agency.requests) == (End.RETRYABLE, lost[0])
        assert isinstance(load.verdict.cause, LedgerError)
        assert load.summary["created"] + load.summary["not_attempted"] == 600


class TestStop:
    @pytest.mark.parametrize("after", [0.0, 0.2, 0.4, 5.0, 12.0])
    def test_every_row_has_one_outcome_in_time(self, after: float) -> None:
        agency, stop = SimulatedAgency.build(ABC), Stop()
        agency["a"].faults, agency["b"].daily_limit = {number: "hang_after" for number in range(20, 400)}, 30
        rows: list[Row] = make_rows(ABC, 300)
        load = load_rows(rows, agency, stop=stop, at_once=100, prepare=lambda workers: workers.at(1_000.0 + after, stop.set))
        check_sums(load, load.summary["rows"])
        assert load.seconds - after <= 2.5
        assert load.verdict.end is End.RETRYABLE
        assert load.verdict.message.startswith("The load was told to stop.")
        assert load.summary["requests"] == agency.requests == sum(agency.asked.values())
        made = sum(len(server.relations) for server in agency.locations.values())
        assert load.summary["created"] <= made <= load.summary["created"] + load.summary["failed"]
