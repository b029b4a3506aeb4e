"""Sources that are empty, too short or broken; and specs that contradict themselves."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from relation_specs import relation_spec
from simulated_highlevel import KEY, LOCATION, SimulatedServer
from simulated_load import COLUMNS, load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.exceptions import ConfigurationError, Unauthorized
from airflow_provider_ghl.load.columns import Batch
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.rows import from_data

PAIRS = [(f"student{n:04d}", f"teacher{n:04d}") for n in range(100)]


def server_with(**world: Any) -> SimulatedServer:
    return SimulatedServer(FakeClock(), **world)


def test_an_empty_source_is_green_with_a_warning() -> None:
    load = load_pairs([], server_with())
    assert load.verdict.end is End.GREEN
    assert load.verdict.warnings == ["the source has no rows: nothing was sent"]
    assert (load.server.requests, load.summary["rows"], load.results) == (0, 0, [])


@pytest.mark.parametrize(("rows", "batch_size"), [(0, 10), (99, 1000), (99, 10)])
def test_fewer_rows_than_min_rows_are_red_before_anything_is_sent(rows: int, batch_size: int) -> None:
    load = load_pairs(PAIRS[:rows], server_with(), min_rows=100, batch_size=batch_size)
    assert load.verdict.end is End.RETRYABLE
    assert f"The source has {rows} rows, fewer than min_rows=100: nothing was sent" in load.verdict.message
    assert load.server.requests == 0
    assert load.summary["not_attempted"] == load.summary["rows"] == rows


def test_with_enough_rows_all_are_loaded() -> None:
    load = load_pairs(PAIRS, server_with(), min_rows=100, batch_size=7)
    assert (load.verdict.end, load.summary["created"]) == (End.GREEN, 100)


class _Broken(Exception):
    """An error as a database driver raises it. Its text may contain people's data."""


def breaking(rows: list[Any], batch_size: int, error: Exception) -> Iterator[Batch]:
    yield from from_data(rows, COLUMNS, batch_size)
    raise error


def test_a_source_that_breaks_settles_the_rows_before() -> None:
    error = _Broken("ada@example.com")
    load = load_pairs(breaking(PAIRS, 10, error), server_with())
    assert load.verdict.end is End.RETRYABLE
    assert load.verdict.cause is error
    assert load.summary["created"] == load.summary["rows"] == 100
    assert "the source failed (_Broken)" in load.verdict.message
    assert "ada@example.com" not in load.verdict.message


@pytest.mark.parametrize("rows", [0, 50])
def test_a_source_that_breaks_before_min_rows_sends_nothing(rows: int) -> None:
    error = _Broken("gone")
    load = load_pairs(breaking(PAIRS[:rows], 10, error), server_with(), min_rows=60)
    assert (load.verdict.end, load.verdict.cause) == (End.RETRYABLE, error)
    assert load.server.requests == 0
    assert load.summary["not_attempted"] == load.summary["rows"] == rows


def test_a_configuration_error_before_the_first_row_is_raised() -> None:
    server = server_with()
    with pytest.raises(ConfigurationError, match="no column 'first_record_id'"):
        load_pairs([{"student": "a", "teacher": "b"}], server)
    assert server.requests == 0


def test_a_configuration_error_after_the_first_row_is_final() -> None:
    load = load_pairs(breaking(PAIRS, 10, ConfigurationError("line 101 is not UTF-8")), server_with())
    assert load.verdict.end is End.FINAL
    assert "line 101 is not UTF-8" in load.verdict.message
    assert load.summary["created"] == 100


def test_a_refused_token_is_final_even_if_the_source_broke_too() -> None:
    load = load_pairs(breaking(PAIRS, 10, _Broken()), server_with(refuse_token_from=0))
    assert load.verdict.end is End.FINAL
    assert isinstance(load.verdict.cause, Unauthorized)


@pytest.mark.parametrize(
    "wrong",
    [
        {"abort_after": 0},
        {"abort_after": True},
        {"max_requests": -1},
        {"min_rows": -1},
        {"keep_results": -1},
        {"lookup_max_age": timedelta(days=91)},
        {"association_id": "a", "association_key": "b"},
        {"association_key": None},
    ],
)
def test_a_spec_that_contradicts_itself_is_refused(wrong: dict[str, Any]) -> None:
    right: dict[str, Any] = {"load_id": "x", "location_id": LOCATION, "columns": COLUMNS, "association_key": KEY}
    relation_spec(**right)
    with pytest.raises(ConfigurationError):
        relation_spec(**right | wrong)


def test_rows_of_an_unreachable_association_all_have_an_outcome() -> None:
    """The source is sound, so every row gets a result, in whichever batch it is."""
    load = load_pairs(PAIRS, server_with(faults=dict.fromkeys(range(6), "never_sent")), batch_size=10)
    assert load.verdict.end is End.RETRYABLE
    assert (load.summary["rows"], load.summary["not_attempted"]) == (100, 100)
