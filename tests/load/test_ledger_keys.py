"""Which record a key names becomes known, grows old, and is forgotten with the record."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from ledgers import NOW, Pairs, Place, Worker

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.keys import LedgerKeys
from airflow_provider_ghl.load.ledger.memory import KeyMemory, Memories
from airflow_provider_ghl.load.ledger.notes import Freshness, KeyNotes, Notes
from airflow_provider_ghl.load.ledger.pairs import keys_from_words, phases
from airflow_provider_ghl.load.ledger.tables import record_keys

DAY = 86_400.0
ANN, BOB, CEM = "ann@example.com", "bob@example.com", "cem@example.com"


def hashes(worker: Worker, *keys: str) -> tuple[Any, Any]:
    return worker.ledger.identity([np.array([*keys, None], dtype=object)[:-1]])


def memory(worker: Worker, name: str = "contact by email", *, max_age: float | None = None, **place: str) -> KeyMemory:
    """What the worker's attempt believes."""
    where = {"host": "https://x", "location_id": "location"} | place
    memories = Memories(worker.ledger, worker.attempt, where["host"], None, key_max_age=max_age)
    return memories.open_keys(where["location_id"], name)


def note(worker: Worker, found: Mapping[str, str], gone: Collection[str] = (), of: KeyMemory | None = None) -> None:
    keys = keys_from_words(*hashes(worker, *found))
    notes = KeyNotes(list(zip(keys, found.values(), strict=True)), set(gone))
    worker.ledger.write_all(worker.attempt, {None: Notes()}, {(of or memory(worker)).lookup_id: notes})


def known(of: KeyMemory) -> dict[tuple[int, int], str]:
    found = of.known()
    assert found.high.dtype == found.low.dtype == np.uint64
    assert found.record_ids.dtype.kind == "S"
    words = list(zip(found.high.tolist(), found.low.tolist(), strict=True))
    assert words == sorted(set(words))
    return dict(zip(words, (record_id.decode() for record_id in found.record_ids.tolist()), strict=True))


def records(of: KeyMemory, worker: Worker, *keys: str) -> list[str | None]:
    """What keys name: the same, whether asked for these or for all."""
    high, low = hashes(worker, *keys)
    found, every = of.look_up(high, low), known(of)
    assert found == [every.get(words) for words in zip(high.tolist(), low.tolist(), strict=True)]
    return found


def test_a_key_names_its_record(place: Place) -> None:
    mine = place.worker()
    of = memory(mine)
    assert (of.count(9), known(of), records(of, mine, ANN)) == (0, {}, [None])
    note(mine, {ANN: "a" * 20, BOB: "b" * 24, "ann@example.org": "a" * 20})
    assert records(of, mine, BOB, CEM, ANN, BOB) == ["b" * 24, None, "a" * 20, "b" * 24]
    assert of.known().record_ids.dtype == "S24"
    assert (len(known(of)), of.count(9), of.count(2)) == (3, 3, 2)
    assert records(of, mine) == []


def test_each_look_up_has_keys_of_its_own(place: Place) -> None:
    mine = place.worker()
    of = memory(mine)
    assert memory(place.worker("another")).lookup_id == of.lookup_id
    others = [memory(mine, "contact by phone"), memory(mine, location_id="Location"), memory(mine, host="https://y")]
    assert len({one.lookup_id for one in [of, *others]}) == 4
    note(mine, {ANN: "mine"})
    for at, other in enumerate(others):
        assert records(other, mine, ANN) == [None]
        note(mine, {ANN: f"other {at}"}, of=other)
    assert [records(one, mine, ANN) for one in [of, *others]] == [["mine"], ["other 0"], ["other 1"], ["other 2"]]


def test_the_last_answer_counts(place: Place) -> None:
    mine, theirs = place.worker("mine"), place.worker("theirs")
    note(mine, {ANN: "old", BOB: "b"})
    place.clock.now = NOW + 10
    note(theirs, {ANN: "new"})
    of = memory(mine)
    assert records(of, mine, ANN, BOB) == ["new", "b"]
    rows = place.rows("SELECT record_id, confirmed, confirmed_by FROM ghl_keys ORDER BY record_id")
    assert rows == [("b", NOW, mine.attempt.load_number), ("new", NOW + 10, theirs.attempt.load_number)]
    key = keys_from_words(*hashes(mine, ANN))[0]
    mine.ledger.write_all(mine.attempt, {}, {of.lookup_id: KeyNotes([(key, "first"), (key, "second")], set())})
    assert records(of, mine, ANN) == ["second"]


