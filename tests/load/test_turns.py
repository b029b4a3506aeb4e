"""Whose turn it is, and when a location whose day is spent is asked again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_ghl.exceptions import QuotaExhausted
from airflow_provider_ghl.load.results.outcomes import StoppedBy
from airflow_provider_ghl.load.results.row_results import Line
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.send.location import Location, State
from airflow_provider_ghl.load.send.outage import Outage
from airflow_provider_ghl.load.send.queue import Turns


class NoRows(Iterator[Any]):
    """Nothing to send."""

    is_hungry = False
    has_target = False
    price = 0
    warnings: tuple[str, ...] = ()

    def __next__(self) -> Any:
        raise StopIteration

    def feed(self, chunk: Any) -> None:
        """Nothing."""

    def take(self, send: Any, result: Any) -> None:
        """Nothing."""

    def leave(self, reason: str) -> None:
        """Nothing."""


def location(name: str = "a") -> Location:
    outage = Outage(timedelta(minutes=5), lambda: 0.0)
    return Location(Line(0, name, None), NoRows(), outage, 20, 3)  # type: ignore[arg-type]  # a list is not needed here


def test_where_a_location_stands_has_a_name() -> None:
    one, rows = location(), NoRows()
    one.rows = rows  # type: ignore[assignment]
    assert one.state(0.0) is State.WAITING
    rows.has_target = True
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
    """A day that is said to end at once, again and again, must not be asked for as fast as it can be."""
    spent, error = location(), QuotaExhausted("spent")
    error.resets_in = resets_in
    assert spent.sleep(error, 100.0) == 100.0 + seconds
    assert spent.is_asleep(100.0 + seconds - 0.1)
    assert not spent.is_asleep(100.0 + seconds)


def test_turns_come_in_the_order_of_their_times_and_each_once() -> None:
    turns, a, b, c = Turns(), location("a"), location("b"), location("c")
    turns.give(a, 5.0)
    turns.give(b, 3.0)
    turns.give(c, 3.0)
    turns.give(a, 4.0)  # earlier, which counts
    turns.give(b, 9.0)  # later, which does not
    turns.give(c, math.inf)
    assert turns.take(2.0) is None
    assert turns.until(2.0) == 1.0
    assert [turns.take(10.0) for _ in range(4)] == [b, c, a, None]
    assert turns.until(10.0) == math.inf


def test_who_was_given_its_turn_may_be_given_another() -> None:
    turns, a = Turns(), location()
    turns.give(a, 1.0)
    assert turns.take(1.0) is a
    turns.give(a, 2.0)
    assert list(turns.all()) == [a]
    assert turns.take(2.0) is a
