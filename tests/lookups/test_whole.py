"""What was paged is kept: found again by any of its keys, in few bytes, and without a key in it."""

from __future__ import annotations

import pickle
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_ghl.lookups.hits import Hits
from airflow_provider_ghl.lookups.key_field import Entry
from airflow_provider_ghl.lookups.whole import Whole

NORMALS = ["a@example.org", "b@example.org", "straße", "\ud800", "x" * 300, "0"]
entries = st.lists(st.tuples(st.sampled_from(NORMALS), st.sampled_from(["one", "two", "drei ß", "\udfff", "5"]), st.booleans()))


def whole_of(*pages: list[Entry], most: int = 2_000_000) -> Whole:
    whole = Whole(most)
    for page in pages:
        whole.add(page)
    return whole


def find(whole: Whole, *normals: str) -> list[tuple[str, ...]]:
    hits = Hits()
    whole.find(normals, hits)
    return [hits.ids(normal) for normal in normals]


class TestWhole:
    @given(entries, entries)
    def test_it_says_what_was_read_back(self, first: list[Entry], second: list[Entry]) -> None:
        hits = Hits()
        hits.add([*first, *second], frozenset(NORMALS))
        whole = whole_of(first, second)
        whole.close()
        assert find(whole, *NORMALS) == [hits.ids(normal) for normal in NORMALS]

    def test_an_own_value_comes_before_anothers_further_one(self) -> None:
        whole = whole_of([("a", "wife", False), ("a", "husband", True), ("b", "wife", False), ("b", "son", False)])
        whole.close()
        assert find(whole, "a", "b", "c") == [("husband",), ("wife", "son"), ()]

    @pytest.mark.parametrize(("longest", "is_too_large"), [(255, False), (256, True)])
    def test_an_id_that_is_none(self, longest: int, is_too_large: bool) -> None:
        assert whole_of([("a", "x" * longest, True)], [("b", "one", True)]).is_too_large == is_too_large

    def test_more_than_is_kept(self) -> None:
        page: list[Entry] = [(str(at), f"r{at}", True) for at in range(10)]
        assert not whole_of(page, most=10).is_too_large
        assert whole_of(page, page, most=19).is_too_large

    def test_an_entry_takes_about_45_bytes(self) -> None:
        number = 20_000
        tracemalloc.start()
        try:
            whole = Whole()
            for begin in range(0, number, 500):
                whole.add(
                    [(f"person{at}@example.org", f"ZxT4kQ1nWc8RfPq2{at:04x}"[:20], True) for at in range(begin, begin + 500)]
                )
            whole.close()
            assert tracemalloc.get_traced_memory()[0] / number < 50
        finally:
            tracemalloc.stop()
        assert find(whole, "person19999@example.org") == [("ZxT4kQ1nWc8RfPq24e1f",)]

    def test_no_key_is_in_it(self) -> None:
        whole = whole_of([("canary@example.org", "one", True)])
        whole.close()
        held = [vars(whole)[name] for name in ("_digests", "_ids", "_lengths", "_are_own")]
        table = whole._table
        assert table is not None
        shown = pickle.dumps([held, table.high, table.low]) + repr((whole, table)).encode()
        assert b"canary" not in shown

    def test_each_has_its_own_secret(self) -> None:
        tables = []
        for _ in range(2):
            whole = whole_of([("a", "one", True)])
            whole.close()
            tables.append(whole._table)
        assert tables[0] is not None
        assert tables[1] is not None
        assert tables[0].high[0] != tables[1].high[0]
