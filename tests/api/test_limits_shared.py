"""Several users of one location, in simulated time: they see each other, make room, and take it back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from simulation import Location, Task, run, spread_around

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.api.sharing import Allotment


def foreign(location: Location, every: float, start: float, end: float) -> list[tuple[float, Callable[[float], None]]]:
    """Another user, who sends steadily and looks at nothing."""

    def one(now: float) -> None:
        location.count(now)

    count = int((end - start) / every)
    return [(start + number * every, one) for number in range(count)]


def done_between(task: Task, start: float, end: float) -> int:
    return sum(start <= moment < end for moment in task.account.done)


@pytest.mark.parametrize("seed", range(4))
def test_room_is_left_to_others_and_taken_back(seed: int) -> None:
    location = Location(spread_around(0.3, 0.3, random.Random(seed)), counts_at=0.5)
    task = Task(Limit(), 2500)
    run(location, [task], also=foreign(location, 0.25, 50.0, 150.0), until=250.0)  # 40 in 10 s
    before, while_shared, after = (done_between(task, start, start + 40.0) for start in (5.0, 100.0, 205.0))
    assert before >= 380
    assert 200 <= while_shared <= 270
    assert after >= 360
    assert len(task.account.refused) <= 10, f"seed {seed}"


def test_others_who_are_there_first_are_seen_at_the_first_answer() -> None:
    location = Location(spread_around(0.3, 0.0, random.Random(1)))
    for number in range(90):
        location.count(0.1 * number)
    task = Task(Limit(), 5, starts=9.5)
    run(location, [task], until=9.9)
    assert len(task.account.sent) <= 3
    assert location.refused == 0


@pytest.mark.parametrize("starts", [(0.0, 0.1, 0.2), (0.0, 3.0, 11.0)], ids=["together", "one after the other"])
@pytest.mark.parametrize("window", ["sliding", "fixed"])
def test_three_tasks_on_one_location_share_it(window: str, starts: tuple[float, ...]) -> None:
    refused = sent = 0
    shares: list[float] = []
    for seed in range(4):
        location = Location(spread_around(0.3, 0.3, random.Random(seed)), window=window, counts_at=0.5)
        tasks = [Task(Limit(), 700, starts=start) for start in starts]
        run(location, tasks)
        done = [moment for task in tasks for moment in task.account.done]
        assert len(done) == 2100, "no request is lost"
        refused, sent = refused + location.refused, sent + len(done) + location.refused
        shares.append(200.0 / (max(done) - min(done)))
    # Everybody's room comes back at once in a fixed window, which nobody can tell from room that lasts.
    assert refused / sent <= (0.02 if window == "sliding" else 0.035)
    assert sum(shares) / len(shares) >= 0.8


def test_two_tasks_keep_out_of_each_others_way() -> None:
    location = Location(spread_around(0.3, 0.3, random.Random(3)))
    tasks = [Task(Limit(), 3000), Task(Limit(), 3000, starts=0.1)]
    run(location, tasks, until=300.0)
    together = sum(done_between(task, 100.0, 300.0) for task in tasks)
    assert together >= 0.93 * 2000
    assert location.refused <= 0.01 * together


def test_the_next_task_of_a_dag_does_not_wait_for_the_last_one() -> None:
    """Two requests of a task that is done are in the window: they must not look like somebody who needs room."""
    for seed in range(4):
        location = Location(spread_around(0.3, 0.3, random.Random(seed)))
        for number in range(2):
            location.count(99.5 + number / 10)
        task = Task(Limit(), 90, starts=100.0)
        run(location, [task])
        assert max(task.account.done) - 100.0 <= 4.0, f"seed {seed}"
        assert location.refused == 0


@pytest.mark.parametrize("latency", [0.05, 0.3, 1.0])
def test_a_window_that_was_used_up_is_ours_when_it_is_empty(latency: float) -> None:
    location = Location(spread_around(latency, 0.3, random.Random(1)))
    for _ in range(90):
        location.count(99.9)
    task = Task(Limit(), 80, starts=100.0)
    run(location, [task])
    assert max(task.account.done) - 100.0 <= 22.0
    assert location.refused == 0


def test_an_allotment_that_saw_nobody_is_everything() -> None:
    allotment = Allotment()
    look(allotment, 0.3, 0)
    assert allotment.slots is None


def look(allotment: Allotment, now: float, remaining: int) -> None:
    allotment.look(now - 0.1, now, remaining, lasting=1.0, noise=3, forget_after=10.0)


def test_room_is_taken_by_parts_and_at_most_doubled_until_it_lasts() -> None:
    allotment = Allotment()
    allotment.others_seen(0.0, 60, 100, 20, is_first=False)
    assert allotment.slots == 39.0
    look(allotment, 0.2, 42)
    assert allotment.grow(0.2, 39, 5, 100) == float("inf"), "only an answer can tell more"
    assert allotment.slots == 42.0, "others were just seen to send: 15 % of 42 - 5 (noise) - 5 (in flight), halved"
    allotment.look(0.1, 0.25, 42, lasting=1.0, noise=3, forget_after=10.0)
    allotment.grow(0.25, 42, 5, 100)
    assert allotment.slots == 42.0, "the last step was not seen yet"
    look(allotment, 1.2, 42)
    look(allotment, 1.9, 42)
    allotment.grow(1.9, 42, 1, 100)
    assert allotment.slots == 60.0, "half of what is there for so long and nobody takes"


def test_who_has_nothing_in_flight_asks_again_after_a_while() -> None:
    allotment = Allotment()
    allotment.others_seen(0.0, 97, 100, 1, is_first=True)
    look(allotment, 0.1, 8)
    assert allotment.slots == 2.0
    assert allotment.grow(0.2, 2, 0, 100) == pytest.approx(0.1)
    allotment.grow(0.3, 2, 0, 100)
    assert allotment.slots == 3.0


def test_room_that_comes_and_goes_is_not_taken() -> None:
    allotment = Allotment()
    allotment.others_seen(0.0, 60, 100, 39, is_first=False)
    for number in range(40):
        now = 0.1 + number * 0.2
        look(allotment, now, 0 if number % 3 else 20)
        allotment.grow(now, 39, 1, 100)
    assert allotment.slots is not None
    assert 37.0 <= allotment.slots <= 40.0


def test_a_full_window_makes_it_give_up_a_little() -> None:
    allotment = Allotment()
    allotment.others_seen(0.0, 49, 100, 50, is_first=False)
    for number in range(50):
        allotment.others_seen(float(number), 49, 100, 50, is_first=False)
        look(allotment, float(number), 0)
    assert allotment.slots == pytest.approx(50.0 * 0.97**5)


def test_others_who_are_not_seen_again_are_forgotten() -> None:
    allotment = Allotment()
    allotment.others_seen(0.0, 60, 100, 30, is_first=False)
    look(allotment, 16.0, 0)
    assert allotment.slots is None
