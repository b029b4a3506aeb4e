"""Loads with look-ups at odd moments: records that are gone, rows that come late, others at work, little that may be spent."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import numpy as np
import sqlalchemy as sa
from keyed_world import BY_EMAIL, BY_NUMBER, contact_id, keyed_agency, keyed_rows, keyed_server, load_keys, policy_id, table
from remembering import Pair, Time
from simulated_agency import load_rows
from simulated_highlevel import ASSOCIATION, KEY, LOCATION, SimulatedServer
from simulated_load import Load, SimulatedWorkers
from simulated_records import POLICY, contact, policy

from airflow_provider_ghl.api.transport import DEFAULT_HOST
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.notes import ClaimResult, Freshness
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.results.progress import Progress
from airflow_provider_ghl.relations.orientation import sides_of

HOUR = 3_600.0
SIDES = sides_of(BY_NUMBER, BY_EMAIL)


def outcomes(load: Load) -> Counter[str]:
    return Counter(load.outcomes)


def remembered(ledger: Ledger) -> set[str]:
    """The records that the ledger remembers of any key."""
    return set(ledger._database.read(lambda connection: connection.scalars(sa.text("SELECT record_id FROM ghl_keys")).all()))


def both_people(*pairs: tuple[int, int]) -> list[tuple[str, str]]:
    return [(f"p{first}@example.org", f"p{second}@example.org") for first, second in pairs]


def make_anew(world: SimulatedServer, *people: int) -> None:
    """These were deleted and made anew, under other ids."""
    assert world.records is not None
    world.missing |= frozenset(contact_id(at) for at in people)
    for at in people:
        world.records.records["contact"][at] = contact(f"another{at}", f"p{at}@example.org")


def delete(world: SimulatedServer, *people: int) -> None:
    assert world.records is not None
    world.missing |= frozenset(contact_id(at) for at in people)
    for at in people:
        world.records.records["contact"][at] = contact("nobody")


def test_a_record_that_is_gone_uses_nothing_of_the_others_limit(ledger: Ledger, time: Time) -> None:
    world = keyed_server()
    load_keys(table((1, 1)), world, ledger=ledger)
    make_anew(world, 1)
    time.now += HOUR
    load = load_keys(table((3, 1), (4, 1)), world, ledger=ledger, load_id="tomorrow", max_per_first=1)
    assert load.outcomes == ["created", "created"]


def test_the_cost_is_announced_once(ledger: Ledger) -> None:
    lines: list[str] = []
    world = keyed_server(indexed_at=1_030.0)
    assert world.records is not None
    world.records.new[POLICY] = [policy("newcomer", "P777")]
    rows = [("P777", "p1@example.org"), *table(*((at, 1) for at in range(10)))]
    load = load_keys(rows, world, ledger=ledger, progress=Progress(lines.append, world.clock, 11))
    assert outcomes(load) == {"created": 11}
    assert [line[:21] for line in lines if line.startswith("11 rows")] == ["11 rows: 14 requests,"]


def test_records_that_are_gone_are_one_reason(ledger: Ledger, time: Time) -> None:
    world = keyed_server()
    load_keys(table(*((1, at) for at in range(10))), world, ledger=ledger)
    world.missing = frozenset(contact_id(at) for at in range(10))
    time.now += HOUR
    load = load_keys(table(*((2, at) for at in range(10))), world, ledger=ledger, load_id="tomorrow")
    assert outcomes(load) == {"unresolved": 10}
    assert load.verdict.attention[1].startswith("  10 unresolved: column 'second_record_id': HighLevel finds")


def test_poisoned_rows_whose_keys_are_known_are_no_outage(ledger: Ledger, time: Time) -> None:
    world = keyed_server(policies=100)
    rows = table(*((at, 1) for at in range(100)))
    load_keys(rows, world, ledger=ledger)
    time.now += HOUR
    world.failing = frozenset(policy_id(at) for at in range(95, 100))
    rows = table(*((at, 2) for at in range(100)))
    load = load_keys(rows, world, ledger=ledger, load_id="tomorrow", tolerance=5, outage_timeout=timedelta(seconds=60))
    assert (load.verdict.end, outcomes(load)) == (End.GREEN, {"created": 95, "failed": 5})


def test_what_was_found_before_a_stop_is_remembered(ledger: Ledger) -> None:
    """Otherwise a load that may send few requests would look up the same keys for ever."""
    world = keyed_server(contacts=12_000, policies=1)
    rows = table(*((0, at) for at in range(12_000)))
    load = load_keys(rows, world, ledger=ledger, max_requests=80, batch_size=20_000, lookup_by="search")
    assert outcomes(load) == {"not_attempted": 12_000}
    assert ledger.statistics()["keys"] >= 5_000


def test_a_key_of_a_record_that_is_gone_is_asked_for_once_more_only(ledger: Ledger, time: Time) -> None:
    world = keyed_server(policies=60)
    load_keys(table((0, 1)), world, ledger=ledger)
    load_keys(table(*((at, 2) for at in range(60))), world, ledger=ledger, load_id="others")
    world.missing = frozenset({contact_id(1)})
    time.now += HOUR
    rows = table(*((at, 1) for at in range(1, 60)))
    load = load_keys(rows, world, ledger=ledger, load_id="tomorrow", batch_size=5)
    assert outcomes(load) == {"unresolved": 59}
    assert load.summary["looked_up"] == 1


def test_two_columns_of_one_look_up_share_what_is_found(ledger: Ledger) -> None:
    world = keyed_server()
    world.object_keys = ("contact", "contact")
    rows = both_people(*((at, (at + 1) % 10) for at in range(10)))
    load = load_keys(rows, world, ledger=ledger, lookups=(BY_EMAIL, BY_EMAIL), first_label="Student")
    assert set(world.relations) == {(contact_id(at), contact_id((at + 1) % 10)) for at in range(10)}
    assert (load.summary["looked_up"], load.summary["lookup_requests"]) == (10, 1)


def test_what_one_column_finds_to_be_gone_the_other_does_not_name(ledger: Ledger, time: Time) -> None:
    world = keyed_server()
    world.object_keys = ("contact", "contact")
    by: dict[str, Any] = {"lookups": (BY_EMAIL, BY_EMAIL), "first_label": "Student"}
    load_keys(both_people((1, 2)), world, ledger=ledger, **by)
    world.missing = frozenset({contact_id(1)})
    time.now += HOUR
    rows = both_people((1, 3), *((at, 1) for at in range(2, 8)))
    load = load_keys(rows, world, ledger=ledger, load_id="tomorrow", batch_size=1, **by)
    assert outcomes(load) == {"unresolved": 7}
    assert contact_id(1) not in remembered(ledger)


class Other:
    """Another load; only its claims matter."""

    def __init__(self, ledger: Ledger, location_id: str = LOCATION, association_id: str = ASSOCIATION) -> None:
        self._ledger = ledger
        self.attempt = ledger.loads.begin(
            f"other {location_id}", try_number=1, is_resumed=False, location_id=location_id, association=KEY
        )
        self._target = ledger.relations.target(DEFAULT_HOST, location_id, association_id)

    def claim(self, *pairs: Pair) -> list[ClaimResult]:
        first, second = (np.array(side, dtype=object) for side in zip(*pairs, strict=True))
        high, low = self._ledger.identity((first, second))
        freshness = Freshness(self._ledger.time(), self._ledger.time(), None)
        codes = self._ledger.relations.claim(self.attempt, self._target, high, low, first.tolist(), second.tolist(), freshness)
        return [ClaimResult(code) for code in codes]

    def release(self, *pairs: Pair) -> None:
        high, low = self._ledger.identity([np.array(side, dtype=object) for side in zip(*pairs, strict=True)])
        self._ledger.relations.release(self.attempt, self._target, high, low, np.zeros(len(pairs), dtype=np.bool_))

    def end(self) -> None:
        self._ledger.loads.end(self.attempt, end="retryable", message="", counts={}, is_well=False)


def test_a_row_that_is_not_sent_after_all_keeps_no_other_load_waiting(ledger: Ledger, time: Time) -> None:
    """Else each of two loads would wait for a row that the other one holds and does not send."""
    world = keyed_server()
    load_keys(table((0, 1), (0, 2)), world, ledger=ledger)
    make_anew(world, 1)
    time.now += HOUR
    other = Other(ledger)
    put_off, held = (contact_id(1), policy_id(5)), (contact_id(2), policy_id(6))
    other.claim(put_off, held)
    began, claims = world.clock.now, list[ClaimResult]()

    def prepare(workers: SimulatedWorkers) -> None:
        workers.at(began + 20.0, lambda: other.release(put_off))
        workers.at(began + 40.0, lambda: claims.extend(other.claim(put_off)))
        workers.at(began + 60.0, other.end)

    load = load_keys(table((4, 1), (5, 1), (6, 2)), world, ledger=ledger, load_id="tomorrow", prepare=prepare)
    assert claims == [ClaimResult.CLAIMED]
    assert outcomes(load) == {"created": 3}


def test_rows_that_come_late_wait_for_no_other_location(ledger: Ledger) -> None:
    """While one location waits, the late row of another keeps the rows of a third out of memory."""
    agency = keyed_agency(["a", "b", "c"])
    slow, held = (Other(ledger, name, agency[name].association_id) for name in "cb")
    slow.claim((f"c{contact_id(0)}", f"c{policy_id(0)}"))
    held.claim((f"b{contact_id(1)}", f"b{policy_id(1)}"))
    rows = keyed_rows("c", *((at % 20, at // 20) for at in range(100)))
    rows[29:31] = keyed_rows("a", (1, 1), (99, 1))
    rows[44:45] = keyed_rows("a", (1, 1))
    rows[60:61] = keyed_rows("b", (1, 1))

    def prepare(workers: SimulatedWorkers) -> None:
        workers.at(agency.clock.now + 20.0, slow.end)
        workers.at(agency.clock.now + 600.0, held.end)

    by: dict[str, Any] = {"lookups": (BY_NUMBER, BY_EMAIL), "sides": SIDES}
    load = load_rows(rows, agency, ledger=ledger, at_once=4, rows_ahead=40, prepare=prepare, **by)
    assert outcomes(load) == {"created": 98, "unresolved": 1, "repeated": 1}
    assert agency.last_writes()["c"] < 150.0


def test_chunks_of_known_keys_write_nothing() -> None:
    """With hundreds of locations there are thousands of chunks, and each write waits for the disk."""
    writes: list[int] = []

    class Counting(Ledger):
        def write_all(self, *args: Any, **more: Any) -> None:
            writes.append(1)
            super().write_all(*args, **more)

    world, ledger = keyed_server(), Counting(sa.create_engine("sqlite://"))
    try:
        rows = table(*((at % 20, at % 7) for at in range(60)))
        load_keys(rows, world, ledger=ledger, batch_size=2)
        writes.clear()
        load = load_keys(rows, world, ledger=ledger, batch_size=2, load_id="tomorrow")
        assert outcomes(load) == {"already_exists": 60}
        assert len(writes) <= 2
    finally:
        ledger.close()


def test_a_span_of_time_is_no_key(ledger: Ledger) -> None:
    """It says that it is a whole number. As a key it ended the load, with all rows after it."""
    rows = [(np.timedelta64(5, "D"), "p1@example.org"), ("P1", np.timedelta64("NaT")), *table((1, 1))]
    load = load_keys(rows, keyed_server(), ledger=ledger)
    assert load.outcomes == ["invalid", "invalid", "created"]
    assert load.results[0]["reason"] == "column 'first_record_id': a value of type timedelta64: cast it to text in the query"


def test_the_request_that_showed_a_record_to_be_gone_is_the_rows(ledger: Ledger, time: Time) -> None:
    world = keyed_server()
    load_keys(table((1, 1)), world, ledger=ledger)
    make_anew(world, 1)
    time.now += HOUR
    load = load_keys(table((3, 1), (3, 2)), world, ledger=ledger, load_id="tomorrow")
    assert [result["requests"] for result in load.results] == [2, 1]