@pytest.mark.parametrize("record_id", ["", "é", "x" * 65, "a\0b", "a\nb", "\x7f"])
def test_what_is_no_id_is_not_remembered_and_what_the_key_named_is_forgotten(place: Place, record_id: str) -> None:
    mine = place.worker()
    note(mine, {ANN: "a", BOB: "x" * 64})
    note(mine, {ANN: record_id, BOB: "b", CEM: record_id}, gone=[record_id])
    assert records(memory(mine), mine, ANN, BOB, CEM) == [None, "b", None]


def test_ids_may_hold_what_sql_and_patterns_are_made_of(place: Place) -> None:
    mine = place.worker()
    ids = [r"\x00", "a\\", "it's", "%s", "a b ", '"', "0", ":name"]
    note(mine, {f"{at}@example.com": record_id for at, record_id in enumerate(ids)})
    assert records(memory(mine), mine, *(f"{at}@example.com" for at in range(len(ids)))) == ids


def test_a_record_that_is_gone_has_no_keys(place: Place) -> None:
    mine = place.worker()
    phones = memory(mine, "contact by phone")
    note(mine, {ANN: "gone", BOB: "b", "ann@example.org": "gone", CEM: "Gone"})
    note(mine, {ANN: "gone"}, of=phones)
    note(mine, {"new@example.com": "new", "late@example.com": "gone"}, gone=["gone", "unheard of", "'"])
    keys = (ANN, BOB, "ann@example.org", CEM, "new@example.com", "late@example.com")
    assert records(memory(mine), mine, *keys) == [None, "b", None, "Gone", "new", None]
    assert records(phones, mine, ANN) == ["gone"]
    note(mine, {ANN: "again"}, gone=["b"])
    assert records(memory(mine), mine, ANN, BOB) == ["again", None]


