"""Headers, limits, latency and statistics, over a real socket."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from sandbox_client import HttpClient, add_attends
from waits import TOO_LONG

from airflow_provider_ghl.sandbox import Sandbox

pytest_plugins = ["airflow_provider_ghl.sandbox.fixture"]

HEADERS = [
    "x-ratelimit-max",
    "x-ratelimit-remaining",
    "x-ratelimit-interval-milliseconds",
    "x-ratelimit-limit-daily",
    "x-ratelimit-daily-remaining",
    "x-ratelimit-daily-reset",
]


def rates(answer: requests.Response) -> dict[str, int]:
    return {name: int(value) for name, value in answer.headers.items() if name.startswith("x-ratelimit")}


@pytest.mark.parametrize("ghl_sandbox", [{"limit": 6, "interval": 60.0, "daily_limit": 50}], indirect=True)
def test_every_answer_carries_the_rate_headers(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox) as client, HttpClient(ghl_sandbox, token="wrong") as stranger:
        answers = [
            client.get("/associations/"),
            stranger.get("/associations/"),
            client.get("/associations/key/none"),
            client.send("GET", "/nowhere"),
            client.relate("x", "", ""),
            client.send("GET", "/associations/", params={"locationId": "elsewhere"}),
            client.get("/associations/"),
        ]
    assert [answer.status_code for answer in answers] == [200, 401, 404, 404, 422, 403, 429]
    for number, answer in enumerate(answers, 1):
        found = rates(answer)
        assert list(found) == HEADERS
        assert "retry-after" not in answer.headers
        counted = min(number, 6)
        assert (found["x-ratelimit-max"], found["x-ratelimit-remaining"]) == (6, 6 - counted)
        assert (found["x-ratelimit-limit-daily"], found["x-ratelimit-daily-remaining"]) == (50, 50 - counted)
        assert found["x-ratelimit-interval-milliseconds"] == 60_000
        assert 86_000_000 < found["x-ratelimit-daily-reset"] <= 86_400_000
    assert answers[-1].json() == {"statusCode": 429, "message": "Too Many Requests"}


@pytest.mark.parametrize("ghl_sandbox", [{"limit": 5, "daily_limit": 2, "interval": 60.0}], indirect=True)
def test_both_limits_refuse_alike_but_for_one_header(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox) as client:
        answers = [client.get("/associations/") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[-1].json() == {"statusCode": 429, "message": "Too Many Requests"}
    assert rates(answers[-1])["x-ratelimit-daily-remaining"] == 0
    assert rates(answers[-1])["x-ratelimit-remaining"] == 3


@pytest.mark.parametrize("ghl_sandbox", [{"limit": 10, "interval": 60.0, "daily_limit": 100}], indirect=True)
def test_other_users_and_new_limits_show_in_the_headers(ghl_sandbox: Sandbox) -> None:
    with HttpClient(ghl_sandbox) as client:
        ghl_sandbox.foreign(4)
        assert rates(client.get("/associations/"))["x-ratelimit-remaining"] == 5
        ghl_sandbox.set_limit(6)
        found = rates(client.get("/associations/"))
        assert (found["x-ratelimit-max"], found["x-ratelimit-remaining"]) == (6, 0)
        ghl_sandbox.set_limit(7)
        ghl_sandbox.spend_daily(93)
        assert rates(client.get("/associations/"))["x-ratelimit-daily-remaining"] == 0
        assert client.get("/associations/").status_code == 429


@pytest.mark.parametrize("ghl_sandbox", [{"daily_limit": 1, "daily_resets_in": 3.0, "day": 60.0}], indirect=True)
def test_the_day_starts_anew(ghl_sandbox: Sandbox) -> None:
    statuses: list[int] = []
    until = time.monotonic() + 60
    with HttpClient(ghl_sandbox) as client:
        while statuses[-2:] != [429, 200] and time.monotonic() < until:
            statuses.append(client.get("/associations/").status_code)
        assert statuses[-2:] == [429, 200]
        assert 59_000 < rates(client.get("/associations/"))["x-ratelimit-daily-reset"] <= 60_000


@pytest.mark.parametrize(
    ("ghl_sandbox", "expected"),
    [
        ({"limit": 1, "interval": 60.0, "count_at": "arrival"}, (200, 429)),
        ({"limit": 1, "interval": 60.0, "count_at": "answer"}, (429, 200)),
    ],
    indirect=["ghl_sandbox"],
)
def test_when_a_request_counts(ghl_sandbox: Sandbox, expected: tuple[int, int]) -> None:
    with HttpClient(ghl_sandbox) as slow, HttpClient(ghl_sandbox) as fast, ThreadPoolExecutor(1) as pool:
        ghl_sandbox.set_latency(2.0)
        first = pool.submit(slow.get, "/associations/")
        while not ghl_sandbox.stats()["requests"]:
            pass
        ghl_sandbox.set_latency(0)
        second = fast.get("/associations/").status_code
        assert (first.result().status_code, second) == expected


@pytest.mark.parametrize("ghl_sandbox", [{"latency": 1.0, "latency_spread": 0.5, "seed": 3}], indirect=True)
def test_many_requests_wait_at_once(ghl_sandbox: Sandbox) -> None:
    attends = add_attends(ghl_sandbox)

    def relate(number: int) -> tuple[int, float]:
        with HttpClient(ghl_sandbox) as client:
            answer = client.relate(attends, f"c{number}", "party")
            return answer.status_code, answer.elapsed.total_seconds()

    with ThreadPoolExecutor(60) as pool:
        answers = list(pool.map(relate, range(60)))
    assert {status for status, _ in answers} == {201}
    assert min(seconds for _, seconds in answers) >= 0.5
    assert len({round(seconds, 2) for _, seconds in answers}) > 3
    stats = ghl_sandbox.stats()
    assert stats["most_in_flight"] > 10
    assert (stats["writes"], stats["relations"]) == (60, 60)


def test_statistics(ghl_sandbox: Sandbox) -> None:
    attends = add_attends(ghl_sandbox)
    before = time.monotonic()
    with HttpClient(ghl_sandbox) as client:
        for second in ("a", "b", "a"):
            client.relate(attends, "ann", second)
        client.send("GET", "/nowhere")
        statistics = client.send("GET", "/sandbox/stats").json()
        assert client.send("GET", "/sandbox/stats").json() == statistics == ghl_sandbox.stats()
    first, last = statistics["first_write"], statistics["last_write"]
    assert before <= first <= last <= time.monotonic()
    assert ghl_sandbox.write_times() == [first, last]
    assert statistics == {
        "requests": 4,
        "by_status": {"201": 2, "400": 1, "404": 1},
        "by_route": {"GET /nowhere": 1, "POST /associations/relations": 3},
        "rate_limited": 0,
        "refused_refreshes": 0,
        "faults": {},
        "writes": 2,
        "first_write": first,
        "last_write": last,
        "relations": 2,
        "most_in_flight": 1,
    }


@pytest.mark.parametrize("ghl_sandbox", [{"limit": 1, "interval": 60.0}], indirect=True)
def test_statistics_are_neither_limited_nor_counted(ghl_sandbox: Sandbox) -> None:
    for _ in range(3):
        assert requests.get(f"{ghl_sandbox.url}/sandbox/stats", timeout=TOO_LONG).json()["requests"] == 0


def test_pipelined_requests_are_answered_in_order(ghl_sandbox: Sandbox) -> None:
    ghl_sandbox.set_latency(0.02, 1.0)
    paths = ["/sandbox/stats", "/a", "/associations/", "/b"] * 20
    asked = b"".join(f"GET {path} HTTP/1.1\r\nhost: x\r\n\r\n".encode() for path in paths)
    with socket.create_connection(("127.0.0.1", int(ghl_sandbox.url.rpartition(":")[2])), timeout=TOO_LONG) as line:
        line.sendall(asked[:-2])
        line.sendall(b"connection: close\r\n\r\n")
        received = b""
        while chunk := line.recv(65536):
            received += chunk
    statuses = [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200", b"401", b"401", b"401"] * 20


@pytest.mark.parametrize("garbage", [b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"x" * 70_000])
def test_garbage_is_answered_400_and_the_server_lives_on(ghl_sandbox: Sandbox, garbage: bytes) -> None:
    with socket.create_connection(("127.0.0.1", int(ghl_sandbox.url.rpartition(":")[2])), timeout=TOO_LONG) as line:
        line.sendall(garbage)
        assert line.recv(100).startswith(b"HTTP/1.1 400")
    with HttpClient(ghl_sandbox) as client:
        assert client.get("/associations/").status_code == 200


def test_requests_may_come_in_pieces(ghl_sandbox: Sandbox) -> None:
    body = json.dumps({"a": "x" * 100}).encode()
    head = f"POST /associations/ HTTP/1.1\r\nversion: v3\r\nauthorization: Bearer {ghl_sandbox.token}\r\n"
    asked = head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(("127.0.0.1", int(ghl_sandbox.url.rpartition(":")[2])), timeout=TOO_LONG) as line:
        for start in range(0, len(asked), 37):
            line.sendall(asked[start : start + 37])
        assert line.recv(100).startswith(b"HTTP/1.1 422")


def test_it_serves_many_requests_on_many_connections(ghl_sandbox: Sandbox) -> None:
    attends = add_attends(ghl_sandbox)

    def load(worker: int) -> set[int]:
        with HttpClient(ghl_sandbox) as client:
            return {client.relate(attends, f"c{worker}", f"e{number}").status_code for number in range(50)}

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(load, range(20))) == [{201}] * 20
    assert len(ghl_sandbox.state.pairs(attends)) == 1000


def test_a_port_that_is_taken_is_said_at_the_start(ghl_sandbox: Sandbox) -> None:
    other = Sandbox(port=int(ghl_sandbox.url.rpartition(":")[2]))
    with pytest.raises(OSError, match="in use"):
        other.start()
    with pytest.raises(RuntimeError, match="not started"):
        _ = other.url


def test_the_connection_is_one_that_airflow_reads(ghl_sandbox: Sandbox) -> None:
    assert json.loads(ghl_sandbox.connection_json) == {
        "conn_type": "ghl",
        "host": ghl_sandbox.url,
        "password": ghl_sandbox.token,
        "extra": {"location_id": ghl_sandbox.location_id},
    }
    assert repr(ghl_sandbox) == f"<Sandbox {ghl_sandbox.url} seed={ghl_sandbox.seed}>"
    assert len(ghl_sandbox.location_id) == 20


def test_numbers_that_make_no_sense_are_refused() -> None:
    for wrong in ({"limit": 0}, {"interval": 0}, {"latency": -1}, {"latency_spread": 2}, {"page_cap": 0}):
        with pytest.raises(ValueError, match="at least"):
            Sandbox(**wrong)  # type: ignore[arg-type]
