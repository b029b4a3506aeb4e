"""``ledger``: what is remembered, and how to have it forgotten."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from airflow_provider_ghl.commands.ledger_option import DEFAULT_CONNECTION, open_ledger
from airflow_provider_ghl.commands.output import Out, facts, iso, moment, table
from airflow_provider_ghl.commands.running import WrongUsage
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.upkeep import RelationFilter
from airflow_provider_ghl.load.results.counted import counted

__all__ = ["forget", "prune", "show"]

_MOMENTS = ("oldest_confirmed", "newest_confirmed")
#: Options of ``forget`` that take an id.
_OPTIONS = ("association", "record", "location", "relation")
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def show(arguments: argparse.Namespace, out: Out) -> None:
    """Where the ledger is, how large and how old it is, and what it knows."""
    with open_ledger(arguments) as (where, ledger):
        if ledger is None:
            out.write({"where": where, "exists": False}, [f"There is no ledger at {where} yet: the first load makes it."])
            return
        found = ledger.statistics()
    parts = {name: [_with_moments(one) for one in found[name]] for name in ("targets", "lookups")}
    lookups = ["", *_lookups(found["lookups"])] if found["lookups"] else []
    out.write(
        {"exists": True, **_with_moments(found), **parts}, [*facts(_facts(found)), "", *_targets(found["targets"]), *lookups]
    )


def forget(arguments: argparse.Namespace, out: Out) -> None:
    """Delete what is known of relations, and of the keys that go with them, after asking."""
    _check_choice(arguments)
    with open_ledger(arguments) as (where, ledger):
        if ledger is None:
            nothing = {"where": where, "matched": 0, "forgotten": 0, "matched_keys": 0, "forgotten_keys": 0}
            out.write(nothing, [f"There is no ledger at {where}: nothing to forget."])
            return
        association_ids = _association_ids(arguments, ledger)
        chosen = _chosen(arguments, ledger, association_ids)
        matched = sum(map(ledger.count_to_forget, chosen))
        matched_keys = sum(map(ledger.count_keys_to_forget, chosen))
        forgotten = forgotten_keys = 0
        text = f"Nothing matches. Forgot nothing in {where}."
        if matched or matched_keys:
            text = f"Forgot nothing in {where}."
            if _is_confirmed(f"{_chosen_text(matched, matched_keys, association_ids)} in {where}", arguments, out):
                forgotten, forgotten_keys = sum(map(ledger.forget, chosen)), matched_keys
                text = f"Forgot {_chosen_text(forgotten, forgotten_keys, association_ids)} in {where}."
    document = {"where": where, "association_ids": association_ids, "matched": matched, "forgotten": forgotten}
    out.write({**document, "matched_keys": matched_keys, "forgotten_keys": forgotten_keys}, [text])


def prune(arguments: argparse.Namespace, out: Out) -> None:
    """Delete old loads and their results, and old keys."""
    with open_ledger(arguments) as (where, ledger):
        if ledger is None:
            results, loads, keys = 0, 0, 0
        else:
            results, loads, keys = ledger.loads.prune(ledger.time() - arguments.older_than.total_seconds())
    and_keys = f", and {counted(keys, 'key')}," if keys else ""
    text = f"Deleted {counted(results, 'result')} of {counted(loads, 'load')}{and_keys} in {where}."
    missing = f"There is no ledger at {where}: nothing to delete."
    out.write({"where": where, "results": results, "loads": loads, "keys": keys}, [missing if ledger is None else text])


def _check_choice(arguments: argparse.Namespace) -> None:
    """:raises WrongUsage: no relations are chosen, or all of them and some."""
    for option in (*_OPTIONS, "conn_id", "ledger_conn_id"):
        value = getattr(arguments, option)
        # From a shell variable that is not set. As if the option were missing, more would be forgotten than was meant.
        if value is not None and not value.strip():
            name = option.replace("_", "-")
            raise WrongUsage(f"--{name} is empty: give it a value, or leave it out. Nothing was forgotten.")
    is_narrowed = any(getattr(arguments, option) is not None for option in (*_OPTIONS, "older_than"))
    if arguments.everything and is_narrowed:
        raise WrongUsage("--everything goes with no other choice.")
    if not arguments.everything and not is_narrowed:
        options = ", ".join(f"--{option}" for option in _OPTIONS)
        raise WrongUsage(f"Say what to forget: {options}, --older-than, or --everything.")


def _association_ids(arguments: argparse.Namespace, ledger: Ledger) -> list[str] | None:
    if arguments.association is None:
        return None
    from airflow_provider_ghl.commands.association_option import association_ids  # needs pandas, unlike a look at a ledger

    return association_ids(ledger, arguments.association, arguments.conn_id or DEFAULT_CONNECTION, arguments.location)


def _chosen(arguments: argparse.Namespace, ledger: Ledger, association_ids: list[str] | None) -> list[RelationFilter]:
    """One choice for each association."""
    if arguments.everything:
        return [RelationFilter(everything=True)]
    age = arguments.older_than
    narrowed: dict[str, Any] = {
        "location_id": arguments.location,
        "record_id": arguments.record,
        "relation_id": arguments.relation,
        "confirmed_before": None if age is None else ledger.time() - age.total_seconds(),
    }
    if association_ids is None:
        return [RelationFilter(**narrowed)]
    return [RelationFilter(association_id=association_id, **narrowed) for association_id in association_ids]


def _chosen_text(count: int, keys: int, association_ids: list[str] | None) -> str:
    relations = counted(count, "relation")
    if keys:
        return f"{relations} and {counted(keys, 'key')}" if count else counted(keys, "key")
    if association_ids is None:
        return relations
    several = "associations" if len(association_ids) > 1 else "association"
    return f"{relations} of {several} {', '.join(association_ids)}"


def _is_confirmed(what: str, arguments: argparse.Namespace, out: Out) -> bool:
    if arguments.yes:
        return True
    if not sys.stdin.isatty():
        raise WrongUsage(f"{what} would be forgotten, and nobody can be asked here: pass --yes. Nothing was done.")
    return out.ask(f"Forget {what}? The next load asks HighLevel for them again.")


def _facts(found: dict[str, Any]) -> dict[str, str | int | None]:
    return {
        "where": found["where"],
        "id": found["id"],
        "version": found["schema_version"],
        "size": _size(found["bytes"]),
        "relations": found["relations"],
        "claims": found["claims"],
        "keys": found["keys"],
        "loads": found["loads"],
        "results": found["results"],
        "oldest confirmed": moment(found["oldest_confirmed"]),
        "newest confirmed": moment(found["newest_confirmed"]),
    }


def _with_moments(found: dict[str, Any]) -> dict[str, Any]:
    return {**found, **{name: iso(found[name]) for name in _MOMENTS}}


def _targets(targets: list[dict[str, Any]]) -> list[str]:
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


def _lookups(lookups: list[dict[str, Any]]) -> list[str]:
    rows = [
        (
            lookup["name"],
            lookup["location_id"],
            lookup["keys"],
            moment(lookup["oldest_confirmed"]),
            moment(lookup["newest_confirmed"]),
            lookup["host"],
        )
        for lookup in lookups
    ]
    return table(("look-up", "location", "keys", "oldest confirmed", "newest confirmed", "host"), rows)


def _size(size: int | None) -> str | None:
    if size is None:
        return None
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{number:.1f} {_UNITS[unit]}" if unit else f"{size} bytes"
