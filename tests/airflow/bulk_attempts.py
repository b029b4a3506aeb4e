"""Attempts of a bulk load, each in a process of its own that may kill itself when it pushes an XCom.

Run as a program with a JSON list of attempts, which it runs one after the other; it forks after Airflow's import, which takes
seconds. Says in JSON how each process ended.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any

from running import TaskInstance

from airflow_provider_ghl.load import loader  # noqa: F401 - so that no attempt has to import it
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

#: After which an attempt that hangs is ended.
_SECONDS = 600


class Mortal(TaskInstance):
    """Dies at the push of a key."""

    dies_at: str | None = None

    def xcom_push(self, key: str, value: Any) -> None:
        """As Airflow's, if it comes to that."""
        if key == self.dies_at:
            os.kill(os.getpid(), signal.SIGKILL)
        super().xcom_push(key, value)


def _run(attempt: dict[str, Any]) -> None:
    ti = Mortal(try_number=attempt["try_number"])
    ti.dies_at = attempt["dies_at"]
    rows = [tuple(row) for row in attempt["rows"]]
    operator = BulkCreateRelationsOperator(task_id="load", rows=rows, association_key="attended", **attempt["arguments"])
    summary = operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    ti.xcom_push("return_value", summary)  # as Airflow does with what is returned
    Path(attempt["xcoms"]).write_text(json.dumps(ti.xcoms))


def _forked(attempt: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    try:
        signal.alarm(_SECONDS)
        _run(attempt)
        status = 0
    except BaseException:  # noqa: BLE001 - nothing may get past the fork
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    ended = [_forked(attempt) for attempt in json.loads(sys.argv[1])]
    sys.stdout.write("\n" + json.dumps(ended))
