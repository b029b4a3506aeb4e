"""What an attempt took, and its share of the limits."""

from __future__ import annotations

import pytest
from simulated_highlevel import SimulatedServer
from simulated_load import load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.limits import Limit
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.effort import share_of_limits


@pytest.mark.parametrize(
    ("requests", "seconds", "locations", "share"),
    [
        (0, 5.0, 1, None),
        (5, 5.0, 0, None),
        (5, 5.0, 1, 0.2),
        (25, 9.9, 1, 1.0),
        (50, 10.0, 1, 1.0),
        (50, 19.9, 1, 1.0),
        (25, 15.0, 2, 0.25),
        (99, 5.0, 1, 1.0),  # windows that began in between
    ],
)
def test_share_of_limits(requests: int, seconds: float, locations: int, share: float | None) -> None:
    assert share_of_limits(requests, seconds, [Limit() for _ in range(locations)]) == share


def test_a_load_at_full_speed_uses_the_limit() -> None:
    load = load_pairs([(f"contact-{row}", "event-1") for row in range(450)], SimulatedServer(FakeClock()))
    effort = load.verdict.effort
    assert effort is not None
    assert effort.limit_share is not None
    assert effort.limit_share > 0.85
    assert effort.requests == load.summary["requests"]
    assert effort.seconds == pytest.approx(load.seconds, abs=0.01)


def test_another_try_is_the_same_load_and_counts_its_own_requests() -> None:
    ledger, server = Ledger.in_memory(), SimulatedServer(FakeClock())
    rows = [*((f"contact-{row}", "event-1") for row in range(10)), ("", "event-1")]
    first, second = (load_pairs(rows, server, ledger=ledger, try_number=number).verdict for number in (1, 2))
    assert first.effort is not None
    assert second.effort is not None
    assert (first.effort.requests, second.effort.requests) == (11, 1)
    assert second.load_number == first.load_number == 1
