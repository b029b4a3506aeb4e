"""The type of the fixture that sets Airflow connections."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Connect"]

Connect = Callable[..., None]
