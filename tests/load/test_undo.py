"""A load is taken back: exactly the relations that it created go, and nothing that a later table names."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any

import pytest
from keyed_world import contact_id, keyed_server, load_keys, policy_id, table
from remembering import PAIRS, Time, known, server
from simulated_highlevel import LOCATION, SimulatedServer
from simulated_load import SimulatedWorkers, load_pairs, make_client

from airflow_provider_ghl.exceptions import ConfigurationError, GuardTripped
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.relations.undo import Undo, Undone

OLD, NEW, HAND = PAIRS[:10], PAIRS[10:40], ("byhand", "teacher1")


def undo(ledger: Ledger, world: SimulatedServer, load: str, *, plan_only: bool = False, **options: Any) -> Undone:
    it = Undo(load, ledger, make_client(world), SimulatedWorkers(world))
    return it.plan() if plan_only else it.run(**options)


def two_nights(ledger: Ledger, **options: Any) -> SimulatedServer:
    """A load of ten pairs, then one of forty, of which HighLevel had five by somebody's hand."""
    world = server(**options)
    load_pairs(OLD, world, ledger=ledger, load_id="monday", series="table")
    world.add(HAND, *NEW[:5])
    load_pairs([*OLD, *NEW], world, ledger=ledger, load_id="tuesday", series="table")
    return world


def deferred(ledger: Ledger) -> SimulatedServer:
    """HighLevel amid a load that waits for another day of quota."""
    world = server(faults={4: "day_spent"})
    options: dict[str, Any] = {"load_id": "deferred", "defer_timeout": timedelta(days=2)}
    assert load_pairs(PAIRS[50:70], world, ledger=ledger, **options).verdict.end is End.DEFERRED
    return world


def deletes(undone: Undone) -> dict[str, int]:
    return {name: count for name, count in undone.summary["deletes"].items() if count}


def test_exactly_what_it_created_goes(ledger: Ledger) -> None:
    world = two_nights(ledger)
    undone = undo(ledger, world, "tuesday")
    assert undone.failure is None
    assert deletes(undone) == {"planned": 25, "deleted": 25}
    assert set(world.relations) == {*OLD, *NEW[:5], HAND}
    assert undone.summary["requests"] == 25
    assert known(ledger) == 15
    assert {result["outcome"] for result in undone.results} == {"deleted"}
    # Once more: it is done.
    assert deletes(undo(ledger, world, "tuesday")) == {"planned": 25, "already_gone": 25}


def test_the_ledger_lists_what_was_taken_back(ledger: Ledger) -> None:
    world = two_nights(ledger)
    undone = undo(ledger, world, "tuesday")
    noted = ledger.deletions.of(undone.summary["load"])
    assert [(one["why"], one["outcome"]) for one in noted] == [("undo", "deleted")] * 25
    assert {one["relation_id"] for one in noted} == {result["relation_id"] for result in undone.results}
    undo(ledger, world, "monday", plan_only=True)
    assert len(ledger.deletions.of(undone.summary["load"])) == 25


def test_what_a_later_table_names_is_kept(ledger: Ledger) -> None:
    world = two_nights(ledger)
    load_pairs([*OLD, *NEW[:20]], world, ledger=ledger, load_id="wednesday", series="table")
    number = ledger.loads.list(1)[0]["number"]
    undone = undo(ledger, world, "tuesday")
    assert deletes(undone) == {"planned": 10, "deleted": 10, "kept": 15}
    assert {result["reason"] for result in undone.results if result["outcome"] == "kept"} == {f"load {number} names it too"}
    assert set(world.relations) == {*OLD, *NEW[:20], HAND}


def test_what_another_tasks_table_names_is_kept_too(ledger: Ledger) -> None:
    world = two_nights(ledger)
    load_pairs(NEW[10:15], world, ledger=ledger, load_id="another", series="another table")
    assert deletes(undo(ledger, world, "tuesday")) == {"planned": 20, "deleted": 20, "kept": 5}


