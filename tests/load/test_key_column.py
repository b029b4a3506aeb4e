"""What is kept of the keys of a look-up while a load runs, and how much memory that takes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Mapping, Sequence

import numpy as np

from airflow_provider_ghl.api.conversation import Steps, converse
from airflow_provider_ghl.load.columns import Objects
from airflow_provider_ghl.load.keys.column import KeyColumn, Named
from airflow_provider_ghl.load.keys.remembered import RememberedKeys
from airflow_provider_ghl.load.kind import FoundKey
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.memory import Memories
from airflow_provider_ghl.lookups.outcomes import Resolution


class Finder:
    """Finds a record for each key that begins with a "k"."""

    name, index_lag = "contact by email", 60.0

    def __init__(self) -> None:
        self.asked = 0

    def begin(self) -> Steps[None]:
        yield from ()

    def find(self, keys: Sequence[str], expected: float = 1.0) -> Steps[Mapping[str, FoundKey]]:
        yield from ()
        self.asked += len(keys)
        missing = Resolution(reason="no contact has this e-mail", is_missing=True)
        return {key: Resolution(f"{hash(key):020d}") if key.startswith("k") else missing for key in keys}

    def find_again(self, keys: Sequence[str]) -> Steps[Mapping[str, FoundKey]]:
        raise AssertionError("a plan does not look twice")


def plan(finder: Finder, ledger: Ledger) -> KeyColumn:
    """The keys of a load that writes nothing."""
    memory = Memories(ledger, None, "https://example.org", None, 86_400.0).open_keys("location", finder.name)
    return KeyColumn(finder, ledger.identity, RememberedKeys(memory), None)


def resolve(column: KeyColumn, keys: list[str]) -> Named:
    def refuse(*given: object) -> None:
        raise AssertionError

    texts: Objects = np.array(keys, dtype=object)
    return converse(column.resolve(texts, 1.0), refuse, refuse)  # type: ignore[arg-type]  # nothing is sent


def test_a_plan_keeps_what_it_found_in_few_bytes(ledger: Ledger) -> None:
    finder = Finder()
    column = plan(finder, ledger)
    resolve(column, ["k"])
    tracemalloc.start()
    try:
        for begin in range(0, 50_000, 10_000):
            resolve(column, [f"k{at}@example.org" for at in range(begin, begin + 10_000)])
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] <= 60 * 50_000
    finally:
        tracemalloc.stop()
    again = resolve(column, ["k7@example.org", "x", "k49999@example.org"])
    assert again.record_ids.tolist() == [f"{hash('k7@example.org'):020d}", "", f"{hash('k49999@example.org'):020d}"]
    assert finder.asked == 50_002


def test_a_plan_keeps_a_limited_number_of_keys_without_a_record(ledger: Ledger) -> None:
    finder = Finder()
    column = plan(finder, ledger)
    tracemalloc.start()
    try:
        for begin in range(0, 100_000, 10_000):
            resolve(column, [f"x{at}@example.org" for at in range(begin, begin + 10_000)])
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] <= 9_000_000
    finally:
        tracemalloc.stop()
