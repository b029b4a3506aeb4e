"""The rows that need attention after a load, as short log lines: for each reason their number and the first of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import Outcome

__all__ = ["FIRST_ROWS", "Reason", "attention_lines", "keep_first"]

#: How many rows of each reason are shown.
FIRST_ROWS = 3
#: How many reasons are shown, and how many characters of a line. Airflow puts some 35 characters before each line.
_MOST_REASONS, _WIDTH = 10, 110


@dataclass(slots=True)
class Reason:
    """Rows that failed for one reason.

    :param text: the reason, without ids.
    :param rows: how many rows failed for it.
    :param first: the results of the first of these rows, in input order.
    """

    outcome: Outcome
    text: str
    rows: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)


def attention_lines(
    reasons: Sequence[Reason],
    fields: ResultFields,
    *,
    failures: int,
    rows: int,
    load_number: int | None,
    has_several_locations: bool = False,
    skipped: Sequence[Reason] = (),
) -> list[str]:
    """The lines, the most frequent reasons first; none where no row failed and none was skipped.

    :param failures: how many rows failed, repeats of failed rows included.
    :param load_number: the load's number in the ledger; ``None`` where the ledger has no such load.
    :param has_several_locations: each row is shown with its location.
    :param skipped: the reasons of rows that do not count as failed.
    """
    in_all = sum(reason.rows for reason in skipped)
    lines: list[str] = []
    if failures:
        lines.append(f"{failures:,} of {counted(rows, 'row')} failed:")
        lines += _all_reasons(reasons, fields, has_several_locations=has_several_locations)
    if in_all:
        lines.append(f"{in_all:,} of {counted(rows, 'row')} {'was' if in_all == 1 else 'were'} skipped:")
        lines += _all_reasons(skipped, fields, has_several_locations=has_several_locations)
    if lines and load_number is not None:
        lines.append(f"All of them: airflow ghl loads show {load_number}")
    return lines


def _all_reasons(reasons: Sequence[Reason], fields: ResultFields, *, has_several_locations: bool) -> Iterator[str]:
    for reason in reasons[:_MOST_REASONS]:
        yield from _reason_lines(reason, fields, has_several_locations=has_several_locations)
    if (more := len(reasons) - _MOST_REASONS) > 0:
        yield f"  and {counted(more, 'other reason')}"


def _reason_lines(reason: Reason, fields: ResultFields, *, has_several_locations: bool) -> Iterator[str]:
    # Of a single row its own reason is shown, with the ids and numbers that the others of its kind do not share.
    text = reason.first[0]["reason"] if reason.rows == 1 else reason.text
    yield _cut(f"  {reason.rows:,} {reason.outcome}: {text}")
    for result in reason.first:
        yield _cut(f"      {_row(result, fields, shows_location=has_several_locations)}")
    if (more := reason.rows - len(reason.first)) > 0:
        yield f"      and {more:,} more"


def _row(result: Mapping[str, Any], fields: ResultFields, *, shows_location: bool) -> str:
    key = _shown(result["row_key"])
    where = f" of {result['location_id']}" if shows_location and result["location_id"] else ""
    values = ", ".join(_shown(result[name] or None) or "(none)" for name in fields.values)
    return f"row {result['row']}{'' if key is None else f' ({key})'}{where}: {values}"


def _shown(value: object) -> str | None:
    """A key or an id as the log may show it: what looks like an e-mail address or a phone number is hidden."""
    text = None if value is None else str(value)
    return "hidden" if text is not None and ("@" in text or text.startswith("+")) else text


def _cut(line: str) -> str:
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 1]}…"


def keep_first(first: list[dict[str, Any]], results: Iterable[dict[str, Any]]) -> None:
    """Add results, in any order, and keep only the first rows of all."""
    first.extend(results)
    first.sort(key=lambda result: int(result["row"]))
    del first[FIRST_ROWS:]
