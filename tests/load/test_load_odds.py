"""Loads with answers that never end, and with records that are full."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relation_specs import relation_spec
from simulated_highlevel import SimulatedServer
from simulated_load import COLUMNS, SimulatedWorkers, load_pairs
from simulated_time import FakeClock

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.source.rows import from_data
from airflow_provider_ghl.sandbox import Sandbox


def test_an_answer_that_never_ends_does_not_block_the_load() -> None:
    """The transport's timeout restarts with every byte. The row is sent again, and its relation exists."""
    server = SimulatedServer(FakeClock())

    def lose_the_second(workers: SimulatedWorkers) -> None:
        submit = workers.submit
        seen: list[Any] = []

        def losing(key: Any, function: Callable[[], Any]) -> None:
            seen.append(key)
            if len(seen) == 2:
                function()  # it takes effect, and its answer never ends
            else:
                submit(key, function)

        workers.submit = losing  # type: ignore[method-assign]

    load = load_pairs([(f"student{n}", "teacher") for n in range(20)], server, prepare=lose_the_second)
    assert load.verdict.end is End.GREEN
    assert load.summary["created"] == 20
    assert load.summary["retries"] == 1
    assert 90.0 <= load.seconds < 200.0


def test_a_hub_that_is_full_is_not_read_again_for_every_row() -> None:
    """A rerun costs one create and one page per row, however many relations the full record has."""
    with Sandbox(limit=None, seed=1) as sandbox:
        association = sandbox.state.add_association("full", "contact", "custom_objects.event", "A", "B", max_per_first=250)
        pairs = [("hub", f"event{n}") for n in range(260)]
        for first, second in pairs[:250]:
            sandbox.state.add_relation(association, first, second)
        summary = load_over_http(sandbox, pairs)
        assert (summary["already_exists"], summary["rejected"]) == (250, 10)
        assert summary["requests"] == 1 + 2 * len(pairs)


def load_over_http(sandbox: Sandbox, pairs: list[tuple[str, str]]) -> dict[str, Any]:
    client = Client(BearerToken(sandbox.token), location_id=sandbox.location_id, host=sandbox.url)
    spec = relation_spec(load_id="load", location_id=sandbox.location_id, columns=COLUMNS, association_key="full")
    verdict = run(spec, Ports(batches=from_data(pairs, COLUMNS, 100), client=client))
    client.close()
    return verdict.summary
