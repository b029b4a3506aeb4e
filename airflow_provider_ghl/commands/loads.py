"""``loads``: what loads did, as far as the ledger remembers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from airflow_provider_ghl.commands.description import STATES
from airflow_provider_ghl.commands.ledger_option import open_ledger
from airflow_provider_ghl.commands.output import Out, escape, facts, iso, moment, table
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.load_filter import LoadFilter
from airflow_provider_ghl.load.ledger.view_values import DeletionGroup
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, End
from airflow_provider_ghl.load.results.time_span import time_span

__all__ = ["export", "failures_text", "latest", "lookups_text", "show"]

#: Results that are written at once.
_CHUNK = 10_000


def latest(arguments: argparse.Namespace, out: Out) -> None:
    """The latest loads that match, a line each."""
    with open_ledger(arguments) as (where, ledger):
        found = [] if ledger is None else ledger.loads.list(arguments.limit, _filter(arguments, ledger))
    if ledger is None:
        lines = [f"There is no ledger at {where} yet: the first load makes it."]
    elif not found:
        is_filtered = arguments.dag or arguments.state or arguments.since or arguments.before
        lines = [f"No load in the ledger {where} matches." if is_filtered else f"The ledger {where} has no loads yet."]
    else:
        headers = ("load", "state", "began", "took", "association", "location", "rows", "requests", "load id")
        lines = table(headers, [_line(load) for load in found])
    out.write([_document(load) for load in found], lines)


def show(arguments: argparse.Namespace, out: Out) -> None:
    """One load, and why rows of it failed."""
    with open_ledger(arguments) as (where, ledger):
        ledger, load = _find(where, ledger, arguments.load)
        failures = [asdict(problem) for problem in ledger.views.problems(load["number"], arguments.rows)]
        deletions = [{**one, "at": iso(one["at"])} for one in ledger.deletions.of(load["number"])]
        groups = ledger.views.deletion_groups(load["number"])
    text = [*facts(_facts(load)), "", escape(load["message"]) if load["message"] else "It has not ended."]
    document = {**_document(load), "failures": failures, "deletions": deletions}
    out.write(document, [*text, *failures_text(failures), *_deletions_text(groups)])


def export(arguments: argparse.Namespace, out: Out) -> None:
    """Write all kept results of a load to a file."""
    with open_ledger(arguments) as (where, ledger):
        ledger, load = _find(where, ledger, arguments.load)
        written = _write(ledger.loads.results(load["number"]), arguments.file)
    rows = (load["counts"] or {}).get("rows")
    of_all = "" if rows is None else f" of {counted(rows, 'row')}"
    text = f"Wrote {counted(written, 'result')}{of_all} to {arguments.file}: the rows that were sent or have a problem."
    document = {"load_id": load["load_id"], "number": load["number"], "results": written, "file": arguments.file}
    out.write(document, [escape(text)])


def failures_text(groups: list[dict[str, Any]]) -> Iterator[str]:
    """The groups as text."""
    for group in groups:
        status = f" ({group['status_code']})" if group["status_code"] else ""
        yield ""
        yield f"{counted(group['rows'], 'row')} {group['outcome']}{status}: {escape(group['reason'])}"
        rows = [
            (str(row["row"]), _key(row), row["first_record_id"], row["second_record_id"], row["reason"])
            for row in group["first_rows"]
        ]
        yield from (f"  {line}" for line in table(("row", "row key", "first record", "second record", "reason"), rows))


def lookups_text(summary: Mapping[str, Any]) -> str:
    """How many keys were looked up, and what it took."""
    return f"{counted(summary['looked_up'], 'key')} with {counted(summary['lookup_requests'], 'request')}"


def _find(where: str, ledger: Ledger | None, name: str) -> tuple[Ledger, dict[str, Any]]:
    if ledger is None:
        raise ConfigurationError(f"there is no ledger at {where} yet: the first load makes it")
    found = ledger.loads.find(name)
    if found is None:
        raise ConfigurationError(f"the ledger {where} has no load {name!r}: 'loads' lists those that it has")
    return ledger, found


def _write(results: Iterator[dict[str, Any]], path: str) -> int:
    from airflow_provider_ghl.hooks.results import results_file
    from airflow_provider_ghl.relations.fields import RESULT_FIELDS

    written = 0
    try:
        with results_file(path, None, RESULT_FIELDS) as file:
            while chunk := list(islice(results, _CHUNK)):
                file.append(_frame(chunk))
                written += len(chunk)
    except GHLError:
        raise
    except Exception as error:
        raise GHLError(f"{path} could not be written ({type(error).__name__})") from error
    return written


def _key(row: dict[str, Any]) -> str | None:
    return None if row["row_key"] is None else str(row["row_key"])


def _filter(arguments: argparse.Namespace, ledger: Ledger) -> LoadFilter:
    return LoadFilter(
        id_prefix=f"{arguments.dag}/" if arguments.dag else "",
        began_from=_seconds(arguments.since, ledger),
        began_before=_seconds(arguments.before, ledger),
        states=STATES[arguments.state] if arguments.state else None,
    )


def _seconds(time: datetime | timedelta | None, ledger: Ledger) -> float | None:
    if isinstance(time, timedelta):
        return ledger.time() - time.total_seconds()
    return None if time is None else time.timestamp()


def _line(load: dict[str, Any]) -> tuple[str | int | None, ...]:
    return (
        str(load["number"]),
        _state(load),
        moment(load["began"]),
        time_span(_duration(load)),
        load["association"],
        load["location_id"],
        _counts(load),
        load["requests"],
        load["load_id"],
    )


def _state(load: dict[str, Any]) -> str:
    """In Airflow's words where it has them."""
    if load["state"] == End.RETRYABLE:
        return "failed, retry helps"
    return next((word for word, states in STATES.items() if load["state"] in states), str(load["state"]))


