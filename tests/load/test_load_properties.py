"""Any table under any faults: one outcome per row, correct sums, each pair in HighLevel once, every request counted."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st
from simulated_highlevel import FAULTS, SimulatedServer
from simulated_load import Load, load_pairs
from simulated_time import FakeClock, spread_around
from soak import LONGER

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.load.results.outcomes import OUTCOMES

pytestmark = pytest.mark.slow

Pair = tuple[str, str]

IDS = ["6758b5c1f5e2a1d3c4b5a697", "7c1d", "C1", "c1", "00123", "123", "a b", "e"]
CELLS = st.one_of(
    st.sampled_from(IDS),
    st.sampled_from([" C1 ", 123, 0, "", "  ", None, 1.5, float("nan"), True, b"C1", ["C1"]]),
)
TABLES = st.lists(st.tuples(CELLS, CELLS), max_size=40)
WORLDS = st.fixed_dictionaries(
    {
        "limit": st.sampled_from([1, 3, 25, 100]),
        "window": st.sampled_from(["sliding", "fixed"]),
        "counts_at": st.sampled_from([0.0, 0.5, 1.0]),
        "faults": st.dictionaries(st.integers(0, 60), st.sampled_from([*FAULTS, "day_spent"]), max_size=30),
        "missing": st.frozensets(st.sampled_from(IDS), max_size=2),
        "relations_per_record": st.sampled_from([None, None, 1, 2]),
        "page_cap": st.sampled_from([1, 100]),
        "daily_limit": st.sampled_from([200_000, 200_000, 9]),
        "refuse_token_from": st.sampled_from([None, None, None, 0, 5]),
    }
)
SPECS = st.fixed_dictionaries(
    {
        "batch_size": st.sampled_from([1, 3, 1000]),
        "abort_after": st.sampled_from([1, 2, 20]),
        "max_requests": st.sampled_from([None, None, 0, 1, 7]),
        "min_rows": st.sampled_from([0, 0, 10]),
    }
)


def row_pair(row: tuple[Any, Any]) -> Pair | None:
    """A row's pair by the rules of the README, independent of the package's code; ``None`` where it has none."""
    texts = []
    for value in row:
        if type(value) is int:
            value = str(value)
        if not isinstance(value, str) or not value.strip():
            return None
        texts.append(value.strip())
    return texts[0], texts[1]


def check_rows(load: Load, rows: list[Any]) -> None:
    """Every row has exactly one outcome, in order, and the counts agree."""
    results = load.results
    assert [result["row"] for result in results] == list(range(len(rows)))
    counted = Counter(result["outcome"] for result in results)
    assert {outcome: load.summary[outcome] for outcome in OUTCOMES} == {outcome: counted[outcome] for outcome in OUTCOMES}
    assert sum(load.summary[outcome] for outcome in OUTCOMES) == load.summary["rows"] == len(rows)


def check_pairs(load: Load, rows: list[Any]) -> None:
    """Invalid and repeated rows are those that the table shows."""
    first_rows: dict[Pair, int] = {}
    for at, (row, result) in enumerate(zip(rows, load.results, strict=True)):
        pair = row_pair(row)
        if pair is None:
            assert result["outcome"] == "invalid"
        elif pair in first_rows:
            assert (result["outcome"], result["reason"]) == ("repeated", f"the same pair as row {first_rows[pair]}")
        else:
            first_rows[pair] = at
            assert result["outcome"] not in {"invalid", "repeated"}
            assert (result["first_record_id"], result["second_record_id"]) == pair


def check_highlevel(load: Load, before: set[Pair]) -> None:
    """HighLevel has the relations that the results name."""
    server = load.server
    by_outcome: dict[str, set[Pair]] = {outcome: set() for outcome in OUTCOMES}
    for result in load.results:
        pair = result["first_record_id"], result["second_record_id"]
        by_outcome[result["outcome"]].add(pair)
        if result["outcome"] == "created" and result["evidence"] == "answer":
            assert server.creations[pair] == 1
            assert result["relation_id"] == server.relations[pair]
    assert set(server.creations.values()) <= {1}
    there = set(server.relations)
    assert by_outcome["created"] | by_outcome["already_exists"] <= there
    assert there - before <= by_outcome["created"] | by_outcome["failed"]
    assert by_outcome["already_exists"] <= before


def check_requests(load: Load) -> None:
    """The load counts exactly the requests that were sent."""
    of_rows = sum(result["requests"] for result in load.results)
    of_association = load.server.requests - of_rows
    assert load.summary["requests"] == load.server.requests
    # A stopped load leaves the request for the association in flight, and the server may not have reached it yet.
    is_left = load.workers.in_flight > 0 and not of_rows
    assert 0 <= of_association - load.server.association_reads <= int(is_left)


def check(load: Load, rows: list[Any], before: set[Pair]) -> None:
    check_rows(load, rows)
    check_pairs(load, rows)
    check_highlevel(load, before)
    check_requests(load)


@settings(max_examples=120 * LONGER)
@given(rows=TABLES, world=WORLDS, spec=SPECS, before=st.sets(st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)), max_size=8))
def test_any_small_table_in_any_world(rows: list[Any], world: dict[str, Any], spec: dict[str, Any], before: set[Pair]) -> None:
    server = SimulatedServer(FakeClock(), latencies=spread_around(0.3, 0.3, 1), **world)
    server.add(*sorted(before))
    load = load_pairs(rows, server, **spec)
    note(load.verdict.message)
    check(load, rows, before)
    assert load.workers.is_closed


@settings(max_examples=60 * LONGER)
@given(rows=TABLES, world=WORLDS, after=st.floats(0.0, 30.0), counts_at=st.sampled_from([0.0, 1.0]))
def test_any_small_table_that_is_stopped(rows: list[Any], world: dict[str, Any], after: float, counts_at: float) -> None:
    stop, clock = Stop(), FakeClock()
    server = SimulatedServer(clock, **world | {"counts_at": counts_at})
    load = load_pairs(rows, server, stop=stop, prepare=lambda workers: workers.at(clock.now + after, stop.set), batch_size=1000)
    check(load, rows, set())


def random_rows(draw: random.Random, size: int) -> list[Any]:
    """A table of mostly new pairs between few records, with repeats, swapped pairs, ints and blanks."""
    records = [f"{draw.getrandbits(96):024x}" for _ in range(size // 8)]
    rows: list[Any] = []
    for _ in range(size):
        kind = draw.random()
        if rows and kind < 0.05:
            rows.append(draw.choice(rows))
        elif rows and kind < 0.08:
            rows.append(draw.choice(rows)[::-1])
        elif kind < 0.12:
            rows.append((draw.choice(records), draw.choice(["", None, 1.0, True])))
        else:
            rows.append((draw.choice(records), draw.choice([*records[:50], draw.randrange(10**6)])))
    return rows


@pytest.mark.parametrize("seed", range(LONGER))
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_tables_of_thousands_of_rows(seed: int, share: float) -> None:
    draw = random.Random(seed)
    rows = random_rows(draw, 3000)
    pairs = sorted({pair for row in rows if (pair := row_pair(row))})
    before = set(draw.sample(pairs, 300))
    server = SimulatedServer(
        FakeClock(),
        latencies=spread_around(0.3, 0.3, seed),
        window=draw.choice(["sliding", "fixed"]),
        draw_fault=lambda: draw.choice(FAULTS) if draw.random() < share else None,
        missing=frozenset(draw.sample([pair[0] for pair in pairs], 5)),
        relations_per_record=12,
    )
    server.add(*sorted(before))
    load = load_pairs(rows, server, seed=seed, batch_size=500)
    check(load, rows, before)
    assert load.summary["created"] > 500
    assert load.summary["not_attempted"] == 0
    assert (load.summary["retries"] > 0) == (share > 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_second_attempt_finds_what_the_first_one_did(seed: int) -> None:
    draw = random.Random(seed)
    rows = random_rows(draw, 1000)
    broken = SimulatedServer(FakeClock(), draw_fault=lambda: draw.choice(FAULTS) if draw.random() < 0.6 else None)
    first = load_pairs(rows, broken, seed=seed, outage_timeout=timedelta(0))
    broken.draw_fault = lambda: None
    there = set(broken.relations)
    second = load_pairs(rows, broken, seed=seed + 1)
    assert first.summary["failed"] > 0
    assert second.summary["failed"] == second.summary["not_attempted"] == second.summary["rejected"] == 0
    assert set(broken.creations.values()) == {1}
    assert second.summary["already_exists"] == len(there)
    assert set(broken.relations) == {pair for row in rows if (pair := row_pair(row))}
