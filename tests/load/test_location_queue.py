"""The queue of due locations, a location's states, and when a location whose day is spent is asked again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_ghl.exceptions import QuotaExhausted
from airflow_provider_ghl.load.results.outcomes import StoppedBy
from airflow_provider_ghl.load.results.row_results import LocationResults
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.location import Location, State
from airflow_provider_ghl.load.send.outage import Outage
from airflow_provider_ghl.load.send.queue import LocationQueue


class NoSteps(Iterator[Any]):
    """Nothing to send."""

    needs_rows = False
    has_target = False
    price = 0
    warnings: tuple[str, ...] = ()

    def __next__(self) -> Any:
        raise StopIteration

    def feed(self, chunk: Any) -> None:
        """Nothing."""

    def take_result(self, send: Any, result: Any) -> None:
        """Nothing."""

    def skip_rest(self, reason: str) -> None:
        """Nothing."""


def location(name: str = "a") -> Location:
    outage = Outage(timedelta(minutes=5), lambda: 0.0)
    return Location(LocationResults(0, name, None), NoSteps(), outage, 20, 3)  # type: ignore[arg-type]  # a list is not needed here


def test_where_a_location_stands_has_a_name() -> None:
    one, steps = location(), NoSteps()
    one.steps = steps  # type: ignore[assignment]
    assert one.state(0.0) is State.WAITING
    steps.has_target = True
    assert one.state(0.0) is State.WORKING
    for row in range(3):
        one.outage.note_silence(row, 0.0, 0.0)
    assert one.state(0.0) is State.UNANSWERED
    one.outage.note_answer(0.0)
    one.sleep(QuotaExhausted("spent"), 0.0)
    assert (one.state(899.0), one.state(900.0)) == (State.ASLEEP, State.WORKING)
    one.is_exhausted = True
    assert one.state(0.0) is State.DONE
    one.stop(Stoppage(StoppedBy.TOKEN))
    assert one.state(0.0) is State.STOPPED


@pytest.mark.parametrize(("resets_in", "seconds"), [(3_600.0, 3_600.0), (0.0, 5.0), (None, 900.0)])
def test_a_spent_day_is_believed_for_a_while(resets_in: float | None, seconds: float) -> None:
    """Where HighLevel keeps naming a reset that is due now, the location must not ask as fast as it can."""
    spent, error = location(), QuotaExhausted("spent")
    error.resets_in = resets_in
    assert spent.sleep(error, 100.0) == 100.0 + seconds
    assert spent.is_asleep(100.0 + seconds - 0.1)
    assert not spent.is_asleep(100.0 + seconds)


def test_locations_come_in_the_order_of_their_times_and_each_once() -> None:
    queue, a, b, c = LocationQueue(), location("a"), location("b"), location("c")
    queue.push(a, 5.0)
    queue.push(b, 3.0)
    queue.push(c, 3.0)
    queue.push(a, 4.0)  # earlier, which counts
    queue.push(b, 9.0)  # later, which does not
    queue.push(c, math.inf)
    assert queue.pop(2.0) is None
    assert queue.seconds_to_next(2.0) == 1.0
    assert [queue.pop(10.0) for _ in range(4)] == [b, c, a, None]
    assert queue.seconds_to_next(10.0) == math.inf


def test_a_location_that_was_taken_may_be_queued_again() -> None:
    queue, a = LocationQueue(), location()
    queue.push(a, 1.0)
    assert queue.pop(1.0) is a
    queue.push(a, 2.0)
    assert list(queue.locations()) == [a]
    assert queue.pop(2.0) is a
