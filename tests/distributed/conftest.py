"""Airflow on several workers. Borrows what boots Airflow for the other tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "airflow"))
