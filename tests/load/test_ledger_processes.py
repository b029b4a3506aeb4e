"""Real processes on one ledger: they open it, claim, write and die at the same time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ledger_processes import PAIRS
from ledgers import Place
from waits import TOO_LONG

from airflow_provider_ghl.load.ledger.notes import ClaimResult
from airflow_provider_ghl.load.ledger.process import Process
from airflow_provider_ghl.load.ledger.waits import LONGEST_LOCK

pytestmark = pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
PROGRAM = [sys.executable, str(Path(__file__).with_name("ledger_processes.py"))]


def output(place: Place, command: str) -> Any:
    done = subprocess.run([*PROGRAM, command, place.url], capture_output=True, text=True, timeout=TOO_LONG)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_many_open_an_empty_ledger_at_once(place: Place) -> None:
    ids = output(place, "open_empty")
    assert len(ids) == 8
    assert set(ids) == {place.ledger().id}
    assert place.rows("SELECT count(*) FROM ghl_ledger WHERE name = 'ledger_id'") == [(1,)]


def test_many_open_a_ledger_of_an_earlier_release_at_once(place: Place) -> None:
    place.fill_with_version_1()
    assert output(place, "open_empty") == ["79a7992bdba84757859944f50209f8ea"] * 8
    assert place.rows("SELECT value FROM ghl_ledger WHERE name = 'schema_version'") == [("3",)]
    assert place.rows("SELECT count(*) FROM ghl_relations") == [(23,)]
    assert place.rows("SELECT count(*) FROM ghl_keys") == [(0,)]


def test_of_two_who_claim_the_same_pairs_one_gets_each(place: Place) -> None:
    first, second = output(place, "claim_same")
    assert len(first) == len(second) == PAIRS
    assert Counter(map(tuple, map(sorted, zip(first, second, strict=True)))) == {(ClaimResult.CLAIMED, ClaimResult.HELD): PAIRS}


def test_two_write_at_once_and_neither_waits_long(place: Place) -> None:
    outcomes = output(place, "write_on")
    for commits, longest in outcomes:
        print(f"{place.kind}: {commits} commits of 100 answers, the longest transaction took {longest:.3f} s")  # noqa: T201
        assert longest < LONGEST_LOCK / 2
        assert commits
    made = 100 * sum(commits for commits, _ in outcomes)
    assert place.rows("SELECT count(*) FROM ghl_relations WHERE state = 1 AND attempt IS NULL") == [(made,)]
    assert place.rows("SELECT count(*) FROM ghl_load_results") == [(made,)]


def test_a_kill_loses_nothing_that_was_written(place: Place) -> None:
    with subprocess.Popen([*PROGRAM, "write_until_killed", place.url], stdout=subprocess.PIPE, text=True) as victim:
        assert victim.stdout is not None
        for line in victim.stdout:
            if int(line) == 12:
                os.kill(victim.pid, signal.SIGKILL)
                break
        written = [12, *map(int, victim.stdout)][-1] + 1
    place.clock.now = place.ledger().loads.list()[0]["updated"]
    if place.kind == "sqlite":
        assert place.rows("PRAGMA integrity_check") == [("ok",)]
    (there,) = place.rows("SELECT count(*) FROM ghl_relations WHERE state = 1")[0]
    assert written * 100 <= there <= (written + 1) * 100, "a commit may be done before it was reported"
    assert place.rows("SELECT count(*) FROM ghl_load_results") == [(there,)]
    assert place.rows("SELECT count(*) FROM ghl_relations WHERE state = 0") in ([(0,)], [(100,)])
    load = place.ledger().loads.find("killed")
    assert load is not None
    assert load["state"] == "lost", "its process is gone, and nobody waits for its heartbeat to grow old"
    elsewhere = place.ledger(replace(Process.current(), machine="elsewhere")).loads.find("killed")
    assert elsewhere is not None
    assert elsewhere["state"] == "running", "who cannot see the process waits"
    again = place.worker("killed", try_number=2)
    assert again.attempt.has_earlier
    assert set(again.claim("0 0-1", "0 12-99")) == {ClaimResult.OURS}
