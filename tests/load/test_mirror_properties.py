"""Any nights of any tables in any world: a mirror deletes what left its table, and nothing that anybody could miss."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from keyed_world import contact_id, keyed_server, load_keys, policy_id, table
from remembering import DAY, Time
from simulated_highlevel import ASSOCIATION, FAULTS, LOCATION, SimulatedServer
from simulated_load import Load, load_pairs
from simulated_time import FakeClock, spread_around
from soak import LONGER

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst, Owned

pytestmark = pytest.mark.slow

Pair = tuple[str, str]
PARENTS, CHILDREN = ["p0", "p1", "p2"], ["c0", "c1", "c2", "c3"]
#: Some records are both.
PAIRS = [*((a, b) for a in PARENTS for b in CHILDREN), ("p0", "p1"), ("p1", "p0"), ("c0", "p1")]
BAD = [("p0", ""), ("", "c1"), ("p2", 1.5), (None, None)]
SOME_PAIRS = st.frozensets(st.sampled_from(PAIRS), max_size=12)
FEW_PAIRS = st.frozensets(st.sampled_from(PAIRS), max_size=3)
SLOWLY = settings(suppress_health_check=list(HealthCheck), deadline=None)

TASKS = st.fixed_dictionaries(
    {
        "parent": st.sampled_from([0, 0, 1, None]),
        "owned": st.sampled_from([Owned.LEDGER, Owned.LEDGER, Owned.ALL]),
        "max_deletes": st.sampled_from([None, None, 2, 4]),
        "max_delete_share": st.sampled_from([None, None, 0.5, 0.1]),
        "diff_against": st.sampled_from([DiffAgainst.LEDGER, DiffAgainst.LEDGER, DiffAgainst.NONE, DiffAgainst.HIGHLEVEL]),
    }
).filter(lambda task: task["parent"] is not None or task["owned"] is Owned.LEDGER)
NIGHTS = st.fixed_dictionaries(
    {
        "task": st.sampled_from(["one", "one", "one", "two", "bulk"]),
        "pairs": SOME_PAIRS,
        "bad": st.lists(st.sampled_from(BAD), max_size=1),
        "by_hand": FEW_PAIRS,
        "removed": FEW_PAIRS,
        "forgets": st.sampled_from([None] * 12 + ["everything", "location", "record", "old"]),
        "days": st.sampled_from([1.0, 1.0, 1.0, 12.0]),  # what a table names is remembered for 90
        "faults": st.dictionaries(st.integers(0, 25), st.sampled_from([*FAULTS, "day_spent"]), max_size=3),
        "failing": st.sampled_from([frozenset()] * 4 + [frozenset({"c1"}), frozenset({"p1"})]),
        "missing": st.sampled_from([frozenset()] * 4 + [frozenset({"c2"})]),
        "refuse_deletes": st.sampled_from([False] * 6 + [True]),
        "refuse_token_from": st.sampled_from([None] * 8 + [3, 6]),
        "max_requests": st.sampled_from([None, None, None, None, 1, 5, 9]),
        "stopped_after": st.sampled_from([None, None, None, 0.5, 2.0, 5.0]),
        "is_killed": st.sampled_from([False, False, False, True]),
        "tolerance": st.sampled_from([0, 5]),
        "tries": st.sampled_from([1, 1, 2]),
    }
)


class WatchedServer(SimulatedServer):
    """One that remembers who made each relation, and what was deleted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.by_loads: set[str] = set()
        self.deleted: list[tuple[Pair, str]] = []

    def _create(self, first: str, second: str) -> tuple[int, Any]:
        status, answer = super()._create(first, second)
        if status == 201:
            self.by_loads.add(answer["id"])
        return status, answer

    def _delete(self, relation_id: str) -> tuple[int, Any]:
        before = {key: pair for pair, key in self.relations.items()}
        status, answer = super()._delete(relation_id)
        if status == 200:
            self.deleted.append((before[relation_id], relation_id))
        return status, answer


class Killed(BaseException):
    """The process is gone before the load's end is noted."""


def kill(verdict: Any) -> None:
    raise Killed


