"""Loads with look-ups that are killed at any moment and run again: nothing is lost, nothing is there twice, no key is wrong.

The seed in the test's name determines every table, fault and kill.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from chaos_story import KEY, KILLED, Attempt, Forks, Pair, World, forks
from soak import LONGER

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.results.outcomes import OUTCOMES
from airflow_provider_ghl.sandbox import Fault, Sandbox

pytestmark = pytest.mark.slow

POLICY = "custom_objects.policy"
SEEDS = range(1, 1 + LONGER)
PEOPLE, ROWS = 60, 240
FAULTS = [
    Fault("reset_before", 0.02),
    Fault("reset_after", 0.03),
    Fault("error_after", 0.02),
    Fault("truncated_json", 0.01),
    Fault("html_502", 0.01),
]
#: A moment, and the last of its calls that may be the one.
KILLS = {
    "before a search": 6,
    "searched and untold": 6,
    "before a claim": 3,
    "claimed and unsent": 3,
    "before it is sent": 60,
    "sent and unanswered": 60,
    "answered and uncommitted": 6,
    "committed": 6,
    "before a commit": 14,
}


@dataclass
class KeyedWorld(World):
    """People and policies by their keys. ``rows`` are pairs of a policy's number and an e-mail address."""

    #: Who has a key, and who had it at any time.
    ids: dict[str, str] = field(default_factory=dict)
    had: dict[str, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sandbox.add_object(POLICY, {"policy_no": "TEXT"})
        self.association_id = self.sandbox.state.add_association(KEY, "contact", POLICY, "Holder", "Policy")
        for number in range(PEOPLE):
            self.ids[email(number)] = self.sandbox.add("contact", email=email(number))
        for number in range(2 * ROWS):
            self.ids[policy_no(number)] = self.sandbox.add(POLICY, policy_no=policy_no(number))
        self.had = {key: {record_id} for key, record_id in self.ids.items()}
        self._engine = sa.create_engine(self.ledger_url)
        Ledger(self._engine)

    def make_anew(self, address: str) -> None:
        """Delete a person and make them anew."""
        self.sandbox.remove("contact", self.ids[address])
        self.ids[address] = self.sandbox.add("contact", email=address)
        self.had[address].add(self.ids[address])

    def pairs(self) -> set[Pair]:
        """The pairs of the rows, as HighLevel stores them."""
        return {(self.ids[address], self.ids[number]) for number, address in self.rows}

    def remembered(self) -> dict[str, str]:
        """What the ledger says that keys name."""
        ledger = Ledger(self._engine)
        found: dict[str, str] = {}
        freshness = Freshness(ledger.time(), ledger.time(), 86_400.0)
        for number, name in self.ask("SELECT id, name FROM ghl_lookups"):
            keys = [key for key in self.ids if ("@" in key) == name.startswith("contact")]
            ids = ledger.keys.look_up(number, *ledger.identity([np.array(keys, dtype=object)]), freshness)
            found |= {key: record_id for key, record_id in zip(keys, ids, strict=True) if record_id is not None}
        return found


def email(number: int) -> str:
    return f"p{number}@example.org"


def policy_no(number: int) -> str:
    return f"P{number}"


def table(draw: random.Random, first: int) -> list[Pair]:
    """Rows that name everybody, in any order."""
    rows = [(policy_no(first + at), email(at if at < PEOPLE else draw.randrange(PEOPLE))) for at in range(ROWS)]
    draw.shuffle(rows)
    return rows


@pytest.fixture(scope="module")
def program() -> Iterator[Forks]:
    with forks() as started:
        yield started


@pytest.fixture(params=SEEDS)
def world(request: pytest.FixtureRequest, program: Forks, tmp_path: Path) -> Iterator[KeyedWorld]:
    seed = request.param
    with Sandbox(limit=100, interval=0.25, latency=0.01, latency_spread=0.5, faults=FAULTS, seed=seed) as sandbox:
        print(f"{sandbox!r}")  # noqa: T201
        ledger = f"sqlite:///{tmp_path / 'ledger.db'}"
        settings: dict[str, Any] = {"lookups": True, "max_failures": 9}
        made = KeyedWorld(sandbox, program, tmp_path, ledger, seed, [], set(), settings)
        yield made
        made.close()


def load_with_kills(world: KeyedWorld, load_id: str, draw: random.Random) -> Attempt:
    """Kill a load at some moments, each in an attempt of its own, and let the last attempt go to its end."""
    for number, (kind, most) in enumerate(draw.sample(sorted(KILLS.items()), 5), 1):
        (attempt,) = world.run(world.job(load_id, try_number=number, kill=kind, kill_at=draw.randint(1, most)))
        if attempt.ended == 0:  # it had fewer such moments
            return attempt
        assert (attempt.ended, attempt.killed_at) == (KILLED, kind)
        assert world.remembered().items() <= {(key, record_id) for key, ids in world.had.items() for record_id in ids}
    (last,) = world.run(world.job(load_id, try_number=9))
    return last


def check(world: KeyedWorld, last: Attempt) -> None:
    assert last.verdict is not None
    assert (last.ended, last.verdict["end"]) == (0, "green"), last.verdict["message"]
    results = last.verdict["results"]
    assert [(result["second_record_id"], result["first_record_id"]) for result in results] == [
        (world.ids[address], world.ids[number]) for number, address in world.rows
    ]
    assert Counter(result["outcome"] for result in results) == {"created": ROWS}
    assert {outcome: last.verdict["summary"][outcome] for outcome in OUTCOMES} == dict.fromkeys(OUTCOMES, 0) | {"created": ROWS}
    assert world.pairs() <= world.sandbox.state.pairs(world.association_id)
    assert world.claims() == set()
    assert world.remembered().items() >= {(key, world.ids[key]) for row in world.rows for key in row}


def test_keys_survive_many_kills(world: KeyedWorld) -> None:
    draw = random.Random(world.seed)
    world.rows = table(draw, 0)
    check(world, load_with_kills(world, "tonight", draw))
    first = world.pairs()
    assert world.sandbox.state.pairs(world.association_id) == first
    for number in draw.sample(range(PEOPLE), PEOPLE // 3):
        world.make_anew(email(number))
    left = world.sandbox.state.pairs(world.association_id)
    world.rows = table(draw, ROWS)
    check(world, load_with_kills(world, "tomorrow", draw))
    assert world.sandbox.state.pairs(world.association_id) == left | world.pairs()
    assert world.sandbox.stats()["writes"] == 2 * ROWS
