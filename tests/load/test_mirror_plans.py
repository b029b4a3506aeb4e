"""A plan that a person has reviewed is carried out exactly, however often the load is interrupted; or nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from mirrors import FREE, HAND, TABLE, deletes, killed_at_the_end, mirror, mirrored_once
from relation_specs import relation_spec
from remembering import Time
from simulated_highlevel import KEY, LOCATION, SimulatedServer
from simulated_load import COLUMNS, Load, SimulatedWorkers, make_client
from soak import LONGER

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.exceptions import GuardTripped
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.review import review
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.spec import Owned

Pair = tuple[str, str]
#: What left the table, and what came.
ROWS = [*TABLE[4:], ("student0", "new"), ("student1", "new")]


@pytest.fixture
def world(ledger: Ledger, time: Time) -> SimulatedServer:
    """See :func:`mirrors.mirrored_once`."""
    return mirrored_once(ledger, time)


def plan_of(rows: Sequence[Any], world: SimulatedServer, ledger: Ledger, **options: Any) -> str:
    return str(mirror(rows, world, ledger, "plan", plan_only=True, **options).summary["plan_id"])


def check(
    rows: Sequence[Any],
    world: SimulatedServer,
    ledger: Ledger,
    plan: str,
    budget: Budget | None = None,
    **options: Any,
) -> Any:
    """What an operator does before its load: returns how the review failed."""
    chosen: dict[str, Any] = {"parent": 0, "series": "table", "apply_plan": plan, "columns": COLUMNS} | FREE | options
    spec = relation_spec(load_id="second", location_id=LOCATION, association_key=KEY, **chosen)
    ports = Ports(
        batches=from_data(rows, COLUMNS, 1000),
        client=make_client(world),
        workers=SimulatedWorkers(world),
        ledger=ledger,
        budget=budget,
    )
    return review(spec, ports, ledger)


def apply(rows: Sequence[Any], world: SimulatedServer, ledger: Ledger, plan: str, **options: Any) -> Load:
    """An operator's attempt: the review, then the load."""
    assert check(rows, world, ledger, plan) is None
    return mirror(rows, world, ledger, "second", apply_plan=plan, **options)