@dataclass
class Model:
    """HighLevel, the ledger, and what one may expect of them."""

    tasks: dict[str, dict[str, Any]]
    server: WatchedServer
    time: Time = field(default_factory=Time)
    #: The pairs of each task's latest table, as far as its loads got to know it.
    tables: dict[str, set[Pair]] = field(default_factory=dict)
    #: The same with all that it may have got to know.
    largest: dict[str, set[Pair]] = field(default_factory=dict)
    #: The first load of each task that deletes nothing whatever it finds; gone once another one has seen its end.
    baselines: dict[str, str] = field(default_factory=dict)
    #: Pairs that people removed, and that no load has made again.
    missed: set[Pair] = field(default_factory=set)

    def __post_init__(self) -> None:
        engine = sa.create_engine("sqlite://")
        Ledger(engine)
        with engine.begin() as connection:  # else no example could be repeated
            connection.exec_driver_sql("UPDATE ghl_ledger SET value = '0123456789abcdef' WHERE name LIKE '%_key'")
        self.ledger = Ledger(engine, database_time=self.time)

    def pass_the_day(self, night: dict[str, Any]) -> None:
        """What happens before the next load."""
        server = self.server
        self.time.now += night["days"] * DAY
        server.used_of_day = 0
        for pair in sorted(night["removed"]):
            if server.relations.pop(pair, None):
                self.missed.add(pair)
        for pair in sorted(night["by_hand"]):
            if pair not in server.relations:
                server.add(pair)
        self._forget(night["forgets"])
        for name in ("failing", "missing", "refuse_deletes"):
            setattr(server, name, night[name])
        token = night["refuse_token_from"]
        server.refuse_token_from = None if token is None else len(server.sent_at) + token
        server.faults = {server.requests + at: fault for at, fault in night["faults"].items()}

    def _forget(self, what: str | None) -> None:
        if what == "everything":
            self.ledger.forget(RelationFilter(everything=True))
        elif what == "location":
            self.ledger.forget(RelationFilter(location_id=LOCATION))
        elif what == "record":
            self.ledger.forget(RelationFilter(record_id="p0"))
        elif what == "old":
            self.ledger.forget(RelationFilter(confirmed_before=self.time.now - 2 * DAY))
        if what in {"everything", "location"}:
            self.tables.clear()
            self.largest.clear()
            self.baselines.clear()

    def calm(self) -> None:
        """The rest of the night is without trouble."""
        server = self.server
        server.failing = server.missing = frozenset()
        server.faults, server.refuse_deletes, server.refuse_token_from, server.used_of_day = {}, False, None, 0

    def owned(self) -> set[Pair]:
        """What the ledger says that loads made, where that is so."""
        target = self.ledger.relations.target("https://services.leadconnectorhq.com", LOCATION, ASSOCIATION)
        rows = self.ledger.relations.owned_rows(target, *self.ledger.relations.owned(target))
        return {(a, b) for a, b in (row.values for row in rows) if (a, b) in self.server.relations}


def run_load(model: Model, night: dict[str, Any], load_id: str, try_number: int, **more: Any) -> Load | None:
    """One try; ``None`` where it was killed."""
    task, server = night["task"], model.server
    rows = [*sorted(night["pairs"]), *night["bad"]]
    random.Random(len(rows)).shuffle(rows)
    settings: dict[str, Any] = dict(model.tasks[task]) if task != "bulk" else {}
    settings |= {"tolerance": night["tolerance"], "max_requests": night["max_requests"], "try_number": try_number}
    stop, began = Stop(), server.clock.now
    after = night["stopped_after"]
    try:
        return load_pairs(
            rows,
            server,
            ledger=model.ledger,
            load_id=load_id,
            series=task,
            stop=stop,
            prepare=lambda workers: None if after is None else workers.at(began + after, stop.set),
            deliver=kill if night["is_killed"] else None,
            outage_timeout=timedelta(seconds=20),
            **settings | more,
        )
    except Killed:
        return None