def test_a_later_load_that_was_stopped_keeps_what_its_table_named_before(ledger: Ledger) -> None:
    world = two_nights(ledger)
    load_pairs([*OLD, *NEW], world, ledger=ledger, load_id="wednesday", series="table")
    load_pairs([*OLD, ("new", "teacher1")], world, ledger=ledger, load_id="thursday", series="table", max_requests=1)
    undone = undo(ledger, world, "tuesday")
    assert deletes(undone) == {"kept": 25}
    number = ledger.loads.list(1)[0]["number"]
    reason = f"load {number} may name it too: rows of its table are not accounted for"
    assert {result["reason"] for result in undone.results} == {reason}


def test_a_plan_sends_nothing(ledger: Ledger) -> None:
    world = two_nights(ledger)
    before = world.requests
    plan = undo(ledger, world, "tuesday", plan_only=True)
    assert world.requests == before
    assert deletes(plan) == {"planned": 25, "not_attempted": 25}
    assert plan.summary["plan"]["requests"] == 25
    assert "25 relations of load 2 would be deleted" in plan.message
    assert plan.message.endswith("What HighLevel's workflows did since then cannot be undone.")


def test_a_guard_deletes_nothing(ledger: Ledger) -> None:
    world = two_nights(ledger)
    before = dict(world.relations)
    with pytest.raises(GuardTripped, match=r"created 25 relations .* more than max_deletes=24 allows"):
        undo(ledger, world, "tuesday", max_deletes=24)
    assert world.relations == before
    assert deletes(undo(ledger, world, "tuesday", max_deletes=25)) == {"planned": 25, "deleted": 25}


def test_what_is_only_presumed_to_be_its_own_stays(ledger: Ledger) -> None:
    world = server(faults={3: "reset_after"})
    load = load_pairs(OLD, world, ledger=ledger, load_id="monday")
    assert [result["evidence"] for result in load.results].count("presumed") == 1
    assert deletes(undo(ledger, world, "monday")) == {"planned": 9, "deleted": 9}


def test_all_attempts_of_a_load_are_taken_back(ledger: Ledger) -> None:
    world = server()
    load_pairs([*OLD, ("", "no student")], world, ledger=ledger, load_id="monday")
    load_pairs([*OLD, *NEW], world, ledger=ledger, load_id="monday", try_number=2)
    assert deletes(undo(ledger, world, "monday")) == {"planned": 40, "deleted": 40}
    assert world.relations == {}


def test_what_is_gone_is_already_gone_and_a_pair_linked_anew_stays(ledger: Ledger, time: Time) -> None:
    world = server()
    load_pairs(OLD, world, ledger=ledger, load_id="monday")
    del world.relations[OLD[0]]
    del world.relations[OLD[1]]
    world.add(OLD[1])  # somebody linked it anew
    anew = world.relations[OLD[1]]
    assert deletes(undo(ledger, world, "monday")) == {"planned": 10, "deleted": 8, "already_gone": 2}
    assert world.relations == {OLD[1]: anew}


@pytest.mark.parametrize("forgotten", [True, False])
def test_an_id_that_was_not_confirmed_lately_is_read_before(ledger: Ledger, time: Time, forgotten: bool) -> None:
    world = server()
    load_pairs(OLD, world, ledger=ledger, load_id="monday")
    del world.relations[OLD[1]]
    world.add(OLD[1])
    anew = world.relations[OLD[1]]
    if forgotten:
        ledger.forget(RelationFilter(location_id=LOCATION))
    time.now += 40 * 86_400
    undone = undo(ledger, world, "monday")
    assert deletes(undone) == {"planned": 10, "deleted": 9, "already_gone": 1}
    assert undone.summary["requests"] == 19
    assert world.relations == {OLD[1]: anew}


