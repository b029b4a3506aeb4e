"""The statistics of a ledger, and deleting from it."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from ledgers import NOW, Place

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes
from airflow_provider_ghl.load.ledger.upkeep import PairFilter, RelationFilter


def filled(place: Place) -> Any:
    mine = place.worker("mine")
    mine.learned("a-b", "b-a", relation_id="first")
    place.clock.now += 10
    mine.learned("a-c", relation_id="second")
    mine.claim("a-d")
    other = mine.ledger.relations.target("https://y", "elsewhere", "friends")
    mine.ledger.write(mine.attempt, other, Notes(learned=[(mine.pairs("a-b").keys[0], ("a", "b"), None)], results=[]))
    place.clock.now = NOW
    keys = mine.ledger.keys
    emails, elsewhere = (
        keys.lookup(*where, "contact by email") for where in (("https://x", "location"), ("https://y", "elsewhere"))
    )
    key_a, key_b = b"a" * 16, b"b" * 16
    mine.ledger.write_all(mine.attempt, {}, {emails: KeyNotes([(key_a, "a"), (key_b, "b")], set())})
    place.clock.now += 10
    mine.ledger.write_all(mine.attempt, {}, {elsewhere: KeyNotes([(key_a, "a")], set())})
    keys.lookup("https://x", "location", "contact by phone")
    return mine.ledger


@pytest.mark.parametrize(
    ("asked", "rows", "keys"),
    [
        ({"host": "https://x"}, 4, 2),
        ({"location_id": "elsewhere"}, 1, 1),
        ({"location_id": "elsewhere", "host": "https://x"}, 0, 0),
        ({"association_id": "friends"}, 5, 0),
        ({"association_id": "friends", "host": "https://y"}, 1, 0),
        ({"association_id": "friends", "location_id": "elsewhere", "record_id": "a"}, 1, 0),
        ({"record_id": "a"}, 5, 2),
        ({"record_id": "a", "location_id": "location"}, 4, 1),
        ({"record_id": "b"}, 3, 1),
        ({"record_id": "A"}, 0, 0),
        ({"pair": ("a", "b")}, 2, 0),
        ({"pair": ("a", "b"), "host": "https://x"}, 1, 0),
        ({"relation_id": "first"}, 2, 0),
        ({"relation_id": "first", "location_id": "location", "host": "https://x"}, 2, 0),
        ({"is_unnamed": False, "location_id": "location"}, 3, 0),
        ({"confirmed_before": NOW + 5}, 2, 0),
        ({"confirmed_before": NOW + 5, "record_id": "a"}, 2, 1),
        ({"confirmed_before": NOW + 5, "relation_id": "second"}, 0, 0),
        ({"location_id": "' OR 1=1"}, 0, 0),
        ({"everything": True}, 5, 3),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["memory", "postgresql"], indirect=True)
def test_what_matches_is_forgotten(place: Place, asked: dict[str, Any], rows: int, keys: int) -> None:
    ledger = filled(place)
    wanted, everything = RelationFilter(**asked), RelationFilter(everything=True)
    assert (ledger.count_to_forget(wanted), ledger.count_keys_to_forget(wanted)) == (rows, keys)
    assert ledger.forget(wanted) == rows
    assert (ledger.count_to_forget(wanted), ledger.count_keys_to_forget(wanted)) == (0, 0)
    assert (ledger.count_to_forget(everything), ledger.count_keys_to_forget(everything)) == (5 - rows, 3 - keys)


@pytest.mark.parametrize("place", ["memory", "postgresql"], indirect=True)
def test_what_is_gone_is_forgotten_unless_it_has_another_id(place: Place) -> None:
    mine = place.worker("mine")
    mine.learned("a-b", relation_id="first")
    mine.learned("c-a", relation_id=None)
    pairs = tuple(mine.pairs("a-b", "b-a", "a-c", "c-a").keys)
    deletions, before = mine.ledger.deletions, mine.ledger.times_forgotten()
    deletions.note(1, "undo", [], PairFilter(mine.target_id, pairs[:2], "another"))
    deletions.note(1, "undo", [], PairFilter(mine.target_id + 1, pairs, "first"))
    assert mine.ledger.statistics()["relations"] == 2
    deletions.note(1, "undo", [], PairFilter(mine.target_id, pairs[:2], "first"))
    assert mine.ids("a-b", "c-a") == [None, None]
    assert mine.ledger.statistics()["relations"] == 1
    deletions.note(1, "undo", [], PairFilter(mine.target_id, pairs[2:], "first"))
    assert mine.ledger.statistics()["relations"] == 0
    assert mine.ledger.times_forgotten() == before + 4


def test_a_pair_is_forgotten_by_its_key_however_many_relations_its_records_have() -> None:
    engine = sa.create_engine("sqlite://")
    ledger = Ledger(engine)
    plans: list[str] = []

    @sa.event.listens_for(engine, "before_cursor_execute")
    def explain(connection: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> None:
        if statement.startswith("DELETE"):
            plans.append(str(connection.connection.cursor().execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()))

    ledger.deletions.note(1, "undo", [], PairFilter(1, (b"a" * 16, b"b" * 16), "id"))
    assert len(plans) == 1
    assert "SEARCH ghl_relations USING PRIMARY KEY (target_id=? AND pair=?)" in plans[0]
    ledger.close()


@pytest.mark.parametrize("asked", [{}, {"everything": True, "host": "https://x"}, {"record_id": None}], ids=str)
def test_to_forget_all_must_be_meant(asked: dict[str, Any]) -> None:
    place = Place("memory", "sqlite://")
    ledger = place.ledger()
    with pytest.raises(ValueError, match="say which relations"):
        ledger.forget(RelationFilter(**asked))
    with pytest.raises(ValueError, match="say which relations"):
        ledger.count_to_forget(RelationFilter(**asked))
    place.close()


def test_statistics(place: Place) -> None:
    empty = place.ledger().statistics()
    assert (empty["relations"], empty["oldest_confirmed"], empty["targets"]) == (0, None, [])
    assert (empty["keys"], empty["lookups"]) == (0, [])
    ledger = filled(place)
    found = ledger.statistics()
    size = found.pop("bytes")
    assert size is None if place.kind == "memory" else size > 10_000
    of = {"association_id": "friends"}
    assert found == {
        "where": ledger.where,
        "id": ledger.id,
        "schema_version": 3,
        "relations": 4,
        "claims": 1,
        "keys": 3,
        "loads": 1,
        "results": 0,
        "oldest_confirmed": NOW,
        "newest_confirmed": NOW + 10,
        "targets": [
            {"host": "https://x", "location_id": "location", **of, "relations": 3}
            | {"oldest_confirmed": NOW, "newest_confirmed": NOW + 10},
            {"host": "https://y", "location_id": "elsewhere", **of, "relations": 1}
            | {"oldest_confirmed": NOW + 10, "newest_confirmed": NOW + 10},
        ],
        "lookups": [
            {"host": "https://x", "location_id": "location", "name": "contact by email", "keys": 2}
            | {"oldest_confirmed": NOW, "newest_confirmed": NOW},
            {"host": "https://y", "location_id": "elsewhere", "name": "contact by email", "keys": 1}
            | {"oldest_confirmed": NOW + 10, "newest_confirmed": NOW + 10},
            {"host": "https://x", "location_id": "location", "name": "contact by phone", "keys": 0}
            | {"oldest_confirmed": None, "newest_confirmed": None},
        ],
    }
