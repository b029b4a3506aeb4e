"""Several users of one location, in simulated time: they see each other, make room, and take it back."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from simulated_time import spread_around
from simulation import Location, Task, run

from airflow_provider_ghl.api.fixed_windows import FixedWindows
from airflow_provider_ghl.api.latency import Latency
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
    task = Task(Limit(draw=random.Random(seed).random), 2500)
    run(location, [task], also=foreign(location, 0.25, 50.0, 150.0), until=250.0)  # 40 in 10 s
    before, while_shared, after = (done_between(task, start, start + 40.0) for start in (5.0, 100.0, 205.0))
    assert before >= 380
    assert 200 <= while_shared <= 310  # 240 are left to us: it makes room slowly, for who is refused is not seen
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


#: At the least of the limit over a whole common load of 3 × 1,000, as a mean over seeds, and at the most answered 429.
SHARED = {("sliding", "together"): (0.945, 0.009), ("sliding", "staggered"): (0.93, 0.009)}
SHARED |= {("fixed", "together"): (0.945, 0.02), ("fixed", "staggered"): (0.935, 0.03)}


@pytest.mark.parametrize(("window", "start"), list(SHARED))
def test_three_tasks_on_one_location_share_it(window: str, start: str) -> None:
    refused, shares = 0, []
    seeds = range(6)
    for seed in seeds:
        draw = random.Random(seed)
        location = Location(spread_around(0.3, 0.3, draw), window=window, counts_at=float(seed % 2))
        longest = 20.0 if start == "staggered" else 0.0
        tasks = [Task(Limit(draw=draw.random), 1000, starts=draw.uniform(0.0, longest)) for _ in range(3)]
        run(location, tasks)
        done = [moment for task in tasks for moment in task.account.done]
        assert len(done) == 3000, f"seed {seed}: no request is lost"
        refused += location.refused
        shares.append(290.0 / (max(done) - min(done)))
    share, most_refused = SHARED[window, start]
    assert refused / (3000 * len(seeds) + refused) <= most_refused
    assert sum(shares) / len(shares) >= share
    assert min(shares) >= 0.88


def test_while_all_are_there_no_slot_lies_idle() -> None:
    refused = sent = 0
    for seed in range(6):
        draw = random.Random(seed)
        location = Location(spread_around(0.3, 0.3, draw))
        tasks = [Task(Limit(draw=draw.random), 3000) for _ in range(3)]
        run(location, tasks, until=200.0)
        together = sum(done_between(task, 50.0, 200.0) for task in tasks)
        assert together >= 0.95 * 1500, f"seed {seed}: {together}"
        refused += location.refused
        sent += sum(len(task.account.sent) for task in tasks)
    assert refused <= 0.016 * sent  # nearly all of them at the start, of which a whole load has one


def test_who_stays_takes_over_from_who_is_done() -> None:
    for seed in range(4):
        draw = random.Random(seed)
        location = Location(spread_around(0.3, 0.3, draw))
        tasks = [Task(Limit(draw=draw.random), 3000), Task(Limit(draw=draw.random), 400, starts=0.1)]
        run(location, tasks, until=400.0)
        over = max(max(task.account.done) for task in tasks if not task.left)
        stays = next((task for task in tasks if task.left), None)
        assert stays is None or done_between(stays, over + 20.0, over + 50.0) >= 0.93 * 300, f"seed {seed}"


def test_who_comes_late_to_a_full_location_gets_in() -> None:
    for seed in range(6):
        draw = random.Random(seed)
        location = Location(spread_around(0.3, 0.3, draw))
        late = Task(Limit(draw=draw.random), 500, starts=30.0)
        run(location, [Task(Limit(draw=draw.random), 100_000), late], until=430.0)
        assert len(late.account.done) >= 100, f"seed {seed}"


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
    task = Task(Limit(draw=random.Random(1).random), 80, starts=100.0)
    run(location, [task])
    assert max(task.account.done) - 100.0 <= 22.0
    assert location.refused == 0


def allotment_of(slots: int, windows: FixedWindows | None = None, draw: float = 0.5) -> Allotment:
    """So many slots are ours, and others are about."""
    allotment = Allotment(lambda: draw, windows or FixedWindows())
    allotment.others_seen(0.0, 1, 100, 0)
    for _ in range(slots):
        allotment.answered(0.0)
    return allotment


def latency_of(seconds: float, spread: float) -> Latency:
    latency = Latency()
    for number in range(600):
        latency.add(seconds + spread * (number % 11) / 10.0)
    return latency


def look(allotment: Allotment, now: float, remaining: int) -> None:
    allotment.look(now - 0.1, now, remaining, latency_of(0.2, 0.2), 100, 10.0)


def taken(allotment: Allotment, now: float, in_flight: int = 0) -> int:
    count = 0
    while allotment.take_more(now, in_flight + count, 100):
        count += 1
    return count


def test_our_slots_are_used_again_when_they_are_free_and_lost_when_they_lie() -> None:
    allotment = allotment_of(3)
    assert not allotment.take(-0.1, -2.0, 100, 0, 9.0)
    assert allotment.take(0.0, -2.0, 100, 0, 10.0)
    assert allotment.held == 2
    assert not allotment.take(2.0, 1.0, 100, 0, 12.0)
    assert allotment.held == 0


def test_slots_that_others_have_are_not_ours() -> None:
    allotment = allotment_of(60)
    allotment.others_seen(1.0, 50, 100, 10)
    assert allotment.held == 40


def test_one_is_tried_first_and_more_is_taken_when_room_lasts() -> None:
    allotment = allotment_of(20)
    look(allotment, 1.0, 40)
    assert taken(allotment, 1.0) == 1
    look(allotment, 1.7, 39)
    assert taken(allotment, 1.7, 1) == 17, "half of what is neither noise nor asked for already"


def test_room_that_comes_and_goes_is_not_taken() -> None:
    allotment = allotment_of(40)
    for number in range(60):
        now = 0.1 + number * 0.2
        look(allotment, now, 20 if number % 3 else 0)
        assert taken(allotment, now, 1) == 0


def test_who_has_much_gives_some_up_when_there_is_no_room() -> None:
    allotment = allotment_of(90, draw=0.0)
    look(allotment, 1.0, 0)
    allotment.others_seen(9.0, 2, 100, 0)
    assert allotment.take(0.0, -2.0, 100, 0, 10.0)
    assert allotment.held == 90 - 5 - 1, "twice what others have, and one"


def test_others_who_are_not_seen_again_are_forgotten() -> None:
    allotment = allotment_of(10)
    look(allotment, 44.0, 0)
    assert allotment.is_shared
    look(allotment, 46.0, 0)
    assert not allotment.is_shared


def test_windows_that_begin_anew_are_told_from_those_that_slide() -> None:
    windows = FixedWindows()
    windows.proven()
    windows.look(1.0, 1.3, 90, 1, 10.0)
    windows.look(10.1, 10.4, 5, 1, 10.0)
    assert windows.is_fixed
    assert (windows.began_after, windows.free_before, windows.began_before) == (1.0, 1.3, 10.4)
    windows.look(10.2, 10.5, 70, 2, 10.0)
    windows.look(10.6, 10.8, 60, 3, 10.0)  # less was used once more, within an interval of the last window's last request
    assert not windows.is_fixed
    assert windows.is_sliding


def test_two_that_were_refused_are_in_one_window() -> None:
    windows = FixedWindows()
    windows.proven()
    for sent in (1.0, 2.0, 3.0):
        windows.full(sent, sent + 0.3, 100, 10)
    assert windows.began_before == float("-inf")
    windows.look(10.0, 10.3, 100, 1, 10.0)
    assert windows.began_before == 10.3
    assert windows.others_before == 90
