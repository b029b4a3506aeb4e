"""Specs and reports of loads whose rows become relations."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_provider_ghl.load.results.destinations import Destinations
from airflow_provider_ghl.load.results.file import ResultsFile
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.spec import LoadSpec, MirrorSpec
from airflow_provider_ghl.relations.fields import RELATION_FIELDS
from airflow_provider_ghl.relations.kind import RelationRows

_OF_MIRROR = ("parent", "owned", "max_deletes", "max_delete_share", "apply_plan")

__all__ = ["begin_batch", "relation_report", "relation_spec"]

_OF_KIND = (
    *("columns", "sides", "association_id", "association_key", "max_per_first", "max_per_second"),
    *("lookups", "lookup_by", "phone_region", "has_keys_in_file"),
)


def relation_spec(**settings: Any) -> LoadSpec:
    """The spec of a load whose rows become relations."""
    mirror = {name: settings.pop(name) for name in _OF_MIRROR if name in settings}
    if mirror:
        settings["mirror"] = MirrorSpec(**mirror)
    of_kind = {name: settings.pop(name) for name in _OF_KIND if name in settings}
    return LoadSpec(kind=RelationRows(**of_kind), **settings)


def relation_report(keep: int, file: ResultsFile | None = None) -> Report:
    """A report with one location."""
    report = Report(RELATION_FIELDS, keep, Destinations([] if file is None else [file]), try_number=2)
    report.open_location("location", "association")
    return report


def begin_batch(report: Report, first: Any, second: Any, row_keys: list[Any] | None = None) -> None:
    """Begin a batch of rows, all of the first location."""
    report.begin(report.rows, (first, second), row_keys, np.zeros(len(first), dtype=np.int64))
