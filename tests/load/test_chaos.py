"""A load that is killed many times, at chosen moments and with faults. Then one attempt runs to its end and completes it.

The seed in the test's name determines every table, fault and kill.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import pytest
from chaos_story import KILLED, Attempt, Forks, Pair, World, forks, is_definite
from soak import LONGER

from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.slow

FAULTS = [
    Fault("reset_before", 0.02),
    Fault("reset_after", 0.03),
    Fault("error_before", 0.02),
    Fault("error_after", 0.02),
    Fault("truncated_json", 0.01),
    Fault("html_502", 0.01),
    Fault("timeout_401", 0.01, after_write=True),
]
#: A simulated gateway answers this share of creates with 429.
LIMITED = 0.005
SEEDS = range(1, 2 * LONGER)


class Phase(NamedTuple):
    """When a load is killed: how often, at which kind of call, and at which call at most."""

    kills: int
    calls: tuple[str, ...]
    most: int
    settings: dict[str, Any]


#: So few requests that the load ends and writes its file while rows are left.
FEW = {"max_requests": 60}
PHASES = (
    Phase(1, ("begun",), 1, {}),
    Phase(3, ("before a claim",), 4, {}),
    Phase(3, ("claimed and unsent",), 4, {}),
    Phase(2, ("before it is sent",), 80, {}),
    Phase(3, ("sent and unanswered",), 80, {}),
    Phase(2, ("answered and uncommitted", "committed"), 2, {}),
    Phase(2, ("before a commit",), 8, {}),
    Phase(2, ("in the file",), 3, {}),
    Phase(3, ("before the file is in its place", "the file is in its place", "before its end is noted"), 1, FEW),
)
#: Fewer kills for tests of what is read before anything is sent.
SOME = (
    Phase(1, ("before a claim",), 3, {}),
    Phase(1, ("claimed and unsent",), 3, {}),
    Phase(2, ("sent and unanswered",), 50, {}),
    Phase(1, ("answered and uncommitted",), 2, {}),
    Phase(1, ("before a commit",), 8, {}),
    Phase(1, ("before the file is in its place",), 1, FEW),
)


def draw_kills(draw: random.Random, phases: tuple[Phase, ...]) -> list[dict[str, Any]]:
    """All kills, in random order."""
    kills = [
        {"kill": phase.calls[number % len(phase.calls)], "kill_at": draw.randint(1, phase.most), **phase.settings}
        for phase in phases
        for number in range(phase.kills)
    ]
    draw.shuffle(kills)
    return kills


def draw_table(draw: random.Random, size: int) -> tuple[list[Pair], set[Pair]]:
    """Pairs of a few records with many others, some pairs twice; and the pairs that exist before the load."""
    rows = [(f"student{number}", f"teacher{draw.randrange(20)}") for number in range(size)]
    draw.shuffle(rows)
    before = set(draw.sample(rows, size // 8))
    return [*rows, *draw.sample(rows, 5)], before


@pytest.fixture(scope="module")
def program() -> Iterator[Forks]:
    with forks() as started:
        yield started


@pytest.fixture
def world(request: pytest.FixtureRequest, program: Forks, tmp_path: Path) -> Iterator[World]:
    seed, size, settings = request.param
    rows, before = draw_table(random.Random(seed), size)
    with Sandbox(limit=100, interval=0.25, latency=0.01, latency_spread=0.5, faults=FAULTS, seed=seed) as sandbox:
        print(f"{sandbox!r}")  # noqa: T201
        ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
        made = World(
            sandbox, program, tmp_path, ledger, seed, rows, before, {"max_failures": 9, "limited": LIMITED, **settings}
        )
        yield made
        made.close()


def run_to_its_end(world: World, phases: tuple[Phase, ...]) -> Attempt:
    """Kill the load at each of the planned moments, then let one attempt finish."""
    for number, kill in enumerate(draw_kills(random.Random(world.seed), phases), 1):
        world.sandbox.foreign(60)  # the next attempt finds the window partly used
        (attempt,) = world.run(world.job(try_number=number, **kill))
        assert (attempt.ended, attempt.killed_at) == (KILLED, kill["kill"])
        world.check_file()
    (last,) = world.run(world.job(try_number=len(world.attempts) + 1))
    return last


def check_outcomes(world: World, last: Attempt) -> None:
    """Pairs that this load made are ``created``, and pairs that existed before are ``already_exists``.

    There are two exceptions, since nobody can know better. An existing pair may be ``created`` if a killed attempt had claimed
    it, or if its first try got no answer.
    """
    assert last.verdict is not None
    outcomes = {
        (result["first_record_id"], result["second_record_id"]): (result["outcome"], result["evidence"])
        for result in last.verdict["results"]
        if result["outcome"] != "repeated"
    }
    assert {outcome for pair, (outcome, _) in outcomes.items() if pair not in world.before} == {"created"}
    claimed = {pair for attempt in world.attempts for pair in attempt.claims} & world.before
    unheard = {pair for pair in world.before for attempt in world.attempts if was_unheard(attempt.answers_to(pair))}
    presumed = {pair for pair in world.before if outcomes[pair][0] == "created"}
    assert claimed <= presumed <= claimed | unheard
    assert {outcomes[pair][1] for pair in presumed} <= {"presumed", "ledger"}
    assert {outcomes[pair][0] for pair in world.before - presumed} <= {"already_exists"}


def was_unheard(answers: list[str]) -> bool:
    """Whether an answer that settles nothing came before "duplicate"."""
    return "duplicate" in answers and any(not is_definite(one) for one in answers[: answers.index("duplicate")])


def check_results(world: World, last: Attempt, *, is_all: bool) -> None:
    """The ledger has the same results as the last attempt, of each row that it sent and of all rows that the load created."""
    assert last.verdict is not None
    kept = {row: outcome for row, outcome in world.ask("SELECT row, outcome FROM ghl_load_results")}
    outcomes = {result["row"]: result["outcome"] for result in last.verdict["results"] if result["outcome"] != "repeated"}
    assert kept.items() <= outcomes.items()
    assert not is_all or {row for row, outcome in outcomes.items() if outcome == "created"} <= kept.keys()
    (load,) = world.ask('SELECT load_id, "end", ended_well FROM ghl_loads')
    assert (load[0], load[1], bool(load[2])) == ("load", "green", True)
    (noted,) = world.ask("SELECT count(*) FROM ghl_attempts")[0]
    assert noted <= len(world.attempts), "one that was killed before its first commit left no trace"


def check_requests(world: World) -> list[int]:
    """A request was repeated only after a kill or an answer that settles nothing. Returns the cost of each kill."""
    attempts, spent_again = world.attempts, []
    later: set[Pair] = set()
    for attempt in reversed(attempts):
        sends = attempt.sends
        spent_again.append(len(later & set(sends)))
        assert spent_again[-1] <= attempt.most_again
        # Within an attempt a pair is sent again only after an answer that settles nothing.
        unsettling = sum(number for answer, number in attempt.answers.items() if not is_definite(answer))
        assert sends.total() - len(sends) <= unsettling
        later |= set(sends)
    for earlier, attempt in pairwise(attempts):
        assert not earlier.there & set(attempt.sends), "what is known to be there is not sent"
        assert earlier.there <= attempt.there, "what is known to be there stays known"
    stats = world.sandbox.stats()
    never_came = sum(attempt.answers["429"] for attempt in attempts)
    unanswered = sum(attempt.sends.total() - attempt.answers.total() for attempt in attempts)
    sent = sum(attempt.requests for attempt in attempts)
    assert sent - never_came - unanswered <= stats["requests"] <= sent
    return spent_again[1:][::-1]


def tell(world: World, spent_again: list[int]) -> None:
    bounds = [attempt.most_again for attempt in world.attempts[:-1]]
    kinds = Counter(attempt.killed_at for attempt in world.attempts[:-1])
    text = f"seed {world.seed}: {len(spent_again)} kills {dict(kinds)}; spent again: {sorted(spent_again)}, "
    print(f"{text}median {median(spent_again)}, worst {max(spent_again)}; bounds: {sorted(bounds)}")  # noqa: T201


@pytest.mark.parametrize("world", [(seed, 1000, {}) for seed in SEEDS], indirect=True, ids=lambda given: f"seed {given[0]}")
def test_a_load_survives_many_kills(world: World) -> None:
    last = run_to_its_end(world, PHASES)
    spent_again = check_requests(world)
    tell(world, spent_again)
    world.check_verdict(last)
    world.check_highlevel()
    world.check_ledger()
    check_outcomes(world, last)
    check_results(world, last, is_all=True)
    assert last.sends, "the last attempt had something to do"


@pytest.mark.parametrize(
    "world",
    [(seed, 500, {"diff_against": diff_against}) for seed in SEEDS for diff_against in ("highlevel", "none")],
    indirect=True,
    ids=lambda given: f"{given[2]['diff_against']}, seed {given[0]}",
)
def test_a_load_that_reads_first_survives_many_kills(world: World) -> None:
    last = run_to_its_end(world, SOME)
    tell(world, check_requests(world))
    world.check_verdict(last)
    world.check_highlevel()
    world.check_ledger()
    check_outcomes(world, last)
    check_results(world, last, is_all=world.settings["diff_against"] == "none")
