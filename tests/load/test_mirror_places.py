"""What a mirror deletes where records have limits, where one has hundreds of relations, and in several sub-accounts."""

from __future__ import annotations

from typing import Any

import pytest
from mirrors import FREE, TABLE, deletes, mirror
from remembering import DAY, Time, server
from simulated_agency import SimulatedAgency, load_rows, make_rows, row

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.pairs import keys_from_words
from airflow_provider_ghl.load.mirror.candidates import as_column
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst


class TestLimitsOfRecords:
    """A record has room again when what left the table is gone: so the row of the new relation holds nothing up."""

    def test_a_row_without_room_does_not_keep_what_takes_its_room(self, ledger: Ledger) -> None:
        highlevel, options = server(), {"max_per_first": 1, "tolerance": 1}
        mirror([("s1", "t1"), ("s2", "t1")], highlevel, ledger, "first", **options)
        table = [("s1", "t9"), ("s2", "t1")]
        load = mirror(table, highlevel, ledger, "second", **options)
        assert (load.summary["invalid"], deletes(load)) == (1, {"planned": 1, "deleted": 1})
        load = mirror(table, highlevel, ledger, "third", **options)
        assert (load.summary["created"], set(highlevel.relations)) == (1, set(table))

    def test_other_bad_rows_keep_their_parents_still(self, ledger: Ledger) -> None:
        highlevel, options = server(), {"max_per_first": 1, "tolerance": 2}
        mirror([("s1", "t1")], highlevel, ledger, "first", **options)
        load = mirror([("s1", "t9"), ("s1", "")], highlevel, ledger, "second", **options)
        assert deletes(load) == {"kept": 1}


class TestHubs:
    """Relations whose ids were not confirmed lately are read before the first of them is deleted, each record once."""

    @pytest.mark.parametrize("is_first", [True, False])
    def test_a_hub_is_read_once_for_all_that_leaves_it(self, ledger: Ledger, is_first: bool) -> None:
        highlevel = server()
        rows = [("hub", f"t{number}") if is_first else (f"s{number}", "hub") for number in range(450)]
        mirror(rows, highlevel, ledger, "first", parent=None)
        gone = rows[:80]
        doubted = keys_from_words(*ledger.identity([as_column(column) for column in zip(*gone, strict=True)]))
        ledger.relations.doubt(1, doubted)
        plan = mirror(rows[80:], highlevel, ledger, "plan", plan_only=True, parent=None)
        load = mirror(rows[80:], highlevel, ledger, "second", parent=None)
        assert deletes(load) == {"planned": 80, "deleted": 80}
        assert set(highlevel.relations) == set(rows[80:])
        assert load.summary["requests"] == plan.summary["plan"]["requests"] == 1 + 5 + 80
        assert sum(one["requests"] for one in load.verdict.results) == 5 + 80

    def test_what_is_not_there_any_more_or_somebody_elses_is_left_alone(self, ledger: Ledger, time: Time) -> None:
        highlevel = server()
        mirror(TABLE, highlevel, ledger, "first")
        for pair in TABLE[:2]:
            del highlevel.relations[pair]
        highlevel.add(TABLE[0])
        time.now += 40 * DAY
        load = mirror(TABLE[3:], highlevel, ledger, "second", diff_against=DiffAgainst.NONE)
        assert deletes(load) == {"planned": 3, "deleted": 1, "already_gone": 2}
        assert set(highlevel.relations) == {TABLE[0], *TABLE[3:]}

    def test_what_cannot_be_read_is_not_deleted(self, ledger: Ledger, time: Time) -> None:
        highlevel = server()
        mirror(TABLE, highlevel, ledger, "first")
        time.now += 40 * DAY
        highlevel.garbles_relations = True
        load = mirror(TABLE[3:], highlevel, ledger, "second", diff_against=DiffAgainst.NONE)
        assert deletes(load) == {"planned": 3, "failed": 3}
        assert load.verdict.end is End.RETRYABLE
        assert set(highlevel.relations) == set(TABLE)


class TestLocations:
    """One that is stopped, or in which a parent is not known, deletes nothing more, and the others go on."""

    ROWS = make_rows(["a", "b"], 40, hubs=2)
    OPTIONS: dict[str, Any] = {"parent": 1, "series": "table"} | FREE

    @pytest.fixture
    def agency(self, ledger: Ledger) -> SimulatedAgency:
        agency = SimulatedAgency.build(["a", "b"])
        assert load_rows(self.ROWS, agency, ledger=ledger, load_id="first", **self.OPTIONS).verdict.is_green
        return agency

    def test_a_new_location_has_its_baseline(self, agency: SimulatedAgency, ledger: Ledger) -> None:
        agency.locations |= SimulatedAgency.build(["c"]).locations
        agency["c"].clock = agency.clock
        rows = [*self.ROWS[6:], *make_rows(["c"], 3)]
        load = load_rows(rows, agency, ledger=ledger, load_id="second", **self.OPTIONS)
        assert (load.summary["baseline"], deletes(load)["deleted"]) == (True, 6)
        assert [name for name, line in load.summary["locations"].items() if line.get("baseline")] == ["c"]

    def test_each_deletes_what_left_its_table(self, agency: SimulatedAgency, ledger: Ledger) -> None:
        before = agency.asked.copy()
        load = load_rows(self.ROWS[6:], agency, ledger=ledger, load_id="second", **self.OPTIONS)
        assert deletes(load) == {"planned": 6, "deleted": 6}
        asked = agency.asked - before
        assert {name: line["requests"] for name, line in load.summary["locations"].items()} == asked
        assert load.summary["requests"] == asked.total() == 2 + 6

    def test_the_one_that_refuses_its_deletes_is_named(self, agency: SimulatedAgency, ledger: Ledger) -> None:
        agency["b"].refuse_deletes = True
        load = load_rows(self.ROWS[30:], agency, ledger=ledger, load_id="second", abort_after=5, **self.OPTIONS)
        counts = deletes(load)
        assert (counts["deleted"], counts["rejected"] + counts["not_attempted"]) == (15, 15)
        assert counts["rejected"] < 10
        assert load.summary["locations"]["a"]["stopped_by"] is None
        assert load.summary["locations"]["b"]["stopped_by"] == "abort"
        assert load.verdict.message.startswith("1 of 2 locations was stopped: b: ")
        assert len(agency["b"].relations) == 40

    def test_a_parent_that_is_not_known_keeps_those_of_its_location(self, agency: SimulatedAgency, ledger: Ledger) -> None:
        rows = [*self.ROWS[6:], row("b", "s1", "")]
        load = load_rows(rows, agency, ledger=ledger, load_id="second", tolerance=1, **self.OPTIONS)
        assert deletes(load) == {"planned": 3, "deleted": 3, "kept": 3}
        assert (len(agency["a"].relations), len(agency["b"].relations)) == (37, 40)
