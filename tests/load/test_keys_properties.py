"""Any table of keys, any records, any lag, any lies and faults: one outcome per row, and no wrong pair ever."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, note, settings
from hypothesis import strategies as st
from keyed_world import load_keys
from remembering import Time
from simulated_highlevel import FAULTS, LOCATION, SimulatedServer
from simulated_load import Load
from simulated_records import FIELDS, POLICY, HighLevel, Lies, contact, policy
from simulated_time import FakeClock, spread_around
from soak import LONGER

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import OUTCOMES

pytestmark = pytest.mark.slow

EMAILS = [f"p{at}@example.org" for at in range(6)]
NUMBERS = [f"P{at}" for at in range(6)]
ROWS = st.lists(
    st.tuples(
        st.sampled_from([*NUMBERS, " P1 ", "P404", "", None, 1.5]),
        st.sampled_from([*EMAILS, " P1@Example.ORG ", "p404@example.org", "a@b@c", "", "p" * 300 + "@example.org"]),
    ),
    max_size=25,
)
#: What each record has; an address may be several people's.
PEOPLE = st.lists(st.sampled_from(EMAILS), max_size=8)
POLICIES = st.lists(st.sampled_from(NUMBERS), max_size=8)
LIES = st.fixed_dictionaries(
    {},
    optional={
        "ignores_filters": st.just(True),
        "misses_all": st.just(True),
        "adds": st.sampled_from([contact("stranger", "x@example.org"), policy("stranger", "X")]),
        "repeats_pages": st.just(True),
        "keeps_cursor": st.just(True),
        "has_no_cursor": st.just(True),
        "largest_group": st.sampled_from([1, 2, 3]),
        "largest_page": st.sampled_from([1, 2, 500]),
        "refuses": st.frozensets(st.sampled_from([*EMAILS, *NUMBERS]), max_size=2),
        "refuses_paging": st.just(True),
        "total": st.sampled_from([lambda total: None, lambda total: 0, lambda total: total + 7, lambda total: 10_000]),
    },
)
WORLDS = st.fixed_dictionaries(
    {
        "limit": st.sampled_from([3, 100]),
        "faults": st.dictionaries(st.integers(0, 60), st.sampled_from([*FAULTS, "day_spent"]), max_size=15),
        "indexed_at": st.sampled_from([0.0, 20.0, 1e9]),
        "daily_limit": st.sampled_from([200_000, 200_000, 12]),
        "refuse_token_from": st.sampled_from([None, None, None, 4]),
    }
)
SPECS = st.fixed_dictionaries(
    {
        "batch_size": st.sampled_from([1, 3, 1000]),
        "max_requests": st.sampled_from([None, None, 7]),
        "lookup_by": st.sampled_from(["cheaper", "search", "page"]),
        "fails_unresolved": st.booleans(),
    }
)
Records = tuple[list[str], list[str]]


def highlevel(night: int, there: Records, new: Records, lies: dict[str, Any]) -> HighLevel:
    """Records of a night: their ids say which, so that none of another night is taken for one."""

    def records(which: Records, kind: str) -> dict[str, list[Any]]:
        people, policies = which
        return {
            "contact": [contact(f"c{night}{kind}{at}", email) for at, email in enumerate(people)],
            POLICY: [policy(f"p{night}{kind}{at}", number) for at, number in enumerate(policies)],
        }

    return HighLevel(
        records(there, "old"), records(new, "new"), fields=FIELDS, lies=Lies(**lies), location_id=LOCATION, most_calls=5_000
    )


def holders(records: HighLevel, *, visible_only: bool = False) -> dict[str, set[str]]:
    """Who has a key, by the key."""
    found: dict[str, set[str]] = {}
    for group in (records.records,) if visible_only else (records.records, records.new):
        for one in [*group.get("contact", []), *group.get(POLICY, [])]:
            found.setdefault(one.get("email") or one["properties"]["policy_no"], set()).add(one["id"])
    return found


def plain(cell: Any) -> str:
    text = cell.strip() if isinstance(cell, str) else ""
    return text.lower() if "@" in text else text


def check_rows(load: Load, rows: list[Any]) -> None:
    assert [result["row"] for result in load.results] == list(range(load.summary["rows"]))
    assert load.summary["rows"] == len(rows) or load.verdict.headline == "The load was told to stop."
    counted = Counter(load.outcomes)
    assert {outcome: load.summary[outcome] for outcome in OUTCOMES} == {outcome: counted[outcome] for outcome in OUTCOMES}
    assert load.summary["requests"] == load.server.requests
    text = repr([load.verdict.results, load.verdict.message, load.verdict.attention, load.verdict.warnings, load.summary])
    assert "example" not in text.lower()
    assert "P404" not in text


def check_pairs(load: Load, rows: list[Any], *named: dict[str, set[str]]) -> None:
    """Each record that a row was given had the row's key, on this night or on an earlier one."""
    for row, result in zip(rows, load.results, strict=False):
        for cell, record_id in zip(row, (result["first_record_id"], result["second_record_id"]), strict=True):
            if record_id is not None:
                assert any(record_id in night.get(plain(cell), ()) for night in named)
        if result["outcome"] in {"created", "already_exists", "repeated", "rejected"}:
            assert result["first_record_id"]
            assert result["second_record_id"]
        if result["outcome"] in {"created", "already_exists"}:
            assert (result["second_record_id"], result["first_record_id"]) in load.server.relations


