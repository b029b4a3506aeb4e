"""A pair is sent by one attempt at a time, and the next attempt knows which pairs may have been sent without an answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ledgers import NOW, Pairs, Place

from airflow_provider_ghl.load.ledger.notes import ClaimResult, Knowledge
from airflow_provider_ghl.load.ledger.process import Process

OTHER = Process("another machine", 1, "1")
CLAIMED, AGAIN, THERE, OURS, HELD = ClaimResult


def test_a_pair_is_claimed_once_and_a_repeated_claim_gets_the_same_result(place: Place) -> None:
    mine, theirs = place.worker("mine"), place.worker("theirs")
    assert mine.claim("a-b", "b-a", "A-b") == [CLAIMED] * 3
    assert theirs.claim("b-a", "x-y", "a-b") == [HELD, CLAIMED, HELD]
    assert mine.claim("a-b", "x-y") == [CLAIMED, HELD]
    assert mine.knows("a-b", "x-y", "never-seen") == [Knowledge.OURS_SENT, Knowledge.SENT, Knowledge.UNKNOWN]
    assert mine.claim() == []
    assert mine.claim("q-q", "q-q") == [CLAIMED, CLAIMED]


def test_an_answer_ends_a_claim(place: Place) -> None:
    mine, theirs = place.worker("mine"), place.worker("theirs")
    mine.claim("made-1", "was-there", "refused-1")
    mine.made("made-1")
    mine.made("was-there", is_ours=False, relation_id=None)
    mine.refused("refused-1")
    assert mine.claim("made-1", "was-there", "refused-1") == [OURS, THERE, CLAIMED]
    assert theirs.claim("made-1", "was-there", "refused-1") == [THERE, THERE, HELD]
    assert mine.knows("made-1", "was-there") == [Knowledge.OURS, Knowledge.THERE]
    assert mine.ids("was-there", "made-1", "no-such") == [None, "id", None]


def test_the_next_attempt_knows_which_pairs_got_no_answer(place: Place) -> None:
    first = place.worker("mine")
    first.claim("open-1", "done-1")
    first.made("done-1")
    first.end()
    place.clock.now += 1
    second = place.worker("mine", try_number=2)
    assert second.claim("open-1", "done-1", "new-1") == [AGAIN, OURS, CLAIMED]
    assert second.claim("open-1", "done-1", "new-1") == [AGAIN, OURS, CLAIMED]
    second.end()
    third = place.worker("mine", try_number=3)
    assert third.claim("open-1", "new-1") == [AGAIN, AGAIN]
    third.made("open-1")
    third.refused("new-1")
    assert third.claim("open-1", "new-1") == [OURS, CLAIMED]


def test_what_an_attempt_of_another_load_left_open_was_never_sent_by_this_one(place: Place) -> None:
    theirs = place.worker("theirs")
    theirs.claim("open-1", "was-there")
    theirs.end()
    mine = place.worker("mine")
    assert mine.claim("open-1", "was-there") == [CLAIMED, CLAIMED]
    mine.made("open-1", is_ours=False)
    mine.made("was-there")
    assert mine.claim("open-1", "was-there") == [THERE, OURS]


def test_a_load_that_ended_well_starts_anew(place: Place) -> None:
    first = place.worker("mine")
    first.claim("made-1", "open-1")
    first.made("made-1")
    first.end(is_well=True)
    again = place.worker("mine", try_number=2)
    assert again.claim("made-1", "open-1") == [THERE, CLAIMED]
    assert not again.ledger.relations.known(again.target_id, again.freshness, again.attempt.load_number).is_ours.any()


def test_an_attempt_without_a_heartbeat_for_a_minute_is_dead(place: Place) -> None:
    theirs, mine = place.worker("theirs", OTHER), place.worker("mine")
    theirs.claim("a-b")
    place.clock.now = NOW + 60
    assert mine.claim("a-b") == [HELD]
    place.clock.now = NOW + 60.5
    assert mine.claim("a-b") == [CLAIMED]
    assert theirs.claim("a-b") == [HELD]


@pytest.mark.parametrize("how", ["beat", "write", "claim"])
def test_a_heartbeat_keeps_a_claim(place: Place, how: str) -> None:
    theirs, mine = place.worker("theirs", OTHER), place.worker("mine")
    theirs.claim("a-b")
    place.clock.now = NOW + 50
    if how == "beat":
        theirs.ledger.loads.beat(theirs.attempt, 1, 0, 0)
    elif how == "write":
        theirs.note()
    else:
        theirs.claim("another-one")
    place.clock.now = NOW + 100
    assert mine.claim("a-b") == [HELD]


def test_a_process_that_is_gone_is_dead_at_once(place: Place) -> None:
    here = Process.current()
    for gone in (replace(here, pid=2**22 + 1), replace(here, began="1")):
        theirs, mine = place.worker("theirs", gone), place.worker("mine")
        theirs.claim("a-b")
        assert mine.claim("a-b") == [CLAIMED]
        mine.release("a-b")


def test_a_claim_that_was_not_sent_is_given_back(place: Place) -> None:
    first = place.worker("mine")
    first.claim("open-1", "stale-1")
    first.made("stale-1")
    first.end()
    second, theirs = place.worker("mine", try_number=2), place.worker("theirs")
    second.at(NOW + 5)
    assert second.claim("open-1", "stale-1", "new-1") == [AGAIN, AGAIN, CLAIMED]
    theirs.claim("held-1")
    second.release("open-1", "stale-1", "new-1", "held-1", again=["open-1"])
    assert second.knows("open-1", "stale-1", "new-1", "held-1") == [
        *(Knowledge.OURS_SENT, Knowledge.OURS_STALE, Knowledge.UNKNOWN, Knowledge.SENT)
    ]
    theirs.at(NOW + 5)
    assert second.claim("open-1") == [AGAIN]
    second.release("open-1", again=["open-1"])
    assert theirs.claim("open-1", "stale-1", "new-1", "held-1") == [CLAIMED] * 4


def test_a_stale_pair_is_claimed_and_stays_known_until_its_answer(place: Place) -> None:
    maker = place.worker("maker")
    maker.claim("a-b", "gone-1")
    maker.made("a-b", "gone-1")
    mine, theirs = place.worker("mine"), place.worker("theirs")
    for worker in (mine, theirs):
        worker.at(NOW + 10)
    assert mine.claim("a-b", "gone-1") == [CLAIMED, CLAIMED]
    assert theirs.claim("a-b") == [HELD]
    assert mine.knows("a-b") == [Knowledge.STALE]
    mine.end()
    mine = place.worker("mine", try_number=2)
    mine.at(NOW + 10)
    assert mine.claim("a-b", "gone-1") == [CLAIMED, CLAIMED]
    place.clock.now = NOW + 20
    mine.made("a-b", relation_id=None, is_ours=False)
    mine.refused("gone-1")
    assert theirs.claim("a-b", "gone-1") == [THERE, CLAIMED]
    assert mine.ids("a-b") == ["id"]
    assert maker.knows("a-b") == [Knowledge.OURS], "whose it was, it stays"


def test_an_answer_that_comes_after_its_claim_was_taken_over_counts(place: Place) -> None:
    slow, quick = place.worker("slow", OTHER), place.worker("quick")
    slow.claim("a-b", "c-d")
    place.clock.now = NOW + 100
    assert quick.claim("a-b", "c-d") == [CLAIMED, CLAIMED]
    slow.made("a-b")
    slow.refused("c-d")
    assert quick.knows("a-b", "c-d") == [Knowledge.THERE, Knowledge.OURS_SENT]
    quick.made("a-b", is_ours=False)
    assert slow.knows("a-b") == [Knowledge.OURS]


def test_more_pairs_than_a_statement_holds(place: Place) -> None:
    mine = place.worker("mine")
    pairs = [f"{row}'-ü{row}🙂" for row in range(12_345)]
    assert set(mine.claim(*pairs)) == {CLAIMED}
    mine.made(*pairs[:11_000])
    assert set(mine.claim(*pairs[:11_000])) == {OURS}
    assert mine.knows(*pairs) == [Knowledge.OURS] * 11_000 + [Knowledge.OURS_SENT] * 1_345
    assert mine.ids(*pairs[10_999:11_001]) == ["id", None]
    mine.release(*pairs[11_000:])
    known = mine.ledger.relations.known(mine.target_id, mine.freshness, None)
    of = Pairs.build(mine.ledger, [tuple(pair.split("-", 1)) for pair in pairs[:11_000]])  # type: ignore[misc]
    assert sorted(zip(of.high.tolist(), of.low.tolist(), strict=True)) == list(
        zip(known.high.tolist(), known.low.tolist(), strict=True)
    )
    assert not known.is_ours.any()
    mine.refused(*pairs)
    assert place.rows("SELECT count(*) FROM ghl_relations") == [(11_000,)], "what is there was no claim any more"


def test_ids_are_kept_as_they_are(place: Place) -> None:
    mine = place.worker("mine")
    odd = ["'; DROP TABLE ghl_relations; --", '"%s" {x} :y $1 \\', "ü 🙂 e\u0301", " ", "x" * 5_000]
    of = Pairs.build(mine.ledger, [(one, one[::-1]) for one in odd])
    results = mine.ledger.relations.claim(mine.attempt, mine.target_id, of.high, of.low, of.first, of.second, mine.freshness)
    assert not np.any(results)
    found = place.rows("SELECT first_record_id, second_record_id FROM ghl_relations")
    assert sorted(found) == sorted((one, one[::-1]) for one in odd)
