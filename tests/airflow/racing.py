"""Processes that share a connection whose token is refreshed, as the tests see them: started, stopped, killed and judged."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from agencies import Agency
from refreshing import ASSOCIATION, pairs_of
from waiting import OUTCOMES
from waits import TOO_LONG

__all__ = ["TOKENS", "Forks", "Race", "forks", "wait_until"]

PROGRAM = [sys.executable, "-W", "ignore::DeprecationWarning", str(Path(__file__).with_name("refreshing.py"))]
#: What stats call the endpoint of refreshes.
TOKENS = "POST /oauth/token"
#: An access token, by its length; nothing else that is written has it.
_ACCESS_TOKEN = re.compile(r"(?<![\w-])[\w-]{64}(?![\w-])")


class Forks:
    """The program that forks a process for each job."""

    def __init__(self, jobs: IO[str], answers: IO[str], home: Path) -> None:
        #: Of its Airflow.
        self.home = home
        self._jobs = jobs
        self._answers = answers

    def start(self, job: dict[str, Any]) -> int:
        """The id of its process."""
        pid: int = self._asked(job)
        return pid

    def ended(self) -> list[int]:
        """How those ended that were started since the last time, once all have."""
        ended: list[int] = self._asked(None)
        return ended

    def _asked(self, said: Any) -> Any:
        self._jobs.write(json.dumps(said) + "\n")
        self._jobs.flush()
        return json.loads(self._answers.readline())


@contextmanager
def forks(home: Path, env: Mapping[str, str]) -> Iterator[Forks]:
    """The program, with an Airflow whose home this is."""
    env = os.environ | env | {"AIRFLOW_HOME": str(home), "OPENBLAS_NUM_THREADS": "1"}  # who forks has no threads
    reads, writes = os.pipe()
    with os.fdopen(reads) as answers, (home / "program.log").open("wb") as log:
        program = subprocess.Popen(
            [*PROGRAM, str(writes)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
            env=env,
            pass_fds=[writes],
            start_new_session=True,
        )
        os.close(writes)
        assert program.stdin is not None
        try:
            started = Forks(program.stdin, answers, home)
            assert started.ended() == []  # which it says once it is ready
            yield started
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)  # and with it those that a failed test has left
            program.stdin.close()
            program.wait()


@dataclass
class Race:
    """Some processes with one connection, and what became of their loads."""

    agency: Agency
    forks: Forks
    folder: Path
    connection: str = field(repr=False)
    #: The first of the chain, whose text is in all that follow it.
    refresh_token: str = field(repr=False)
    #: Where loads go, in turn.
    locations: list[str]
    names: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for location_id in self.locations:
            self.agency.sandbox.state.add_association(
                ASSOCIATION, "contact", "custom_objects.event", "Attendee", "Event", location_id=location_id
            )

    def start(self, name: str, *, seconds: float = TOO_LONG, loads: int = 1_000_000, **more: Any) -> int:
        """The id of a process that loads for so long, or so often, or until :meth:`stop`, whichever is first.

        Each load is in a process of its own, as tasks are: one that lived through hundreds of refreshes would have Airflow
        mask hundreds of tokens, which takes it seconds. ``is_one_process``: it is the one of this id.
        """
        self.names.add(name)
        job = {
            "name": name,
            "conn_id": f"race_{self.refresh_token[:8]}",  # races share a database
            "connection": self.connection,
            "location_id": self.locations[len(self.names) % len(self.locations)],
            "rows": 8,
            "loads": loads,
            "until": time.monotonic() + seconds,
            "try_number": 1,
            "is_one_process": False,
            "flag": str(self.folder / "enough"),
            "report": str(self._report(name)),
            "log": str(self.folder / f"{name}.log"),
        }
        return self.forks.start(job | more)

    def stop(self) -> list[int]:
        """Have all begin no other load, and wait for their ends. How they ended."""
        flag = self.folder / "enough"
        flag.touch()
        ended = self.forks.ended()
        flag.unlink()
        return ended

    def told(self, name: str) -> list[dict[str, Any]]:
        """Of a process's loads that have ended."""
        report = self._report(name)
        return [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []

    def loads(self) -> list[dict[str, Any]]:
        """Of all processes."""
        return [told for name in sorted(self.names) for told in self.told(name)]

    def generation(self) -> int:
        """Refreshes that the token had behind it when a load ended last."""
        return max((told["generation"] for told in self.loads()), default=0)

    @property
    def refreshes(self) -> int:
        """Requests for one, by all processes."""
        return self.agency.count(TOKENS)

    @property
    def refused(self) -> int:
        """Those that HighLevel refused."""
        return self.agency.sandbox.stats()["refused_refreshes"]

    def related(self) -> int:
        """Pairs that are in HighLevel."""
        return self.agency.sandbox.state.count_all()

    def check(self) -> None:
        """Every load was green and its counts add up; HighLevel has its pairs and no other; nobody wrote a token anywhere."""
        self._check_counts()
        self._check_pairs()
        self._check_secrets()

    def figures(self, began: float) -> str:
        """What it came to."""
        loads, stats = self.loads(), self.agency.sandbox.stats()
        return (
            f"{time.monotonic() - began:.0f} s, {len(self.names)} processes, {len(loads)} loads of {self.related()} rows, "
            f"{self.refreshes} requests for {self.generation()} refreshes, {self.refused} refused, "
            f"faults {stats['faults']}, answers {stats['by_status']}, "
            f"{sum(told['summary']['retries'] for told in loads if 'summary' in told)} retries of rows, "
            f"longest load {max((told['seconds'] for told in loads), default=0.0):.1f} s"
        )

    def _check_counts(self) -> None:
        loads = self.loads()
        assert loads
        assert [told["traceback"] for told in loads if "error" in told] == []
        for told in loads:
            counts = {outcome: told["summary"][outcome] for outcome in OUTCOMES}
            assert sum(counts.values()) == told["summary"]["rows"] == told["rows"]
            assert counts["created"] + counts["already_exists"] == told["rows"]
            assert told["summary"]["stopped_by"] is None

    def _check_pairs(self) -> None:
        asked = [
            pair for name in self.names for told in self.told(name) for pair in pairs_of(name, told["number"], told["rows"])
        ]
        state = self.agency.sandbox.state
        there: set[tuple[str, str]] = set()
        for location_id in self.locations:
            association = str(state.association_by_key(ASSOCIATION, location_id)["id"])
            there |= state.pairs(association, location_id)
        assert there - set(asked) == set()
        assert set(asked) - there == set(), "rows are lost"
        assert self.related() == len(asked)

    def _check_secrets(self) -> None:
        chain = self.refresh_token.rpartition("-")[0]
        token = self.agency.issue()["access_token"]
        assert _ACCESS_TOKEN.search(f'"{token}"'), "it would not be found"
        for path in [*self.folder.iterdir(), *self.forks.home.rglob("*")]:
            if path.is_file():
                text = path.read_bytes().decode(errors="replace")
                assert chain not in text, f"{path.name} has a refresh token"
                assert "Bearer " not in text, path.name
                assert path.suffix not in (".log", ".jsonl") or not _ACCESS_TOKEN.search(text), f"{path.name} has a token"

    def _report(self, name: str) -> Path:
        return self.folder / f"{name}.jsonl"


def wait_until(what: str, is_so: Callable[[], bool], seconds: float = TOO_LONG) -> None:
    """Until it is so, to a few milliseconds.

    :raises TimeoutError: it never was.
    """
    until = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.005)
