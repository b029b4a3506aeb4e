"""Loads that remember: nothing is asked twice that is known, and nothing is skipped that is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

import pytest
import sqlalchemy as sa
from simulated_highlevel import ASSOCIATION, KEY, LOCATION, FakeClock, SimulatedServer
from simulated_load import Load, load_pairs

from airflow_provider_ghl.api.clock import Stop
from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import Chosen
from airflow_provider_ghl.load.outcomes import End
from airflow_provider_ghl.load.spec import DiffAgainst

Pair = tuple[str, str]
PAIRS = [(f"student{n}", f"teacher{n % 7}") for n in range(300)]
DAY = 86_400.0


class Time:
    """The database's."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self, connection: sa.Connection) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ledger(time: Time) -> Iterator[Ledger]:
    made = Ledger(sa.create_engine("sqlite://"), database_time=time)
    yield made
    made.close()


def server(**options: Any) -> SimulatedServer:
    return SimulatedServer(FakeClock(), **options)


def evidence(load: Load) -> Counter[tuple[str, str | None]]:
    return Counter((result["outcome"], result["evidence"]) for result in load.verdict.results)


def known(ledger: Ledger) -> int:
    return int(ledger.statistics()["relations"])


class TestAgain:
    def test_an_unchanged_table_costs_one_request(self, ledger: Ledger) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        again = load_pairs(PAIRS, world, ledger=ledger, load_id="tomorrow")
        assert again.summary["requests"] == 1
        assert evidence(again) == {("already_exists", "ledger"): 300}
        assert set(world.creations.values()) == {1}

    def test_new_pairs_are_sent(self, ledger: Ledger) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        again = load_pairs([*PAIRS, ("new", "teacher1"), *PAIRS[:5]], world, ledger=ledger, load_id="tomorrow")
        assert again.summary["requests"] == 2
        assert evidence(again) == {("already_exists", "ledger"): 300, ("created", "answer"): 1, ("repeated", None): 5}
        assert again.verdict.results[-1]["reason"] == "the same pair as row 4"

    def test_what_was_there_before_is_remembered_too(self, ledger: Ledger) -> None:
        world = server()
        world.add(*PAIRS)
        assert evidence(load_pairs(PAIRS, world, ledger=ledger)) == {("already_exists", "answer"): 300}
        assert load_pairs(PAIRS, world, ledger=ledger).summary["requests"] == 1

    @pytest.mark.parametrize("rows", [10, 5_000])
    def test_a_small_and_a_large_table_find_the_same(self, ledger: Ledger, rows: int) -> None:
        """A few pairs are looked up one by one, many are loaded at once."""
        pairs = [(f"s{n}", "t") for n in range(rows)]
        world = server(limit=10_000)
        load_pairs(pairs[::2], world, ledger=ledger)
        again = load_pairs(pairs, world, ledger=ledger, load_id="tomorrow")
        assert evidence(again) == {("already_exists", "ledger"): rows // 2, ("created", "answer"): rows // 2}

    def test_a_refusal_is_asked_again(self, ledger: Ledger) -> None:
        world = server(missing=frozenset({"student3"}))
        assert load_pairs(PAIRS[:6], world, ledger=ledger, tolerance=1).summary["rejected"] == 1
        world.missing = frozenset()
        assert evidence(load_pairs(PAIRS[:6], world, ledger=ledger)) == {
            ("already_exists", "ledger"): 5,
            ("created", "answer"): 1,
        }

    def test_another_host_and_another_association_are_not_known(self, ledger: Ledger) -> None:
        load_pairs(PAIRS[:5], server(), ledger=ledger)
        recreated = server(associations={KEY: "6758b5c1f5e2a1d3c4b5ffff"})
        assert load_pairs(PAIRS[:5], recreated, ledger=ledger).summary["created"] == 5
        targets = [(one["host"], one["association_id"]) for one in ledger.statistics()["targets"]]
        assert targets == [(DEFAULT_HOST, ASSOCIATION), (DEFAULT_HOST, "6758b5c1f5e2a1d3c4b5ffff")]

    def test_a_record_that_is_gone_takes_its_pairs_along(self, ledger: Ledger) -> None:
        world = server()
        rows = [("gone", "teacher1"), ("gone", "teacher2"), ("student1", "gone")]
        load_pairs(rows, world, ledger=ledger)
        world.missing = frozenset({"gone"})
        load_pairs([("gone", "teacher3")], world, ledger=ledger, tolerance=1)
        # On the other side it may be another kind of record, that is there.
        assert known(ledger) == 1


class TestAge:
    def test_nothing_is_older_than_it_may_be(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        looked_up = []
        for day in range(30):
            time.now += DAY
            looked_up.append(load_pairs(PAIRS, world, ledger=ledger, load_id=f"day {day}").summary["requests"] - 1)
        # Each in a day of its own; some of a teacher's students come up together, and are read at once.
        assert 7 <= sum(looked_up) <= 300
        assert max(looked_up) <= 7
        oldest = ledger.statistics()["oldest_confirmed"]
        assert time.now - oldest <= 30 * DAY

    def test_those_of_one_record_are_read_together(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        time.now += 31 * DAY
        again = load_pairs(PAIRS, world, ledger=ledger, load_id="next month")
        assert again.summary["requests"] == 1 + 7
        assert evidence(again) == {("already_exists", "read"): 300}

    def test_a_relation_that_was_removed_is_made_again(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        del world.relations[PAIRS[5]], world.relations[PAIRS[200]]
        assert load_pairs(PAIRS, world, ledger=ledger).summary["created"] == 0
        time.now += 1.0
        again = load_pairs(PAIRS, world, ledger=ledger, load_id="strict", ledger_max_age=timedelta(0))
        assert evidence(again) == {("already_exists", "read"): 298, ("created", "answer"): 2}

    def test_single_ones_are_sent(self, ledger: Ledger, time: Time) -> None:
        world = server()
        pairs = [(f"s{n}", f"t{n}") for n in range(50)]
        load_pairs(pairs, world, ledger=ledger)
        time.now += 31 * DAY
        again = load_pairs(pairs, world, ledger=ledger, load_id="next month")
        assert again.summary["requests"] == 51
        assert evidence(again) == {("already_exists", "answer"): 50}
        assert load_pairs(pairs, world, ledger=ledger, load_id="once more").summary["requests"] == 1


class TestHighLevel:
    HUBS: ClassVar = [(f"student{n}", f"teacher{n % 20}") for n in range(2_000)]

    @pytest.mark.parametrize("page_cap", [100, 40])
    def test_pages_are_read_instead_of_rows_sent(self, ledger: Ledger, page_cap: int) -> None:
        world = server(page_cap=page_cap)
        world.add(*self.HUBS)
        load = load_pairs(self.HUBS, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, batch_size=100_000)
        assert load.summary["requests"] == 1 + 20 * -(-100 // page_cap)
        assert evidence(load) == {("already_exists", "read"): 2_000}
        assert not world.creations
        assert known(ledger) == 2_000

    def test_what_is_missing_is_sent(self, ledger: Ledger) -> None:
        world = server()
        world.add(*self.HUBS[::2])
        load = load_pairs(self.HUBS, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, batch_size=100_000)
        assert evidence(load) == {("already_exists", "read"): 1_000, ("created", "answer"): 1_000}
        assert load.summary["requests"] == 1 + 20 + 1_000

    def test_the_ledger_is_not_believed_but_filled(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(self.HUBS, world, ledger=ledger)
        del world.relations[self.HUBS[7]]
        time.now += 60.0
        load = load_pairs(
            self.HUBS, world, ledger=ledger, load_id="truth", diff_against=DiffAgainst.HIGHLEVEL, batch_size=2_000
        )
        assert evidence(load) == {("already_exists", "read"): 1_999, ("created", "answer"): 1}
        assert load_pairs(self.HUBS, world, ledger=ledger, load_id="after").summary["requests"] == 1

    def test_one_to_one_is_not_read(self, ledger: Ledger) -> None:
        world = server()
        pairs = [(f"s{n}", f"t{n}") for n in range(100)]
        world.add(*pairs)
        load = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["requests"] == 101
        assert evidence(load) == {("already_exists", "answer"): 100}

    def test_reading_that_finds_nothing_ends(self, ledger: Ledger) -> None:
        """A new table of small groups: it is not read to its end to learn that nothing is there."""
        pairs = [(f"s{n}", f"t{n // 3}") for n in range(3_000)]
        load = load_pairs(pairs, server(limit=10_000), ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["created"] == 3_000
        assert load.summary["requests"] < 3_001 + 200

    def test_a_record_with_far_more_relations_than_the_table_has_is_given_up(self, ledger: Ledger) -> None:
        world = server()
        world.add(*((f"other{n}", "teacher") for n in range(5_000)))
        pairs = [(f"s{n}", "teacher") for n in range(10)]
        load = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["requests"] == 1 + 1 + 10

    @pytest.mark.parametrize("there", [0, 30, 60])
    @pytest.mark.parametrize(("hubs", "others"), [(1, 5_000), (10, 3_000), (1, 0)])
    def test_reading_costs_one_request_a_record_at_most(self, ledger: Ledger, hubs: int, others: int, there: int) -> None:
        world = server(limit=10_000)
        pairs = [(f"s{n}", f"t{n % hubs}") for n in range(60 * hubs)]
        world.add(*((f"other{n}", f"t{n % hubs}") for n in range(others * hubs)), *pairs[: there * hubs])
        plan = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, plan_only=True, batch_size=1000)
        load = load_pairs(pairs, world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, batch_size=1000)
        assert load.summary["requests"] <= plan.summary["plan"]["requests"] == 1 + hubs + 60 * hubs
        assert load.summary["created"] == (60 - there) * hubs

    def test_what_is_deleted_while_it_is_read_is_not_learned(self, ledger: Ledger) -> None:
        world = server(faults={n: "503_before" for n in range(2, 5)})
        world.add(*self.HUBS[:200])

        def delete() -> None:
            del world.relations[self.HUBS[0]]
            assert ledger.forget(Chosen(pair=self.HUBS[0])) == 0

        load_pairs(
            self.HUBS[:200],
            world,
            ledger=ledger,
            diff_against=DiffAgainst.HIGHLEVEL,
            prepare=lambda workers: workers.at(world.clock.now + 0.95, delete),
        )
        load_pairs(self.HUBS[:200], world, ledger=ledger, load_id="after")
        assert self.HUBS[0] in world.relations

    def test_a_token_that_may_not_read_sends(self, ledger: Ledger) -> None:
        world = server(refuse_reads=True)
        load = load_pairs(self.HUBS[:100], world, ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL)
        assert load.summary["created"] == 100
        assert any("could not be read" in warning for warning in load.verdict.warnings)

    def test_repeats_and_bad_rows_are_as_ever(self, ledger: Ledger) -> None:
        rows: list[Any] = [*self.HUBS[:100], self.HUBS[3], ("", "x")]
        load = load_pairs(rows, server(), ledger=ledger, diff_against=DiffAgainst.HIGHLEVEL, tolerance=1)
        assert (load.summary["created"], load.summary["repeated"], load.summary["invalid"]) == (100, 1, 1)


class TestNone:
    def test_every_row_is_sent(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        time.now += 1.0
        load = load_pairs(PAIRS, world, ledger=ledger, load_id="sceptic", diff_against=DiffAgainst.NONE)
        assert evidence(load) == {("already_exists", "answer"): 300}
        assert load.summary["requests"] == 301

    @pytest.mark.parametrize("diff_against", DiffAgainst)
    def test_its_own_earlier_attempts_are_believed(self, ledger: Ledger, diff_against: DiffAgainst) -> None:
        """Else a load of five days would begin anew every day."""
        world = server(daily_limit=100)
        first = load_pairs(PAIRS, world, ledger=ledger, diff_against=diff_against)
        assert (first.summary["stopped_by"], first.verdict.end) == ("quota", End.RETRYABLE)
        world.daily_limit = 10_000
        second = load_pairs(PAIRS, world, ledger=ledger, diff_against=diff_against)
        assert evidence(second)[("created", "ledger")] == first.summary["created"]
        assert evidence(second)[("created", "answer")] == 300 - first.summary["created"]
        assert set(world.creations.values()) == {1}


class TestAttempts:
    def stopped(self, ledger: Ledger, world: SimulatedServer, seconds: float) -> Load:
        stop = Stop(world.clock)
        stop.set_at(world.clock.now + seconds)
        return load_pairs(PAIRS, world, ledger=ledger, stop=stop)

    def test_the_next_try_goes_on(self, ledger: Ledger) -> None:
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
        for result in second.verdict.results:
            assert result["relation_id"] == ids[(result["first_record_id"], result["second_record_id"])]

    def test_an_answer_that_was_lost_with_the_attempt_is_presumed(self, ledger: Ledger) -> None:
        """The request took effect; nobody lived to hear of it."""
        world = server(faults={n: "hang_after" for n in range(1, 400)})
        first = self.stopped(ledger, world, 5.0)
        lost = len(world.creations)
        assert lost > 0
        assert first.summary["failed"] == lost
        world.faults = {}
        second = load_pairs(PAIRS, world, ledger=ledger, try_number=2)
        assert evidence(second) == {("created", "presumed"): lost, ("created", "answer"): 300 - lost}

    def test_a_refused_token_says_nothing_of_what_an_earlier_try_did(self, ledger: Ledger) -> None:
        world = server(faults={n: "hang_after" for n in range(1, 400)})
        self.stopped(ledger, world, 5.0)
        lost = len(world.creations)
        world.faults = {}
        world.refuse_token_from = len(world.sent_at) + 1  # the association is read
        assert load_pairs(PAIRS, world, ledger=ledger, try_number=2).verdict.end is End.FINAL
        world.refuse_token_from = None
        third = load_pairs(PAIRS, world, ledger=ledger, try_number=3)
        assert evidence(third) == {("created", "presumed"): lost, ("created", "answer"): 300 - lost}

    def test_a_refused_token_says_nothing_of_what_is_there(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs(PAIRS, world, ledger=ledger)
        time.now += 31 * DAY
        world.refuse_token_from = len(world.sent_at) + 1  # the association is read
        load_pairs(PAIRS[:7], world, ledger=ledger, load_id="refused")  # each of another teacher, so that none is read
        assert known(ledger) == 300

    def test_what_was_claimed_and_never_sent_is_not_presumed(self, ledger: Ledger) -> None:
        world = server(limit=50)
        world.add(*PAIRS)
        self.stopped(ledger, world, 12.0)
        second = load_pairs(PAIRS, world, ledger=ledger, try_number=2)
        assert second.summary["created"] == 0

    @pytest.mark.parametrize("diff_against", [DiffAgainst.HIGHLEVEL, DiffAgainst.NONE])
    def test_what_others_learned_since_its_first_try_is_not_believed(
        self, ledger: Ledger, time: Time, diff_against: DiffAgainst
    ) -> None:
        """On Monday it is red, on Tuesday others confirm, somebody removes, and Monday is cleared."""
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

    def test_the_account_is_that_of_the_last_try(self, ledger: Ledger) -> None:
        """Rows change places between two tries."""
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
        """It claims a batch, and sends it when this one has long asked for it."""
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

    def test_a_stop_leaves_them_unattempted(self, ledger: Ledger) -> None:
        world = server()
        attempt, target_id = self.other(ledger)
        self.claim(ledger, attempt, target_id, PAIRS[:50])
        stop = Stop(world.clock)
        stop.set_at(world.clock.now + 100.0)
        load = load_pairs(PAIRS, world, ledger=ledger, stop=stop)
        assert (load.summary["created"], load.summary["not_attempted"]) == (250, 50)
        assert "another load was sending it" in load.verdict.results[0]["reason"]

    def other(self, ledger: Ledger) -> tuple[Any, int]:
        attempt = ledger.loads.begin("other", try_number=1, is_resumed=False, location_id=LOCATION, association=KEY)
        return attempt, ledger.relations.target(DEFAULT_HOST, LOCATION, ASSOCIATION)

    def claim(self, ledger: Ledger, attempt: Any, target_id: int, pairs: list[Pair]) -> None:
        import numpy as np

        from airflow_provider_ghl.load.ledger.notes import Freshness

        first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
        high, low = ledger.identity(first, second)
        freshness = Freshness(1_800_000_000.0, 1_800_000_000.0, None)
        ledger.relations.claim(attempt, target_id, high, low, first.tolist(), second.tolist(), freshness)

    def confirm(self, ledger: Ledger, attempt: Any, target_id: int, pairs: list[Pair]) -> None:
        import numpy as np

        from airflow_provider_ghl.load.ledger.notes import Notes
        from airflow_provider_ghl.load.ledger.pairs import keys_of

        first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
        keys = keys_of(*ledger.identity(first, second))
        ledger.write(attempt, target_id, Notes(there=[(key, None, True) for key in keys]))


class Broken(Exception):
    pass


class TestFailures:
    def test_a_ledger_that_cannot_be_written_stops_the_load(self, time: Time) -> None:
        engine = sa.create_engine("sqlite://")
        ledger = Ledger(engine, database_time=time)
        world = server()
        lost: list[int] = []

        def lose(connection: Any, cursor: Any, statement: str, *more: Any) -> None:
            if len(world.creations) >= 120 and statement.startswith(("UPDATE", "INSERT")):
                lost.append(world.requests)
                raise sa.exc.OperationalError(statement, {}, Exception("disk I/O error"))

        sa.event.listen(engine, "before_cursor_execute", lose)
        load = load_pairs(PAIRS, world, ledger=ledger, batch_size=1000)
        assert load.verdict.end is End.RETRYABLE
        assert isinstance(load.verdict.cause, LedgerError)
        assert world.requests == lost[0], "nothing was sent after it failed"
        assert load.summary["created"] >= 120
        assert sum(load.summary[o] for o in ("created", "not_attempted", "failed")) == 300


class TestAccount:
    def test_it_is_kept_for_a_while(self, ledger: Ledger, time: Time) -> None:
        world = server()
        load_pairs([*PAIRS[:5], ("", "x")], world, ledger=ledger, load_id="first", tolerance=1)
        kept = list(ledger.loads.results(1))
        assert [row["outcome"] for row in kept] == ["created"] * 5 + ["invalid"]
        time.now += 91 * DAY
        load_pairs(PAIRS[:5], world, ledger=ledger, load_id="second")
        assert [load["load_id"] for load in ledger.loads.list()] == ["second"]
        assert known(ledger) == 5

    def test_an_attempt_that_breaks_off_holds_no_claims(self, ledger: Ledger) -> None:
        """Airflow's timeout strikes anywhere."""
        world = server()

        def strike() -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            load_pairs(PAIRS, world, ledger=ledger, prepare=lambda workers: workers.at(world.clock.now + 5.0, strike))
        sent = len(world.creations)
        load = load_pairs(PAIRS, world, ledger=ledger, load_id="another")
        assert load.seconds < 60.0
        assert (load.summary["created"], load.summary["already_exists"]) == (300 - sent, sent)


class TestPlan:
    def test_it_writes_nothing_and_says_what_it_would_cost(self, ledger: Ledger) -> None:
        world = server()
        load_pairs(PAIRS[:100], world, ledger=ledger)
        before = len(world.creations)
        plan = load_pairs(PAIRS, world, ledger=ledger, load_id="plan", plan_only=True)
        assert plan.verdict.end is End.GREEN
        assert len(world.creations) == before
        assert (plan.summary["already_exists"], plan.summary["not_attempted"], plan.summary["requests"]) == (100, 200, 1)
        assert plan.summary["plan"]["requests"] == 201
        assert plan.summary["plan"]["seconds"] == 20.0
        assert plan.summary["plan"]["days"] == 1
        real = load_pairs(PAIRS, world, ledger=ledger, load_id="real")
        assert real.summary["requests"] == plan.summary["plan"]["requests"]

    def test_more_than_a_day(self, ledger: Ledger) -> None:
        world = server(daily_limit=100)
        plan = load_pairs(PAIRS, world, ledger=ledger, plan_only=True)
        assert plan.summary["plan"] == {
            "requests": 301,
            "seconds": 30.0,
            "left_today": 99,
            "share_of_today": 3.0404,
            "days": 4,
        }

    def test_bad_rows_do_not_make_it_red(self, ledger: Ledger) -> None:
        plan = load_pairs([("a", "b"), ("", "b")], server(), ledger=ledger, plan_only=True)
        assert (plan.verdict.end, plan.summary["invalid"]) == (End.GREEN, 1)
