"""A mirror that is killed amid its deletes: what left the table goes, nothing else, and no gone relation is taken for there."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from chaos_story import KILLED, Forks, Pair, World, forks
from ledgers import Place
from soak import LONGER

from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.slow

FAULTS = [Fault(kind, 0.03, method="DELETE") for kind in ("reset_before", "reset_after", "error_after", "truncated_json")]
#: When it is killed, and at which call at most.
PHASES = {
    "before what is owned is read": 1,
    "before a doubt": 1,
    "doubted and undeleted": 1,
    "before a delete": 15,
    "deleted and unanswered": 15,
    "deleted and remembered": 15,
}
LAST = ("before its end is noted", 1)
FREE = {"max_deletes": None, "max_delete_share": None}
PARENTS, ROWS, LEFT = 12, 220, 110
SEEDS = range(1, LONGER + 1)
BY_HAND: list[Pair] = [("student1", "byhand"), ("nobody", "byhand")]


@pytest.fixture(scope="module")
def program() -> Iterator[Forks]:
    with forks() as started:
        yield started


@pytest.fixture(params=SEEDS)
def world(request: pytest.FixtureRequest, program: Forks, place: Place, tmp_path: Path) -> Iterator[World]:
    """HighLevel after a first night, and relations that were made by hand."""
    rows = [(f"student{number % PARENTS}", f"teacher{number}") for number in range(ROWS)]
    random.Random(request.param).shuffle(rows)
    with Sandbox(limit=None, latency=0.005, latency_spread=0.5, faults=FAULTS, seed=request.param) as sandbox:
        print(f"{sandbox!r}")  # noqa: T201
        made = World(sandbox, program, tmp_path, place.url, request.param, rows, set())
        made.settings["mirror"] = {"parent": 0, "series": "table", **FREE}
        (first,) = made.run(made.job("first"))
        assert first.verdict is not None
        assert first.verdict["summary"]["created"] == ROWS
        for pair in BY_HAND:
            sandbox.state.add_relation(made.association_id, *pair)
        yield made
        made.close()


def kill_at_every_phase(world: World, rows: list[Pair]) -> list[int]:
    """The second night, killed again and again. Returns what it cost to go on after each kill."""
    draw, again, there = random.Random(world.seed), [], world.sandbox.state.pairs(world.association_id)
    for number, (kill, most) in enumerate([*draw.sample(sorted(PHASES.items()), len(PHASES)), LAST], 1):
        (attempt,) = world.run(world.job("second", rows=rows, try_number=number, kill=kill, kill_at=draw.randint(1, most)))
        assert (attempt.ended, attempt.killed_at) == (KILLED, kill)
        now = world.sandbox.state.pairs(world.association_id)
        assert {*rows, *BY_HAND} <= now <= there, "nothing goes that the table names or that was made by hand"
        assert attempt.sends.total() == 0
        again.append(attempt.in_flight)
        there = now
    return again


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_the_rerun_deletes_the_rest(world: World) -> None:
    rows = world.rows[LEFT:]
    costs = kill_at_every_phase(world, rows)
    (last,) = world.run(world.job("second", rows=rows, try_number=99))
    assert last.verdict is not None
    assert last.verdict["end"] == "green", last.verdict["message"]
    assert world.sandbox.state.pairs(world.association_id) == {*rows, *BY_HAND}
    assert world.there() == set(rows)
    deletes = sum((attempt.deletes for attempt in world.attempts), Counter[str]())
    assert len(deletes) == LEFT
    # In all a relation is deleted again only where an answer was lost, by a fault or by a kill.
    faults = deletes.total() * 4 * 0.03 * 3
    assert deletes.total() - LEFT <= sum(costs) + faults + 20


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_the_next_table_names_it_again(world: World) -> None:
    """The ledger is not sure of a relation that a killed attempt may have deleted."""
    kill_at_every_phase(world, world.rows[LEFT:])
    world.sandbox.clear_faults()
    (third,) = world.run(world.job("third"))
    assert third.verdict is not None
    assert third.verdict["end"] == "green", third.verdict["message"]
    assert world.sandbox.state.pairs(world.association_id) == {*world.rows, *BY_HAND}
    assert world.there() == set(world.rows)