def test_an_answer_that_cannot_be_read_deletes_nothing(ledger: Ledger, time: Time) -> None:
    world = server(garbles_relations=True)
    load_pairs(OLD, world, ledger=ledger, load_id="monday")
    time.now += 40 * 86_400
    undone = undo(ledger, world, "monday")
    assert deletes(undone) == {"planned": 10, "failed": 10}
    assert undone.failure is Failure.UNAVAILABLE
    assert len(world.relations) == 10


FORGET: list[dict[str, Any]] = [{"everything": True}, {"record_id": "student1"}, {"confirmed_before": 1e12}]


@pytest.mark.parametrize("what", FORGET)
def test_what_a_later_table_names_is_kept_though_the_ledger_forgot_its_id(ledger: Ledger, what: dict[str, Any]) -> None:
    """HighLevel's answer "duplicate" teaches the pair again, without its id."""
    world = server()
    load_pairs(OLD, world, ledger=ledger, load_id="monday", series="table")
    ledger.forget(RelationFilter(**what))
    load_pairs(OLD, world, ledger=ledger, load_id="tuesday", series="table")
    assert deletes(undo(ledger, world, "monday")) == {"kept": 10}
    assert set(world.relations) == set(OLD)
    load_pairs(OLD[:6], world, ledger=ledger, load_id="wednesday", series="table")
    assert deletes(undo(ledger, world, "monday")) == {"planned": 4, "deleted": 4, "kept": 6}
    assert (set(world.relations), known(ledger)) == (set(OLD[:6]), 6)


