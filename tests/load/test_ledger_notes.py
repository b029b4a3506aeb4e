"""What HighLevel answers becomes known, and what no longer exists is forgotten."""

from __future__ import annotations

import numpy as np
import pytest
from ledgers import NOW, Pairs, Place, Worker

from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.notes import ClaimResult, Freshness, Knowledge, Notes
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.relations import LedgerRelations

AGAIN, OURS, SENT = Knowledge.OURS_SENT, Knowledge.OURS, Knowledge.SENT
OURS_STALE, STALE, THERE, UNKNOWN = Knowledge.OURS_STALE, Knowledge.STALE, Knowledge.THERE, Knowledge.UNKNOWN


def known(worker: Worker, load_number: int | None = None) -> list[tuple[tuple[int, int], bool]]:
    found = worker.ledger.relations.known(worker.target_id, worker.freshness, load_number)
    assert found.high.dtype == found.low.dtype == np.uint64
    assert found.is_ours.dtype == np.bool_
    words = list(zip(found.high.tolist(), found.low.tolist(), strict=True))
    assert words == sorted(set(words))
    return list(zip(words, found.is_ours.tolist(), strict=True))


def words(pairs: Pairs) -> list[tuple[int, int]]:
    return list(zip(pairs.high.tolist(), pairs.low.tolist(), strict=True))


def test_a_target_has_one_number(place: Place) -> None:
    relations = place.ledger().relations
    number = relations.target("https://x", "l", "a")
    assert number == relations.target("https://x", "l", "a") == place.ledger().relations.target("https://x", "l", "a")
    others = {relations.target(*names) for names in (("https://y", "l", "a"), ("https://x", "L", "a"), ("https://x", "l", "b"))}
    assert len(others | {number}) == 4


def test_what_was_read_is_known_and_stays_whose_it_was(place: Place) -> None:
    mine, theirs = place.worker("mine"), place.worker("theirs")
    mine.claim("made-1", "open-1")
    mine.made("made-1")
    theirs.claim("theirs-1")
    mine.learned("made-1", "open-1", "theirs-1", "new-1", relation_id="read")
    # The first was made under another id: whoever made the one that was read is unknown.
    assert mine.knows("made-1", "open-1", "theirs-1", "new-1") == [THERE, OURS, THERE, THERE]
    assert mine.ids("made-1", "open-1", "theirs-1", "new-1") == ["read"] * 4
    assert theirs.knows("theirs-1") == [THERE], "it was there before, or another made it: nobody knows"
    mine.learned("made-1", relation_id=None)
    assert mine.ids("made-1") == ["read"]
    assert place.rows("SELECT count(*) FROM ghl_relations WHERE attempt IS NOT NULL") == [(1,)], "a live claim keeps its owner"
    theirs.made("theirs-1", is_ours=False)
    assert place.rows("SELECT count(*) FROM ghl_relations WHERE attempt IS NOT NULL") == [(0,)]
    mine.learned("twice-1", "twice-1")
    assert mine.knows("twice-1") == [THERE]


def test_known_is_what_is_there_and_fresh_of_one_target(place: Place) -> None:
    mine = place.worker("mine")
    assert known(mine) == []
    mine.claim("made-1", "open-1")
    mine.made("made-1")
    mine.learned("read-1")
    other = mine.ledger.relations.target("https://x", "location", "others")
    of = mine.pairs("elsewhere-1")
    mine.ledger.write(mine.attempt, other, Notes(learned=[(of.keys[0], ("elsewhere", "1"), None)]))
    made, read = words(mine.pairs("made-1", "read-1"))
    assert known(mine) == sorted([(made, False), (read, False)])
    assert known(mine, mine.attempt.load_number) == sorted([(made, True), (read, False)])
    assert known(mine, 12_345) == sorted([(made, False), (read, False)])
    place.clock.now = NOW + 10
    mine.learned("read-1")
    mine.at(NOW + 5)
    assert known(mine, mine.attempt.load_number) == [(read, False)]
    assert mine.knows("made-1", "read-1", "open-1") == [OURS_STALE, THERE, AGAIN]
    assert mine.ledger.relations.count(mine.target_id, 10) == 2
    assert mine.ledger.relations.count(mine.target_id, 1) == 1


def test_a_moment_that_is_given_is_when_it_was_confirmed(place: Place) -> None:
    mine = place.worker("mine")
    mine.claim("a-b")
    mine.note(there=[(mine.pairs("a-b").keys[0], None, True)], confirmed_at=NOW - 100)
    mine.learned("c-d", confirmed_at=NOW - 50)
    assert place.rows("SELECT first_record_id, confirmed FROM ghl_relations ORDER BY 1") == [("a", NOW - 100), ("c", NOW - 50)]


