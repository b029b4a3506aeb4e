"""``plan``: what a load of a file would cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from airflow_provider_ghl.commands.loads import problems, problems_text
from airflow_provider_ghl.commands.output import Out, facts, table
from airflow_provider_ghl.commands.running import WrongUsage
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.hooks.ledger import find_ledger
from airflow_provider_ghl.hooks.settings import Settings, connection_of
from airflow_provider_ghl.hooks.sources import file_batches
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.plan.price import Estimate
from airflow_provider_ghl.load.results.outcomes import FAILURES, OUTCOMES, Outcome
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.source.batches import Columns
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec, Ports

__all__ = ["plan"]

#: Rows that are read at once: a record's rows should be together where HighLevel would be read.
_AT_ONCE = 131_072
#: Failed rows that are looked at for their reasons.
_MOST_FAILURES = 10_000
_ROWS_SHOWN = 5


def plan(arguments: argparse.Namespace, out: Out) -> None:
    """Count the rows of a file by what would become of them, and price them."""
    if bool(arguments.association_id) == bool(arguments.association_key):
        raise WrongUsage("Give exactly one of --association-key and --association-id.")
    if arguments.location_column and arguments.location_id:
        raise WrongUsage("Give --location-id or --location-column, not both.")
    verdict = _verdict(arguments)
    for warning in verdict.warnings:
        sys.stderr.write(f"{warning}\n")
    if not verdict.is_green:
        raise GHLError(verdict.message)
    counts = {str(outcome): verdict.summary[outcome] for outcome in OUTCOMES}
    # What is kept are the failures before the others, so that they are all there if there are not too many.
    failures = problems((result for result in verdict.results if result["outcome"] in FAILURES), _ROWS_SHOWN)
    # A file without rows is not priced.
    price = verdict.summary.get("plan") or Estimate(0, 0.0, None, None, None).as_dict()
    document = {"rows": verdict.summary["rows"], "counts": counts, **price, "failures": failures}
    out.write(document, _lines(document))


def _verdict(arguments: argparse.Namespace) -> Verdict:
    hook = GHLHook(arguments.conn_id, location_id=arguments.location_id)
    named = arguments.ledger_conn_id or Settings.of(connection_of(arguments.conn_id)).ledger_conn_id
    columns = Columns(
        arguments.first_record_column, arguments.second_record_column, arguments.row_key_column, arguments.location_column
    )
    spec = LoadSpec(
        load_id="plan",
        location_id=None if columns.location else hook.location_id,
        columns=columns,
        association_id=arguments.association_id,
        association_key=arguments.association_key,
        diff_against=DiffAgainst(arguments.diff_against),
        keep_results=_MOST_FAILURES,
        plan_only=True,
    )
    client = hook.get_conn()
    _, ledger = find_ledger(named)
    try:
        batches = file_batches(arguments.file, None, columns, _AT_ONCE)
        return run(spec, Ports(batches=batches, client=client, ledger=ledger))
    finally:
        client.close()
        if ledger is not None:
            ledger.close()


def _lines(document: dict[str, Any]) -> Iterator[str]:
    counts = document["counts"]
    named = {outcome: "to be sent" if outcome == Outcome.NOT_ATTEMPTED else outcome for outcome in counts}
    yield from table(("outcome", "rows"), [(named[outcome], rows) for outcome, rows in counts.items() if rows])
    yield ""
    yield from facts(
        {
            "requests": f"{document['requests']:,} at most",
            "share of today": _share(document),
            "time": f"{timedelta(seconds=round(document['seconds']))} at the current limit",
            "days": None if document["days"] is None else str(document["days"]),
        }
    )
    yield from problems_text(document["failures"])


def _share(document: dict[str, Any]) -> str | None:
    if document["left_today"] is None:
        return None
    if document["share_of_today"] is None:
        return "nothing is left today"
    return f"{document['share_of_today']:.1%} of the {document['left_today']:,} requests that are left"
