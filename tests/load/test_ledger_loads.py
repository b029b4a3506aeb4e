"""What the ledger keeps of each load: tries, resumes, lost attempts and results; and what it deletes with age."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import NOW, Place

from airflow_provider_ghl.load.ledger.load_filter import LoadFilter
from airflow_provider_ghl.load.ledger.notes import KeyNotes
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.tables import loads

OTHER = Process("another machine", 1, "1")


def result(row: int, outcome: str = "created", **also: Any) -> dict[str, Any]:
    whole = dict.fromkeys(("row_key", "location_id", "association_id", "first_record_id", "second_record_id"))
    whole |= dict.fromkeys(("evidence", "relation_id", "status_code", "reason", "trace_id"))
    return {"row": row, **whole, "outcome": outcome, "requests": 1, "try_number": 1} | also


def rows(place: Place, load: int) -> list[int]:
    return [row["row"] for row in place.ledger().loads.results(load)]


def test_a_chain_lasts_until_it_ends_well(place: Place) -> None:
    first = place.worker()
    assert (first.attempt.chain_began, first.attempt.has_earlier) == (NOW, False)
    first.note(results=[result(0), result(1, outcome="failed")], requests=3)
    first.end()
    place.clock.now += 10
    second = place.worker(try_number=2)
    assert second.attempt.load_number == first.attempt.load_number
    assert (second.attempt.chain_began, second.attempt.has_earlier) == (NOW, True)
    assert rows(place, second.attempt.load_number) == [], "each attempt accounts for every row anew"
    second.note(results=[result(0), result(1)])
    second.end(is_well=True)
    assert rows(place, second.attempt.load_number) == [0, 1]
    place.clock.now += 10
    third = place.worker(try_number=3)
    assert (third.attempt.chain_began, third.attempt.has_earlier) == (NOW + 20, False)
    assert third.attempt.load_number != first.attempt.load_number
    assert rows(place, second.attempt.load_number) == []
    assert [load["number"] for load in third.ledger.loads.list()] == [third.attempt.load_number]


def test_a_killed_attempt_does_not_end_the_chain(place: Place) -> None:
    place.worker()
    assert place.worker(try_number=2).attempt.has_earlier


def test_a_resume_knows_what_its_try_has_spent(place: Place) -> None:
    first = place.worker()
    assert first.attempt.spent_before == (0, 0, 0)
    first.note(requests=5, retries=2, rate_limited=1)
    first.end(end="deferred", is_deferred=True)
    place.clock.now += 100
    second = place.worker(is_resumed=True)
    assert (second.attempt.spent_before, second.attempt.deferred_since) == ((5, 2, 1), NOW)
    second.ledger.loads.beat(second.attempt, 10, 0, 0)
    second.end(end="deferred", is_deferred=True)
    third = place.worker(is_resumed=True)
    assert (third.attempt.spent_before, third.attempt.deferred_since) == ((15, 2, 1), NOW)
    fourth = place.worker(try_number=2)
    assert (fourth.attempt.spent_before, fourth.attempt.deferred_since, fourth.attempt.has_earlier) == ((0, 0, 0), None, True)
    fourth.end(end="deferred", is_deferred=True)
    assert place.worker(try_number=2, is_resumed=True).attempt.deferred_since == NOW + 100


def test_the_list_says_how_loads_are(place: Place) -> None:
    for name, end in (("green", "green"), ("retryable", "retryable"), ("final", "final"), ("deferred", "deferred")):
        worker = place.worker(name)
        worker.end(end=end, message=f"the message of {name}", counts={"created": 3, "failed": 0}, is_deferred=end == "deferred")
    place.worker("running").note(requests=4)
    place.worker("lost", OTHER)
    place.clock.now += 30
    place.worker("late", OTHER)
    place.clock.now += 40
    place.worker("running", try_number=2, total=1_000).note(requests=5)
    loads = place.ledger().loads.list()
    states = {load["load_id"]: load["state"] for load in loads}
    assert states == {name: name for name in ("green", "retryable", "final", "deferred", "running", "lost")} | {
        "late": "running"
    }
    assert [load["number"] for load in loads] == sorted((load["number"] for load in loads), reverse=True)
    assert place.ledger().loads.list(limit=2) == loads[:2]
    running = next(load for load in loads if load["load_id"] == "running")
    assert running == {
        "number": running["number"],
        "load_id": "running",
        "location_id": "location",
        "association": "friends",
        "began": NOW,
        "updated": NOW + 70,
        "state": "running",
        "tries": 2,
        "requests": 9,
        "rate_limited": 0,
        "counts": None,
        "message": None,
        "total": 1_000,
        "counts_so_far": {},
    }
    final = place.ledger().loads.find("final")
    assert final is not None
    assert (final["counts"], final["message"]) == ({"created": 3, "failed": 0}, "the message of final")
    assert place.ledger().loads.find(str(final["number"])) == final
    assert place.ledger().loads.find("no such") is None
    assert place.ledger().loads.find("9" * 30) is None


def test_a_load_without_an_end_is_counted_by_its_results(place: Place) -> None:
    running, ended, broken = place.worker("running"), place.worker("ended"), place.worker("broken off")
    broken.note(results=[result(0)])
    broken.end(end="retryable", counts={})
    running.note(results=[result(0), result(1), result(2, "rejected")])
    ended.note(results=[result(0)])
    ended.end(counts={"created": 1})
    found = {load["load_id"]: load["counts_so_far"] for load in place.ledger().loads.list()}
    assert found == {"running": {"created": 2, "rejected": 1}, "ended": None, "broken off": {"created": 1}}
    load = place.ledger().loads.find("running")
    assert load is not None
    assert load["counts_so_far"] == {"created": 2, "rejected": 1}


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (LoadFilter(), ["Nightly/3/t", "nightly/2/t", "weekly/1/t", "nightly/1/t"]),
        (LoadFilter(id_prefix="nightly/"), ["nightly/2/t", "nightly/1/t"]),
        (LoadFilter(id_prefix="night%"), []),
        (LoadFilter(began_from=NOW + 10), ["Nightly/3/t", "nightly/2/t", "weekly/1/t"]),
        (LoadFilter(began_from=NOW + 10, began_before=NOW + 20), ["weekly/1/t"]),
        (LoadFilter(states=["running"]), ["Nightly/3/t"]),
        (LoadFilter(states=["final", "retryable"]), ["nightly/2/t", "weekly/1/t"]),
        (LoadFilter(id_prefix="nightly/", states=["green"]), ["nightly/1/t"]),
        (LoadFilter(states=[]), []),
    ],
)
def test_the_list_can_be_filtered(place: Place, wanted: LoadFilter, expected: list[str]) -> None:
    for at, (name, end) in enumerate((("nightly/1", "green"), ("weekly/1", "final"), ("nightly/2", "retryable"))):
        place.clock.now = NOW + 10 * at
        place.worker(f"{name}/t").end(end=end)
    place.clock.now = NOW + 30
    place.worker("Nightly/3/t")
    found = [load["load_id"] for load in place.ledger().loads.list(wanted=wanted)]
    assert found == expected
    assert [load["load_id"] for load in place.ledger().loads.list(1, wanted)] == expected[:1]


def test_what_is_rare_is_found_behind_many_others(place: Place) -> None:
    place.worker("first").end(end="final")
    (first,) = place.rows("SELECT number FROM ghl_loads")
    others = {"location_id": "l", "association": "a", "chain_began": NOW, "ended_well": True, "end": "green", "updated": NOW}
    with place.shared.begin() as connection:
        connection.execute(sa.insert(loads), [{**others, "load_id": str(number)} for number in range(2_100)])
    (found,) = place.ledger().loads.list(wanted=LoadFilter(states=["final"]))
    assert (found["number"], found["load_id"]) == (*first, "first")


def test_ids_of_associations_are_known_by_the_keys_that_were_asked_for(place: Place) -> None:
    worker = place.worker("one", association="Friends")
    where = {"location_id": "here", "association_id": "id-1"}
    worker.note(results=[result(0, **where), result(1, **where), result(2, "invalid")])
    place.worker("two", association="friends").note(results=[result(0, location_id="there", association_id="id-2")])
    place.worker("three", association="foes").note(results=[result(0, location_id="here", association_id="id-3")])
    place.worker("four", association="friends", location_id="elsewhere").note(results=[result(0, "invalid")])
    ledger = place.ledger()
    assert ledger.loads.associations_by_key("friends") == {("here", "id-1"), ("there", "id-2"), ("elsewhere", None)}
    assert ledger.loads.associations_by_key("nobody") == set()


def test_an_attempt_that_others_followed_says_nothing_any_more(place: Place) -> None:
    lost = place.worker("load", OTHER)
    place.clock.now += 100
    mine = place.worker("load", try_number=2)
    mine.note(results=[result(1)])
    lost.note(results=[result(0), result(1, "failed")], requests=9)
    lost.end(is_well=True)
    assert [(row["row"], row["outcome"]) for row in mine.ledger.loads.results(mine.attempt.load_number)] == [(1, "created")]
    assert mine.ledger.loads.list()[0]["state"] == "running"
    assert mine.ledger.loads.list()[0]["requests"] == 9, "what it spent was spent"
    mine.end(is_well=True)
    place.worker("load", try_number=3)
    mine.note(results=[result(2)])
    assert rows(place, mine.attempt.load_number) == []


def test_results_come_back_as_they_went_in(place: Place) -> None:
    mine = place.worker()
    number = mine.attempt.load_number
    keys: list[Any] = [None, 7, -(2**63), "7", "ü'🙂", True, ""]
    given = [result(2**40 + row, row_key=key, reason="it's\n", status_code=400, trace_id="t") for row, key in enumerate(keys)]
    mine.note(results=given)
    back = list(mine.ledger.loads.results(number))
    assert back == given
    assert [type(row["row_key"]) for row in back] == [type(key) for key in keys]
    mine.note(results=[given[0] | {"outcome": "failed"}, result(5), result(5, "rejected")])
    assert [(row["row"], row["outcome"]) for row in mine.ledger.loads.results(number, limit=2)] == [
        (5, "rejected"),
        (2**40, "failed"),
    ]
    assert [row["row"] for row in mine.ledger.loads.results(number, outcomes=["failed", "rejected"])] == [5, 2**40]
    assert list(mine.ledger.loads.results(number, outcomes=[])) == list(mine.ledger.loads.results(number, limit=0)) == []
    assert list(mine.ledger.loads.results(12_345)) == []


def test_many_results_are_read_page_by_page(place: Place) -> None:
    mine = place.worker()
    mine.note(results=[result(row) for row in range(2_500)])
    read = mine.ledger.loads.results(mine.attempt.load_number)
    assert next(read)["row"] == 0
    mine.note(results=[result(2_500)])  # nothing is locked meanwhile
    assert [row["row"] for row in read] == list(range(1, 2_501))
    assert sum(1 for _ in mine.ledger.loads.results(mine.attempt.load_number, limit=1_500)) == 1_500


@pytest.mark.parametrize("is_well", [True, False])
def test_old_loads_are_forgotten_with_their_results_and_what_is_there_is_not(place: Place, is_well: bool) -> None:
    old, lost, running = place.worker("old"), place.worker("lost", OTHER), place.worker("running")
    for worker in (old, lost, running):
        worker.note(results=[result(0), result(1)])
    old.learned("a-b")
    old.end(is_well=is_well)
    place.clock.now += 100
    young = place.worker("young")
    young.end()
    running.note()
    ledger = place.ledger()
    assert ledger.loads.prune(NOW) == (0, 0, 0)
    assert ledger.loads.prune(NOW + 50) == (4, 2, 0)
    assert [load["load_id"] for load in ledger.loads.list()] == ["young", "running"]
    assert place.rows("SELECT count(*) FROM ghl_attempts") == [(2,)]
    assert ledger.loads.prune(NOW + 1_000) == (0, 1, 0), "a load that runs is never forgotten"
    assert running.ledger.relations.count(running.target_id, 9) == 1
    assert place.worker("old").attempt.load_number not in (old.attempt.load_number, young.attempt.load_number)


def test_keys_that_nobody_confirmed_for_90_days_are_forgotten_with_old_loads(place: Place) -> None:
    mine = place.worker()
    number = mine.ledger.keys.lookup("https://x", "location", "contact by email")
    for day, key in ((0, b"old"), (1, b"young")):
        place.clock.now = NOW + day * 86_400
        mine.ledger.write_all(mine.attempt, {}, {number: KeyNotes([(key.rjust(16), key.decode())], set())})
    place.clock.now = NOW + 90 * 86_400
    assert mine.ledger.loads.prune(NOW + 1_000 * 86_400).keys == 0
    assert mine.ledger.keys.count(number, 9) == 2, "younger keys stay, whatever the moment"
    place.clock.now += 1
    assert mine.ledger.loads.prune(NOW).keys == 1
    assert place.rows("SELECT record_id FROM ghl_keys") == [("young",)]


def test_a_load_that_waits_for_quota_is_not_forgotten(place: Place) -> None:
    first = place.worker()
    first.note(results=[result(0)], requests=5)
    first.end(end="deferred", is_deferred=True)
    assert first.ledger.loads.prune(NOW + 1_000) == (0, 0, 0)
    resumed = place.worker(is_resumed=True)
    assert (resumed.attempt.load_number, resumed.attempt.spent_before) == (first.attempt.load_number, (5, 0, 0))
    resumed.note(results=[result(0)])
    resumed.end()
    assert first.ledger.loads.prune(NOW + 1_000) == (1, 1, 0)
