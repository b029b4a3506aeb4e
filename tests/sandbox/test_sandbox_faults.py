"""Each fault as a client meets it, and the same faults again for the same seed."""

from __future__ import annotations

import dataclasses
import time
from concurrent.futures import ThreadPoolExecutor
from typing import get_args

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st
from sandbox_client import HttpClient, add_attends
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Fault, Sandbox
from airflow_provider_ghl.sandbox.faults import FaultKind, Faults

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

POST = "/associations/relations"


@pytest.mark.parametrize(("kind", "made"), [("reset_before", False), ("reset_after", True)])
def test_reset(ghl_sandbox: Sandbox, kind: FaultKind, made: bool) -> None:
    attends = add_attends(ghl_sandbox)
    ghl_sandbox.add_fault(Fault(kind, times=1))
    with HttpClient(ghl_sandbox) as client:
        with pytest.raises(requests.ConnectionError, match="reset"):
            client.relate(attends, "ann", "party")
        assert ghl_sandbox.state.pairs(attends) == ({("ann", "party")} if made else set())
        assert client.relate(attends, "ann", "party").status_code == (400 if made else 201)
    assert ghl_sandbox.stats()["faults"] == {kind: 1}


@pytest.mark.parametrize(
    ("fault", "status", "made"),
    [
        (Fault("error_before", times=1), 500, False),
        (Fault("error_after", times=1), 500, True),
        (Fault("html_502", times=1), 502, False),
        (Fault("html_502", times=1, after_write=True), 502, True),
        (Fault("timeout_401", times=1), 401, False),
        (Fault("timeout_401", times=1, after_write=True), 401, True),
        (Fault("truncated_json", times=1), 201, True),
    ],
)
def test_lost_answers(ghl_sandbox: Sandbox, fault: Fault, status: int, made: bool) -> None:
    attends = add_attends(ghl_sandbox)
    ghl_sandbox.add_fault(fault)
    with HttpClient(ghl_sandbox) as client:
        answer = client.relate(attends, "ann", "party")
        assert answer.status_code == status
        assert "x-ratelimit-remaining" in answer.headers
        assert ghl_sandbox.state.count_relations(attends) == made
        assert ghl_sandbox.stats()["writes"] == made
        if fault.kind == "timeout_401":
            assert answer.json()["message"] == "Command timed out"
        if fault.kind == "html_502":
            assert answer.headers["content-type"].startswith("text/html")
        if fault.kind in ("html_502", "truncated_json"):
            with pytest.raises(requests.JSONDecodeError):
                answer.json()
        assert client.relate(attends, "ann", "party").status_code == (400 if made else 201)


@pytest.mark.parametrize("after_write", [False, True])
def test_hang(ghl_sandbox: Sandbox, after_write: bool) -> None:
    attends = add_attends(ghl_sandbox)
    ghl_sandbox.add_fault(Fault("hang", after_write=after_write))
    body = {"locationId": ghl_sandbox.location_id, "associationId": attends}
    records = {"firstRecordId": "ann", "secondRecordId": "party"}
    with HttpClient(ghl_sandbox) as client, pytest.raises(requests.ReadTimeout):
        client.send("POST", POST, timeout=0.1, json=body | records)
    while not ghl_sandbox.stats()["faults"]:
        pass  # the client gave up before the request came
    assert ghl_sandbox.state.count_relations(attends) == after_write


def test_a_sandbox_with_hanging_requests_ends_at_once() -> None:
    with HttpClient(sandbox := Sandbox(limit=None, faults=[Fault("hang")])) as client, ThreadPoolExecutor(1) as pool:
        sandbox.start()
        hanging = pool.submit(client.get, "/associations/")
        while not sandbox.stats()["faults"]:
            pass
        started = time.monotonic()
        sandbox.stop()
        assert time.monotonic() - started < TOO_LONG / 10, "it waited for the client"
        with pytest.raises(requests.ConnectionError):
            hanging.result()


def test_faults_strike_by_number_method_and_path(ghl_sandbox: Sandbox) -> None:
    attends = add_attends(ghl_sandbox)
    ghl_sandbox.add_fault(Fault("error_before", at={2, 4}, method="POST", path=POST))
    ghl_sandbox.add_fault(Fault("html_502", method="GET", path="/associations/relations/*", times=2))
    with HttpClient(ghl_sandbox) as client:
        written = []
        for number in range(5):
            assert client.get("/associations/").status_code == 200
            written.append(client.relate(attends, "ann", f"event {number}").status_code)
        assert written == [201, 500, 201, 500, 201]
        assert [client.get("/associations/relations/ann").status_code for _ in range(3)] == [502, 502, 200]
        ghl_sandbox.add_fault(Fault("error_before"))
        assert client.get("/associations/").status_code == 500
        ghl_sandbox.clear_faults()
        assert client.get("/associations/").status_code == 200


@pytest.mark.parametrize(
    "ghl_sandbox", [{"limit": 1, "interval": 60.0, "faults": [Fault("error_before", at={2})]}], indirect=True
)
def test_requests_that_the_limits_refuse_have_no_number(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox) as client:
        assert [client.get("/associations/").status_code for _ in range(3)] == [200, 429, 429]
        ghl_sandbox.set_limit(2)
        assert client.get("/associations/").status_code == 500


def faulty_run(seed: int, workers: int) -> list[int]:
    kinds: list[FaultKind] = ["error_before", "error_after", "html_502"]
    faults = [Fault(kind, probability=0.2) for kind in kinds]
    with Sandbox(limit=None, seed=seed, faults=faults) as sandbox, HttpClient(sandbox) as client:
        attends = add_attends(sandbox)
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda n: client.relate(attends, f"c{n % 20}", f"e{n % 30}").status_code, range(90)))


def test_a_seed_replays_the_faults_even_with_many_requests_at_once() -> None:
    alone = faulty_run(seed=5, workers=1)
    struck = [status >= 500 for status in alone]
    assert 20 < sum(struck) < 70
    assert [status >= 500 for status in faulty_run(seed=5, workers=8)] == struck
    assert [status >= 500 for status in faulty_run(seed=6, workers=1)] != struck


@given(st.integers(), st.floats(0, 1), st.lists(st.sampled_from(["/a", "/b", "/c"]), max_size=60))
def test_the_same_seed_draws_the_same_faults(seed: int, probability: float, targets: list[str]) -> None:
    fault = Fault("hang", probability=probability)
    drawn = [[Faults(seed, [fault]).draw("GET", target, b"") for target in targets] for _ in range(2)]
    assert drawn[0] == drawn[1]
    if probability in (0, 1):
        assert all((found is not None) == bool(probability) for found in drawn[0])


def test_a_repeated_request_draws_anew() -> None:
    faults = Faults(1, [Fault("hang", probability=0.5)])
    drawn = [faults.draw("GET", "/a", b"") is not None for _ in range(200)]
    assert 60 < sum(drawn) < 140


def test_faults_that_make_no_sense_are_refused() -> None:
    for wrong in ({"kind": "explode"}, {"probability": 1.5}, {"at": {0}}):
        with pytest.raises(ValueError, match=r"no fault of kind|a probability|numbered from 1"):
            dataclasses.replace(Fault("hang"), **wrong)
    assert len(get_args(FaultKind)) == 8
