"""Counts of the relations that a record is known to have: equal to a count pair by pair, with few statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from ledgers import NOW, Place, Worker

from airflow_provider_ghl.load.ledger.notes import Knowledge, Notes
from airflow_provider_ghl.load.ledger.relations import Side
from airflow_provider_ghl.load.ledger.tables import relations

DAY = 86_400.0


def counts(of: Worker, side: Side, *records: str) -> list[int]:
    counts = of.ledger.relations.count_by_record(of.target_id, side, records, of.freshness)
    assert counts.dtype == np.int64
    return list(map(int, counts))


def test_each_side_is_counted_separately(place: Place) -> None:
    mine = place.worker()
    mine.learned("a-b", "a-c", "b-a", "A-b")
    mine.claim("a-d")
    mine.made("a-d")
    assert counts(mine, "first", "c", "a", "b", "A", "a", "nobody") == [0, 3, 1, 1, 3, 0]
    assert counts(mine, "second", "a", "b", "c", "d") == [1, 2, 1, 1]
    assert counts(mine, "first") == []


def test_neither_claims_nor_refusals_nor_other_associations_count(place: Place) -> None:
    mine = place.worker()
    mine.learned("a-b")
    mine.claim("a-c", "a-d")
    mine.refused("a-d")
    other = mine.ledger.relations.target("https://x", "location", "enemies")
    pairs = mine.pairs("a-b", "a-e")
    mine.ledger.write(mine.attempt, other, Notes(learned=[(key, ("a", "b"), None) for key in pairs.keys]))
    assert counts(mine, "first", "a") == [1]
    assert mine.ledger.relations.count_by_record(other, "first", ["a"], mine.freshness).tolist() == [2]


def test_only_fresh_relations_count(place: Place) -> None:
    mine = place.worker()
    mine.learned("a-b", "a-c")
    place.clock.now += 10
    mine.learned("a-c", "a-d")
    assert counts(mine, "first", "a") == [3]
    mine.at(NOW + 5)
    assert counts(mine, "first", "a") == [2]
    mine.freshness = replace(mine.freshness, load_number=mine.attempt.load_number, own_since=NOW)
    assert counts(mine, "first", "a") == [3]


@pytest.mark.parametrize("max_age", [None, 30 * DAY])
def test_they_are_as_many_as_pairs_are_known_one_by_one(place: Place, max_age: float | None) -> None:
    mine, chance = place.worker("mine"), np.random.default_rng(3)
    names = [f"{first}-{second}" for first in range(20) for second in range(20)]
    mine.learned(*(name for name in names if chance.random() < 0.8))
    mine.claim(*(name for name in names if chance.random() < 0.1))
    age = sa.update(relations).where(relations.c.pair == sa.bindparam("key")).values(confirmed=sa.bindparam("moment"))
    with place.engine().begin() as connection:
        moments = [{"key": key, "moment": NOW - 60 * DAY * chance.random()} for key in mine.pairs(*names).keys]
        connection.execute(age.where(relations.c.confirmed.is_not(None)), moments)
    mine.at(NOW, max_age=max_age)
    mine.freshness = replace(mine.freshness, since=NOW - 5 * DAY)
    known: Counter[str] = Counter()
    for name, knowledge in zip(names, mine.knows(*names), strict=True):
        first, _, second = name.partition("-")
        known.update([f"first {first}", f"second {second}"] if knowledge in (Knowledge.THERE, Knowledge.OURS) else [])
    assert 0 < known.total() < 2 * len(names)
    records = [str(at) for at in range(20)]
    assert counts(mine, "first", *records) == [known[f"first {record}"] for record in records]
    assert counts(mine, "second", *records) == [known[f"second {record}"] for record in records]


def test_thousands_of_records_take_a_few_statements_that_use_the_index(place: Place) -> None:
    mine = place.worker()
    mine.learned(*(f"{at % 3000}-s{at}" for at in range(9000)))
    asked: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    sa.event.listen(place.shared, "before_cursor_execute", note)
    records = [str(at) for at in range(12_000)]
    assert counts(mine, "first", *records) == [3] * 3000 + [0] * 9000
    assert counts(mine, "second", *(f"s{at}" for at in range(8995, 9005))) == [1] * 5 + [0] * 5
    sa.event.remove(place.shared, "before_cursor_execute", note)
    grouped = [(statement, parameters) for statement, parameters in asked if "GROUP BY" in statement]
    assert len(grouped) == 4
    if place.kind != "postgresql":  # which reads small tables as a whole
        for (statement, parameters), side in zip(grouped, ["first"] * 3 + ["second"], strict=True):
            assert f"ix_ghl_relations_{side}_record_id" in _plan(place, statement, parameters)


def _plan(place: Place, statement: str, parameters: Sequence[Any]) -> str:
    with place.shared.connect() as connection:
        return " ".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters))
