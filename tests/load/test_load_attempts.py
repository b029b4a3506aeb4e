"""Tries of one load, and two loads of one table at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from remembering import DAY, PAIRS, Pair, Time, evidence, known, server
from simulated_highlevel import ASSOCIATION, KEY, LOCATION, SimulatedServer
from simulated_load import Load, load_pairs

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import Freshness, Notes
from airflow_provider_ghl.load.ledger.pairs import keys_from_words
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst


class TestAttempts:
    def stopped(self, ledger: Ledger, world: SimulatedServer, seconds: float) -> Load:
        stop = Stop(world.clock)
        stop.set_at(world.clock.now + seconds)
        return load_pairs(PAIRS, world, ledger=ledger, stop=stop)

    def test_the_next_try_continues(self, ledger: Ledger) -> None:
        world = server(limit=50)
        first = self.stopped(ledger, world, 22.0)
        assert first.verdict.end is End.RETRYABLE
        assert 100 <= first.summary["created"] < 300
        second = load_pairs(PAIRS, world, ledger=ledger, try_number=2)
        assert evidence(second) == {
            ("created", "ledger"): first.summary["created"],
            ("created", "answer"): 300 - first.summary["created"],
        }
        assert second.summary["requests"] - second.summary["rate_limited"] == 1 + 300 - first.summary["created"]
        ids = {pair: relation_id for pair, relation_id in world.relations.items()}
        for result in second.results:
            assert result["relation_id"] == ids[(result["first_record_id"], result["second_record_id"])]

    def test_an_answer_that_was_lost_with_the_attempt_is_presumed(self, ledger: Ledger) -> None:
        """The request took effect, but the process ended before the answer."""
        world = server(faults={n: "hang_after" for n in range(1, 400)})
        first = self.stopped(ledger, world, 5.0)
        lost = len(world.creations)
        assert lost > 0
        assert first.summary["failed"] == lost
        world.faults = {}
        second = load_pairs(PAIRS, world, ledger=ledger, try_number=2)
        assert evidence(second) == {("created", "presumed"): lost, ("created", "answer"): 300 - lost}

    def test_a_refused_token_is_no_evidence_about_an_earlier_try(self, ledger: Ledger) -> None:
        world = server(faults={n: "hang_after" for n in range(1, 400)})
        self.stopped(ledger, world, 5.0)
        lost = len(world.creations)
        world.faults = {}
        world.refuse_token_from = len(world.sent_at) + 1  # the association is read
        assert load_pairs(PAIRS, world, ledger=ledger, try_number=2).verdict.end is End.FINAL
        world.refuse_token_from = None
        third = load_pairs(PAIRS, world, ledger=ledger, try_number=3)
        assert evidence(third) == {("created", "presumed"): lost, ("created", "answer"): 300 - lost}

    def test_a_refused_token_does_not_change_what_is_known(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        time.now += 31 * DAY
        world.refuse_token_from = len(world.sent_at) + 1  # the association is read
        load_pairs(PAIRS[:7], world, ledger=ledger, load_id="refused")  # each of another teacher, so no relation is read
        assert known(ledger) == 300

    def test_what_was_claimed_and_never_sent_is_not_presumed(self, ledger: Ledger) -> None:
        world = server(limit=50)
        world.add(*PAIRS)
        self.stopped(ledger, world, 12.0)
        second = load_pairs(PAIRS, world, ledger=ledger, try_number=2)
        assert second.summary["created"] == 0

    @pytest.mark.parametrize("diff_against", [DiffAgainst.HIGHLEVEL, DiffAgainst.NONE])
    def test_what_others_confirmed_since_its_first_try_is_not_trusted(
        self, ledger: Ledger, time: Time, diff_against: DiffAgainst
    ) -> None:
        """Monday's load is red. Another load confirms a relation, somebody removes it, and Monday's task is cleared."""
        world = server(missing=frozenset({"gone"}))
        bad = ("gone", "teacher1")
        load_pairs([PAIRS[0], bad], world, ledger=ledger, load_id="monday", diff_against=diff_against)
        time.now += DAY
        load_pairs(PAIRS, world, ledger=ledger, load_id="tuesday")
        for pair in PAIRS[10:30]:
            del world.relations[pair]
        time.now += DAY
        again = load_pairs([*PAIRS, bad], world, ledger=ledger, load_id="monday", try_number=2, diff_against=diff_against)
        assert again.summary["created"] == 1 + 20
        assert set(PAIRS) <= set(world.relations)

    @pytest.mark.parametrize("pairs", [PAIRS[:7], PAIRS[:50:7]], ids=["sent", "read"])
    def test_what_it_created_stays_created_even_if_another_confirmed_it_last(
        self, ledger: Ledger, time: Time, pairs: list[Pair]
    ) -> None:
        world = server(missing=frozenset({"gone"}))
        bad = ("gone", "teacher1")
        load_pairs([*pairs, bad], world, ledger=ledger, load_id="monday")
        time.now += DAY
        load_pairs(PAIRS, world, ledger=ledger, load_id="tuesday", diff_against=DiffAgainst.HIGHLEVEL)
        time.now += DAY
        again = load_pairs([*pairs, bad], world, ledger=ledger, load_id="monday", try_number=2, ledger_max_age=timedelta(0))
        assert evidence(again) == {("created", "presumed"): len(pairs), ("rejected", None): 1}

    def test_results_are_those_of_the_last_try(self, ledger: Ledger) -> None:
        """The rows have another order in the second try."""
        world = server(missing=frozenset({"gone"}))
        bad = ("gone", "teacher1")
        load_pairs([*PAIRS[:5], bad], world, ledger=ledger)
        rows = [bad, *reversed(PAIRS[:3])]
        load_pairs(rows, world, ledger=ledger, try_number=2)
        kept = list(ledger.loads.results(1))
        assert [(row["row"], row["first_record_id"], row["outcome"]) for row in kept] == [
            (0, "gone", "rejected"),
            (1, "student2", "created"),
            (2, "student1", "created"),
            (3, "student0", "created"),
        ]
        assert all(row["relation_id"] for row in kept[1:])

    def test_after_a_green_end_a_load_begins_anew(self, ledger: Ledger) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        assert evidence(load_pairs(PAIRS, world, ledger=ledger)) == {("already_exists", "ledger"): 300}

    def test_requests_are_counted_over_a_wait_for_quota(self, ledger: Ledger) -> None:
        world = server(daily_limit=100)
        first = load_pairs(PAIRS, world, ledger=ledger, defer_timeout=timedelta(days=7))
        assert (first.verdict.end, first.summary["requests"]) == (End.DEFERRED, 100)
        world.daily_limit = 10_000
        second = load_pairs(PAIRS, world, ledger=ledger, is_resumed=True, max_requests=250)
        assert second.summary["requests"] == 250
        assert second.summary["created"] == 99 + 149 - second.summary["rate_limited"]


class TestTwoAtOnce:
    def test_what_another_load_is_sending_is_left_to_it(self, ledger: Ledger, time: Time) -> None:
        """The other load claims a batch, and sends it long after this one has tried to claim it."""
        world = server()
        attempt, target_id = self.other(ledger)
        self.claim(ledger, attempt, target_id, PAIRS[:50])

        def confirm() -> None:
            world.add(*PAIRS[:50])
            self.confirm(ledger, attempt, target_id, PAIRS[:50])

        load = load_pairs(PAIRS, world, ledger=ledger, prepare=lambda workers: workers.at(world.clock.now + 100.0, confirm))
        assert evidence(load) == {("already_exists", "ledger"): 50, ("created", "answer"): 250}
        assert not any(pair in world.creations for pair in PAIRS[:50])

    def test_what_a_dead_load_claimed_is_taken_over(self, ledger: Ledger, time: Time) -> None:
        world = server()
        attempt, target_id = self.other(ledger)
        self.claim(ledger, attempt, target_id, PAIRS[:50])

        def die() -> None:
            time.now += 61.0

        load = load_pairs(PAIRS, world, ledger=ledger, prepare=lambda workers: workers.at(world.clock.now + 100.0, die))
        assert evidence(load) == {("created", "answer"): 300}
        assert load.seconds >= 100.0

    def test_what_the_other_gave_back_is_sent(self, ledger: Ledger) -> None:
        world = server()
        attempt, target_id = self.other(ledger)
        self.claim(ledger, attempt, target_id, PAIRS[:50])

        def end() -> None:
            ledger.loads.end(attempt, end="retryable", message="", counts={}, is_well=False)

        load = load_pairs(PAIRS, world, ledger=ledger, prepare=lambda workers: workers.at(world.clock.now + 60.0, end))
        assert evidence(load) == {("created", "answer"): 300}

    def test_after_a_stop_they_are_not_attempted(self, ledger: Ledger) -> None:
        world = server()
        attempt, target_id = self.other(ledger)
        self.claim(ledger, attempt, target_id, PAIRS[:50])
        stop = Stop(world.clock)
        stop.set_at(world.clock.now + 100.0)
        load = load_pairs(PAIRS, world, ledger=ledger, stop=stop)
        assert (load.summary["created"], load.summary["not_attempted"]) == (250, 50)
        assert "another load was sending it" in load.results[0]["reason"]

    def other(self, ledger: Ledger) -> tuple[Any, int]:
        attempt = ledger.loads.begin("other", try_number=1, is_resumed=False, location_id=LOCATION, association=KEY)
        return attempt, ledger.relations.target(DEFAULT_HOST, LOCATION, ASSOCIATION)

    def claim(self, ledger: Ledger, attempt: Any, target_id: int, pairs: list[Pair]) -> None:
        first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
        high, low = ledger.identity((first, second))
        freshness = Freshness(1_800_000_000.0, 1_800_000_000.0, None)
        ledger.relations.claim(attempt, target_id, high, low, first.tolist(), second.tolist(), freshness)

    def confirm(self, ledger: Ledger, attempt: Any, target_id: int, pairs: list[Pair]) -> None:
        first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
        keys = keys_from_words(*ledger.identity((first, second)))
        ledger.write(attempt, target_id, Notes(there=[(key, None, True) for key in keys]))
