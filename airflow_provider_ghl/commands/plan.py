"""``plan``: what a load of a file would cost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from airflow_provider_ghl.commands.loads import failures_text, lookups_text
from airflow_provider_ghl.commands.output import Out, facts, table
from airflow_provider_ghl.commands.progress import Progress
from airflow_provider_ghl.commands.running import WrongUsage
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.hooks.ghl import GHLHook
from airflow_provider_ghl.hooks.ledger import find_ledger
from airflow_provider_ghl.hooks.settings import Settings, get_connection
from airflow_provider_ghl.hooks.sources import file_batches
from airflow_provider_ghl.load.columns import Columns
from airflow_provider_ghl.load.loader import run
from airflow_provider_ghl.load.plan.price import Estimate
from airflow_provider_ghl.load.ports import Ports
from airflow_provider_ghl.load.reasons import group_failures
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.outcomes import FAILURES, OUTCOMES, Outcome
from airflow_provider_ghl.load.results.time_span import time_span
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.source.text_format import TextFormat
from airflow_provider_ghl.load.spec import DiffAgainst, LoadSpec
from airflow_provider_ghl.relations.kind import RelationRows
from airflow_provider_ghl.relations.orientation import sides_of

__all__ = ["plan"]

#: Rows that are read at once. Many, since a record's relations are read once for all of its rows in a batch.
_BATCH_ROWS = 131_072
#: Failed rows whose reasons are counted.
_MOST_FAILURES = 10_000
_ROWS_SHOWN = 5
#: What the plan itself has looked up.
_LOOKUPS = ("looked_up", "lookup_requests")


def plan(arguments: argparse.Namespace, out: Out) -> None:
    """Count a file's rows by what would become of them, and say what sending them would cost."""
    if bool(arguments.association_id) == bool(arguments.association_key):
        raise WrongUsage("Give exactly one of --association-key and --association-id.")
    if arguments.location_column and arguments.location_id:
        raise WrongUsage("Give --location-id or --location-column, not both.")
    verdict, limit = _run(arguments)
    for warning in verdict.warnings:
        sys.stderr.write(f"{warning}\n")
    if not verdict.is_green:
        raise GHLError(verdict.message)
    counts = {str(outcome): verdict.summary[outcome] for outcome in OUTCOMES}
    # Failures are kept before other results, so all of them are there unless there are very many.
    failures = group_failures((result for result in verdict.results if result["outcome"] in FAILURES), _ROWS_SHOWN)
    # A file without rows has no price.
    price = verdict.summary.get("plan") or Estimate(0, 0.0, None, None, None).as_dict()
    lookups = {name: verdict.summary[name] for name in _LOOKUPS if name in verdict.summary}
    document = {"rows": verdict.summary["rows"], "counts": counts, **lookups, **price, "limit": limit, "failures": failures}
    out.write(document, _lines(document))


def _run(arguments: argparse.Namespace) -> tuple[Verdict, dict[str, float] | None]:
    """The load's verdict, and the burst limit; ``None`` for a load of several sub-accounts, each of which has its own."""
    text_format = TextFormat(arguments.separator, arguments.encoding)
    hook = GHLHook(arguments.conn_id, location_id=arguments.location_id)
    named = arguments.ledger_conn_id or Settings.of(get_connection(arguments.conn_id)).ledger_conn_id
    spec = _spec(arguments, hook)
    client = hook.get_conn()
    _, ledger = find_ledger(named)
    try:
        batches = file_batches(arguments.file, None, spec.kind.columns, _BATCH_ROWS, text_format)
        with Progress(sys.stderr) as progress:
            verdict = run(spec, Ports(batches=progress.watch(batches), client=client, ledger=ledger))
        limit = client.limit(spec.location_id)
        return verdict, {"requests": limit.capacity, "seconds": limit.interval} if spec.location_id else None
    finally:
        client.close()
        if ledger is not None:
            ledger.close()


def _spec(arguments: argparse.Namespace, hook: GHLHook) -> LoadSpec:
    columns = Columns(
        arguments.first_record_column,
        arguments.second_record_column,
        row_key=arguments.row_key_column,
        location=arguments.location_column,
    )
    lookups = arguments.first_lookup, arguments.second_lookup
    said = arguments.first_object_key, arguments.second_object_key, arguments.first_object_label
    return LoadSpec(
        load_id="plan",
        location_id=None if columns.location else hook.location_id,
        kind=RelationRows(
            columns=columns,
            sides=sides_of(*lookups, *said),
            lookups=lookups,
            lookup_by=arguments.lookup_by,
            phone_region=hook.phone_region(arguments.phone_region) if any(lookups) else None,
            association_id=arguments.association_id,
            association_key=arguments.association_key,
        ),
        diff_against=DiffAgainst(arguments.diff_against),
        lookup_max_age=arguments.lookup_max_age,
        keep_results=_MOST_FAILURES,
        plan_only=True,
    )


def _lines(document: dict[str, Any]) -> Iterator[str]:
    counts, has_lookups = document["counts"], "looked_up" in document
    named = {outcome: "to be sent" if outcome == Outcome.NOT_ATTEMPTED else outcome for outcome in counts}
    yield from table(("outcome", "rows"), [(named[outcome], rows) for outcome, rows in counts.items() if rows])
    yield ""
    yield from facts(
        {
            **({"look-ups": lookups_text(document)} if has_lookups else {}),
            "requests": f"{document['requests']:,} at most{', look-ups included' if has_lookups else ''}",
            "share of today": _share(document),
            "time": _time(document),
            "quota": _days(document["days"]),
        }
    )
    yield from failures_text(document["failures"])


def _share(document: dict[str, Any]) -> str | None:
    left, share = document["left_today"], document["share_of_today"]
    if left is None:
        return None
    if share is None:
        return "nothing is left today"
    is_little = document["requests"] and share < 0.001
    is_or_are = "is" if left == 1 else "are"
    return f"{'less than 0.1%' if is_little else f'{share:.1%}'} of the {counted(left, 'request')} that {is_or_are} left"


def _time(document: dict[str, Any]) -> str:
    limit = document["limit"]
    if limit is None:
        return f"{time_span(document['seconds'])} in the sub-account that takes longest, at its current limit"
    per_window = f"{counted(limit['requests'], 'request')} / {limit['seconds']:g} s"
    return f"{time_span(document['seconds'])} at the current limit of {per_window}"


def _days(days: int | None) -> str | None:
    if days is None:
        return None
    if days == 0:
        return "nothing is to be sent"
    return "within one day's quota" if days == 1 else f"spread over {days:,} days of quota"
