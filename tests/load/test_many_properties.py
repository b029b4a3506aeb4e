"""Any table of any locations under any faults: one outcome per row, correct counts, each pair once in its location."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st
from remembering import Time
from simulated_agency import (
    COLUMNS,
    FORBIDDEN,
    Place,
    Row,
    SimulatedAgency,
    check,
    check_highlevel,
    check_sums,
    load_rows,
    make_rows,
    row,
    row_place,
)
from simulated_highlevel import FAULTS, KEY, TOKEN
from simulated_time import spread_around
from soak import LONGER

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, QuotaExhausted, TransportError, Unauthorized
from airflow_provider_ghl.load.columns import Batch
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.file import ResultsFile
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.load.spec import DiffAgainst
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

LOCATIONS = ["Loc1", "loc1", "7", "Loc2"]
#: Seconds that a load may take from a stop to its end.
IN_TIME = 2.5
IDS = ["6758b5c1f5e2a1d3c4b5a697", "7c1d", "C1", "c1", "00123", "e"]
CELLS = st.one_of(st.sampled_from(IDS), st.sampled_from(IDS), st.sampled_from([" C1 ", 123, "", None, 1.5]))
NAMES = st.one_of(
    st.sampled_from(LOCATIONS),
    st.sampled_from(LOCATIONS),
    st.sampled_from([" Loc1", 7, 7.0, "", None, True, ["Loc1"], "foreign", "unknown"]),
)
TABLES = st.lists(st.builds(row, NAMES, CELLS, CELLS), max_size=60)
WORLD = st.fixed_dictionaries(
    {
        "limit": st.sampled_from([1, 3, 25, 100]),
        "window": st.sampled_from(["sliding", "fixed"]),
        "faults": st.dictionaries(st.integers(0, 30), st.sampled_from([*FAULTS, "day_spent"]), max_size=12),
        "missing": st.frozensets(st.sampled_from(IDS), max_size=2),
        "relations_per_record": st.sampled_from([None, None, None, 1, 2]),
        "page_cap": st.sampled_from([1, 2, 100]),
        "daily_limit": st.sampled_from([200_000, 200_000, 1, 5, 9]),
        "day_ends": st.sampled_from([1_003.0, 1_040.0, 9_000.0]),
        "refuse_token_from": st.sampled_from([None, None, None, None, 0, 1, 5]),
        "refusal": st.sampled_from([FORBIDDEN[1], FORBIDDEN[1], "The token is not authorized for this scope.", "Invalid JWT"]),
        "refused": st.sampled_from([None, None, None, None, FORBIDDEN, (503, "Service Unavailable")]),
    }
)
SPECS = st.fixed_dictionaries(
    {
        "batch_size": st.sampled_from([1, 3, 1000]),
        "at_once": st.sampled_from([1, 4, 1000]),
        "rows_ahead": st.sampled_from([1, 5, 1000]),
        "abort_after": st.sampled_from([1, 2, 20]),
        "max_requests": st.sampled_from([None, None, None, 0, 1, 7, 20]),
        "min_rows": st.sampled_from([0, 0, 10]),
        "diff_against": st.sampled_from([DiffAgainst.LEDGER, DiffAgainst.NONE, DiffAgainst.HIGHLEVEL]),
        "max_per_first": st.sampled_from([None, None, 1, 3]),
        "plan_only": st.sampled_from([False, False, False, True]),
    }
)
BEFORE = st.sets(st.tuples(st.sampled_from(LOCATIONS), st.sampled_from(IDS), st.sampled_from(IDS)), max_size=20)
SLOWLY = settings(suppress_health_check=list(HealthCheck))


class Minting:
    """Faults of the agency's token endpoint; ``None`` for none."""

    def __init__(self, faults: list[str | None]) -> None:
        self._faults = faults

    def header(self, location_id: str | None) -> str:
        if error := _FAULTS_OF_MINTING[self._faults.pop() if self._faults else None]():
            raise error
        return f"Bearer {TOKEN}"

    def renew(self, location_id: str | None, header: str) -> bool:
        return False


def _spent(resets_in: float | None) -> GHLError:
    error = QuotaExhausted("the agency's requests are spent", status=429)
    error.resets_in = resets_in
    return error


def _refused() -> GHLError:
    error = Unauthorized("the app is not installed there", status=403)
    error.kind = "location"
    return error


