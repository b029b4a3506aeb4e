"""``BulkCreateRelationsOperator`` on a big table: ``python benchmarks/bulk.py file|sqlite CONNECTION FOLDER``.

Prints one line of JSON: seconds, and MiB of memory beyond those of a worker that has only imported the operator.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from planning import forget_peak, peak
from server import ASSOCIATION


def main(source: str, connection: str, folder: str) -> None:
    """Run the operator on the table in the folder; see ``tables.py``."""
    home = Path(folder)
    os.environ |= {"AIRFLOW_HOME": str(home / "airflow"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    os.environ["AIRFLOW_CONN_GHL_DEFAULT"] = connection
    os.environ["AIRFLOW_CONN_WAREHOUSE"] = json.dumps({"conn_type": "sqlite", "host": str(home / "table.db")})
    from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

    given = (
        {"sql": "SELECT * FROM pairs", "source_conn_id": "warehouse"}
        if source == "sqlite"
        else {"path": str(home / "table.csv")}
    )
    operator = BulkCreateRelationsOperator(
        task_id="bulk", association_id=ASSOCIATION, results_path=str(home / "results.csv"), **given
    )
    forget_peak()
    idle = peak()
    began, processor = time.monotonic(), time.process_time()
    summary = operator.execute({})
    seconds = time.monotonic() - began
    measured = {
        "seconds": seconds,
        "processor": time.process_time() - processor,
        "mebibytes": peak() - idle,
        "created": summary["created"],
        "requests": summary["requests"],
    }
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
