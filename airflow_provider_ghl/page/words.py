"""The words of the page: states as Airflow has them, what outcomes mean, what to do now; numbers, times and sizes as text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from airflow_provider_ghl.load.ledger.views import LoadView
from airflow_provider_ghl.load.results.counted import counted

__all__ = [
    "ATTENTION",
    "DELETES",
    "EVIDENCE",
    "OUTCOMES",
    "STATES",
    "WELL",
    "advice",
    "iso",
    "number",
    "rows_of",
    "size",
    "told",
    "took",
    "worst_first",
]

#: States as ``airflow ghl loads`` prints them.
STATES: Mapping[str, str] = {
    "running": "running",
    "deferred": "deferred",
    "green": "success",
    "retryable": "failed, retry helps",
    "final": "failed",
    "lost": "lost",
}
#: Every outcome of a row, in the order of the manual, and what it means.
OUTCOMES: Mapping[str, str] = {
    "created": "HighLevel made it for this load, in any of its attempts.",
    "already_exists": "It was there; the evidence says by whose word.",
    "repeated": "The same pair stood earlier in this input; the reason names the row.",
    "invalid": "Refused here, before any request. Correct the row at its source: a retry does not help.",
    "unresolved": "Its key names no record, or several. Correct the key, or the records in HighLevel.",
    "rejected": "HighLevel gave a definite no. A retry would be refused again until the reason is gone.",
    "failed": "No definite answer after all retries. The next try sends it again.",
    "not_attempted": "The load stopped before it. The next try reaches it.",
}
#: Outcomes of rows that somebody should look at.
ATTENTION = ("invalid", "unresolved", "rejected", "failed", "not_attempted")
#: Those that count as failed whatever the load's arguments say.
_FAILED = ("invalid", "rejected", "failed")
#: Outcomes of the other rows.
WELL = tuple(name for name in OUTCOMES if name not in ATTENTION)
EVIDENCE: Mapping[str, str] = {
    "answer": "HighLevel's answer to this load",
    "read": "HighLevel's: the record's relations were read",
    "ledger": "HighLevel's, to an earlier load or attempt",
    "presumed": "sent before without an answer, and found there",
}
#: What became of relations that were to be deleted.
DELETES: Mapping[str, str] = {
    "deleted": "HighLevel deleted it.",
    "already_gone": "It was not there any more.",
    "kept": "It was left alone, for a reason.",
    "rejected": "HighLevel refused to delete it.",
    "failed": "No definite answer. The next try deletes what is left.",
    "not_attempted": "It was not reached.",
}
_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")
_ADVICE = {
    "running": "Nothing to do: it runs. This page refreshes itself.",
    "deferred": "Nothing to do: it waits for another day of HighLevel's quota, holds no slot, and goes on by itself.",
    "green": "Nothing to do.",
    "retryable": "A retry helps. Airflow makes one if the task has retries left; else clear the task. What HighLevel has "
    "confirmed is not sent again.",
    "final": "A retry would end the same way. Put right what the message names, then clear the task. What HighLevel has "
    "confirmed is not sent again.",
    "lost": "Its process is gone: it was killed, or its machine was. Airflow retries it if the task has retries left; else "
    "clear the task. No row is lost, and none is there twice.",
}


def advice(load: LoadView) -> str:
    """What to do now."""
    return " ".join(_remarks_on_green(load)) if load.state == "green" and _has_attention(load) else _ADVICE[load.state]


def _has_attention(load: LoadView) -> bool:
    return any(load.outcomes.get(outcome) for outcome in ATTENTION)


def _remarks_on_green(load: LoadView) -> Iterator[str]:
    """Why it is green all the same."""
    if failures := sum(load.outcomes.get(outcome, 0) for outcome in _FAILED):
        yield f"The task is green, since failure_tolerance allows the {counted(failures, 'row')} that failed. See why below."
    if unresolved := load.outcomes.get("unresolved"):
        # The ledger does not know which of the two it was.
        are = "is" if unresolved == 1 else "are"
        yield f'{counted(unresolved, "row")} {are} unresolved, which on_unresolved="skip" or failure_tolerance lets pass.'
        yield "Correct the keys, or the records in HighLevel: the next run looks them up again."
    if load.outcomes.get("not_attempted"):
        yield "The task is green, and the next run reaches the rows that were not attempted."


def told(message: str, *, has_reasons: bool) -> str:
    """A load's message. Where the page has the reasons below, one by one, it need not repeat them in one sentence."""
    return message.partition(" Why: ")[0] if has_reasons else message


def rows_of(load: LoadView) -> int:
    """How many rows it has read; of one that has not ended: how many of them have a result so far."""
    rows = (load.counts or {}).get("rows")
    return rows if isinstance(rows, int) else sum(load.outcomes.values())


def number(value: float | None) -> str:
    """With separators: ``12,345``."""
    return "–" if value is None else f"{value:,}"


def iso(seconds: float) -> str:
    """Unix seconds for ``<time datetime>``."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def took(load: LoadView) -> float:
    """Seconds from the beginning of its first try to its end, or to its last sign of life; waits included."""
    return max(0.0, load.updated - load.began)


def size(count: float | None) -> str:
    """Bytes for people: ``1.5 MiB``."""
    if count is None:
        return "–"
    unit = 0
    while count >= 1024 and unit < len(_UNITS) - 1:
        count, unit = count / 1024, unit + 1
    return f"{count:.1f} {_UNITS[unit]}" if unit else f"{count:,.0f} bytes"


def worst_first(outcomes: Mapping[str, int]) -> list[tuple[str, int]]:
    """Outcomes that some rows have, those first that somebody should look at."""
    return [(name, outcomes[name]) for name in (*ATTENTION, *WELL) if outcomes.get(name)]
