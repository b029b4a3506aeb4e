"""Whether a process has provably ended."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import sqlalchemy as sa
from ledgers import Place

from airflow_provider_ghl.load.ledger.liveness import SILENCE, alive_attempts
from airflow_provider_ghl.load.ledger.process import Process


def test_a_process_knows_itself() -> None:
    here = Process.current()
    assert (here.pid, here) == (os.getpid(), Process.current())
    assert here.machine
    assert not here.is_gone(here)


def test_what_ended_is_gone_reaped_or_not() -> None:
    here = Process.current()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        there = Process(here.machine, child.pid, "")
        assert not here.is_gone(there)
        assert here.is_gone(replace(there, began="1")), "its number was given to another"
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        if sys.platform == "linux":
            assert here.is_gone(there), "a zombie sends nothing"
    assert here.is_gone(there)


@pytest.mark.parametrize("pid", [0, -1])
def test_no_process_is_not_a_process_that_is_gone(pid: int) -> None:
    here = Process.current()
    assert not here.is_gone(Process(here.machine, pid, ""))


def test_of_another_machine_nobody_knows() -> None:
    here = Process.current()
    assert not here.is_gone(Process("elsewhere", 2**22 + 1, ""))
    nowhere = Process("", 2**22 + 1, "")
    assert not nowhere.is_gone(nowhere)


def test_a_process_of_another_user_is_there() -> None:
    here = Process.current()
    assert not here.is_gone(Process(here.machine, 1, ""))


@pytest.mark.parametrize("place", ["memory", "postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("after", "is_alive"), [(-SILENCE - 1, False), (-SILENCE, True), (SILENCE, True), (SILENCE + 1, False)]
)
def test_a_heartbeat_of_long_ago_or_to_come_is_none(place: Place, after: float, is_alive: bool) -> None:
    """A clock that was wrong once must not keep a dead attempt's claims forever."""
    number = place.worker("load", Process("elsewhere", 1, "1")).attempt.number

    def ask(connection: sa.Connection) -> set[int]:
        return alive_attempts(connection, [number], place.clock.now - after, Process.current())

    with place.shared.connect() as connection:
        assert ask(connection) == ({number} if is_alive else set())
