"""Ports for a load that is to be killed. They keep a diary, and kill their own process at a chosen call.

The diary is written line by line with one system call each, so that a kill loses none of them:

``q`` a request was handed to a thread · ``t n`` answers of n requests were taken in · ``s first second`` a create goes out ·
``g answer first second`` it was answered: by a status, ``duplicate``, or ``broken`` · ``r`` a read, a search or a delete goes
out · ``d id`` a relation is to be deleted · ``k`` the kill
"""

from __future__ import annotations

import json
import os
import random
import signal
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas
import sqlalchemy as sa

from airflow_provider_ghl.api.calls import Call
from airflow_provider_ghl.api.transport import RawAnswer, RequestsTransport
from airflow_provider_ghl.exceptions import TransportError
from airflow_provider_ghl.load.ledger.deletions import LedgerDeletions
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt, LedgerLoads
from airflow_provider_ghl.load.ledger.relations import LedgerRelations
from airflow_provider_ghl.load.results.file import ResultsFile
from airflow_provider_ghl.load.send.workers import ThreadWorkers
from airflow_provider_ghl.relations.fields import RESULT_FIELDS

__all__ = ["ChaosFile", "ChaosLedger", "ChaosTransport", "ChaosWorkers", "Diary", "Fuse"]


class Diary:
    """A log of what one attempt did."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, *parts: object) -> None:
        """Write one line."""
        os.write(self._file, (" ".join(map(str, parts)) + "\n").encode())


class Fuse:
    """Kills the process at the n-th call of a kind; never where no kind is given."""

    def __init__(self, diary: Diary, kind: str | None, at: int) -> None:
        self._diary = diary
        self._kind = kind
        self._at = at
        self._calls: Counter[str] = Counter()

    def reach(self, kind: str) -> None:
        """Count a call of this kind, and kill the process if it is the chosen one."""
        self._calls[kind] += 1
        if kind == self._kind and self._calls[kind] == self._at:
            self._diary.note("k", kind, self._at)
            os.kill(os.getpid(), signal.SIGKILL)


class ChaosTransport(RequestsTransport):
    """The real transport.

    :param limited: the share of requests that a simulated gateway answers with 429.
    """

    def __init__(self, host: str, diary: Diary, fuse: Fuse, seed: int, limited: float) -> None:
        super().__init__(host)
        self._diary = diary
        self._fuse = fuse
        self._random = random.Random(seed)
        self._limited = limited

    def send(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        """See :class:`Transport`."""
        if call.template.endswith("/search"):
            return self._search(call, headers)
        if call.method == "DELETE":
            return self._delete(call, headers)
        if call.method != "POST":
            self._diary.note("r")
            return super().send(call, headers)
        pair = call.json["firstRecordId"], call.json["secondRecordId"]
        self._diary.note("s", *pair)
        self._fuse.reach("before it is sent")
        if self._random.random() < self._limited:
            self._diary.note("g", 429, *pair)
            return 429, {}, b'{"statusCode": 429, "message": "Too Many Requests"}'
        try:
            answer = super().send(call, headers)
        except TransportError:
            self._diary.note("g", "broken", *pair)
            raise
        self._fuse.reach("sent and unanswered")
        self._diary.note("g", _answer_name(answer[0], answer[2]), *pair)
        return answer

    def _search(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        self._diary.note("r")
        self._fuse.reach("before a search")
        answer = super().send(call, headers)
        self._fuse.reach("searched and untold")
        return answer

    def _delete(self, call: Call, headers: Mapping[str, str]) -> RawAnswer:
        self._diary.note("r")
        self._diary.note("d", call.path.rpartition("/")[2])
        self._fuse.reach("before a delete")
        answer = super().send(call, headers)
        self._fuse.reach("deleted and unanswered")
        return answer


def _answer_name(status: int, body: bytes) -> str:
    try:
        message = json.loads(body)
    except ValueError:
        return "broken"
    return "duplicate" if status == 400 and "duplicate" in str(message) else str(status)


class ChaosWorkers(ThreadWorkers):
    """The real workers."""

    def __init__(self, diary: Diary) -> None:
        super().__init__()
        self._diary = diary

    def submit(self, key: Any, function: Any) -> None:
        """See :class:`Workers`."""
        self._diary.note("q")
        super().submit(key, function)

    def wait(self, seconds: float) -> list[tuple[Any, Any]]:
        """See :class:`Workers`."""
        done = super().wait(seconds)
        if done:
            self._diary.note("t", len(done))
        return done


class ChaosLedger(Ledger):
    """The real ledger."""

    def __init__(self, engine: sa.Engine, fuse: Fuse) -> None:
        super().__init__(engine)
        self._fuse = fuse
        self.relations = _Relations(self._database, self._process)
        self.relations.fuse = fuse
        self.deletions = _Deletions(self._database)
        self.deletions.fuse = fuse
        self.loads = _Loads(self._database, self._process)
        self.loads.fuse = fuse
        sa.event.listen(engine, "commit", lambda connection: fuse.reach("before a commit"))

    def write_all(self, *args: Any, **kwargs: Any) -> None:
        """See :class:`Ledger`."""
        self._fuse.reach("answered and uncommitted")
        super().write_all(*args, **kwargs)
        self._fuse.reach("committed")


class _Deletions(LedgerDeletions):
    fuse: Fuse

    def note(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.reach("deleted and remembered")
        super().note(*args, **kwargs)


class _Relations(LedgerRelations):
    fuse: Fuse

    def owned(self, target_id: int) -> Any:
        self.fuse.reach("before what is owned is read")
        return super().owned(target_id)

    def doubt(self, *args: Any) -> None:
        self.fuse.reach("before a doubt")
        super().doubt(*args)
        self.fuse.reach("doubted and undeleted")

    def claim(self, *args: Any, **kwargs: Any) -> Any:
        self.fuse.reach("before a claim")
        codes = super().claim(*args, **kwargs)
        self.fuse.reach("claimed and unsent")
        return codes


class _Loads(LedgerLoads):
    fuse: Fuse

    def begin(self, *args: Any, **kwargs: Any) -> Attempt:
        attempt = super().begin(*args, **kwargs)
        self.fuse.reach("begun")
        return attempt

    def end(self, *args: Any, **kwargs: Any) -> None:
        self.fuse.reach("before its end is noted")
        super().end(*args, **kwargs)


class ChaosFile(ResultsFile):
    """A local results file."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        self._fuse = fuse

        def publish(temporary: Path) -> None:
            fuse.reach("before the file is in its place")
            temporary.replace(path)
            fuse.reach("the file is in its place")

        super().__init__(path.name, RESULT_FIELDS, publish, path.parent)

    def append(self, frame: pandas.DataFrame) -> None:
        """See :class:`ResultsFile`."""
        half = len(frame) // 2
        super().append(frame[:half])
        self._fuse.reach("in the file")
        super().append(frame[half:])
