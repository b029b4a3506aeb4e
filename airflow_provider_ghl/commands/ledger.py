"""``ledger``: what is remembered, and how to make it forgotten."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from airflow_provider_ghl.commands.ledger_option import opened
from airflow_provider_ghl.commands.output import Out, counted, facts, iso, moment, table
from airflow_provider_ghl.commands.running import WrongUsage

__all__ = ["forget", "prune", "show"]

_MOMENTS = ("oldest_confirmed", "newest_confirmed")
#: Options of ``forget``, and what :meth:`airflow_provider_ghl.load.ledger.ledger.Ledger.forget` calls them.
_CHOSEN_BY = {"association": "association_id", "record": "record_id", "location": "location_id", "relation": "relation_id"}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def show(arguments: argparse.Namespace, out: Out) -> None:
    """Where the ledger is, how big, how old, and what is in it."""
    with opened(arguments) as (where, ledger):
        if ledger is None:
            out.write({"where": where, "exists": False}, [f"There is no ledger at {where} yet: the first load makes it."])
            return
        found = ledger.statistics()
    targets = [{**target, **{name: iso(target[name]) for name in _MOMENTS}} for target in found["targets"]]
    document = {"exists": True, **found, **{name: iso(found[name]) for name in _MOMENTS}, "targets": targets}
    out.write(document, [*facts(_facts_of(found)), "", *_table_of(found["targets"])])


def forget(arguments: argparse.Namespace, out: Out) -> None:
    """Delete what is known of relations, after a yes."""
    from airflow_provider_ghl.load.ledger.upkeep import Chosen

    named = _chosen(arguments)
    with opened(arguments) as (where, ledger):
        if ledger is None:
            out.write({"where": where, "matched": 0, "forgotten": 0}, [f"There is no ledger at {where}: nothing to forget."])
            return
        if arguments.older_than is not None:
            named["confirmed_before"] = ledger.time() - arguments.older_than.total_seconds()
        chosen = Chosen(**named)
        matched = ledger.count_to_forget(chosen)
        forgotten = ledger.forget(chosen) if matched and _is_meant(matched, where, arguments, out) else 0
    said = f"Forgot {counted(forgotten, 'relation')} in {where}." if forgotten else f"Forgot nothing in {where}."
    none = "" if matched else "No relation matches. "
    out.write({"where": where, "matched": matched, "forgotten": forgotten}, [f"{none}{said}"])


def prune(arguments: argparse.Namespace, out: Out) -> None:
    """Delete old loads with their results."""
    with opened(arguments) as (where, ledger):
        if ledger is None:
            results, loads = 0, 0
        else:
            results, loads = ledger.loads.prune(ledger.time() - arguments.older_than.total_seconds())
    said = f"Deleted {counted(results, 'result')} of {counted(loads, 'load')} in {where}."
    missing = f"There is no ledger at {where}: nothing to delete."
    out.write({"where": where, "results": results, "loads": loads}, [missing if ledger is None else said])


def _chosen(arguments: argparse.Namespace) -> dict[str, Any]:
    for option in (*_CHOSEN_BY, "conn_id", "ledger_conn_id"):
        value = getattr(arguments, option)
        # An unset variable of a shell's: without the option, more would be forgotten than was meant.
        if value is not None and not value.strip():
            name = option.replace("_", "-")
            raise WrongUsage(f"--{name} is empty: give it a value, or leave it out. Nothing was forgotten.")
    chosen: dict[str, Any] = {name: getattr(arguments, option) for option, name in _CHOSEN_BY.items()}
    chosen = {name: value for name, value in chosen.items() if value is not None}
    has_some = bool(chosen) or arguments.older_than is not None
    if arguments.everything and has_some:
        raise WrongUsage("--everything goes with no other choice.")
    if not arguments.everything and not has_some:
        options = ", ".join(f"--{option}" for option in _CHOSEN_BY)
        raise WrongUsage(f"Say what to forget: {options}, --older-than, or --everything.")
    return {"everything": True} if arguments.everything else chosen


def _is_meant(matched: int, where: str, arguments: argparse.Namespace, out: Out) -> bool:
    if arguments.yes:
        return True
    what = f"{counted(matched, 'relation')} in {where}"
    if not sys.stdin.isatty():
        raise WrongUsage(f"{what} would be forgotten, and nobody can be asked here: pass --yes. Nothing was done.")
    return out.ask(f"Forget {what}? The next load asks HighLevel for them again.")


def _facts_of(found: dict[str, Any]) -> dict[str, str | int | None]:
    return {
        "where": found["where"],
        "id": found["id"],
        "version": found["schema_version"],
        "size": _size(found["bytes"]),
        "relations": found["relations"],
        "claims": found["claims"],
        "loads": found["loads"],
        "results": found["results"],
        "oldest confirmed": moment(found["oldest_confirmed"]),
        "newest confirmed": moment(found["newest_confirmed"]),
    }


def _table_of(targets: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            target["association_id"],
            target["location_id"],
            target["relations"],
            moment(target["oldest_confirmed"]),
            moment(target["newest_confirmed"]),
            target["host"],
        )
        for target in targets
    ]
    headers = ("association", "location", "relations", "oldest confirmed", "newest confirmed", "host")
    return table(headers, rows) if rows else ["It knows no association yet."]


def _size(size: int | None) -> str | None:
    if size is None:
        return None
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} bytes"
