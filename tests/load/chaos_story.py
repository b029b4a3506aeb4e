"""Loads that are killed, as a test sees them. It starts attempts, reads their diaries, and knows what each kill may cost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas
import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import OUTCOMES
from airflow_provider_ghl.relations.fields import RESULT_FIELDS
from airflow_provider_ghl.sandbox import Sandbox

__all__ = ["KEY", "KILLED", "Attempt", "Forks", "Pair", "World", "forks"]

Pair = tuple[str, str]
KEY = "student_teacher"
KILLED = -9
#: After at most this many answers the ledger commits them.
MOST_UNCOMMITTED = 100
_DEFAULTS: dict[str, Any] = {
    "batch_size": 30,
    "rows_at_once": 120,
    "diff_against": "ledger",
    "max_requests": None,
    "max_failures": 6,
    "limited": 0.0,
    #: What makes it a mirror.
    "mirror": {},
    "kill": None,
    "kill_at": 0,
    "try_number": 1,
    "lookups": False,
    #: The diary of another attempt, and how many creates it must have sent before this one begins.
    "begins_after": None,
}


class Forks:
    """The program that forks a process for each attempt."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, jobs: Sequence[dict[str, Any]]) -> list[int]:
        """Run the jobs at once and wait for them. Returns the exit code of each process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(list(jobs)) + "\n")
        self._process.stdin.flush()
        ended: list[int] = json.loads(self._process.stdout.readline())
        return ended


@contextmanager
def forks() -> Iterator[Forks]:
    """The program, ready to fork."""
    program = [sys.executable, "-W", "ignore::DeprecationWarning", str(Path(__file__).with_name("chaos_child.py"))]
    alone = os.environ | {"OPENBLAS_NUM_THREADS": "1"}  # a process that forks should have no threads
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=alone) as process:
        yield Forks(process)
        assert process.stdin is not None
        process.stdin.close()


@dataclass
class Attempt:
    """What one attempt did according to its diary, and what the ledger knew afterwards."""

    load_id: str
    ended: int
    diary: list[list[str]]
    claims: set[Pair]
    there: set[Pair]
    verdict: dict[str, Any] | None

    @property
    def killed_at(self) -> str | None:
        """The kind of call that killed it."""
        return next((" ".join(words[1:-1]) for words in self.diary if words[0] == "k"), None)

    @property
    def sends(self) -> Counter[Pair]:
        """How often each pair was sent."""
        return Counter((words[1], words[2]) for words in self.diary if words[0] == "s")

    @property
    def requests(self) -> int:
        """How many requests the process sent before it ended."""
        return sum(words[0] in "sr" for words in self.diary)

    @property
    def deletes(self) -> Counter[str]:
        """How often each relation was to be deleted."""
        return Counter(words[1] for words in self.diary if words[0] == "d")

    @property
    def answers(self) -> Counter[str]:
        """The answers to creates, counted."""
        return Counter(words[1] for words in self.diary if words[0] == "g")

    def answers_to(self, pair: Pair) -> list[str]:
        """The answers to creates of a pair, in order."""
        return [words[1] for words in self.diary if words[0] == "g" and (words[2], words[3]) == pair]

    @property
    def in_flight(self) -> int:
        """How many requests were in flight when its last round began, or were sent in that round."""
        taken = [int(words[1]) for words in self.diary if words[0] == "t"]
        return sum(words[0] == "q" for words in self.diary) - sum(taken[:-1])

    @property
    def between_tries(self) -> int:
        """How many pairs would be sent again in any case, since their last answer settled nothing."""
        last = {(words[2], words[3]): words[1] for words in self.diary if words[0] == "g"}
        return sum(not is_definite(answer) for answer in last.values())

    @property
    def most_again(self) -> int:
        """How many requests the next attempt may have to repeat."""
        return self.in_flight + MOST_UNCOMMITTED + self.between_tries


def is_definite(answer: str) -> bool:
    """Whether an answer settles its row."""
    return answer in ("201", "duplicate")


@dataclass
class World:
    """A sandbox, a ledger and a folder, and the loads of one table with them."""

    sandbox: Sandbox
    forks: Forks
    folder: Path
    ledger_url: str
    seed: int
    rows: list[Pair]
    before: set[Pair]
    settings: dict[str, Any] = field(default_factory=dict)
    attempts: list[Attempt] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.association_id = self.sandbox.state.add_association(
            KEY, "custom_objects.student", "custom_objects.teacher", "Student", "Teacher"
        )
        for pair in sorted(self.before):
            self.sandbox.state.add_relation(self.association_id, *pair)
        self._engine = sa.create_engine(self.ledger_url)
        Ledger(self._engine)

    def job(self, load_id: str = "load", **more: Any) -> dict[str, Any]:
        """The job of an attempt."""
        number = len(list(self.folder.glob("*.diary")))
        places = {name: str(self.folder / f"{number}.{name}") for name in ("diary", "verdict")}
        Path(places["diary"]).touch()
        given = {
            "load_id": load_id,
            "token": self.sandbox.token,
            "host": self.sandbox.url,
            "location_id": self.sandbox.location_id,
            "association_key": KEY,
            "ledger": self.ledger_url,
            "seed": self.seed * 1_000 + number,
            "rows": self.rows,
            "results_path": str(self.results_path(load_id)),
        }
        return _DEFAULTS | self.settings | places | given | more

    def results_path(self, load_id: str) -> Path:
        """The path of a load's results file."""
        return self.folder / f"{load_id}.csv"

    def run(self, *jobs: dict[str, Any]) -> list[Attempt]:
        """Run jobs at once, and return their attempts."""
        ended = self.forks.run(jobs)
        claims, there = self.claims(), self.there()
        done = []
        for job, status in zip(jobs, ended, strict=True):
            diary = [line.split() for line in Path(job["diary"]).read_text().splitlines()]
            verdict = Path(job["verdict"])
            verdict_data = json.loads(verdict.read_text()) if verdict.exists() else None
            done.append(Attempt(job["load_id"], status, diary, claims, there, verdict_data))
        self.attempts.extend(done)
        return done

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Query the ledger's database."""
        with self._engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(statement)]

    def claims(self) -> set[Pair]:
        """The pairs that are claimed and not known to exist."""
        return {(a, b) for a, b in self.ask("SELECT first_record_id, second_record_id FROM ghl_relations WHERE state = 0")}

    def there(self) -> set[Pair]:
        """The pairs that are known to exist."""
        return {(a, b) for a, b in self.ask("SELECT first_record_id, second_record_id FROM ghl_relations WHERE state = 1")}

    def close(self) -> None:
        """Close the connections to the ledger."""
        self._engine.dispose()

    # What must hold

    def check_highlevel(self) -> None:
        """Each pair exists once, and was created once."""
        assert self.sandbox.state.pairs(self.association_id) == set(self.rows) | self.before
        stats = self.sandbox.stats()
        assert stats["relations"] == len(set(self.rows) | self.before)
        assert stats["writes"] == len(set(self.rows) - self.before)

    def check_ledger(self) -> None:
        """The ledger is intact, knows exactly the pairs that exist, and has no claims left."""
        if self.ledger_url.startswith("sqlite"):
            assert self.ask("PRAGMA integrity_check") == [("ok",)]
        assert self.ask("SELECT count(*) FROM ghl_relations") == [(len(set(self.rows)),)]
        assert self.there() == set(self.rows)
        owned = "SELECT count(*) FROM ghl_relations WHERE attempt IS NOT NULL"
        if self.settings.get("diff_against") == "highlevel":
            # A pair that was read exists, whoever claimed it. The number of a killed attempt may stay with it, without meaning.
            owned += " AND attempt IN (SELECT max(number) FROM ghl_attempts)"
        assert self.ask(owned) == [(0,)]

    def check_file(self, load_id: str = "load", rows: Sequence[Pair] | None = None) -> pandas.DataFrame | None:
        """The results file, if it exists, is complete."""
        path, wanted = self.results_path(load_id), rows or self.rows
        if not path.exists():
            return None
        assert path.read_bytes().endswith(b"\n")
        frame = pandas.read_csv(path)
        assert tuple(frame.columns) == RESULT_FIELDS
        assert frame["row"].tolist() == list(range(len(wanted)))
        assert list(zip(frame["first_record_id"], frame["second_record_id"], strict=True)) == list(wanted)
        return frame

    def check_verdict(self, attempt: Attempt, rows: Sequence[Pair] | None = None) -> None:
        """The end is green, every row has one outcome, the sums are correct, and the file agrees."""
        wanted = list(rows or self.rows)
        assert attempt.ended == 0
        assert attempt.verdict is not None
        results, summary = attempt.verdict["results"], attempt.verdict["summary"]
        assert attempt.verdict["end"] == "green", attempt.verdict["message"]
        assert [(r["row"], r["first_record_id"], r["second_record_id"]) for r in results] == [
            (row, *pair) for row, pair in enumerate(wanted)
        ]
        counted = Counter(result["outcome"] for result in results)
        assert {outcome: summary[outcome] for outcome in OUTCOMES} == {outcome: counted[outcome] for outcome in OUTCOMES}
        assert summary["rows"] == len(wanted)
        assert counted["created"] + counted["already_exists"] == len(set(wanted))
        assert counted["repeated"] == len(wanted) - len(set(wanted))
        assert summary["requests"] == attempt.requests
        frame = self.check_file(attempt.load_id, wanted)
        assert frame is not None
        assert frame["outcome"].tolist() == [result["outcome"] for result in results]
        parts = list(self.folder.glob(f".{attempt.load_id}.csv.*.part"))
        assert parts == [], "what killed processes left is removed"