_FAULTS_OF_MINTING: dict[str | None, Callable[[], GHLError | None]] = {
    None: lambda: None,
    "spent": lambda: _spent(20.0),
    "spent, until nobody knows": lambda: _spent(None),
    "refused": _refused,
    "no token": lambda: ConfigurationError("the connection has no token"),
    "no answer": lambda: TransportError("there is no token", method="POST", path="/oauth", sent=False),
}


def sorted_by_location(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda one: str(one["location_id"]))


def make_agency(worlds: list[dict[str, Any]], before: set[Place]) -> SimulatedAgency:
    """An agency with a location for each world; the last location lacks the association."""
    agency = SimulatedAgency.build(LOCATIONS)
    for location, world in zip(LOCATIONS, worlds, strict=False):
        for name, value in world.items():
            setattr(agency[location], name, value)
    agency["Loc2"].associations = {"another": "f" * 24} if len(worlds) % 2 else agency["Loc2"].associations
    for location, *pair in sorted(before):
        agency[location].add((pair[0], pair[1]))
    return agency


@settings(SLOWLY, max_examples=50 * LONGER)
@given(
    rows=TABLES,
    is_sorted=st.booleans(),
    worlds=st.lists(WORLD, max_size=4),
    spec=SPECS,
    before=BEFORE,
    after=st.one_of(st.none(), st.none(), st.floats(0.0, 40.0)),
    minting=st.lists(st.sampled_from([None, None, None, *_FAULTS_OF_MINTING]), max_size=30),
    hubs=st.integers(0, 150),
    seed=st.integers(0, 9),
)
def test_any_small_table_in_any_world(
    rows: list[Row],
    is_sorted: bool,
    worlds: list[dict[str, Any]],
    spec: dict[str, Any],
    before: set[Place],
    after: float | None,
    minting: list[str | None],
    hubs: int,
    seed: int,
) -> None:
    of_hubs = [(LOCATIONS[number % 3], f"s{number}", f"hub{number % 2}") for number in range(hubs)]
    rows = [*rows, *(row(*place) for place in of_hubs)]
    before = before | {place for number, place in enumerate(of_hubs) if number % 5}
    rows = sorted_by_location(rows) if is_sorted else rows
    agency, stop, tokens = make_agency(worlds, before), Stop(), Minting(minting)
    began = agency.clock.now
    load = load_rows(
        rows,
        agency,
        stop=stop,
        seed=seed,
        prepare=lambda workers: None if after is None else workers.at(began + after, stop.set),
        authorization=tokens,
        defer_timeout=timedelta(days=1),
        **spec,
    )
    note(load.verdict.message)
    if stop.is_set and after is not None:
        assert load.seconds - after <= IN_TIME
        rows = rows[: load.summary["rows"]]
    check(load, agency, rows, before)


@settings(SLOWLY, max_examples=40 * LONGER)
@given(rows=TABLES, worlds=st.lists(WORLD, max_size=4), spec=SPECS, seed=st.integers(0, 9))
def test_any_small_table_is_done_by_another_try(
    rows: list[Row], worlds: list[dict[str, Any]], spec: dict[str, Any], seed: int
) -> None:
    """Whatever happened in the first try: each possible row is created once, and each try reports all created rows."""
    rows = [one for one in rows if row_place(one) and str(one["location_id"]) not in {"foreign", "unknown"}]
    agency, ledger = make_agency(worlds, set()), Ledger(sa.create_engine("sqlite://"), database_time=Time())
    first = load_rows(rows, agency, ledger=ledger, seed=seed, **spec)
    # After a green end a load begins anew, and what it created existed before.
    before = {(name, *pair) for name, server in agency.locations.items() for pair in server.relations}
    well = SimulatedAgency.build(LOCATIONS)
    for name, server in agency.locations.items():
        well[name].relations, well[name].creations = server.relations, server.creations
    spec |= {"max_requests": None, "max_per_first": None, "plan_only": False, "min_rows": 0, "try_number": 2}
    well.clock.now = agency.clock.now + 1.0
    load = load_rows(rows, well, ledger=ledger, seed=seed, **spec)
    ledger.close()
    check_sums(load, len(rows))
    check_highlevel(load, well, before if first.verdict.is_green else set())
    assert load.verdict.end is End.GREEN
    assert {(name, *pair) for name, server in well.locations.items() for pair in server.relations} == set(map(row_place, rows))


