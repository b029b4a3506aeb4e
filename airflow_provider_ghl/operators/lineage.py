"""What OpenLineage is told of a load. Its provider is no requirement: without it nobody asks."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_ghl.assets import dataset_of
from airflow_provider_ghl.operators.base import given
from airflow_provider_ghl.operators.table import TableOperator, path_as_text

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_ghl.load.results.verdict import Verdict

__all__ = ["lineage_of"]

log = logging.getLogger(__name__)


def lineage_of(operator: TableOperator, target: str, verdict: Verdict | None) -> OperatorLineage | None:
    """Inputs, outputs and counts of a load; ``None`` without OpenLineage's provider.

    :param target: what the rows become in each sub-account: the association's key, or its id.
    :param verdict: ``None``: nothing was written, and there is nothing to tell.
    """
    try:
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    if verdict is None:
        return OperatorLineage()
    read = _query(operator)
    return OperatorLineage(
        inputs=[*read.inputs, *_files(operator)],
        outputs=_outputs(operator, target, verdict.summary),
        run_facets={**read.run_facets, "ghl_load": _counts(verdict)},
        job_facets=dict(read.job_facets),
    )


def _query(operator: TableOperator) -> OperatorLineage:
    """The query and the tables that it reads, by its text: no table is looked at, though a hook may ask for the current schema.
    Only some databases' hooks say where tables are; of others there is the query alone.
    """
    from airflow.providers.common.compat.openlineage.facet import SQLJobFacet
    from airflow.providers.openlineage.extractors import OperatorLineage

    conn_id, sql = given(operator.source_conn_id), given(operator.sql)
    if conn_id is None or sql is None:
        return OperatorLineage()
    try:
        found = _parsed(conn_id, sql)
    except Exception as error:  # noqa: BLE001 - hooks and the parser fail in their own ways; the load is done
        log.debug("OpenLineage is not told what the query reads (%s)", type(error).__name__)
        found = None
    return found or OperatorLineage(job_facets={"sql": SQLJobFacet(query=sql)})


def _parsed(conn_id: str, sql: str) -> OperatorLineage | None:
    from airflow.providers.openlineage.sqlparser import SQLParser

    from airflow_provider_ghl.hooks.settings import get_connection
    from airflow_provider_ghl.hooks.sources import sql_hook

    connection = get_connection(conn_id)
    hook = sql_hook(connection)
    if (database := hook.get_openlineage_database_info(connection)) is None:
        return None
    parser = SQLParser(
        dialect=hook.get_openlineage_database_dialect(connection), default_schema=hook.get_openlineage_default_schema()
    )
    found: OperatorLineage = parser.generate_openlineage_metadata_from_sql(
        sql=sql, hook=hook, database_info=database, use_connection=False
    )
    return found


def _files(operator: TableOperator) -> list[Any]:
    """The file, named as OpenLineage names files."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    if (path := path_as_text(operator.path)) is None:
        return []
    parts = urlsplit(path)
    if parts.scheme in ("", "file"):
        return [Dataset(namespace="file", name=str(Path(parts.path if parts.scheme else path).absolute()))]
    storage = parts.netloc.rpartition("@")[2] if parts.scheme in ("s3", "gs") else parts.netloc  # "s3://conn_id@bucket/key"
    return [Dataset(namespace=f"{parts.scheme}://{storage}", name=parts.path.lstrip("/"))]


def _outputs(operator: TableOperator, target: str, summary: dict[str, Any]) -> list[Any]:
    """The association in each sub-account, with how many relations the load made there."""
    from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet

    only = operator.only_location()
    counts = summary["locations"] if only is None else {only: summary}
    outputs = []
    for location_id, of_location in counts.items():
        namespace, name = dataset_of(location_id, target)
        statistics = OutputStatisticsOutputDatasetFacet(rowCount=of_location["created"])
        outputs.append(OutputDataset(namespace=namespace, name=name, outputFacets={"outputStatistics": statistics}))
    return outputs


def _counts(verdict: Verdict) -> Any:
    """The run facet ``ghl_load``: every count of the load."""
    import attrs
    from airflow.providers.common.compat.openlineage.facet import RunFacet

    from airflow_provider_ghl.load.results.outcomes import Outcome

    # OpenLineage's base class is there only where its client is, and must not be asked for where this file is imported.
    facet = attrs.make_class(
        "GHLLoadRunFacet", ["loadId", "loadNumber", "rows", "outcomes", "deletes", "requests", "rateLimited"], bases=(RunFacet,)
    )
    summary = verdict.summary
    return facet(
        loadId=summary["load_id"],
        loadNumber=verdict.load_number,
        rows=summary["rows"],
        outcomes={str(outcome): summary[outcome] for outcome in Outcome},
        deletes=summary.get("deletes"),
        requests=summary["requests"],
        rateLimited=summary["rate_limited"],
    )
