"""The statistics of a ledger, and deleting from it."""

from __future__ import annotations

from typing import Any

import pytest
from ledgers import NOW, Place

from airflow_provider_ghl.load.ledger.notes import Notes
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter


def filled(place: Place) -> Any:
    mine = place.worker("mine")
    mine.learned("a-b", "b-a", relation_id="first")
    place.clock.now += 10
    mine.learned("a-c", relation_id="second")
    mine.claim("a-d")
    other = mine.ledger.relations.target("https://y", "elsewhere", "friends")
    mine.ledger.write(mine.attempt, other, Notes(learned=[(mine.pairs("a-b").keys[0], ("a", "b"), None)], results=[]))
    return mine.ledger


@pytest.mark.parametrize(
    ("asked", "rows"),
    [
        ({"host": "https://x"}, 4),
        ({"location_id": "elsewhere"}, 1),
        ({"association_id": "friends"}, 5),
        ({"association_id": "friends", "host": "https://y"}, 1),
        ({"record_id": "a"}, 5),
        ({"record_id": "b"}, 3),
        ({"record_id": "A"}, 0),
        ({"pair": ("a", "b")}, 2),
        ({"pair": ("a", "b"), "host": "https://x"}, 1),
        ({"relation_id": "first"}, 2),
        ({"confirmed_before": NOW + 5}, 2),
        ({"confirmed_before": NOW + 5, "relation_id": "second"}, 0),
        ({"location_id": "' OR 1=1"}, 0),
        ({"everything": True}, 5),
    ],
    ids=str,
)
@pytest.mark.parametrize("place", ["memory", "postgresql"], indirect=True)
def test_what_matches_is_forgotten(place: Place, asked: dict[str, Any], rows: int) -> None:
    ledger = filled(place)
    assert ledger.count_to_forget(RelationFilter(**asked)) == rows
    assert ledger.forget(RelationFilter(**asked)) == rows
    assert ledger.count_to_forget(RelationFilter(**asked)) == 0
    assert ledger.count_to_forget(RelationFilter(everything=True)) == 5 - rows


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
    ledger = filled(place)
    found = ledger.statistics()
    size = found.pop("bytes")
    assert size is None if place.kind == "memory" else size > 10_000
    of = {"association_id": "friends"}
    assert found == {
        "where": ledger.where,
        "id": ledger.id,
        "schema_version": 2,
        "relations": 4,
        "claims": 1,
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
    }