def _duration(load: dict[str, Any]) -> float:
    """Seconds from the beginning of the first try to the end, or to the last sign of life; waits for quota included."""
    return max(0.0, float(load["updated"] - load["began"]))


def _counts(load: dict[str, Any]) -> str | None:
    counts, so_far = load["counts"], load["counts_so_far"]
    if not counts:
        of_all = f", of about {counted(load['total'], 'row')}" if load["total"] else ""
        return f"so far {', '.join(_by_outcome(so_far))}{of_all}" if so_far else None
    parts = _by_outcome(counts)
    deleted = (counts.get("deletes") or {}).get("deleted")
    gone = f"; {counted(deleted, 'relation')} deleted" if deleted else ""
    return f"{counted(counts.get('rows', 0), 'row')}{': ' if parts else ''}{', '.join(parts)}{gone}"


def _by_outcome(counts: dict[str, int]) -> list[str]:
    return [f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES if counts.get(outcome)]


def _facts(load: dict[str, Any]) -> dict[str, str | int | None]:
    return {
        "load": str(load["number"]),
        "load id": load["load_id"],
        "state": _state(load),
        "began": moment(load["began"]),
        "last sign of life": moment(load["updated"]),
        "took": time_span(_duration(load)),
        "association": load["association"],
        "location": load["location_id"],
        "tries": load["tries"],
        "requests": load["requests"],
        "rows": _counts(load),
        **_lookups(load["counts"] or {}),
    }


def _deletions_text(groups: Iterable[DeletionGroup]) -> Iterator[str]:
    """How many relations had which outcome, by what deleted them: each once, however often its undo was run."""
    for group in groups:
        what = "undone" if group.why == "undo" else "not named by the table any more"
        shown = ", ".join(f"{count:,} {outcome.replace('_', ' ')}" for outcome, count in group.outcomes.items())
        yield ""
        yield f"{counted(sum(group.outcomes.values()), 'relation')} {what}: {shown}"


def _lookups(counts: dict[str, Any]) -> dict[str, str]:
    """What the last try spent on look-ups, where the load has any."""
    if "looked_up" not in counts:
        return {}
    return {"look-ups": lookups_text(counts)}


def _document(load: dict[str, Any]) -> dict[str, Any]:
    failed = load["state"] in STATES["failed"]
    return {
        **load,
        "began": iso(load["began"]),
        "updated": iso(load["updated"]),
        "seconds": round(_duration(load), 3),
        "failed": failed,
    }


def _frame(results: list[dict[str, Any]]) -> Any:
    import pandas

    from airflow_provider_ghl.relations.fields import RESULT_FIELDS

    # As objects, since a column of integers with gaps would become floats.
    return pandas.DataFrame(results, columns=list(RESULT_FIELDS), dtype=object)
