"""The ledger works with the oldest SQLAlchemy that the package allows, not only with the one that Airflow installs here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from postgres_server import GIVEN
from waits import TOO_LONG

#: ``make install`` puts it there.
OLDEST = Path(sys.prefix) / "sqlalchemy-2.0"
HERE = Path(__file__).parent
FILES = [f"test_ledger_{name}.py" for name in ("claims", "notes", "loads", "schema")]
PROGRAM = """
import sys, pytest, sqlalchemy
print("SQLAlchemy", sqlalchemy.__version__)
sys.exit(pytest.main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_all_holds_with_sqlalchemy_2_0(postgresql: str) -> None:
    assert OLDEST.is_dir(), "run `make install`"
    environment = os.environ | {"PYTHONPATH": str(OLDEST), GIVEN: postgresql}
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        "not memory and not deadlock and not patience and not large",
        *(str(HERE / name) for name in FILES),
    ]
    command = [sys.executable, "-c", PROGRAM, *options]
    done = subprocess.run(command, env=environment, cwd=HERE.parents[1], capture_output=True, text=True, timeout=TOO_LONG)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("SQLAlchemy 2.0.50\n")
    assert " passed" in done.stdout