def check_deletes(model: Model, night: dict[str, Any], deleted: list[tuple[Pair, str]], known: int, load_id: str) -> None:
    """Nothing was deleted that anybody could miss."""
    pairs = [pair for pair, _ in deleted]
    task = night["task"]
    if task == "bulk" or model.baselines.get(task, load_id) == load_id:
        assert not pairs
        return
    options = model.tasks[task]
    assert not set(pairs) & night["pairs"]
    for other, named in model.tables.items():
        assert other == task or not set(pairs) & named, f"{other} names it"
    if options["owned"] is Owned.LEDGER:
        assert {one for _, one in deleted} <= model.server.by_loads
    if options["parent"] is not None:
        parents = {pair[options["parent"]] for pair in night["pairs"]}
        kept = {str(row[options["parent"]]) for row in night["bad"]}
        assert {pair[options["parent"]] for pair in pairs} <= parents - kept
    assert not pairs or not night["bad"] or all(row[options["parent"] or 0] for row in night["bad"])
    assert not pairs or not night["bad"] or options["parent"] is not None
    assert options["max_deletes"] is None or len(pairs) <= options["max_deletes"]
    if options["max_delete_share"] is not None:
        assert len(pairs) <= options["max_delete_share"] * (known + len(night["pairs"]))


def check_counts(load: Load, requests: int, deleted: int) -> None:
    """Every deletion has one result, and the counts agree."""
    results = [one for one in load.verdict.results if one["row"] is None]
    counts = dict(load.summary["deletes"])
    planned, kept = counts.pop("planned"), counts.pop("kept")
    assert counts == {name: Counter(one["outcome"] for one in results)[name] for name in counts}
    is_red_before = load.verdict.failure is not None and "nothing was deleted" in load.verdict.headline
    assert sum(counts.values()) == (0 if is_red_before else planned)
    assert kept >= 0
    assert counts["deleted"] <= deleted <= counts["deleted"] + counts["failed"] + counts["not_attempted"]
    of_rows = sum(one["requests"] for one in load.verdict.results)
    assert of_rows <= load.summary["requests"] == requests


def check_in_step(model: Model, night: dict[str, Any], load: Load) -> None:
    """After a green night without notes the parents have what the table names, and no more than that is theirs."""
    options, there = model.tasks[night["task"]], set(model.server.relations)
    parent = options["parent"]
    parents = {pair[parent] for pair in night["pairs"]} if parent is not None else set()
    in_scope = {pair for pair in there if parent is None or pair[parent] in parents}
    theirs = in_scope if options["owned"] is Owned.ALL else in_scope & model.owned()
    others = set().union(*(named for task, named in model.largest.items() if task != night["task"]))
    if night["pairs"] and night["task"] in model.baselines:
        assert theirs - others <= night["pairs"]
    missing = {
        (one["first_record_id"], one["second_record_id"]) for one in load.verdict.results if one["outcome"] == "rejected"
    }
    assert night["pairs"] - there - missing <= (model.missed if options["diff_against"] is DiffAgainst.LEDGER else set())


def note_table(model: Model, night: dict[str, Any], load: Load | None, load_id: str) -> None:
    """What the ledger may know now of the task's table."""
    named, largest = (tables.setdefault(night["task"], set()) for tables in (model.tables, model.largest))
    if load is None:  # killed at its end: what it made is kept, and what else its table named nobody knows
        largest |= night["pairs"]
        return
    codes = {one["outcome"] for one in load.verdict.results if one["row"] is not None}
    known = {
        (one["first_record_id"], one["second_record_id"])
        for one in load.verdict.results
        if one["row"] is not None and one["outcome"] not in {"invalid", "not_attempted"}
    }
    if load.verdict.is_green and not codes & {"invalid", "not_attempted"} and night["pairs"]:
        named.clear()
        largest.clear()
    named |= known
    largest |= night["pairs"]
    if known:
        model.baselines.setdefault(night["task"], load_id)


