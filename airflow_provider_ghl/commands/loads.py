"""``loads``: what loads did, as far as the ledger keeps it."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from airflow_provider_ghl.commands.ledger_option import opened
from airflow_provider_ghl.commands.output import Out, counted, facts, iso, moment, shown, table
from airflow_provider_ghl.exceptions import ConfigurationError, GHLError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.results.outcomes import FAILURES, OUTCOMES, Outcome, gist, outline

__all__ = ["export", "latest", "problems", "problems_text", "show"]

_AT_ONCE = 10_000
#: Different reasons that are shown one by one; the rest are counted as others.
_MOST_REASONS = 50
_OTHERS = "other reasons"


def latest(arguments: argparse.Namespace, out: Out) -> None:
    """The latest loads, a line each."""
    with opened(arguments) as (where, ledger):
        found = [] if ledger is None else ledger.loads.list(arguments.limit)
    if ledger is None:
        lines = [f"There is no ledger at {where} yet: the first load makes it."]
    elif not found:
        lines = [f"The ledger {where} knows of no load."]
    else:
        headers = ("load", "state", "began", "association", "location", "rows", "requests", "load id")
        lines = table(headers, [_line(load) for load in found])
    out.tell([_document(load) for load in found], lines)


def show(arguments: argparse.Namespace, out: Out) -> None:
    """One load, and why rows of it failed."""
    with opened(arguments) as (where, ledger):
        ledger, load = _find(where, ledger, arguments.load)
        failures = problems(ledger.loads.results(load["number"], outcomes=FAILURES), arguments.rows)
    text = [*facts(_facts_of(load)), "", *([shown(load["message"])] if load["message"] else ["It has not ended."])]
    out.tell({**_document(load), "failures": failures}, [*text, *problems_text(failures)])


def export(arguments: argparse.Namespace, out: Out) -> None:
    """All kept results of a load, as a file."""
    with opened(arguments) as (where, ledger):
        ledger, load = _find(where, ledger, arguments.load)
        written = _write(ledger.loads.results(load["number"]), arguments.file)
    rows = (load["counts"] or {}).get("rows")
    of_all = "" if rows is None else f" of {rows:,} rows"
    said = f"Wrote {counted(written, 'result')}{of_all} into {arguments.file}: the rows that were sent or have a problem."
    out.tell({"load_id": load["load_id"], "number": load["number"], "results": written, "file": arguments.file}, [shown(said)])


def problems(results: Iterable[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Failures grouped by reason, ids left out of it; the commonest first, with the first rows of each."""
    groups: dict[tuple[str, int | None, str], dict[str, Any]] = {}
    for result in results:
        key = (result["outcome"], result["status_code"], _reason_of(result))
        if key not in groups and len(groups) >= _MOST_REASONS:
            key = (result["outcome"], None, _OTHERS)
        outcome, status_code, reason = key
        new = {"outcome": outcome, "status_code": status_code, "reason": reason, "rows": 0, "first_rows": []}
        group = groups.setdefault(key, new)
        group["rows"] += 1
        if len(group["first_rows"]) < rows:
            group["first_rows"].append(result)
    return sorted(groups.values(), key=lambda group: -int(group["rows"]))


def problems_text(groups: list[dict[str, Any]]) -> Iterator[str]:
    """The same for people."""
    for group in groups:
        status = f" ({group['status_code']})" if group["status_code"] else ""
        yield ""
        yield f"{counted(group['rows'], 'row')} {group['outcome']}{status}: {shown(group['reason'])}"
        rows = [
            (str(row["row"]), _key(row), row["first_record_id"], row["second_record_id"], row["reason"])
            for row in group["first_rows"]
        ]
        yield from (f"  {line}" for line in table(("row", "key", "first record", "second record", "reason"), rows))


def _find(where: str, ledger: Ledger | None, name: str) -> tuple[Ledger, dict[str, Any]]:
    if ledger is None:
        raise ConfigurationError(f"there is no ledger at {where} yet: the first load makes it")
    found = ledger.loads.find(name)
    if found is None:
        raise ConfigurationError(f"the ledger {where} knows of no load {name!r}: 'loads' lists those it knows")
    return ledger, found


def _write(results: Iterator[dict[str, Any]], path: str) -> int:
    from airflow_provider_ghl.hooks.sources import results_file
    from airflow_provider_ghl.relations.fields import RESULT_FIELDS

    written = 0
    try:
        with results_file(path, None, RESULT_FIELDS) as file:
            while some := list(islice(results, _AT_ONCE)):
                file.append(_frame(some))
                written += len(some)
    except GHLError:
        raise
    except Exception as error:
        raise GHLError(f"{path} could not be written ({type(error).__name__})") from error
    return written


def _reason_of(result: dict[str, Any]) -> str:
    """As in the load's own message."""
    said = result["reason"] or ""
    if result["outcome"] == Outcome.INVALID:
        return outline(said)
    return gist(said, result["first_record_id"] or "", result["second_record_id"] or "")


def _key(row: dict[str, Any]) -> str | None:
    return None if row["row_key"] is None else str(row["row_key"])


def _line(load: dict[str, Any]) -> tuple[str | int | None, ...]:
    return (
        str(load["number"]),
        load["state"],
        moment(load["began"]),
        load["association"],
        load["location_id"],
        _counts(load),
        load["requests"],
        load["load_id"],
    )


def _counts(load: dict[str, Any]) -> str | None:
    counts = load["counts"]
    if counts is None:
        return None
    parts = [f"{counts[outcome]:,} {outcome}" for outcome in OUTCOMES if counts.get(outcome)]
    return f"{counted(counts.get('rows', 0), 'row')}{': ' if parts else ''}{', '.join(parts)}"


def _facts_of(load: dict[str, Any]) -> dict[str, str | int | None]:
    return {
        "load": str(load["number"]),
        "load id": load["load_id"],
        "state": load["state"],
        "began": moment(load["began"]),
        "last sign of life": moment(load["updated"]),
        "association": load["association"],
        "location": load["location_id"],
        "tries": load["tries"],
        "requests": load["requests"],
        "rows": _counts(load),
    }


def _document(load: dict[str, Any]) -> dict[str, Any]:
    return {**load, "began": iso(load["began"]), "updated": iso(load["updated"])}


def _frame(results: list[dict[str, Any]]) -> Any:
    import pandas

    from airflow_provider_ghl.relations.fields import RESULT_FIELDS

    # As objects: numbers with gaps would become floats.
    return pandas.DataFrame(results, columns=list(RESULT_FIELDS), dtype=object)
