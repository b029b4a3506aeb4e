"""Ids that were seen are counted, in few bytes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.lookups.seen import Seen


@given(st.lists(st.lists(st.integers(0, 60_000), max_size=5), max_size=20), st.sampled_from([0, 16_000, 40_000]))
def test_it_counts_what_is_new(pages: list[list[int]], first: int) -> None:
    seen, right = Seen(), set[int]()
    for page in [range(begin, begin + 500) for begin in range(0, first, 500)] + pages:
        seen.add(f"id{at}" for at in page)
        right |= set(page)
        assert len(seen) == len(right)


def test_an_id_takes_about_8_bytes() -> None:
    number, seen = 400_000, Seen()
    for begin in range(0, number, 500):
        seen.add(f"id{at}" for at in range(begin, begin + 500))
        assert len(seen._recent) <= max(17_000, len(seen) // 8)
    assert seen._older is not None
    assert seen._older.nbytes <= 8 * number
    assert len(seen) == number
