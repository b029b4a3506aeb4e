"""A PostgreSQL server that is away for a while: the ledger waits, nothing is lost, and nothing is written twice."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
from broken_ledgers import failing
from gate import Gate
from ledgers import NOW, Place, Worker
from remembering import PAIRS, evidence
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import KeyNotes, Notes
from airflow_provider_ghl.load.ledger.tables import METADATA
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.results.outcomes import End

pytestmark = pytest.mark.parametrize("place", ["postgresql"], indirect=True)


class Scheduled(FakeClock):
    """A clock that runs actions at their moments, when something waits until then."""

    def __init__(self) -> None:
        super().__init__()
        self._actions: list[tuple[float, Callable[[], None]]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self._actions.append((self.now + seconds, action))

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        due = [action for moment, action in self._actions if moment <= self.now]
        self._actions = [one for one in self._actions if one[0] > self.now]
        for action in due:
            action()


class Away:
    """A ledger behind a gate, with its own simulated time."""

    def __init__(self, place: Place) -> None:
        self.gate, self.clock = Gate(place.url), Scheduled()
        self.engine = sa.create_engine(self.gate.url)
        self.ledger = Ledger(self.engine, database_time=place.clock, clock=self.clock)

    def for_(self, seconds: float) -> None:
        """Close the gate for this many seconds."""
        self.gate.close()
        self.clock.after(seconds, self.gate.open)

    def worker(self, load_id: str = "load") -> Worker:
        """The next attempt of a load."""
        attempt = self.ledger.loads.begin(
            load_id, try_number=1, is_resumed=False, location_id="location", association="friends"
        )
        return Worker(self.ledger, attempt, self.ledger.relations.target("https://x", "location", "friends"))


@pytest.fixture
def away(place: Place) -> Iterator[Away]:
    made = Away(place)
    yield made
    made.engine.dispose()
    made.gate.close()


@pytest.mark.parametrize("way", ["read", "write"])
def test_it_is_waited_for(away: Away, way: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    mine, began = away.worker(), away.clock.now
    away.for_(5.0)
    if way == "read":
        assert mine.knows("a-b") == [0]
    else:
        mine.learned("a-b")
    assert 5.0 <= away.clock.now - began < 5.5
    assert mine.knows("a-b") == [int(way == "write")]
    waits, back = [record.getMessage() for record in caplog.records if "ledger" in record.name]
    assert waits.startswith(f"The ledger {away.ledger.where} cannot be reached (OperationalError: ")
    assert waits.endswith("Waiting for it, for up to 60 s; nothing is sent meanwhile.")
    assert back == f"The ledger {away.ledger.where} is back after 5 s."
    assert not [text for text in (waits, back) if "ghl:" in text or "application_name" in text]


def test_it_is_waited_for_when_a_load_begins(away: Away, place: Place) -> None:
    away.for_(10.0)
    engine, began = sa.create_engine(away.gate.url), away.clock.now
    assert Ledger(engine, clock=away.clock).id == away.ledger.id
    assert 10.0 <= away.clock.now - began < 10.5
    engine.dispose()


def test_it_is_waited_for_no_longer_than_a_minute_in_a_row(away: Away) -> None:
    mine, began = away.worker(), away.clock.now
    away.for_(61.0)
    with failing("cannot be written: OperationalError: nothing answers there", "ghl:"):
        mine.note(requests=1)
    assert 59.5 <= away.clock.now - began <= 60.0
    moment = away.clock.now
    with failing("cannot be read: OperationalError: nothing answers there", "ghl:"):
        mine.knows("a-b")
    assert away.clock.now - moment < 0.5, "the minute is over"
    away.clock.sleep(2.0)
    mine.note(requests=1)
    away.for_(50.0)
    mine.note(requests=2)
    assert away.clock.now - moment > 50.0, "it was reached, so that another minute begins"


def test_without_patience_it_fails_at_once(away: Away) -> None:
    away.gate.close()
    engine, began = sa.create_engine(away.gate.url), away.clock.now
    with failing("cannot be read: OperationalError: nothing answers there", "ghl:"):
        Ledger(engine, clock=away.clock, longest_outage=0.0)
    assert away.clock.now == began
    engine.dispose()


def test_after_a_stop_it_waits_half_a_second(away: Away) -> None:
    mine, stopped_at = away.worker(), away.clock.now + 3.0
    away.ledger.end_waits_when(lambda: away.clock.now >= stopped_at)
    away.for_(20.0)
    with failing("cannot be written", "ghl:"):
        mine.note(requests=1)
    assert 0.25 <= away.clock.now - stopped_at <= 0.75


def test_too_many_connections_are_waited_out(place: Place, away: Away, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    schema = place.rows("SELECT current_schema()")[0][0]
    admin, role = place.engine(), f"{schema}_role"
    with admin.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD 's3cret' CONNECTION LIMIT 0")
        connection.exec_driver_sql(f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}")

        def let_in() -> None:
            connection.exec_driver_sql(f"ALTER ROLE {role} CONNECTION LIMIT 9")

        began = away.clock.now
        away.clock.after(10.0, let_in)
        engine = sa.create_engine(sa.make_url(place.url).set(username=role, password="s3cret"))
        assert Ledger(engine, clock=away.clock).id == away.ledger.id
        assert 10.0 <= away.clock.now - began < 10.5
        engine.dispose()
        connection.exec_driver_sql(f"DROP OWNED BY {role}")
        connection.exec_driver_sql(f"DROP ROLE {role}")
    assert "(OperationalError: the server has too many connections)" in caplog.text
    assert "s3cret" not in caplog.text


Work = Callable[[Worker], Any]
#: All methods that write. Calling one twice must have the same effect and result as calling it once.
WORK: dict[str, Work] = {
    "begin": lambda mine: (
        mine.ledger.loads.begin(
            "load", try_number=2, is_resumed=True, location_id="location", association="friends"
        ).has_earlier
    ),
    "begin anew": lambda mine: (
        mine.ledger.loads.begin(
            "ended well", try_number=1, is_resumed=False, location_id="location", association="friends"
        ).has_earlier
    ),
    "beat": lambda mine: mine.ledger.loads.beat(mine.attempt, 5, 2, 1),
    "end": lambda mine: mine.end(is_deferred=True),
    "prune": lambda mine: mine.ledger.loads.prune(NOW - 1),
    "target": lambda mine: mine.ledger.relations.target("https://x", "elsewhere", "friends"),
    "claim": lambda mine: mine.claim("a-b", "a-c", "new-1", "old-1", "given-back"),
    "release": lambda mine: mine.release("a-b", "a-c", again=["a-c"]),
    "created": lambda mine: mine.note(there=[(key, "id", True) for key in mine.pairs("a-b", "a-c").keys], requests=2),
    "there": lambda mine: mine.made("a-b", "old-1", relation_id=None, is_ours=False),
    "refused": lambda mine: mine.refused("a-b"),
    "learned": lambda mine: mine.learned("a-b", "new-1"),
    "missing": lambda mine: mine.note(missing=({"a"}, set())),
    "results": lambda mine: mine.note(results=[{"row": 1, "outcome": "created", "requests": 1, "try_number": 1}]),
    "lookup": lambda mine: mine.ledger.keys.lookup("https://x", "elsewhere", "contact by email"),
    "keys": lambda mine: mine.ledger.write_all(mine.attempt, {None: Notes()}, {1: KeyNotes([(b"k" * 16, "a")], {"old"})}),
    "forget": lambda mine: mine.ledger.forget(RelationFilter(record_id="old")),
}
#: Methods that return how many rows they deleted, which a second call cannot know.
_COUNTS = {"prune", "forget"}
#: What differs from ledger to ledger, or with the number of runs.
_VARIES = {"ghl_ledger": {"value"}, "ghl_relations": {"pair", "phase"}, "ghl_attempts": {"number"}}


def contents(place: Place) -> dict[str, list[str]]:
    """All rows of all tables, without the columns that differ anyway."""
    found = {}
    for table in ("ledger", "targets", "relations", "lookups", "keys", "loads", "attempts", "load_results"):
        with place.shared.connect() as connection:
            rows = connection.exec_driver_sql(f"SELECT * FROM ghl_{table}").mappings().all()
        varies = _VARIES.get(f"ghl_{table}", set())
        found[table] = sorted(str({name: value for name, value in row.items() if name not in varies}) for row in rows)
    return found


def prepared(mine: Worker) -> Worker:
    """The content before each write."""
    old = mine.ledger.loads.begin("ended well", try_number=1, is_resumed=False, location_id="location", association="friends")
    earlier = Worker(mine.ledger, old, mine.target_id)
    earlier.claim("old-1", "old-2", "given-back")
    earlier.made("old-1", "old-2")
    earlier.end(is_well=True)
    mine.claim("a-b", "a-c")
    number = mine.ledger.keys.lookup("https://x", "location", "contact by email")
    mine.ledger.write_all(old, {}, {number: KeyNotes([(b"k" * 16, "old"), (b"o" * 16, "old"), (b"p" * 16, "other")], set())})
    return mine


@pytest.mark.parametrize("name", WORK)
def test_a_commit_whose_answer_was_lost_is_done_again_without_harm(place: Place, away: Away, name: str) -> None:
    mine = prepared(away.worker())
    away.gate.swallows_commit = True
    returned = WORK[name](mine)
    assert not away.gate.swallows_commit, "the commit took effect, and nobody heard of it"
    after = contents(place)
    for table in METADATA.tables:
        place.change(f"DROP TABLE {table}")
    returned_once = WORK[name](prepared(place.worker()))
    assert returned == returned_once or name in _COUNTS
    assert contents(place) == after


class TestLoads:
    @pytest.mark.parametrize("seconds", [20.0, 50.0])
    def test_a_load_goes_on(self, place: Place, seconds: float) -> None:
        away = Away(place)
        world = SimulatedServer(away.clock)
        load = load_pairs(
            PAIRS,
            world,
            ledger=away.ledger,
            batch_size=50,
            prepare=lambda workers: workers.at(1_007.0, lambda: away.for_(seconds)),
        )
        assert load.verdict.end is End.GREEN
        assert evidence(load) == {("created", "answer"): 300}
        assert set(world.creations.values()) == {1}
        assert away.ledger.statistics()["relations"] == 300
        assert away.ledger.statistics()["claims"] == 0
        silence = max(np.diff(world.write_times))
        assert silence >= seconds - 4.0, "nothing was sent meanwhile"
        away.engine.dispose()
        away.gate.close()

    def test_one_whose_ledger_stays_away_ends_and_its_next_try_goes_on(self, place: Place) -> None:
        away = Away(place)
        world = SimulatedServer(away.clock)
        first = load_pairs(
            PAIRS,
            world,
            ledger=away.ledger,
            batch_size=50,
            prepare=lambda workers: workers.at(1_007.0, lambda: away.for_(90.0)),
        )
        assert first.verdict.end is End.RETRYABLE
        assert isinstance(first.verdict.cause, LedgerError)
        made = first.summary["created"]
        assert made == len(world.creations) < 300, "answers that came meanwhile count"
        assert first.summary["not_attempted"] == 300 - made
        away.clock.sleep(90.0)
        place.clock.now += 90.0
        second = load_pairs(PAIRS, world, ledger=away.ledger, try_number=2)
        assert second.summary["created"] == 300
        assert set(world.creations.values()) == {1}
        away.engine.dispose()
        away.gate.close()
