"""What a load writes to its ledger, what it does when the ledger fails, and what a plan reports."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from remembering import DAY, PAIRS, Time, known, server
from simulated_load import load_pairs

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import End


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

    def test_it_counts_the_evidence(self, ledger: Ledger) -> None:
        world = server()
        world.add(PAIRS[0])
        load_pairs(PAIRS[:3], world, ledger=ledger, load_id="first")
        world.faults = {world.requests + 2: "reset_after"}
        load_pairs(PAIRS[:5], world, ledger=ledger, load_id="second")
        second, first = (load["counts"]["evidence"] for load in ledger.loads.list())
        assert first == {"already_exists": {"answer": 1}, "created": {"answer": 2}}
        assert second == {"already_exists": {"ledger": 3}, "created": {"answer": 1, "presumed": 1}}

    def test_an_attempt_that_breaks_off_holds_no_claims(self, ledger: Ledger) -> None:
        """Airflow's timeout may interrupt a load anywhere."""
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