def random_rows(draw: random.Random, locations: list[str], size: int) -> list[Row]:
    """A table of mostly new pairs in locations of very different sizes, with repeats and blanks."""
    records = [f"{draw.getrandbits(96):024x}" for _ in range(size // 8)]
    rows: list[Row] = []
    for _ in range(size):
        kind, location = draw.random(), locations[int(len(locations) * draw.random() ** 2)]
        if rows and kind < 0.05:
            rows.append(draw.choice(rows) | {"location_id": location})
        elif kind < 0.08:
            rows.append(row(draw.choice([location, "", None]), draw.choice(records), draw.choice(["", None, 1.0])))
        else:
            rows.append(row(location, draw.choice(records), draw.choice(records)))
    return rows


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("seed", range(LONGER))
def test_tables_of_thousands_of_rows(seed: int, share: float) -> None:
    draw = random.Random(seed)
    locations = [f"location{number}" for number in range(12)]
    rows = random_rows(draw, locations, 3000)
    rows = draw.choice([rows, sorted_by_location(rows)])
    agency = SimulatedAgency.build(locations, window=draw.choice(["sliding", "fixed"]), relations_per_record=12)
    for name in locations:
        agency[name].limit = draw.choice([5, 25, 100, 100])
        agency[name].latencies = spread_around(draw.choice([0.1, 0.3, 1.0]), 0.3, seed)
        agency[name].draw_fault = lambda: draw.choice(FAULTS) if draw.random() < share else None
    agency["location3"].refused, agency["location5"].associations = FORBIDDEN, {"another": "f" * 24}
    agency["location7"].daily_limit = 100
    places = sorted(place for one in rows if (place := row_place(one)))
    before = set(draw.sample(places, 300))
    for location, *pair in sorted(before):
        agency[location].add((pair[0], pair[1]))
    load = load_rows(rows, agency, seed=seed, batch_size=50, at_once=draw.choice([100, 5000]), rows_ahead=1500)
    check(load, agency, rows, before)
    stopped = {name for name, line in load.summary["locations"].items() if line["stopped_by"]}
    assert {"location3", "location5", "location7"} >= stopped >= {"location3", "location5"}
    for name, line in load.summary["locations"].items():
        assert name in stopped or not line["not_attempted"]
    assert agency["location0"].association_id == f"{0:024x}"
    assert KEY in agency["location0"].associations


class _Counting(ResultsFile):
    """Counts the rows that were written to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.name, RESULT_FIELDS, lambda temporary: None, path.parent)
        self.rows = 0

    def append(self, frame: Any) -> None:
        self.rows += len(frame)


class TestMemory:
    """The source is sorted by location, and larger than what may be in memory."""

    NAMES = tuple(f"location{number}" for number in range(60))

    def test_no_more_is_held_than_is_read_ahead(self) -> None:
        marks: list[str] = []
        alive: list[int] = []

        def batches() -> Iterator[Batch]:
            for number, name in enumerate(self.NAMES):
                alive.append(sum(sys.getrefcount(mark) > 3 for mark in marks))
                # A repeat is never sent, so only the load itself may hold its text.
                marks.append("".join(("0s", str(number))))
                rows = [row(name, f"{at}s{number}", "t") for at in range(99)] + [row(name, marks[-1], "t")]
                (batch,) = from_data(rows, COLUMNS, 100)
                batch.start, rows = number * 100, []
                yield batch

        load = load_rows(batches(), SimulatedAgency.build(self.NAMES), keep_results=0, rows_ahead=300)
        assert (load.summary["created"], load.summary["repeated"]) == (5940, 60)
        assert max(alive) <= 6, "texts of batches that are long done"

    def test_what_is_read_when_all_is_over_is_not_held(self, tmp_path: Path) -> None:
        file, read, held = _Counting(tmp_path / "results.csv"), 0, 0

        def batches() -> Iterator[Batch]:
            nonlocal read, held
            for batch in from_data(make_rows(self.NAMES, 200, is_sorted=True), COLUMNS, 200):
                held = max(held, read - file.rows)
                yield batch
                read += len(batch)

        load = load_rows(batches(), SimulatedAgency.build(self.NAMES), rows_ahead=1000, max_requests=3, results_file=file)
        assert load.summary["not_attempted"] >= 12_000 - 3
        assert held <= 2_000