class TestPlans:
    def test_a_plan_shows_both_directions_and_sends_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        before = dict(world.relations)
        rows = [*TABLE[2:], ("student0", "new")]
        plan = mirror(rows, world, ledger, "plan", plan_only=True)
        assert world.relations == before
        assert deletes(plan) == {"planned": 2, "not_attempted": 2}
        assert plan.summary["plan"]["requests"] == 1 + 1 + 2
        load = apply(rows, world, ledger, plan.summary["plan_id"])
        assert deletes(load) == {"planned": 2, "deleted": 2}

    def test_another_task_may_plan_for_the_only_mirror(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = mirror(TABLE[2:], world, ledger, "plan", plan_only=True, series="plan")
        assert deletes(plan) == {"planned": 2, "not_attempted": 2}
        load = apply(TABLE[2:], world, ledger, plan.summary["plan_id"])
        assert deletes(load) == {"planned": 2, "deleted": 2}
        mirror(TABLE[:4], world, ledger, "another", series="another")
        plan = mirror(TABLE[4:], world, ledger, "plan", plan_only=True, series="plan")
        assert "knows of no earlier mirror of this table" in plan.verdict.warnings[0]

    def test_a_guard_that_would_trip_is_told(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = mirror(TABLE[10:], world, ledger, "plan", plan_only=True, max_deletes=1)
        assert plan.verdict.is_green
        assert "The load would end red: 10 relations would be deleted" in plan.verdict.warnings[0]
        assert deletes(plan) == {"planned": 10, "not_attempted": 10}

    def test_drift_is_refused_and_named(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = mirror(TABLE[2:], world, ledger, "plan", plan_only=True).summary["plan_id"]
        with pytest.raises(GuardTripped, match=r"^the table and what would be deleted differ from the plan that was reviewed"):
            check(TABLE[3:], world, ledger, plan)
        assert set(world.relations) == {*TABLE, HAND}


class TestInterrupted:
    @pytest.mark.parametrize("requests", range(2, 9))
    def test_what_is_left_is_done_after_a_wait_for_quota(self, world: SimulatedServer, ledger: Ledger, requests: int) -> None:
        """The quota ends at any request: while rows are sent, before the first delete, amid the deletes."""
        plan = plan_of(ROWS, world, ledger)
        world.faults = {world.requests + 1 + requests: "day_spent"}
        load = apply(ROWS, world, ledger, plan, defer_timeout=timedelta(days=2))
        if load.verdict.end is End.DEFERRED:
            world.used_of_day = 0
            load = apply(ROWS, world, ledger, plan, is_resumed=True, defer_timeout=timedelta(days=2))
        assert load.verdict.is_green
        assert set(world.relations) == {*ROWS, HAND}

    def test_and_after_a_kill(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = plan_of(ROWS, world, ledger)
        assert check(ROWS, world, ledger, plan) is None
        killed_at_the_end(ROWS, world, ledger, load_id="second", parent=0, series="table", apply_plan=plan, **FREE)
        assert apply(ROWS, world, ledger, plan, try_number=2).verdict.is_green

    def test_what_is_new_meanwhile_is_drift(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = plan_of(ROWS, world, ledger)
        world.faults = {world.requests + 4: "day_spent"}
        assert apply(ROWS, world, ledger, plan, defer_timeout=timedelta(days=2)).verdict.end is End.DEFERRED
        world.used_of_day = 0
        before = set(world.relations)
        with pytest.raises(GuardTripped, match=r"^the table and what would be deleted differ from the plan that was reviewed"):
            check(ROWS[1:], world, ledger, plan)
        with pytest.raises(GuardTripped, match=r"^the table and what would be sent differ"):
            check([*ROWS, ("student4", "more")], world, ledger, plan)
        assert set(world.relations) == before

    def test_another_plan_takes_its_place(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = plan_of(ROWS, world, ledger)
        assert check(ROWS, world, ledger, plan) is None
        with pytest.raises(GuardTripped):
            check(ROWS[1:], world, ledger, plan)
        other = plan_of(ROWS[1:], world, ledger)
        assert check(ROWS[1:], world, ledger, other) is None
        assert (ledger.approved.of("second", plan), list(ledger.approved.of("second", other))) == ({}, [LOCATION])


CHANGES = st.lists(
    st.tuples(st.integers(2, 14), st.sampled_from([None, None, ("by hand", TABLE[0]), ("by hand", ("student0", "more"))])),
    max_size=4,
)


@settings(deadline=None, max_examples=15 * LONGER)
@given(
    left=st.frozensets(st.sampled_from(TABLE), max_size=8),
    new=st.frozensets(st.sampled_from([(f"student{at}", f"new{at}") for at in range(4)])),
    owned=st.sampled_from(Owned),
    changes=CHANGES,
)
def test_nothing_beyond_what_was_reviewed_is_ever_done(
    left: frozenset[Pair], new: frozenset[Pair], owned: Owned, changes: list[tuple[int, tuple[str, Pair] | None]]
) -> None:
    """The quota ends again and again, and people link and unlink meanwhile."""
    clock = Time()
    ledger = Ledger(sa.create_engine("sqlite://"), database_time=clock)
    world = mirrored_once(ledger, clock)
    rows = [*(pair for pair in TABLE if pair not in left), *sorted(new)]
    reviewed = mirror(rows, world, ledger, "plan", plan_only=True, owned=owned)
    plan = str(reviewed.summary["plan_id"])
    may_go = {(one["first_record_id"], one["second_record_id"]) for one in reviewed.verdict.results if one["row"] is None}
    by_hand: set[Pair] = {HAND}
    for requests, change in [*changes, (10_000, None)]:
        world.used_of_day = 0
        world.faults = {world.requests + requests: "day_spent"}
        before = set(world.relations)
        try:
            failed = check(rows, world, ledger, plan, owned=owned)
        except GuardTripped:
            failed = "drift"
        load = None
        if failed is None:
            load = mirror(rows, world, ledger, "second", apply_plan=plan, owned=owned, defer_timeout=timedelta(days=9))
        assert before - set(world.relations) <= may_go
        assert set(world.relations) - before <= new
        if load is not None and load.verdict.is_green:
            assert set(world.relations) - by_hand == {*TABLE, *rows} - may_go - by_hand
            break
        if change is not None and change[1] not in world.relations:
            world.add(change[1])
            by_hand.add(change[1])
    ledger.close()


class TestBeyond:
    """What nobody reviewed is not sent either."""

    def test_a_table_that_changes_after_the_review(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan = plan_of(ROWS, world, ledger)
        assert check(ROWS, world, ledger, plan) is None
        before = set(world.relations)
        load = mirror([*ROWS, ("student4", "more")], world, ledger, "second", apply_plan=plan)
        assert load.verdict.failure is Failure.GUARD_TRIPPED
        assert "the table differs from the plan that was reviewed" in load.verdict.headline
        assert set(world.relations) == before | set(ROWS[-2:])
        assert load.results[-1]["reason"] == "it is not in the plan that was reviewed"

    def test_a_plan_that_was_never_compared(self, world: SimulatedServer, ledger: Ledger) -> None:
        """The quota was spent at the review, and is back."""
        plan, before = plan_of(ROWS, world, ledger), set(world.relations)
        load = mirror(ROWS, world, ledger, "second", apply_plan=plan)
        assert load.verdict.failure is Failure.GUARD_TRIPPED
        assert set(world.relations) == before

    def test_the_copy_that_planned_it(self, world: SimulatedServer, ledger: Ledger) -> None:
        """It has no baseline of its own, and its table would keep what the mirror is to delete."""
        plan = plan_of(ROWS, world, ledger, series="copy")
        with pytest.raises(GuardTripped, match=r"^what would be deleted differs"):
            check(ROWS, world, ledger, plan, series="copy")

    def test_the_review_counts(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan, budget = plan_of(ROWS, world, ledger), Budget()
        before = world.requests
        assert check(ROWS, world, ledger, plan, budget=budget) is None
        assert budget.spent == world.requests - before == 1


class TestOver:
    def test_a_load_that_ended_well_has_no_plan_left(self, world: SimulatedServer, ledger: Ledger) -> None:
        """Else the same id would let a cleared task do a part of what nobody reviewed again."""
        plan = plan_of(ROWS, world, ledger)
        assert apply(ROWS, world, ledger, plan).verdict.is_green
        assert ledger.approved.of("second", plan) == {}
        assert check(ROWS, world, ledger, plan) is None, "there is nothing left to be done"
        del world.relations[ROWS[0]]
        ledger.forget(RelationFilter(pair=ROWS[0]))
        ledger.approved.note("second", plan, {})
        with pytest.raises(GuardTripped, match=r"^what would be sent and what would be deleted differ"):
            check(ROWS, world, ledger, plan)

    def test_nor_has_one_that_nobody_tries_again(self, world: SimulatedServer, ledger: Ledger, time: Time) -> None:
        plan = plan_of(ROWS, world, ledger)
        assert check(ROWS, world, ledger, plan) is None
        time.now += 91 * 86_400
        ledger.loads.prune(0.0)
        assert ledger.approved.of("second", plan) == {}

    def test_what_cannot_be_planned_anew_is_not_done(self, world: SimulatedServer, ledger: Ledger) -> None:
        with pytest.raises(GuardTripped, match=r"^'nonsense' is the id of no plan"):
            check(ROWS, world, ledger, "nonsense")


class TestAccount:
    def test_the_ledger_lists_what_a_mirror_deleted(self, world: SimulatedServer, ledger: Ledger) -> None:
        load = mirror(TABLE[2:], world, ledger, "second")
        (found,) = ledger.loads.list(1)
        noted = ledger.deletions.of(found["number"])
        assert {(one["first_record_id"], one["second_record_id"]) for one in noted} == set(TABLE[:2])
        assert [(one["why"], one["outcome"], one["number"]) for one in noted] == [
            ("mirror", "deleted", 0),
            ("mirror", "deleted", 1),
        ]
        kept = [{name: one[name] for name in noted[0] if name in one} for one in load.verdict.results[-2:]]
        assert kept == [{name: one[name] for name in kept[0]} for one in noted]

    def test_over_its_attempts(self, world: SimulatedServer, ledger: Ledger) -> None:
        world.faults = {world.requests + 3: "day_spent"}
        load = mirror(TABLE[4:], world, ledger, "second", defer_timeout=timedelta(days=2))
        (number,) = (one["number"] for one in ledger.loads.list(1))
        outcomes = [one["outcome"] for one in ledger.deletions.of(number)]
        assert {name: outcomes.count(name) for name in set(outcomes)} | {"planned": 4} == deletes(load)
        assert "not_attempted" in outcomes
        world.used_of_day = 0
        mirror(TABLE[4:], world, ledger, "second", is_resumed=True, defer_timeout=timedelta(days=2))
        assert [one["outcome"] for one in ledger.deletions.of(number)] == ["deleted"] * 4

    def test_and_forgets_it_with_the_load(self, world: SimulatedServer, ledger: Ledger, time: Time) -> None:
        mirror(TABLE[2:], world, ledger, "second")
        (number,) = (one["number"] for one in ledger.loads.list(1))
        time.now += 91 * 86_400
        ledger.loads.prune(time.now - 90 * 86_400)
        assert ledger.deletions.of(number) == []

    def test_a_plan_notes_nothing(self, world: SimulatedServer, ledger: Ledger) -> None:
        plan_of(ROWS, world, ledger)
        assert all(ledger.deletions.of(load["number"]) == [] for load in ledger.loads.list())