def run(records: HighLevel, rows: list[Any], world: dict[str, Any], spec: dict[str, Any], **more: Any) -> Load:
    clock = FakeClock()
    server = SimulatedServer(
        clock, latencies=spread_around(0.3, 0.3, 1), records=records, object_keys=("contact", POLICY), **world
    )
    load = load_keys(rows, server, **spec, **more)
    note(load.verdict.message)
    assert set(server.creations.values()) <= {1}
    return load


@settings(max_examples=150 * LONGER)
@given(
    rows=ROWS,
    there=st.tuples(PEOPLE, POLICIES),
    new=st.tuples(PEOPLE, POLICIES),
    lies=LIES,
    world=WORLDS,
    spec=SPECS,
    after=st.sampled_from([None, None, 0.5, 2.0, 45.0]),
)
def test_any_table_of_keys_in_any_world(
    rows: list[Any],
    there: Records,
    new: Records,
    lies: dict[str, Any],
    world: dict[str, Any],
    spec: dict[str, Any],
    after: float | None,
) -> None:
    records = highlevel(1, there, new, lies)
    seen, everyone = holders(records, visible_only=True), holders(records)
    stop = Stop()
    if after is not None:
        load = run(records, rows, world, spec, stop=stop, prepare=lambda workers: workers.at(after, stop.set))
    else:
        load = run(records, rows, world, spec)
    check_rows(load, rows)
    check_pairs(load, rows, everyone)
    if not {"misses_all", "refuses"} & lies.keys():
        for row, result in zip(rows, load.results, strict=False):
            if any(len(seen.get(plain(cell), ())) > 1 for cell in row):
                assert result["outcome"] in {"unresolved", "invalid", "not_attempted"}


@settings(max_examples=100 * LONGER)
@given(rows=ROWS, there=st.tuples(PEOPLE, POLICIES), lies=LIES, world=WORLDS, spec=SPECS, another=st.tuples(PEOPLE, POLICIES))
def test_a_night_after_which_all_records_were_made_anew(
    rows: list[Any], there: Records, lies: dict[str, Any], world: dict[str, Any], spec: dict[str, Any], another: Records
) -> None:
    time = Time()
    ledger = Ledger(sa.create_engine("sqlite://"), database_time=time)
    try:
        before, after = highlevel(1, there, ([], []), {}), highlevel(2, another, ([], []), lies)
        gone = {one["id"] for group in before.records.values() for one in group}
        first = run(before, rows, {}, {}, ledger=ledger)
        check_rows(first, rows)
        time.now += 3_600
        second = run(after, rows, world | {"missing": frozenset(gone)}, spec, ledger=ledger, load_id="tomorrow")
        check_rows(second, rows)
        check_pairs(
            second if not second.summary["already_exists"] else _without_known(second), rows, holders(before), holders(after)
        )
        assert not any(set(pair) & gone for pair in second.server.creations)
    finally:
        ledger.close()


def _without_known(load: Load) -> Load:
    """Relations that the ledger knows went with their records; nobody asked for them."""
    load.server.relations.update(
        {
            (result["second_record_id"], result["first_record_id"]): "known"
            for result in load.results
            if result["evidence"] == "ledger"
        }
    )
    return load
