"""Airflow's own places, played: what a load sends there is remembered."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from airflow.providers.common.compat.openlineage import facet as facets
from airflow.sdk._shared.observability.metrics.base_stats_logger import NoStatsLogger
from airflow.sdk.observability import stats
from running import TaskInstance

__all__ = ["Backend", "Events", "OperatorLineage", "RunFacet", "Seen", "play_openlineage", "sending_to"]

TAGS = {"dag_id": "a_dag", "task_id": "load"}


class Events(dict[Any, Any]):
    """As ``context["outlet_events"]``."""

    def __missing__(self, key: Any) -> Any:
        self[key] = SimpleNamespace(extra={})
        return self[key]


@dataclass
class Seen(TaskInstance):
    """A task instance that Airflow's metrics and the events of its assets know."""

    task_id: str = "load"
    stats_tags: dict[str, str] = field(default_factory=lambda: dict(TAGS))
    events: Any = field(default_factory=Events)

    @property
    def context(self) -> Any:
        return {"ti": self, "outlet_events": self.events}


class Backend:
    """Remembers what Airflow would send: (name, outcome) and value; the other tags are always the same."""

    def __init__(self) -> None:
        self.sent: dict[tuple[str, str | None], float] = {}

    def incr(self, name: str, count: int = 1, tags: Any = None, **more: Any) -> None:
        self._note(name, count, tags)

    def gauge(self, name: str, value: float, tags: Any = None, **more: Any) -> None:
        self._note(name, value, tags)

    def timing(self, name: str, dt: float, tags: Any = None) -> None:
        self._note(name, dt, tags)

    def _note(self, name: str, value: float, tags: dict[str, str]) -> None:
        outcome = {**tags}.pop("outcome", None)
        assert {key: tag for key, tag in tags.items() if key != "outcome"} == TAGS
        self.sent[name, outcome] = self.sent.get((name, outcome), 0) + value


@contextmanager
def sending_to(factory: Any) -> Iterator[None]:
    """Airflow's metrics go to what the factory makes."""
    stats.initialize(factory=factory, export_legacy_names=True)
    try:
        yield
    finally:
        stats.initialize(factory=NoStatsLogger, export_legacy_names=True)


@dataclass
class OperatorLineage:
    """As OpenLineage's."""

    inputs: list[Any] = field(default_factory=list)
    outputs: list[Any] = field(default_factory=list)
    run_facets: dict[str, Any] = field(default_factory=dict)
    job_facets: dict[str, Any] = field(default_factory=dict)


@dataclass
class SQLParser:
    """As OpenLineage's: it has read one table, whatever the query."""

    dialect: str
    default_schema: str

    def generate_openlineage_metadata_from_sql(
        self, sql: str, hook: Any, database_info: Any, use_connection: bool
    ) -> OperatorLineage:
        assert use_connection is False, "no query of ours goes to the warehouse for this"
        table = SimpleNamespace(namespace=database_info, name=f"shop.{self.default_schema}.attendance")
        return OperatorLineage([table], [], {"parsed": self.dialect}, {"sql": sql})


class RunFacet:
    """As OpenLineage's base class."""


def play_openlineage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider, as far as operators see it, and the classes of its client."""
    parts: dict[str, dict[str, Any]] = {
        "": {},
        ".extractors": {"OperatorLineage": OperatorLineage},
        ".sqlparser": {"SQLParser": SQLParser},
    }
    for name, contents in parts.items():
        module = ModuleType(f"airflow.providers.openlineage{name}")
        vars(module).update(contents)
        monkeypatch.setitem(sys.modules, module.__name__, module)
    for name in ("Dataset", "OutputDataset", "OutputStatisticsOutputDatasetFacet", "SQLJobFacet"):
        monkeypatch.setattr(facets, name, SimpleNamespace)
    monkeypatch.setattr(facets, "RunFacet", RunFacet)