def run_night(model: Model, night: dict[str, Any], number: int) -> None:
    """One night: a load, perhaps with another try, and what must hold after each."""
    model.pass_the_day(night)
    server = model.server
    for try_number in range(1, night["tries"] + 1):
        if try_number == 2:
            model.calm()
            night = night | {"max_requests": None, "stopped_after": None, "is_killed": False}
        before, deleted, known = server.requests, len(server.deleted), len(server.relations) + len(model.owned())
        known = max(known, int(model.ledger.statistics()["relations"]) + len(server.relations))
        is_first = night["task"] not in model.baselines
        load = run_load(model, night, f"night {number}", try_number)
        model.missed -= set(server.relations)
        gone = server.deleted[deleted:]
        note(f"{night['task']} {number}.{try_number}: {load and load.verdict.message} {load and load.verdict.warnings} -{gone}")
        check_deletes(model, night, gone, known, f"night {number}")
        if load is None:
            note_table(model, night, None, f"night {number}")
            return
        if night["task"] != "bulk" and load.summary["deletes"]:
            check_counts(load, server.requests - before, len(gone))
        is_calm = load.verdict.end is End.GREEN and not load.verdict.warnings
        if night["task"] != "bulk" and is_calm and not is_first:
            check_in_step(model, night, load)
        note_table(model, night, load, f"night {number}")
        if load.verdict.is_green:
            return


@settings(SLOWLY, phases=[Phase.generate], max_examples=50 * LONGER)
@given(one=TASKS, two=TASKS, nights=st.lists(NIGHTS, min_size=2, max_size=7), page_cap=st.sampled_from([1, 2, 100]))
def test_any_nights(one: dict[str, Any], two: dict[str, Any], nights: list[dict[str, Any]], page_cap: int) -> None:
    server = WatchedServer(FakeClock(), latencies=spread_around(0.3, 0.3, 1), page_cap=page_cap, counts_at=0.5)
    model = Model({"one": one, "two": two}, server)
    server.add(("p0", "c3"), ("p2", "c0"))
    for number, night in enumerate(nights):
        run_night(model, night, number)
    model.ledger.close()


KEYS = st.frozensets(st.tuples(st.sampled_from([0, 1, 2, 99]), st.sampled_from([0, 1, 2, 3, 99])), max_size=8)


@settings(SLOWLY, max_examples=25 * LONGER)
@given(nights=st.lists(KEYS, min_size=2, max_size=5), parent=st.sampled_from([0, 1]), owned=st.sampled_from(Owned))
def test_any_nights_of_keys_whose_sides_change_places(
    nights: list[frozenset[tuple[int, int]]], parent: int, owned: Owned
) -> None:
    """The parents are those of the table's column, wherever HighLevel stores them. 99 names no record."""
    highlevel, time = keyed_server(contacts=5, policies=5), Time()
    highlevel.add((contact_id(3), policy_id(2)))
    ledger = Ledger(sa.create_engine("sqlite://"), database_time=time)
    options: dict[str, Any] = {"max_deletes": None, "max_delete_share": None, "tolerance": 9, "lookup_max_age": timedelta(0)}
    made: set[Pair] = set()
    is_first = True
    for number, keys in enumerate(nights):
        before = set(highlevel.relations)
        load = load_keys(
            table(*sorted(keys)),
            highlevel,
            ledger=ledger,
            load_id=f"night {number}",
            series="table",
            parent=parent,
            owned=owned,
            **options,
        )
        time.now += DAY
        note(f"{sorted(keys)}: {load.verdict.message} {load.verdict.warnings}")
        known = [pair for pair in keys if 99 not in pair]
        bad = {pair[parent] for pair in keys if 99 in pair}
        parents = set() if 99 in bad or is_first else {pair[parent] for pair in keys} - bad
        named = {(contact_id(person), policy_id(policy)) for policy, person in known}
        ids = {(policy_id, contact_id)[parent](one) for one in parents}
        owns = before if owned is Owned.ALL else before & made
        expected = {pair for pair in owns - named if pair[1 - parent] in ids}
        assert before - set(highlevel.relations) == expected
        assert set(highlevel.relations) - before == named - before
        assert load.summary["deletes"]["deleted"] == len(expected)
        made |= named - before
        is_first = is_first and not known
    ledger.close()
