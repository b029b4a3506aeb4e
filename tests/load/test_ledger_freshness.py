"""When a known pair is checked again: Python and SQL agree, no check is late, and checks are spread evenly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from ledgers import NOW, Place

from airflow_provider_ghl.load.ledger.notes import Freshness, Knowledge
from airflow_provider_ghl.load.ledger.tables import relations

DAY = 86_400.0
MOMENTS = st.floats(1e9, 3e9)
AGES = st.one_of(st.floats(1.0, 1e8), st.sampled_from([DAY, 30 * DAY, 3600.0]))


@given(now=MOMENTS, age=st.floats(0, 3e8), max_age=AGES, phase=st.integers(0, 65_535))
def test_nothing_older_than_the_age_is_fresh_and_nothing_young_is_stale(
    now: float, age: float, max_age: float, phase: int
) -> None:
    freshness = Freshness(now, since=4e9, max_age=max_age)
    is_fresh = freshness.is_fresh(now - age, phase)
    if age > max_age + 1e-5:
        assert not is_fresh
    if age < max_age / 40 - 1e-5:
        assert is_fresh
    # It becomes stale with its tick, and only then: a period later it has ticked exactly once.
    assert freshness.is_fresh(now + 1e-5, phase)
    if is_fresh:
        assert not Freshness(now + max_age + 1e-5, 4e9, max_age).is_fresh(now - age, phase)


@given(now=MOMENTS, confirmed=MOMENTS, since=MOMENTS, max_age=st.one_of(st.none(), st.just(0.0), AGES))
def test_what_was_confirmed_since_is_fresh(now: float, confirmed: float, since: float, max_age: float | None) -> None:
    freshness = Freshness(now, since, max_age)
    if confirmed >= since:
        assert freshness.is_fresh(confirmed, 0)
        assert freshness.is_fresh(confirmed, 65_535)
    elif not max_age:
        assert not freshness.is_fresh(confirmed, 7)
    assert not freshness.is_fresh(None, 0)


@given(confirmed=MOMENTS, own_since=MOMENTS, by=st.sampled_from([None, 3, 4]), max_age=st.sampled_from([None, DAY]))
def test_what_a_load_confirmed_itself_counts_from_an_earlier_moment_on(
    confirmed: float, own_since: float, by: int | None, max_age: float | None
) -> None:
    freshness = Freshness(4e9, since=4e9, max_age=max_age, load_number=3, own_since=own_since)
    assert freshness.is_fresh(confirmed, 7, by) is (by == 3 and confirmed >= own_since)


@pytest.mark.parametrize("max_age", [-1.0, float("nan"), float("inf")])
def test_an_age_is_a_number_of_seconds(max_age: float) -> None:
    with pytest.raises(ValueError, match="max_age"):
        Freshness(NOW, NOW, max_age)


@pytest.mark.parametrize("days", [7, 30])
def test_what_was_confirmed_in_one_night_comes_due_evenly_over_the_days(days: int) -> None:
    phases = np.random.default_rng(1).integers(0, 65_536, 30_000).tolist()
    due: Counter[int] = Counter()
    for day in range(1, days + 1):
        freshness = Freshness(NOW + day * DAY, since=2e9, max_age=days * DAY)
        fresh = [phase for phase in phases if freshness.is_fresh(NOW, phase)]
        due[day] = len(phases) - len(fresh)
        phases = fresh
    assert not phases, "after a whole period none is fresh"
    assert all(abs(number - 30_000 / days) < 0.15 * 30_000 / days for number in due.values()), due


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_the_database_judges_as_python_does(place: Place) -> None:
    mine, chance = place.worker("mine"), np.random.default_rng(2)
    high, low = (chance.integers(0, 2**64, 600, dtype=np.uint64) for _ in range(2))
    keys = [(int(a) << 64 | int(b)).to_bytes(16, "big") for a, b in zip(high, low, strict=True)]
    phases = [int(word) >> 48 for word in low]
    month, half_week = 30 * DAY, 3.5 * DAY
    cases = [
        (month, NOW),
        (month, NOW + 17.3 * DAY),
        (0.7, NOW),
        (1e7 + 0.1, NOW),
        (half_week, NOW + 3.4999 * DAY),
        (None, NOW),
    ]
    for max_age, now in cases:
        freshness = Freshness(now, now - 0.4 * (max_age or 10.0), max_age, 99, 0.0)  # the load 99 has confirmed nothing
        ages = chance.random(600) * 1.2 * (max_age or 20.0)
        # Some exactly at their tick, where a last bit would tell.
        step = (max_age or 1.0) / 65_536
        began = now // (max_age or 1.0) * (max_age or 1.0)
        confirmed = [began + phase * step if at % 7 == 0 else now - ages[at] for at, phase in enumerate(phases)]
        mine.note(learned=[(key, ("a", "b"), None) for key in keys])
        confirm = sa.update(relations).where(relations.c.pair == sa.bindparam("key")).values(confirmed=sa.bindparam("moment"))
        with place.engine().begin() as connection:
            moments = [{"key": key, "moment": float(moment)} for key, moment in zip(keys, confirmed, strict=True)]
            connection.execute(confirm, moments)
        found = mine.ledger.relations.look_up(mine.target_id, high, low, freshness, None)
        is_there = [Knowledge(code) is Knowledge.THERE for code in found]
        assert is_there == [freshness.is_fresh(moment, phase) for moment, phase in zip(confirmed, phases, strict=True)]
        assert any(is_there)
        assert not all(is_there)
        assert len(mine.ledger.relations.known(mine.target_id, freshness, None).high) == sum(is_there)