def test_what_names_a_record_is_found_by_an_index(place: Place) -> None:
    mine, asked = place.worker(), list[tuple[str, Any]]()

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        asked.append((statement, parameters))

    note(mine, {ANN: "a"})
    sa.event.listen(place.shared, "before_cursor_execute", keep)
    note(mine, {}, gone=["a"])
    sa.event.remove(place.shared, "before_cursor_execute", keep)
    ((statement, parameters),) = [one for one in asked if one[0].startswith("DELETE FROM ghl_keys")]
    if place.kind != "postgresql":  # which reads small tables as a whole
        with place.shared.connect() as connection:
            plan = str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all())
        assert "ix_ghl_keys_record_id" in plan


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_everybody_takes_keys_in_one_order(place: Place) -> None:
    mine, rows = place.worker(), list[tuple[int, str]]()
    of = sorted(memory(mine, f"look-up {at}").lookup_id for at in range(3))

    def keep(_c: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        if statement.startswith("INSERT INTO ghl_keys"):
            rows.extend(zip(parameters["row_lookup_id"], parameters["row_record_id"], strict=True))

    sa.event.listen(place.shared, "before_cursor_execute", keep)
    keys = keys_from_words(*hashes(mine, *map(str, range(50))))
    found = {number: KeyNotes([(key, key.hex()) for key in keys], set()) for number in reversed(of)}
    mine.ledger.write_all(mine.attempt, {None: Notes()}, found)
    assert rows == sorted(rows)
    assert len(rows) == 150


def test_keys_are_written_with_the_other_notes_or_not_at_all(place: Place) -> None:
    mine = place.worker()
    of, pairs = memory(mine), mine.pairs("a-b")
    found = {of.lookup_id: KeyNotes([(b"k" * 16, "a")], set())}
    learned = Notes(learned=[(pairs.keys[0], ("a", "b"), None)], requests=7)
    with pytest.raises(KeyError):
        mine.ledger.write_all(mine.attempt, {mine.target_id: replace(learned, results=[{"outcome": "created"}])}, found)
    assert of.count(9) == 0
    mine.ledger.write_all(mine.attempt, {mine.target_id: learned}, found)
    assert (of.count(9), mine.ledger.relations.count(mine.target_id, 9)) == (1, 1)
    with pytest.raises(KeyError):
        mine.ledger.write_all(mine.attempt, {None: Notes(results=[{}])}, {of.lookup_id: KeyNotes([], {"a"})})
    assert of.count(9) == 1
    mine.ledger.write_all(mine.attempt, {}, {of.lookup_id: KeyNotes([], {"a"})})
    assert (of.count(9), mine.ledger.loads.list()[0]["requests"]) == (0, 7), "no totals, no change of them"


def test_what_others_learned_counts_from_the_attempt_on_and_what_the_load_learned_from_its_chain_on(place: Place) -> None:
    first, theirs = place.worker("mine"), place.worker("theirs")
    note(first, {ANN: "a"})
    note(theirs, {BOB: "b"})
    first.end()
    place.clock.now = NOW + 10
    again = place.worker("mine", try_number=2)
    assert records(memory(again), again, ANN, BOB) == ["a", None]
    note(theirs, {BOB: "b"})
    assert records(memory(again), again, ANN, BOB) == ["a", "b"]
    assert records(memory(again, max_age=1_000.0), again, ANN, BOB) == ["a", "b"]
    again.end(is_well=True)
    place.clock.now = NOW + 20
    tomorrow = place.worker("mine")
    assert records(memory(tomorrow), tomorrow, ANN, BOB) == [None, None]
    assert (memory(tomorrow).count(9), known(memory(tomorrow))) == (2, {})


def test_where_nothing_is_to_be_sent_the_ledgers_time_counts(place: Place) -> None:
    mine = place.worker()
    note(mine, {ANN: "a"})
    place.clock.now = NOW + 10
    plans = [Memories(mine.ledger, None, "https://x", 0.0, key_max_age=age).open_keys("location", "contact by email")
             for age in (None, 0.0, 1_000.0)]  # fmt: skip
    assert [records(plan, mine, ANN) for plan in plans] == [[None], [None], ["a"]]
    place.clock.now = NOW + 2_000
    plan = Memories(mine.ledger, None, "https://x", 1e9, key_max_age=1_000.0).open_keys("location", "contact by email")
    assert records(plan, mine, ANN) == [None], "the age of relations is another matter"


@pytest.mark.parametrize("max_age", [-1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("place", ["memory"], indirect=True)
def test_an_age_is_a_number_of_seconds(place: Place, max_age: float) -> None:
    with pytest.raises(ValueError, match="max_age"):
        memory(place.worker(), max_age=max_age)


def test_the_database_judges_as_python_does(place: Place) -> None:
    mine, chance = place.worker(), np.random.default_rng(4)
    keys = [chance.bytes(16) for _ in range(600)]
    of = memory(mine)
    mine.ledger.write_all(mine.attempt, {None: Notes()}, {of.lookup_id: KeyNotes([(key, "a") for key in keys], set())})
    moments = [NOW - 8 * DAY * chance.random() for _ in keys]
    confirm = sa.update(record_keys).where(record_keys.c.key == sa.bindparam("of")).values(confirmed=sa.bindparam("moment"))
    with place.engine().begin() as connection:
        connection.execute(confirm, [{"of": key, "moment": moment} for key, moment in zip(keys, moments, strict=True)])
    freshness = Freshness(NOW, NOW, 7 * DAY, load_number=mine.attempt.load_number, own_since=NOW - 2 * DAY)
    of = replace(of, freshness=freshness)
    by = mine.attempt.load_number
    expected = [freshness.is_fresh(at, phase, by) for at, phase in zip(moments, phases(keys), strict=True)]
    words = [(int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")) for key in keys]
    assert known(of).keys() == {one for one, is_fresh in zip(words, expected, strict=True) if is_fresh}
    high, low = (np.array(column, dtype=np.uint64) for column in zip(*words, strict=True))
    assert [one is not None for one in of.look_up(high, low)] == expected
    assert 100 < sum(expected) < 500


def test_high_words_may_collide(place: Place) -> None:
    mine = place.worker()
    words = [(7, low) for low in (3, 1, 2**64 - 1, 2)] + [(2**64 - 1, 0), (0, 0)]
    keys = [(high << 64 | low).to_bytes(16, "big") for high, low in words]
    of = memory(mine)
    found = [(key, f"record {at}") for at, key in enumerate(keys)]
    mine.ledger.write_all(mine.attempt, {None: Notes()}, {of.lookup_id: KeyNotes(found, set())})
    assert known(of) == {one: f"record {at}" for at, one in enumerate(words)}


def test_large_look_ups_are_read_in_pieces(place: Place) -> None:
    mine, chance = place.worker(), np.random.default_rng(5)
    of = memory(mine)
    keys = {chance.bytes(16): "r" * int(chance.integers(1, 30)) for _ in range(1_500)}
    mine.ledger.write_all(mine.attempt, {None: Notes()}, {of.lookup_id: KeyNotes(list(keys.items()), set())})
    expected = {(int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")): one for key, one in keys.items()}
    assert known(of) == expected
    for piece in (10, 700, 1_500):
        mine.ledger.keys = LedgerKeys(Database(place.engine()), keys_in_a_piece=piece)
        assert known(of) == expected


def test_keys_and_pairs_do_not_mix(place: Place) -> None:
    mine = place.worker()
    assert memory(mine).lookup_id == mine.target_id, "numbers of their own"
    mine.learned("a-b")
    note(mine, {ANN: "a"})
    assert (memory(mine).count(9), mine.ledger.relations.count(mine.target_id, 9)) == (1, 1)
    pair = Pairs.build(mine.ledger, [("a", "b")])
    assert memory(mine).look_up(pair.high, pair.low) == [None]