def test_what_is_deleted_though_the_ledger_forgot_its_id_is_doubted_before(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed amid the deletes leaves no ledger that says that they are there."""
    world = server()
    load_pairs(OLD, world, ledger=ledger, load_id="monday", series="table")
    ledger.forget(RelationFilter(everything=True))
    load_pairs(OLD, world, ledger=ledger, load_id="tuesday", series="table")
    load_pairs(OLD[:1], world, ledger=ledger, load_id="wednesday", series="table")
    monkeypatch.setattr(ledger.deletions, "note", lambda *args: sys.exit())
    with pytest.raises(SystemExit):
        undo(ledger, world, "monday")
    assert set(world.relations) != set(OLD)
    load_pairs(OLD, world, ledger=ledger, load_id="thursday", series="table")
    assert set(world.relations) == set(OLD)


@pytest.mark.parametrize("is_forgotten", [True, False])
def test_columns_may_be_the_other_way_round(ledger: Ledger, is_forgotten: bool) -> None:
    """Then results have the records in the table's order, and only the ledger has HighLevel's."""
    world = keyed_server()
    load_keys(table((1, 1), (2, 2)), world, ledger=ledger, load_id="monday", series="table")
    if is_forgotten:
        ledger.forget(RelationFilter(everything=True))
    load_keys(table((1, 1)), world, ledger=ledger, load_id="tuesday", series="table")
    assert deletes(undo(ledger, world, "monday")) == {"planned": 1, "deleted": 1, "kept": 1}
    assert set(world.relations) == {(contact_id(1), policy_id(1))}
    assert known(ledger) == 1


def test_what_moves_up_while_others_are_deleted_is_not_taken_for_gone(ledger: Ledger, time: Time) -> None:
    """The pages of one record shift under the searches for its relations."""
    world = server()
    hub = [("hub", f"teacher{number}") for number in range(250)]
    load_pairs(hub, world, ledger=ledger, load_id="monday")
    world.relations = dict(sorted(world.relations.items(), key=lambda one: one[0][1][::-1]))  # not in the order of the rows
    time.now += 40 * 86_400
    undone = undo(ledger, world, "monday")
    assert (deletes(undone), world.relations) == ({"planned": 250, "deleted": 250}, {})
    assert known(ledger) == 0


def test_an_empty_page_that_speaks_of_relations_is_no_evidence(
    ledger: Ledger, time: Time, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = server()
    load_pairs(OLD, world, ledger=ledger, load_id="monday")
    time.now += 40 * 86_400
    monkeypatch.setattr(world, "_list", lambda call: (200, {"relations": [], "total": 4}))
    undone = undo(ledger, world, "monday")
    assert (deletes(undone), undone.failure) == ({"planned": 10, "failed": 10}, Failure.UNAVAILABLE)
    assert (len(world.relations), known(ledger)) == (10, 10)


def test_an_answer_that_is_lost_is_settled_by_the_next_one(ledger: Ledger) -> None:
    world = server()
    load_pairs(OLD, world, ledger=ledger, load_id="monday")
    world.faults = {world.requests + 4: "reset_after", world.requests + 7: "503_before"}
    assert deletes(undo(ledger, world, "monday")) == {"planned": 10, "deleted": 10}
    assert world.relations == {}


def test_what_needs_attention_comes_first(ledger: Ledger) -> None:
    """An XCom has room for so many results, and what went well is cut."""
    world = two_nights(ledger)
    load_pairs(NEW[10:12], world, ledger=ledger, load_id="another", series="another table")
    world.refuse_deletes_of = frozenset({NEW[20], NEW[8]})
    world.faults = {world.requests + 12: "day_spent"}
    results = undo(ledger, world, "tuesday").results
    ranks = {"rejected": 0, "failed": 0, "not_attempted": 1, "deleted": 2, "already_gone": 2, "kept": 2}
    assert {"rejected", "not_attempted", "deleted", "kept"} <= {result["outcome"] for result in results}
    places = [(ranks[result["outcome"]], result["row"]) for result in results]
    assert places == sorted(places)


def test_after_a_spent_quota_another_run_goes_on(ledger: Ledger) -> None:
    world = two_nights(ledger)
    world.faults = {world.requests + 8: "day_spent"}
    first = undo(ledger, world, "tuesday")
    assert first.failure is Failure.QUOTA_SPENT
    assert first.summary["deletes"]["not_attempted"] > 0
    world.used_of_day = 0
    second = undo(ledger, world, "tuesday")
    assert second.failure is None
    assert first.summary["deletes"]["deleted"] + second.summary["deletes"]["deleted"] == 25
    assert set(world.relations) == {*OLD, *NEW[:5], HAND}


def test_a_refused_token_ends_it(ledger: Ledger) -> None:
    world = two_nights(ledger)
    world.refuse_token_from = 0
    undone = undo(ledger, world, "tuesday")
    assert undone.failure is Failure.TOKEN_REFUSED
    assert undone.summary["requests"] <= 25
    assert len(world.relations) == 41


def test_the_same_refusal_again_and_again_ends_it(ledger: Ledger) -> None:
    world = server(refuse_deletes=True)
    load_pairs(PAIRS[:100], world, ledger=ledger, load_id="monday")
    undone = undo(ledger, world, "monday")
    assert undone.failure is Failure.REQUEST_REFUSED
    assert undone.message.startswith("400: Relation is locked. Load 1 created 100 relations:")
    assert undone.summary["stopped_by"] == "abort"
    assert undone.summary["requests"] < 40
    assert undone.summary["deletes"]["rejected"] + undone.summary["deletes"]["not_attempted"] == 100


def test_loads_that_cannot_be_taken_back(ledger: Ledger, time: Time) -> None:
    world = two_nights(ledger)
    with pytest.raises(ConfigurationError, match="knows no load 'sunday'"):
        undo(ledger, world, "sunday")
    ledger.loads.begin("running", try_number=1, is_resumed=False, location_id=LOCATION, association="a")
    with pytest.raises(ConfigurationError, match="has not ended"):
        undo(ledger, world, "running")
    with pytest.raises(ConfigurationError, match=r"load 4 is deferred, and goes on .*: wait for its end"):
        undo(ledger, deferred(ledger), "deferred", plan_only=True)
    # The same task instance, run again: what it created before counts as having been there.
    load_pairs([*OLD, *NEW], world, ledger=ledger, load_id="tuesday", series="table")
    assert deletes(undo(ledger, world, "tuesday")) == {}
