"""A ledger with tables of version 2: what it holds is shown, though nothing was counted when it was written."""

from __future__ import annotations

from typing import Any

import pytest
from ledgers import VERSION_2, Place
from result_rows import refused, result

from airflow_provider_ghl.load.ledger.views import LedgerViews, ViewFilter


@pytest.fixture
def views(place: Place) -> LedgerViews:
    place.fill_with(VERSION_2)
    place.clock.now += 3_600
    return place.ledger().views


def numbers(views: LedgerViews, **wanted: Any) -> list[int]:
    return [load.number for load in views.loads(ViewFilter(**wanted))]


def test_its_loads_are_shown_and_found(views: LedgerViews) -> None:
    assert [(load.dag_id, load.run_id, load.task_id, load.map_index, load.state) for load in views.loads(ViewFilter())] == [
        ("school", "night 2", "link", -1, "lost"),
        ("school", "night/1", "several", 3, "final"),
        ("school", "night 1", "link", -1, "final"),
    ]
    assert [load.outcomes for load in views.loads(ViewFilter())] == [
        {"created": 9},
        {"created": 2, "rejected": 4},
        {"created": 4, "already_exists": 2, "repeated": 1, "rejected": 2},
    ]
    assert numbers(views, dag_ids=frozenset({"school"})) == [3, 2, 1]
    assert numbers(views, outcome="rejected") == [2, 1]
    assert numbers(views, outcome="created", location_id="north") == [2]
    assert views.choices(None)["location_id"] == ["north", "south", "ve9EPM428h8vShlRW1KT"]
    assert sum(day.outcomes.get("created", 0) for day in views.outcomes_by_day(ViewFilter())) == 15


def test_its_refusals_are_grouped(views: LedgerViews) -> None:
    (group,) = views.problems(2, first=2)
    assert (group.outcome, group.status_code, group.reason, group.rows) == ("rejected", 404, "No contact <id>", 4)
    assert [row["row_key"] for row in group.first_rows] == ["key 0", "key 1"]
    (group,) = views.problems(1)
    assert (group.reason, group.rows) == ("Contact with id <id> not found", 2)


def test_its_results_are_found(views: LedgerViews) -> None:
    assert [row["row"] for row in views.results(2, outcome="rejected", after=0, limit=2).rows] == [1, 2]
    assert [row["row"] for row in views.results(2, search="record000000000004").rows] == [4]
    assert [row["row"] for row in views.results(2, search="key ").rows] == list(range(6))
    assert [row["row"] for row in views.all_results(3, outcome="created")] == list(range(9))


def test_what_is_written_on_is_counted_with_it(place: Place) -> None:
    place.fill_with(VERSION_2)
    place.change("UPDATE ghl_attempts SET heartbeat = heartbeat + 1 WHERE load = 3")
    mine = place.worker("school/night 3/link/-1")
    mine.note(results=[refused(0), result(1)], requests=2)
    again = place.worker("school/night/1/several/3", try_number=2)
    again.note(results=[refused(0)])
    views = place.ledger().views
    assert [load.outcomes for load in views.loads(ViewFilter())] == [
        {"created": 1, "rejected": 1},
        {"created": 9},
        {"rejected": 1},
        {"created": 4, "already_exists": 2, "repeated": 1, "rejected": 2},
    ]
    assert [group.rows for group in views.problems(again.attempt.load_number)] == [1]
    assert numbers(views, outcome="created", location_id="north") == []
