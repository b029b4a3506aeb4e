"""Operators as a worker runs them, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk import BaseOperator

PAIRS = [("contact-1", "event-1"), ("contact-1", "event-2"), ("contact-2", "event-1")]


@dataclass
class TaskInstance:
    """Remembers what was pushed."""

    dag_id: str = "a_dag"
    run_id: str = "a_run"
    map_index: int = -1
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)

    def xcom_push(self, key: str, value: Any) -> None:
        """As Airflow's."""
        self.xcoms[key] = value


def run(operator: BaseOperator, ti: TaskInstance | None = None) -> Any:
    """What ``execute`` returns."""
    return operator.execute({"ti": ti or TaskInstance()})  # type: ignore[typeddict-item]


def fail(operator: BaseOperator, kind: type[BaseException], ti: TaskInstance | None = None) -> str:
    """The message of the exception that ``execute`` ends with, which must be of exactly this class."""
    with pytest.raises(kind) as raised:
        run(operator, ti)
    assert raised.type is kind, f"{raised.type.__name__}: {raised.value}"
    return str(raised.value)