def test_high_words_may_collide(place: Place) -> None:
    mine = place.worker("mine")
    pairs = [(7, low) for low in (1, 2, 3, 2**64 - 1)] + [(2**64 - 1, 0), (0, 0)]
    keys = [(high << 64 | low).to_bytes(16, "big") for high, low in pairs]
    mine.note(learned=[(key, ("a", "b"), None) for key in keys])
    high, low = (np.array(column, dtype=np.uint64) for column in zip(*pairs, strict=True))
    ids = ["a"] * 6
    mine.ledger.relations.claim(mine.attempt, mine.target_id, high, low, ids, ids, Freshness(NOW + 1, NOW + 1, None))
    mine.note(there=[(key, None, True) for key in keys[1:3]])
    assert known(mine) == [(pair, False) for pair in sorted(pairs)]
    theirs = place.rows("SELECT count(*) FROM ghl_relations WHERE load IS NULL")
    assert theirs == [(4,)]
    assert [pair for pair, is_ours in known(mine, mine.attempt.load_number) if is_ours] == [(7, 2), (7, 3)]


def test_large_targets_are_read_in_pieces(place: Place) -> None:
    mine = place.worker("mine")
    chance = np.random.default_rng(5)
    high, low = (chance.integers(0, 2**64, 5_000, dtype=np.uint64) for _ in range(2))
    data = np.stack([high, low], axis=1).astype(">u8").tobytes()
    keys = [data[at : at + 16] for at in range(0, len(data), 16)]
    mine.note(learned=[(key, ("a", "b"), None) for key in keys])
    expected = sorted(zip(high.tolist(), low.tolist(), strict=True))
    assert [pair for pair, _ in known(mine)] == expected
    for piece in (10, 700, 5_000):
        mine.ledger.relations = LedgerRelations(Database(place.engine()), Process.current(), pairs_in_a_piece=piece)
        assert [pair for pair, _ in known(mine)] == expected


def test_a_record_that_does_not_exist_has_no_relations(place: Place) -> None:
    mine, alive, dead = place.worker("mine"), place.worker("alive"), place.worker("dead", Process("elsewhere", 1, "1"))
    mine.claim("gone-1", "1-gone", "other-1")
    mine.learned("gone-2", "2-Gone")
    alive.claim("gone-3")
    dead.claim("gone-4")
    elsewhere = []
    for host, location, association in (
        ("x", "location", "others"),
        ("x", "elsewhere", "friends"),
        ("y", "location", "friends"),
    ):
        number = mine.ledger.relations.target(f"https://{host}", location, association)
        mine.ledger.write(mine.attempt, number, Notes(learned=[(mine.pairs("gone-9").keys[0], ("gone", "9"), None)]))
        elsewhere.append(number)
    place.clock.now = NOW + 61
    alive.note()
    mine.note(missing=({"gone", "unheard of", "'"}, {"gone"}))
    assert mine.knows("gone-1", "1-gone", "other-1", "gone-2", "2-Gone") == [UNKNOWN, UNKNOWN, AGAIN, UNKNOWN, THERE]
    assert mine.knows("gone-3", "gone-4") == [SENT, UNKNOWN]
    assert [mine.ledger.relations.count(number, 9) for number in elsewhere] == [1, 1, 1]


def test_notes_are_written_together_or_not_at_all(place: Place) -> None:
    mine = place.worker("mine")
    mine.claim("a-b")
    with pytest.raises(KeyError):
        mine.note(there=[(mine.pairs("a-b").keys[0], "id", True)], results=[{"outcome": "created"}])
    assert mine.knows("a-b") == [AGAIN]
    with pytest.raises(ValueError, match="need their target"):
        mine.ledger.write(mine.attempt, None, Notes(refused=[b"x" * 16]))
    mine.made("a-b")
    assert mine.claim("a-b") == [ClaimResult.OURS]


def test_writing_twice_is_as_good_as_once(place: Place) -> None:
    mine = place.worker("mine")
    mine.claim("a-b", "c-d")
    result = {"row": 3, "outcome": "created", "requests": 1, "try_number": 1}
    a, c = mine.pairs("a-b", "c-d").keys
    for _ in range(2):
        mine.note(there=[(a, "id", True)], refused=[c], learned=[(b"k" * 16, ("e", "f"), None)], results=[result], requests=7)
    assert mine.knows("a-b", "c-d") == [OURS, UNKNOWN]
    assert [row["row"] for row in mine.ledger.loads.results(mine.attempt.load_number)] == [3]
    assert mine.ledger.loads.list()[0]["requests"] == 7


def test_each_ledger_has_keys_of_its_own_and_keeps_them(place: Place, tmp_path: object) -> None:
    first, again = place.ledger(), place.ledger()
    a, b = np.array(["a"], dtype=object), np.array(["b"], dtype=object)
    assert (first.id, first.identity((a, b))) == (again.id, again.identity((a, b)))
    other = Place("memory", "sqlite://")
    assert other.ledger().id != first.id
    assert other.ledger().identity((a, b)) != first.identity((a, b))
    other.close()
