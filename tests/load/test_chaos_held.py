"""Rows that another load has claimed: in any order, and whatever happens to them, no row is lost and no wait is endless."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa
from simulated_highlevel import ASSOCIATION, KEY, LOCATION, SimulatedServer
from simulated_load import COLUMNS, load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import ClaimResult, Freshness
from airflow_provider_ghl.load.source.rows import from_data

Pair = tuple[str, str]
NOW = 1_800_000_000.0
PAIRS = [(f"student{n}", f"teacher{n % 7}") for n in range(60)]


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    made = Ledger(sa.create_engine("sqlite://"), database_time=lambda connection: NOW)
    yield made
    made.close()


class Other:
    """Another load; only its claims matter."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.attempt = ledger.loads.begin("other", try_number=1, is_resumed=False, location_id=LOCATION, association=KEY)
        self._target = ledger.relations.target(DEFAULT_HOST, LOCATION, ASSOCIATION)

    def claim(self, pairs: list[Pair]) -> list[ClaimResult]:
        first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
        high, low = self._ledger.identity((first, second))
        claim, freshness = self._ledger.relations.claim, Freshness(NOW, NOW, None)
        codes = claim(self.attempt, self._target, high, low, first.tolist(), second.tolist(), freshness)
        return [ClaimResult(code) for code in codes]

    def end(self) -> None:
        self._ledger.loads.end(self.attempt, end="retryable", message="", counts={}, is_well=False)


@pytest.mark.parametrize("batch_size", [1, 7, 15, 20, 1000])
def test_rows_of_several_chunks_that_are_held_for_a_long_time(ledger: Ledger, batch_size: int) -> None:
    """Rows that are still held go to the end of the queue, behind rows of later chunks."""
    world, other = SimulatedServer(FakeClock()), Other(ledger)
    other.claim(PAIRS[2:27] + PAIRS[30:33] + PAIRS[55:])
    batches = from_data(PAIRS, COLUMNS, 28)
    load = load_pairs(
        batches,
        world,
        ledger=ledger,
        batch_size=batch_size,
        prepare=lambda workers: workers.at(world.clock.now + 60.0, other.end),
    )
    assert Counter((result["outcome"], result["evidence"]) for result in load.results) == {("created", "answer"): 60}
    assert set(world.creations.values()) == {1}


def test_another_load_may_claim_a_row_without_an_answer(ledger: Ledger) -> None:
    """Otherwise two loads would wait for each other, each for rows that the other will not send again."""
    world = SimulatedServer(FakeClock(), failing=frozenset({"student3"}))
    other = Other(ledger)
    other.claim(PAIRS[50:])
    claims: list[ClaimResult] = []

    def look() -> None:
        claims.extend(other.claim(PAIRS[3:4]))
        other.end()

    load = load_pairs(PAIRS, world, ledger=ledger, prepare=lambda workers: workers.at(world.clock.now + 400.0, look))
    assert (load.summary["created"], load.summary["failed"]) == (59, 1)
    assert claims == [ClaimResult.CLAIMED]


def test_the_next_attempt_still_knows_that_it_may_have_been_sent(ledger: Ledger) -> None:
    lost = {n: "hang_after" for n in range(1, 400)}
    world = SimulatedServer(FakeClock(), faults=lost)
    first = load_pairs(PAIRS[:1], world, ledger=ledger)
    assert first.summary["failed"] == 1
    world.faults = {}
    (result,) = load_pairs(PAIRS[:1], world, ledger=ledger, try_number=2).verdict.results
    assert (result["outcome"], result["evidence"]) == ("created", "presumed")
