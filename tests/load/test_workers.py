"""The threads that send requests, and a whole load with them."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from functools import partial

import pytest
from relation_specs import relation_spec
from simulated_highlevel import KEY, LOCATION, TOKEN, SimulatedServer
from simulated_load import COLUMNS
from simulated_time import FakeClock
from waits import TOO_LONG

from airflow_provider_ghl.api.authorization import BearerToken
from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.api.transport import RawAnswer
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.results.outcomes import End
from airflow_provider_ghl.load.send.workers import ThreadWorkers
from airflow_provider_ghl.load.source.rows import from_data


def our_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("ghl-")]


@pytest.fixture
def workers() -> Iterator[ThreadWorkers]:
    """Workers. All their threads must have ended after the test."""
    workers = ThreadWorkers()
    yield workers
    workers.close()
    for thread in our_threads():
        thread.join(TOO_LONG)
    assert our_threads() == []


def collect(workers: ThreadWorkers, results: int) -> dict[int, object]:
    done: dict[int, object] = {}
    while len(done) < results:
        got = workers.wait(TOO_LONG)
        assert got, "nothing came out"
        done.update(got)
    return done


def test_results_are_returned_with_their_keys(workers: ThreadWorkers) -> None:
    for key in range(50):
        workers.submit(key, partial(pow, key, 2))
    assert collect(workers, 50) == {key: key * key for key in range(50)}
    assert workers.wait(0.0) == []


def test_all_functions_run_at_once(workers: ThreadWorkers) -> None:
    together = threading.Barrier(40)

    def meet() -> int:
        return together.wait(TOO_LONG)

    for key in range(40):
        workers.submit(key, meet)
    assert sorted(str(place) for place in collect(workers, 40).values()) == sorted(map(str, range(40)))


def test_threads_are_used_again(workers: ThreadWorkers) -> None:
    for key in range(30):
        workers.submit(key, threading.get_ident)
        collect(workers, 1)
    assert len(our_threads()) == 1


def test_results_are_returned_while_another_function_hangs(workers: ThreadWorkers) -> None:
    end = threading.Event()
    workers.submit(0, lambda: end.wait(TOO_LONG))
    workers.submit(1, lambda: "done")
    assert workers.wait(TOO_LONG) == [(1, "done")]
    assert workers.wait(0.0) == []
    end.set()
    assert workers.wait(TOO_LONG) == [(0, True)]


@pytest.mark.parametrize("error", [ZeroDivisionError("mistake"), SystemExit(3)])
def test_a_bug_is_raised_in_the_thread_that_waits(workers: ThreadWorkers, error: BaseException) -> None:
    def fail() -> None:
        raise error

    workers.submit(0, fail)
    with pytest.raises(type(error)) as raised:
        workers.wait(TOO_LONG)
    assert raised.value is error
    workers.submit(1, lambda: "goes on")
    assert workers.wait(TOO_LONG) == [(1, "goes on")]


def test_no_thread_blocks_the_exit_of_the_interpreter(workers: ThreadWorkers) -> None:
    end = threading.Event()
    workers.submit(0, lambda: end.wait(TOO_LONG))
    assert [thread.daemon for thread in our_threads()] == [True]
    end.set()


class _OneAtATime:
    """The simulated server behind a lock, called from many threads. No time passes."""

    def __init__(self, server: SimulatedServer, before: Callable[[], None]) -> None:
        self._server = server
        self._lock = threading.Lock()
        self._before = before
        self.threads: set[int] = set()

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        self._before()
        with self._lock:
            self.threads.add(threading.get_ident())
            return self._server.send(call, headers)

    def close(self) -> None:
        pass


def test_a_load_over_real_threads(workers: ThreadWorkers) -> None:
    server = SimulatedServer(FakeClock(), limit=10**6, latencies=iter(lambda: 0.0, 1.0))
    transport = _OneAtATime(server, lambda: None)
    client = Client(BearerToken(TOKEN), location_id=LOCATION, transport=transport)
    pairs = [(f"s{n}", f"t{n}") for n in range(500)]
    spec = relation_spec(load_id="load", location_id=LOCATION, columns=COLUMNS, association_key=KEY, keep_results=1000)
    verdict = run(spec, Ports(batches=from_data([*pairs, *pairs], COLUMNS, 100), client=client, workers=workers))
    assert verdict.end is End.GREEN
    assert (verdict.summary["created"], verdict.summary["repeated"]) == (500, 500)
    assert set(server.relations) == set(pairs)
    assert threading.get_ident() not in transport.threads  # the main thread must notice a stop, and a waiting socket would not
    assert len(transport.threads) > 1


def test_a_bug_loses_no_other_rows(workers: ThreadWorkers) -> None:
    calls: list[int] = []

    def fail_once() -> None:
        calls.append(1)
        if len(calls) == 5:
            raise ZeroDivisionError

    server = SimulatedServer(FakeClock(), latencies=iter(lambda: 0.0, 1.0))
    client = Client(BearerToken(TOKEN), location_id=LOCATION, transport=_OneAtATime(server, fail_once))
    spec = relation_spec(load_id="load", location_id=LOCATION, columns=COLUMNS, association_key=KEY)
    ports = Ports(batches=from_data([(f"s{n}", "t") for n in range(20)], COLUMNS, 10), client=client, workers=workers)
    verdict = run(spec, ports)
    assert verdict.end is End.RETRYABLE
    assert (verdict.summary["failed"], verdict.summary["created"]) == (1, 19)
    (reason,) = [result["reason"] for result in verdict.results if result["outcome"] == "failed"]
    assert reason == "POST /associations/relations ended in an unforeseen ZeroDivisionError"


def test_wait_returns_when_a_signal_handler_ends_after_the_timeout() -> None:
    """``SimpleQueue.get(timeout)`` would never return then (CPython 3.11)."""
    script = """if True:
        import signal, threading
        from airflow_provider_ghl.load.send.workers import ThreadWorkers
        late = threading.Event()
        signal.signal(signal.SIGALRM, lambda *_: late.wait(0.3))
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        ThreadWorkers().wait(0.1)
    """
    subprocess.run([sys.executable, "-c", script], timeout=TOO_LONG, check=True)
