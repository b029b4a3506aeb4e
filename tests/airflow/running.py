"""Operators as a worker runs them, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import TaskDeferred

PAIRS = [("contact-1", "event-1"), ("contact-1", "event-2"), ("contact-2", "event-1")]


@dataclass
class TaskInstance:
    """Remembers what was pushed."""

    dag_id: str = "a_dag"
    run_id: str = "a_run"
    map_index: int = -1
    try_number: int = 1
    xcoms: dict[str, Any] = field(default_factory=dict)
    #: What ``context["task_state_store"]`` keeps; ``None``: there is no such store.
    state: dict[str, Any] | None = None

    @property
    def context(self) -> Any:
        """As a task gets it."""
        return {"ti": self} if self.state is None else {"ti": self, "task_state_store": StateStore(self.state)}

    def xcom_push(self, key: str, value: Any) -> None:
        """As Airflow's."""
        self.xcoms[key] = value


@dataclass
class StateStore:
    """As ``context["task_state_store"]``."""

    kept: dict[str, Any]

    def get(self, key: str, default: Any = None) -> Any:
        """As Airflow's."""
        return self.kept.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """As Airflow's, which takes no ``None``."""
        assert value is not None
        self.kept[key] = value


def run(operator: BaseOperator, ti: TaskInstance | None = None, *, is_resumed: bool = False) -> Any:
    """What ``execute`` returns, or, after a deferral, ``resume``."""
    context = (ti or TaskInstance()).context
    return operator.resume(context, "an event") if is_resumed else operator.execute(context)  # type: ignore[attr-defined]


def defer(operator: BaseOperator, ti: TaskInstance | None = None, *, is_resumed: bool = False) -> TaskDeferred:
    """What it is deferred with."""
    with pytest.raises(TaskDeferred) as raised:
        run(operator, ti, is_resumed=is_resumed)
    return raised.value


def fail(operator: BaseOperator, kind: type[BaseException], ti: TaskInstance | None = None, *, is_resumed: bool = False) -> str:
    """The message of the exception that it ends with, which must be of exactly this class."""
    with pytest.raises(kind) as raised:
        run(operator, ti, is_resumed=is_resumed)
    assert raised.type is kind, f"{raised.type.__name__}: {raised.value}"
    return str(raised.value)
