"""A ledger of an earlier release: it opens, saves the same requests, and can be listed and pruned as before."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledgers import VERSION_1, Place
from remembering import Time, evidence, known, server
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.memory import Memories
from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes
from airflow_provider_ghl.load.ledger.tables import METADATA
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.spec import DiffAgainst

NIGHTLY = [(f"student{n}", f"teacher{n % 3}") for n in range(6)]
READ = [("hub", f"teacher{n}") for n in range(5)]
KILLED = [(f"late{n}", "teacher9") for n in range(12)]
#: The last pair was sent and took effect, but its answer was lost.
ANSWERED, UNANSWERED = [*KILLED[:4], *KILLED[5:9]], KILLED[4]


@pytest.fixture
def ledger(time: Time, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger's file, opened an hour later."""
    file = tmp_path / "ledger.db"
    with sqlite3.connect(file) as connection:
        connection.executescript(VERSION_1.read_text())
    connection.close()
    time.now += 3_600
    made = Ledger(sa.create_engine(f"sqlite:///{file}"), database_time=time)
    yield made
    made.close()


def highlevel() -> SimulatedServer:
    """HighLevel as the loads left it."""
    world = server()
    world.add(*NIGHTLY, *READ, *ANSWERED, UNANSWERED)
    return world


@pytest.mark.parametrize(("load_id", "pairs"), [("nightly", NIGHTLY), ("read", READ), ("another", [*NIGHTLY, *READ])])
def test_the_same_rows_again_send_nothing(ledger: Ledger, load_id: str, pairs: list[tuple[str, str]]) -> None:
    world = highlevel()
    again = load_pairs(pairs, world, ledger=ledger, load_id=load_id)
    assert evidence(again) == {("already_exists", "ledger"): len(pairs)}
    assert (world.requests, world.association_reads) == (1, 1)


def test_the_next_try_of_a_load_that_was_killed_goes_on(ledger: Ledger) -> None:
    world = highlevel()
    again = load_pairs(KILLED, world, ledger=ledger, load_id="killed", try_number=2)
    assert evidence(again) == {("created", "ledger"): 8, ("created", "presumed"): 1, ("created", "answer"): 3}
    assert (again.verdict.results[4]["evidence"], world.requests) == ("presumed", 1 + 4)
    assert known(ledger) == 6 + 5 + 12
    assert ledger.statistics()["claims"] == 0


def test_another_load_takes_over_its_claims(ledger: Ledger) -> None:
    world = highlevel()
    other = load_pairs(KILLED, world, ledger=ledger, load_id="other", diff_against=DiffAgainst.LEDGER)
    assert evidence(other) == {("already_exists", "ledger"): 8, ("already_exists", "answer"): 1, ("created", "answer"): 3}


def test_its_loads_and_their_results_are_listed(ledger: Ledger) -> None:
    loads = {load["load_id"]: load for load in ledger.loads.list()}
    assert {name: load["state"] for name, load in loads.items()} == {"killed": "lost", "read": "green", "nightly": "green"}
    counts = loads["nightly"]["counts"]
    assert [counts[name] for name in ("created", "already_exists", "rejected", "repeated")] == [4, 2, 1, 1]
    assert (loads["nightly"]["requests"], loads["killed"]["counts_so_far"]) == (8, {"created": 8})
    results = list(ledger.loads.results(loads["nightly"]["number"]))
    assert [(row["row"], row["row_key"], row["outcome"]) for row in results] == [
        *((row, row, "already_exists") for row in range(2)),
        *((row, row, "created") for row in range(2, 6)),
        (6, 6, "rejected"),
    ]


def test_it_forgets(ledger: Ledger) -> None:
    assert ledger.forget(RelationFilter(record_id="hub")) == 5
    assert ledger.forget(RelationFilter(pair=NIGHTLY[0])) == 1
    world = highlevel()
    again = load_pairs([*NIGHTLY, *READ], world, ledger=ledger, diff_against=DiffAgainst.LEDGER)
    assert evidence(again) == {("already_exists", "ledger"): 5, ("already_exists", "answer"): 6}
    assert known(ledger) == 6 + 5 + 8


def test_what_was_read_and_what_was_made_is_counted(ledger: Ledger) -> None:
    found = ledger.statistics()
    counted = ("schema_version", "relations", "claims", "loads", "results", "keys")
    assert [found[name] for name in counted] == [3, 19, 4, 3, 20, 0]


def test_it_learns_keys_and_keeps_its_relations(place: Place) -> None:
    place.fill_with_version_1()
    before = place.rows("SELECT target_id, pair, first_record_id, second_record_id, confirmed FROM ghl_relations ORDER BY pair")
    assert len(before) == 19 + 4
    mine = place.worker()
    after = place.rows("SELECT target_id, pair, first_record_id, second_record_id, confirmed FROM ghl_relations ORDER BY pair")
    assert after == before
    assert mine.ledger.id == "79a7992bdba84757859944f50209f8ea"
    assert mine.attempt.load_number == 4
    of = Memories(mine.ledger, mine.attempt, "https://x", None).open_keys("location", "contact by email")
    mine.ledger.write_all(mine.attempt, {None: Notes()}, {of.lookup_id: KeyNotes([(b"k" * 16, "a")], set())})
    assert of.known().record_ids.tolist() == [b"a"]
    found = place.ledger().statistics()
    assert [found[name] for name in ("schema_version", "relations", "claims", "keys")] == [3, 19, 4, 1]


def test_it_gets_the_tables_of_a_new_one(place: Place) -> None:
    place.fill_with_version_1()
    place.ledger()
    inspector = sa.inspect(place.shared)
    assert set(inspector.get_table_names()) >= METADATA.tables.keys()
    assert {index["name"] for index in inspector.get_indexes("ghl_keys")} == {"ix_ghl_keys_record_id"}
