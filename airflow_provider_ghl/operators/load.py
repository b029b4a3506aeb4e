"""A bulk operator's load: what it is to do, and what it works with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.base import given, one_of, required
from airflow_provider_ghl.operators.table import (
    batches_of,
    columns_of,
    results_file_of,
    rows_known_of,
    source_bytes_of,
    text_of,
)
from airflow_provider_ghl.operators.task import load_id_of, try_number_of

if TYPE_CHECKING:
    from airflow_provider_ghl.load.ledger.ledger import Ledger
    from airflow_provider_ghl.load.results.verdict import Verdict
    from airflow_provider_ghl.load.spec import LoadSpec, Ports

__all__ = ["ports_of", "spec_of"]

#: Rows that are read at once; more where a record's rows should be together since HighLevel is read, or a location's.
_AT_ONCE, _TOGETHER = 16_384, 131_072


def spec_of(operator: Any, ti: Any, *, is_resumed: bool) -> LoadSpec:
    """What its load is to do.

    :param ti: the task instance, if there is one.
    :raises ConfigurationError: its arguments contradict each other.
    """
    from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec

    named = one_of(association_id=operator.association_id, association_key=operator.association_key)
    return LoadSpec(
        load_id=load_id_of(ti, operator.task_id),
        location_id=_single_location(operator),
        columns=columns_of(operator),
        association_id=operator.association_id if named == "association_id" else None,
        association_key=operator.association_key if named == "association_key" else None,
        batch_size=operator.batch_size,
        min_rows=operator.min_rows,
        diff_against=DiffAgainst(operator.diff_against),
        ledger_max_age=operator.ledger_max_age,
        tolerance=operator.tolerance,
        abort_after=operator.abort_after,
        max_per_first=operator.max_per_first,
        max_per_second=operator.max_per_second,
        max_requests=operator.max_requests,
        keep_results=operator.xcom_results_limit,
        try_number=try_number_of(ti),
        is_resumed=is_resumed,
        plan_only=operator.plan_only,
        defer_timeout=operator.defer_timeout if operator.deferrable else None,
        shortest_wait=operator.shortest_wait,
        total=rows_known_of(operator),
        source_bytes=source_bytes_of(operator),
        results_path=text_of(operator.results_path),
    )


def ports_of(operator: Any, ledger: Ledger, deliver: Callable[[Verdict], None]) -> Ports:
    """What its load works with. ``deliver``: takes the verdict when it is there."""
    from airflow_provider_ghl.load.results.progress import Progress
    from airflow_provider_ghl.load.spec import Ports

    client = operator.hook.get_conn()
    together = operator.diff_against == "highlevel" or given(operator.location_column) is not None
    at_once = _TOGETHER if together else _AT_ONCE
    return Ports(
        batches=batches_of(operator, columns_of(operator), at_once),
        client=client,
        ledger=ledger,
        progress=Progress(operator.log.info, client.clock, rows_known_of(operator)),
        results_file=results_file_of(operator),
        deliver=deliver,
    )


def _single_location(operator: Any) -> str | None:
    """The sub-account of all rows, where they do not name their own."""
    if operator.location_column is not None:
        required("location_column", operator.location_column)
    if given(operator.location_column) is None:
        location_id: str = operator.hook.location_id
        return location_id
    if given(operator.location_id) is not None:
        raise ConfigurationError("give location_id or location_column, not both: the column names each row's sub-account")
    return None
