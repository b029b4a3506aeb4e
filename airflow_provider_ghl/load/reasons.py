"""Why rows failed: reasons without what tells rows apart, so that they can be counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from airflow_provider_ghl.load.outcome import FAILURES, Outcome

__all__ = [
    "MOST_REASONS",
    "OTHERS",
    "Problem",
    "Problems",
    "general_reason",
    "group_failures",
    "mentions",
    "without_details",
    "without_ids",
    "without_keys",
]

#: Reasons of one load that are counted one by one; rows with others are counted together.
MOST_REASONS = 50
OTHERS = "other reasons"
_ID = re.compile(r"(?=\w*\d)[\w-]{12,}|\d+")
#: The line numbers, values, counts and ids in our own reasons: see ``source/files``, ``validation``, ``cardinality`` and
#: ``lookups``.
_DETAIL = re.compile(
    r"^(lines?) \d+(?: to \d+)?|(': |HighLevel finds )\S+(?= is an? \w+;| \w+ have it:| for it, )"
    r"|(?<= is reached) \([\w :,]+\)|(?<= have it): [^;]*"
)
#: Characters of a key that is cut. Fewer tell nothing.
_SHORTEST_HALF = 4


class Problem(NamedTuple):
    """What rows have in common that are counted together.

    :param reason: ``None`` for rows that did not fail: those are counted by outcome alone.
    """

    outcome: str
    status_code: int | None
    reason: str | None


class Problems:
    """The problems of one load, each with a number, from 0 on.

    :param known: those that have one already.
    """

    def __init__(self, known: Iterable[tuple[int, Problem]] = ()) -> None:
        self._numbers = {problem: number for number, problem in known}
        self._next = max(self._numbers.values(), default=-1) + 1
        self._reasons = sum(problem.reason not in (None, OTHERS) for problem in self._numbers)

    def number(self, result: Mapping[str, Any]) -> int:
        """The number of a result's problem, which gets one where it is new.

        :param result: a row's result with all its fields.
        """
        problem = _problem(result)
        number = self._numbers.get(problem)
        if number is not None:
            return number
        if problem.reason is not None:
            if self._reasons >= MOST_REASONS:
                problem = Problem(problem.outcome, None, OTHERS)
            else:
                self._reasons += 1
        number = self._numbers.setdefault(problem, self._next)
        self._next = max(self._next, number + 1)
        return number

    @property
    def all(self) -> dict[int, Problem]:
        """All of them, by number."""
        return {number: problem for problem, number in self._numbers.items()}


def group_failures(results: Iterable[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Group failures by reason. The commonest reason comes first, each with its first rows.

    :param results: of rows that failed, by row, with all their fields.
    :param rows: how many rows each reason has at most.
    :returns: a dict for each reason: ``outcome``, ``status_code``, ``reason``, ``rows`` and ``first_rows``.
    """
    problems, groups = Problems(), dict[int, dict[str, Any]]()
    for result in results:
        group = groups.setdefault(problems.number(result), {"rows": 0, "first_rows": []})
        group["rows"] += 1
        if len(group["first_rows"]) < rows:
            group["first_rows"].append(result)
    grouped = [{**problems.all[number]._asdict(), **group} for number, group in groups.items()]
    return sorted(grouped, key=lambda group: -int(group["rows"]))


def general_reason(outcome: str, reason: str, *ids: str) -> str:
    """A reason as it is counted: of ours without details, of HighLevel's without ids.

    :param ids: of the row.
    """
    if outcome in (Outcome.INVALID, Outcome.UNRESOLVED):
        return without_details(reason)
    return without_ids(reason, *ids)


def _problem(result: Mapping[str, Any]) -> Problem:
    outcome = str(result["outcome"])
    if outcome not in FAILURES:
        return Problem(outcome, None, None)
    ids = result.get("first_record_id") or "", result.get("second_record_id") or ""
    return Problem(outcome, result.get("status_code"), general_reason(outcome, result.get("reason") or "", *ids))


def without_details(reason: str) -> str:
    """One of our own reasons, with … for its line numbers and values: like :func:`without_ids`, for counting."""
    return _DETAIL.sub(lambda found: f"{found[1]} …" if found[1] else f"{found[2]}…" if found[2] else "", reason)


def without_ids(reason: str, *ids: str) -> str:
    """A reason from HighLevel with its ids replaced, so that reasons that differ only in ids are counted together."""
    for value in ids:
        for at in reversed(list(_places(reason, value))):
            reason = f"{reason[:at]}<id>{reason[at + len(value) :]}"
    return _ID.sub("<id>", reason)


def without_keys(reason: str, keys: Iterable[str]) -> str:
    """A reason from HighLevel without a row's keys, in any case; the last of them may have been cut. Ids stay whole."""
    for key in filter(None, keys):
        folded = reason.casefold()
        if key.casefold() in folded:
            begin, end = (r"(?<!\w)" if _is_word(key[0]) else ""), (r"(?!\w)" if _is_word(key[-1]) else "")
            reason = re.sub(f"{begin}{re.escape(key)}{end}", "<key>", reason, flags=re.IGNORECASE)
        if reason.endswith("…"):
            halves = (key[:length] for length in range(len(key) - 1, _SHORTEST_HALF - 1, -1))
            half = next((one for one in halves if reason[:-1].casefold().endswith(one.casefold())), "")
            reason = f"{reason[: -1 - len(half)]}<key>…" if half else reason
    return reason


def _is_word(character: str) -> bool:
    return character == "_" or character.isalnum()


def mentions(reason: str, value: str) -> bool:
    """Whether a reason contains an id as a whole word: the id ``e`` is not in every message with an e."""
    return any(True for _ in _places(reason, value))


def _places(reason: str, value: str) -> Iterator[int]:
    """Where a value stands as a whole word. A pattern of each would have to be compiled, which takes longer."""
    at = reason.find(value) if value else -1
    while at >= 0:
        end = at + len(value)
        is_whole = not (at and _is_word(reason[at - 1])) and not (end < len(reason) and _is_word(reason[end]))
        if is_whole:
            yield at
        at = reason.find(value, end if is_whole else at + 1)
