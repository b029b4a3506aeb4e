"""What was sent, by time and by location, against the quota: noted while a load runs, for as little as possible."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import NOW, Place, Worker
from remembering import PAIRS, Time, server
from simulated_agency import SimulatedAgency, load_rows, make_rows
from simulated_highlevel import LOCATION
from simulated_load import load_pairs

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.spending import Spending
from airflow_provider_ghl.load.ledger.views import LocationView, RatePoint, ViewFilter

HOUR = 3_600.0
#: When an hour begins.
OCLOCK = NOW // HOUR * HOUR


def spend(worker: Worker, requests: int, location_id: str = "north", **said: Any) -> None:
    one = Spending(location_id, requests, 1, **said)
    worker.ledger.loads.note_spending(worker.attempt, "https://x", [one], [location_id])


def one_location(place: Place) -> LocationView:
    (found,) = (one for one in place.ledger().views.locations(None) if one.location_id == "north")
    return found


def test_requests_are_counted_in_spans(place: Place) -> None:
    mine = place.worker()
    views, number = mine.ledger.views, mine.attempt.load_number
    assert views.rate(number) == []
    mine.note(requests=5)
    place.clock.now += 4
    mine.note(requests=20, rate_limited=2)
    mine.note(requests=20, rate_limited=2)
    place.clock.now += 26
    mine.ledger.loads.beat(mine.attempt, 21, 0, 2)
    assert views.rate(number) == [
        RatePoint(NOW, 10.0, 20, 2),
        *(RatePoint(NOW + 10.0 * at, 10.0, 0, 0) for at in (1, 2)),
        RatePoint(NOW + 30.0, 10.0, 1, 0),
    ]
    again = place.worker(try_number=2)
    again.note(requests=3)
    assert [one.requests for one in views.rate(number)] == [20, 0, 0, 4], "of all attempts"


def test_a_long_load_has_no_more_points_than_can_be_seen(place: Place) -> None:
    mine = place.worker()
    for number in range(1, 400):
        place.clock.now += 25
        mine.ledger.loads.beat(mine.attempt, number * 3, 0, number)
    points = mine.ledger.views.rate(mine.attempt.load_number)
    assert 60 < len(points) <= 120
    assert (sum(one.requests for one in points), sum(one.rate_limited for one in points)) == (399 * 3, 399)
    assert {one.seconds for one in points} == {points[0].seconds} == {points[1].at - points[0].at}


def test_spans_and_hours_are_forgotten(place: Place) -> None:
    mine = place.worker()
    mine.note(requests=5)
    spend(mine, 5)
    place.clock.now += 3 * 86_400
    mine.ledger.loads.prune(0.0)
    assert (len(place.rows("SELECT * FROM ghl_spans")), place.rows("SELECT * FROM ghl_hours")) == (1, [])
    place.clock.now += 5 * 86_400
    mine.ledger.loads.prune(0.0)
    assert (place.rows("SELECT * FROM ghl_spans"), len(place.rows("SELECT * FROM ghl_quotas"))) == ([], 1)
    place.clock.now += 90 * 86_400
    mine.ledger.loads.prune(0.0)
    assert place.rows("SELECT * FROM ghl_quotas") == []


def test_requests_are_counted_by_hour_and_since_the_reset(place: Place) -> None:
    place.clock.now = OCLOCK - 10
    mine = place.worker()
    spend(mine, 7)
    assert one_location(place).requests_today == 7, "of 24 hours, as long as HighLevel does not say when a day ends"
    place.clock.now = OCLOCK + 600
    said: dict[str, Any] = {"daily_limit": 200_000, "daily_left": 900, "resets_in": 1_200.0, "seen_ago": 5.0}
    spend(mine, 3, **said)
    found = one_location(place)
    assert found.by_hour == (RatePoint(OCLOCK - HOUR, HOUR, 7, 1), RatePoint(OCLOCK, HOUR, 3, 1))
    assert (found.requests_today, found.daily_limit, found.daily_left) == (10, 200_000, 900)
    assert (found.resets_at, found.seen, found.last_load) == (OCLOCK + 1_800, OCLOCK + 595, mine.attempt.load_number)
    spend(mine, 1, resets_in=None, seen_ago=None)
    spend(mine, 1, daily_left=5, resets_in=10.0, seen_ago=60.0)
    found = one_location(place)
    assert (found.requests_today, found.daily_left, found.resets_at) == (12, 900, OCLOCK + 1_800), "what is newer counts"
    place.clock.now = OCLOCK + 1_801
    assert one_location(place).requests_today == 0, "a new day has begun"
    other = place.worker("other")
    spend(other, 4, **said | {"daily_left": 199_996, "resets_in": 86_400.0, "seen_ago": 0.0})
    found = one_location(place)
    assert (found.requests_today, found.daily_left, found.last_load) == (4, 199_996, other.attempt.load_number)
    assert [one.requests for one in found.by_hour] == [7, 9]
    place.clock.now += 23 * HOUR
    assert [one.requests for one in one_location(place).by_hour] == [9]


def test_a_reset_is_noticed_though_its_moment_is_not_known_to_the_millisecond(place: Place) -> None:
    mine = place.worker()
    spend(mine, 5, resets_in=0.4, seen_ago=0.0)
    place.clock.now += 0.2
    spend(mine, 2, resets_in=86_400.0, seen_ago=0.0)
    assert one_location(place).requests_today == 2


def test_nobody_knows_when_a_day_ended_that_was_noted_after_its_end(place: Place) -> None:
    mine = place.worker()
    spend(mine, 5, resets_in=10.0, seen_ago=0.0)
    place.clock.now += 20
    spend(mine, 2)
    assert one_location(place).requests_today == 2
    place.clock.now += 20
    spend(mine, 3)
    spend(mine, 4, resets_in=86_000.0, seen_ago=0.0)
    assert one_location(place).requests_today == 9


def test_where_highlevel_names_no_day_any_more_the_hours_count(place: Place) -> None:
    mine = place.worker()
    spend(mine, 5, resets_in=10.0, seen_ago=0.0)
    for _ in range(3):
        place.clock.now += 24 * HOUR
        spend(mine, 2)
    assert one_location(place).requests_today == 2


def test_locations_are_shown_to_who_may_see_their_loads(place: Place) -> None:
    spend(place.worker("a/r/t/-1"), 1, "north")
    b = place.worker("ab/r/t/-1")
    spend(b, 1, "south")
    spend(b, 2, "south%")
    b.learned("x-y")
    views = b.ledger.views
    seen = {dag: [one.location_id for one in views.locations(frozenset({dag}))] for dag in ("a", "ab", "%", "a%")}
    assert seen == {"a": ["location", "north"], "ab": ["location", "south", "south%"], "%": [], "a%": []}
    everything = {(one.host, one.location_id): one.relations for one in views.locations(None)}
    assert everything == {
        **{("https://x", name): 0 for name in ("north", "south", "south%")},
        ("https://x", "location"): 1,
    }


def test_relations_are_counted_by_location(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = place.worker()
    mine.learned(*(f"{number}-b" for number in range(600)))
    mine.claim("only-claimed")
    assert [one.relations for one in mine.ledger.views.locations(None)] == [600]
    monkeypatch.setattr("airflow_provider_ghl.load.ledger.pieces._COUNTABLE", -1)
    (about,) = [one.relations for one in mine.ledger.views.locations(None)]
    assert about % 256 == 0


def test_a_load_notes_all_that_its_locations_were_sent(ledger: Ledger) -> None:
    agency = SimulatedAgency.build(["a", "b", "c"], limit=10, daily_limit=1_000)
    load = load_rows(make_rows(["a", "b", "c"], 40), agency, ledger=ledger)
    assert load.verdict.is_green
    found = {one.location_id: one for one in ledger.views.locations(None)}
    assert {name: one.requests_today for name, one in found.items()} == {name: agency[name].requests for name in "abc"}
    assert {name: (one.daily_limit, one.daily_left) for name, one in found.items()} == {
        name: (1_000, 1_000 - agency[name].requests) for name in "abc"
    }
    assert all(one.resets_at is not None and one.resets_at > ledger.time() for one in found.values())
    (shown,) = ledger.views.loads(ViewFilter(location_id="b"))
    assert shown.location_id is None
    assert sum(one.requests for one in ledger.views.rate(shown.number)) == shown.requests == load.verdict.summary["requests"]


def test_it_is_noted_while_the_load_runs_and_seldom(ledger: Ledger, time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    noted: list[int] = []
    note = ledger.loads.note_spending

    def count(attempt: Any, host: str, spendings: Any, location_ids: Any) -> None:
        noted.append(sum(one.requests for one in spendings))
        note(attempt, host, spendings, location_ids)

    monkeypatch.setattr(ledger.loads, "note_spending", count)
    world = server(limit=100)
    load = load_pairs(PAIRS, world, ledger=ledger)
    assert sum(noted) == world.requests == ledger.views.locations(None)[0].requests_today
    assert 3 <= len(noted) <= load.seconds / 10 + 1


def test_where_it_cannot_be_noted_the_load_ends_as_with_any_failure(ledger: Ledger) -> None:
    with ledger._database._engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE ghl_quotas"))
    load = load_pairs(PAIRS, server(limit=100), ledger=ledger)
    assert load.verdict.end == "retryable"
    assert "no such table" in load.verdict.headline
    assert LOCATION not in load.verdict.headline
