"""Any table of keys, any records, any lag, any lies and faults: one outcome per row, and no wrong pair ever."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given, note, settings
from hypothesis import strategies as st
from keyed_world import BY_EMAIL, BY_NUMBER, load_keys
from remembering import DAY, Time
from simulated_agency import SimulatedAgency, load_rows
from simulated_agency import row as row_of
from simulated_highlevel import FAULTS, LOCATION, SimulatedServer
from simulated_load import Load, SimulatedWorkers
from simulated_records import FIELDS, POLICY, HighLevel, Lies, contact, policy
from simulated_time import FakeClock, spread_around
from soak import LONGER

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness
from airflow_provider_ghl.load.results.outcomes import OUTCOMES
from airflow_provider_ghl.relations.orientation import sides_of

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
        "indexed_at": st.sampled_from([0.0, 1_020.0, 1e9]),
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


@settings(max_examples=35 * LONGER)
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


@settings(max_examples=35 * LONGER)
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


#: Who has which address, and which policy has which number, on a night: they change hands. Who has none is not there.
HANDS = st.tuples(
    st.lists(st.sampled_from([*EMAILS, None]), min_size=5, max_size=5),
    st.lists(st.sampled_from([*NUMBERS, None]), min_size=5, max_size=5),
)
NIGHTS = st.lists(
    st.fixed_dictionaries(
        {
            "hands": HANDS,
            "gone": st.sets(st.sampled_from([f"{kind}{at}" for kind in "cp" for at in range(5)]), max_size=3),
            "rows": ROWS,
            "world": WORLDS,
            "spec": SPECS,
            "stop_after": st.sampled_from([None, None, 0.5, 2.0, 45.0]),
            "other": st.sampled_from([None, None, 0.4, 1.5, 3.0]),
            "hours": st.sampled_from([0.0, 1.0, 24.0, 24.0 * 5]),
        }
    ),
    min_size=2,
    max_size=3,
)


def in_hands(hands: tuple[list[Any], list[Any]], gone: set[str]) -> HighLevel:
    """The records of a night: always the same ones, with other keys. Those that are gone are found no more."""
    people, policies = hands
    return HighLevel(
        {
            "contact": [contact(f"c{at}", email) for at, email in enumerate(people) if email and f"c{at}" not in gone],
            POLICY: [policy(f"p{at}", number) for at, number in enumerate(policies) if number and f"p{at}" not in gone],
        },
        fields=FIELDS,
        location_id=LOCATION,
        most_calls=5_000,
    )


def remembered(ledger: Ledger, keys: list[str], name: str) -> dict[str, str]:
    """What the ledger says that keys name."""
    lookup_id = ledger.keys.lookup(DEFAULT_HOST, LOCATION, name)
    freshness = Freshness(ledger.time(), ledger.time(), 7 * DAY)
    found = ledger.keys.look_up(lookup_id, *ledger.identity([np.array(keys, dtype=object)]), freshness)
    return {key: record_id for key, record_id in zip(keys, found, strict=True) if record_id is not None}


def load_one_night(night: dict[str, Any], ledger: Ledger, number: int, before: set[tuple[str, str]]) -> Load:
    clock, records = FakeClock(), in_hands(night["hands"], night["gone"])
    server = SimulatedServer(
        clock,
        latencies=spread_around(0.3, 0.3, 1),
        records=records,
        object_keys=("contact", POLICY),
        missing=frozenset(night["gone"]),
        **night["world"],
    )
    server.add(*sorted(pair for pair in before if not set(pair) & night["gone"]))
    stop, others = Stop(), list[Load]()

    def load_the_same() -> None:
        """Another load, which is told to stop while the first one stands still."""
        end = Stop()
        others.append(
            load_keys(
                night["rows"],
                server,
                ledger=ledger,
                load_id=f"other {number}",
                stop=end,
                prepare=lambda workers: workers.at(clock.now + 5.0, end.set),
            )
        )

    def prepare(workers: SimulatedWorkers) -> None:
        if night["stop_after"] is not None:
            workers.at(clock.now + night["stop_after"], stop.set)
        if night["other"] is not None:
            workers.at(clock.now + night["other"], load_the_same)

    load = load_keys(
        night["rows"], server, **night["spec"], ledger=ledger, load_id=f"night {number}", stop=stop, prepare=prepare
    )
    note(load.verdict.message)
    assert set(server.creations.values()) <= {1}
    for other in others:
        assert [result["row"] for result in other.results] == list(range(other.summary["rows"]))
    assert [result["row"] for result in load.results] == list(range(load.summary["rows"]))
    return load


@settings(max_examples=30 * LONGER)
@given(nights=NIGHTS)
def test_nights_on_which_keys_change_hands_with_stops_and_another_load(nights: list[dict[str, Any]]) -> None:
    time = Time()
    ledger = Ledger(sa.create_engine("sqlite://"), database_time=time)
    named: list[dict[str, set[str]]] = []
    relations: set[tuple[str, str]] = set()
    gone: set[str] = set()
    try:
        for number, night in enumerate(nights):
            gone |= night["gone"]  # what is gone does not come back
            night["gone"] = gone
            named.append(holders(in_hands(night["hands"], gone)))
            load = load_one_night(night, ledger, number, relations)
            relations = set(load.server.relations)
            check_counts(load)
            check_names(load, night["rows"], named)
            for keys, name in ((EMAILS, "contact by email"), (NUMBERS, f"{POLICY} by policy_no")):
                for key, record_id in remembered(ledger, keys, name).items():
                    assert any(record_id in each.get(key, ()) for each in named)
            time.now += night["hours"] * 3_600.0
    finally:
        ledger.close()


def check_counts(load: Load) -> None:
    counted = Counter(load.outcomes)
    assert {outcome: load.summary[outcome] for outcome in OUTCOMES} == {outcome: counted[outcome] for outcome in OUTCOMES}


def check_names(load: Load, rows: list[Any], named: list[dict[str, set[str]]]) -> None:
    """Each record had the row's key on some night, and what is said to be there is there, or was on the ledger's word."""
    for row, result in zip(rows, load.results, strict=False):
        pair = result["first_record_id"], result["second_record_id"]
        for cell, record_id in zip(row, pair, strict=True):
            assert record_id is None or any(record_id in each.get(plain(cell), ()) for each in named)
        if result["outcome"] in {"created", "already_exists"} and result["evidence"] != "ledger":
            assert pair[::-1] in load.server.relations
        if result["outcome"] == "repeated":
            first = load.results[int(result["reason"].rpartition(" ")[2])]
            assert first["outcome"] != "repeated"


LOCATIONS = ("Xk2v7QpLr9TfBz4NwHd1", "Yk2v7QpLr9TfBz4NwHd2", "Zk2v7QpLr9TfBz4NwHd3")
PLACES = st.lists(
    st.tuples(
        st.sampled_from([*LOCATIONS, ""]), st.sampled_from([*NUMBERS, "P404"]), st.sampled_from([*EMAILS, "p404@example.org"])
    ),
    max_size=40,
)


@settings(max_examples=35 * LONGER)
@given(
    rows=PLACES,
    there=st.lists(st.tuples(PEOPLE, POLICIES), min_size=3, max_size=3),
    new=st.lists(st.tuples(PEOPLE, POLICIES), min_size=3, max_size=3),
    worlds=st.lists(WORLDS, min_size=3, max_size=3),
    spec=SPECS,
    at_once=st.sampled_from([1, 4, 100]),
    rows_ahead=st.sampled_from([2, 8, 1000]),
    after=st.sampled_from([None, None, 0.5, 2.0, 45.0]),
)
def test_several_locations_with_the_same_keys(
    rows: list[tuple[str, str, str]],
    there: list[Records],
    new: list[Records],
    worlds: list[dict[str, Any]],
    spec: dict[str, Any],
    at_once: int,
    rows_ahead: int,
    after: float | None,
) -> None:
    agency = SimulatedAgency.build(LOCATIONS, object_keys=("contact", POLICY))
    for number, name in enumerate(LOCATIONS):
        server, world = agency[name], worlds[number]
        server.records = highlevel(number, there[number], new[number], {})
        server.records.location_id = name
        server.indexed_at, server.faults = world["indexed_at"], world["faults"]
        server.object_keys = ("contact", POLICY) if number != 1 else (POLICY, "contact")
    named = {name: holders(server.records) for name, server in agency.locations.items() if server.records is not None}
    time, stop = Time(), Stop()
    began = agency.clock.now

    def prepare(workers: SimulatedWorkers) -> None:
        if after is not None:
            workers.at(began + after, stop.set)

    ledger = Ledger(sa.create_engine("sqlite://"), database_time=time)
    try:
        for night in range(2):
            load = load_rows(
                [row_of(*each) for each in rows],
                agency,
                **spec,
                load_id=f"night {night}",
                ledger=ledger,
                lookups=(BY_NUMBER, BY_EMAIL),
                sides=sides_of(BY_NUMBER, BY_EMAIL),
                at_once=at_once,
                rows_ahead=rows_ahead,
                stop=stop if night == 0 else None,
                prepare=prepare,
            )
            note(load.verdict.message)
            assert [result["row"] for result in load.results] == list(range(load.summary["rows"]))
            check_counts(load)
            for (location, *keys), result in zip(rows, load.results, strict=False):
                ids = result["first_record_id"], result["second_record_id"]
                for key, record_id in zip(keys, ids, strict=True):
                    assert record_id is None or record_id in named[location][key]
                if result["outcome"] in {"created", "already_exists"}:
                    is_swapped = location != LOCATIONS[1]
                    assert (ids[::-1] if is_swapped else ids) in agency[location].relations
            time.now += 3_600.0
    finally:
        ledger.close()
