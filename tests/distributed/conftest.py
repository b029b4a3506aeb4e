"""Airflow on several workers. Borrows what boots servers for the other tests."""

from __future__ import annotations

import sys
from pathlib import Path

_TESTS = Path(__file__).resolve().parents[1]
sys.path.extend(str(_TESTS / name) for name in ("airflow", "load"))
