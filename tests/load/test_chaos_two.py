"""Two loads of one table at once, in two processes on one ledger: no pair is sent twice, and no wait is endless."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chaos_story import KILLED, Attempt, Forks, Pair, World, forks
from ledgers import Place
from soak import LONGER

from airflow_provider_ghl.load.ledger.liveness import SILENCE
from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.slow

ROWS = 450
SEEDS = range(1, LONGER + 1)


@pytest.fixture(scope="module")
def program() -> Iterator[Forks]:
    with forks() as started:
        yield started


@pytest.fixture(params=SEEDS)
def world(request: pytest.FixtureRequest, program: Forks, place: Place, tmp_path: Path) -> Iterator[World]:
    draw = random.Random(request.param)
    rows = [(f"student{number}", f"teacher{draw.randrange(20)}") for number in range(ROWS)]
    with Sandbox(limit=None, latency=0.02, latency_spread=0.5, seed=request.param) as sandbox:
        print(f"{sandbox!r}")  # noqa: T201
        made = World(sandbox, program, tmp_path, place.url, request.param, rows, set(draw.sample(rows, 50)))
        yield made
        made.close()


def evidence(attempt: Attempt) -> dict[Pair, tuple[str, str]]:
    assert attempt.verdict is not None
    return {
        (result["first_record_id"], result["second_record_id"]): (result["outcome"], result["evidence"])
        for result in attempt.verdict["results"]
    }


def shuffled(world: World) -> list[Pair]:
    rows = list(world.rows)
    random.Random(-world.seed).shuffle(rows)
    return rows


def asked(*attempts: Attempt) -> Counter[Pair]:
    """How often each pair was sent; requests that the rate limit refused do not count."""
    sends: Counter[Pair] = Counter()
    for attempt in attempts:
        sends += attempt.sends
        sends -= Counter((words[2], words[3]) for words in attempt.diary if words[:2] == ["g", "429"])
    return sends


def at_once(world: World, first_job: dict[str, Any], load_id: str, rows: list[Pair], **more: Any) -> tuple[Attempt, Attempt]:
    """Run two attempts at once. The second one has its own files."""
    job = world.job(load_id, rows=rows, results_path=str(world.results_path("second")), **more)
    places = {name: f"{job[name]}.second" for name in ("diary", "verdict")}
    began = time.monotonic()
    first, second = world.run(first_job, job | places)
    print(f"{time.monotonic() - began:.1f} s")  # noqa: T201
    assert time.monotonic() - began < SILENCE, "one waited until the other was taken for dead"
    second.load_id = "second"
    return first, second


@pytest.mark.parametrize(
    ("place", "second_id", "is_shuffled"),
    [
        ("sqlite", "another load", False),
        ("sqlite", "load", True),
        ("postgresql", "another load", True),
    ],
    indirect=["place"],
)
def test_no_pair_is_sent_twice(world: World, second_id: str, is_shuffled: bool) -> None:
    rows = shuffled(world) if is_shuffled else world.rows
    first, second = at_once(world, world.job(), second_id, rows)
    world.check_verdict(first)
    world.check_verdict(second, rows)
    world.check_highlevel()
    world.check_ledger()
    assert set(asked(first, second).values()) == {1}
    assert (first.answers + second.answers)["duplicate"] == len(world.before)
    both = [evidence(first), evidence(second)]
    # Where one load runs twice, it has created the row in either case. Its first attempt ignores what its second one did.
    others = {"already_exists"} if second_id != "load" else {"created", "already_exists"}
    for pair in world.rows:
        (outcome, by_answer), (other, by_ledger) = sorted((one[pair] for one in both), key=lambda result: result[1])
        assert (by_answer, by_ledger) == ("answer", "ledger")
        assert outcome == ("already_exists" if pair in world.before else "created")
        assert other in ({"already_exists"} if pair in world.before else others)


@pytest.mark.parametrize(
    ("place", "second_id", "kill", "kill_at"),
    [
        ("sqlite", "another load", "claimed and unsent", 3),
        ("sqlite", "another load", "sent and unanswered", 60),
        ("sqlite", "load", "answered and uncommitted", 1),
        ("postgresql", "another load", "before a commit", 6),
        ("postgresql", "load", "sent and unanswered", 40),
    ],
    indirect=["place"],
)
def test_when_one_of_two_is_killed_the_other_takes_over(world: World, second_id: str, kill: str, kill_at: int) -> None:
    """The process is provably gone, so nobody waits until its heartbeat is too old."""
    rows, first_job = shuffled(world), world.job(kill=kill, kill_at=kill_at)
    # However fast the other one is, this one reaches the call that kills it.
    sends = {"sent and unanswered": kill_at - 1, "answered and uncommitted": 1}.get(kill, 0)
    first, second = at_once(world, first_job, second_id, rows, begins_after=(first_job["diary"], sends))
    assert (first.ended, first.killed_at) == (KILLED, kill)
    world.check_verdict(second, rows)
    world.check_highlevel()
    world.check_ledger()
    assert len(set(first.sends) & set(second.sends)) <= first.most_again
    assert set(asked(first).values()) | set(asked(second).values()) <= {1}
    (again,) = world.run(world.job(try_number=2))
    world.check_verdict(again)
    assert again.requests == 1
    assert {result[1] for result in evidence(again).values()} == {"ledger"}


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_two_loads_with_failed_rows_do_not_wait_for_each_other(world: World) -> None:
    """Each keeps claims on rows without an answer, and will not send them again."""
    world.sandbox.add_fault(Fault("error_before", 0.5, method="POST"))
    first, second = at_once(world, world.job(max_failures=2), "second", shuffled(world), max_failures=2)
    for attempt in (first, second):
        assert attempt.ended == 0, "it waited for ever"
        assert attempt.verdict is not None
        assert attempt.verdict["summary"]["failed"] > 0
        assert attempt.verdict["summary"]["not_attempted"] == 0
