"""What a load came to, and what that means for the task: the README's table of ends."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_ghl.exceptions import ConfigurationError, GHLError, QuotaExhausted, Unauthorized
from airflow_provider_ghl.load.results.ending import Ending, Why
from airflow_provider_ghl.load.results.outcomes import FAILURES, End, Outcome, StoppedBy
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = ["Verdict", "judge"]

#: Kinds of reason that a message names.
_MOST_REASONS = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """A load's end. ``summary`` and ``results`` are JSON; ``cause`` is what to raise from; ``wait`` is the seconds to wait for
    quota.
    """

    end: End
    message: str
    summary: dict[str, Any]
    results: list[dict[str, Any]]
    warnings: list[str] = field(default_factory=list)
    cause: Exception | None = None
    wait: float | None = None

    @property
    def is_green(self) -> bool:
        """Whether the task has done what it was for."""
        return self.end is End.GREEN


def judge(report: Report, ending: Ending, summary: dict[str, Any], tolerance: Tolerance, min_rows: int) -> Verdict:
    """Turn counts into an end."""
    results, cut = report.kept()
    summary["results_cut"] = cut
    wait = ending.wait()
    end, message = _end(report, ending, summary, tolerance, min_rows, may_wait=wait is not None)
    warnings = list(ending.warnings)
    if end is End.GREEN and ending.stopped_by is StoppedBy.MAX_REQUESTS:
        warnings.append(f"max_requests is spent: {summary[Outcome.NOT_ATTEMPTED]:,} rows were not attempted")
    if end is End.GREEN and ending.lanes:
        warnings.append(f"Without a plan: {_stopped_lanes(ending, summary)}.")
    if end is End.GREEN and not report.rows:
        warnings.append("the source has no rows: nothing was sent")
    return Verdict(end, message, summary, results, warnings, ending.cause, wait if end is End.DEFERRED else None)


def _end(
    report: Report, ending: Ending, summary: dict[str, Any], tolerance: Tolerance, min_rows: int, *, may_wait: bool
) -> tuple[End, str]:
    account = _account(report, summary)
    if ending.is_final:
        return End.FINAL, f"{_why_stopped(ending)} {account}"
    if ending.broken_by is not None:
        end = End.FINAL if isinstance(ending.broken_by, ConfigurationError) else End.RETRYABLE
        return end, f"{_sentence(f'The load could not go on: {_told(ending.broken_by)}')} {account}"
    if ending.was_told_to_stop:
        return End.RETRYABLE, f"The load was told to stop. {account}"
    if ending.too_few and min_rows:
        return End.RETRYABLE, f"The source has {report.rows:,} rows, fewer than min_rows={min_rows:,}: nothing was sent."
    if ending.stopped_by is not None and ending.stopped_by is not StoppedBy.MAX_REQUESTS:
        return _end_of_stopped(ending, account, may_wait=may_wait)
    if ending.lanes and ending.plan is None:
        return _end_of_lanes(report, ending, summary, tolerance, account, may_wait=may_wait)
    if ending.plan is not None:
        return End.GREEN, f"A plan, nothing was sent: {ending.plan}. {account}"
    failures = report.failures()
    if tolerance.allows(failures, report.rows):
        return End.GREEN, account
    end = End.RETRYABLE if summary[Outcome.FAILED] else End.FINAL
    return end, f"{failures:,} of {report.rows:,} rows failed; failure_tolerance={tolerance} allows fewer. {account}"


def _end_of_stopped(ending: Ending, account: str, *, may_wait: bool) -> tuple[End, str]:
    if may_wait:
        return End.DEFERRED, f"{_why_stopped(ending)} {account}"
    too_long = ""
    if ending.stopped_by is StoppedBy.QUOTA and ending.patience is not None:
        too_long = f"To wait for them would take longer than defer_timeout={ending.patience.timeout} allows. "
    return End.RETRYABLE, f"{_why_stopped(ending)} {too_long}{account}"


def _end_of_lanes(
    report: Report, ending: Ending, summary: dict[str, Any], tolerance: Tolerance, account: str, *, may_wait: bool
) -> tuple[End, str]:
    """Some locations were stopped; the others are done."""
    spent = "max_requests is spent. " if ending.stopped_by is StoppedBy.MAX_REQUESTS else ""
    message = f"{_stopped_lanes(ending, summary)}. {spent}{account}"
    if may_wait:
        return End.DEFERRED, message
    has_failed = bool(summary[Outcome.FAILED]) and not tolerance.allows(report.failures(), report.rows)
    return End.FINAL if ending.is_all_final and not has_failed else End.RETRYABLE, message


def _stopped_lanes(ending: Ending, summary: dict[str, Any]) -> str:
    shown = "; ".join(f"{lane.location_id}: {_why(lane.why, lane.resets_in, ending)}" for lane in ending.lanes[:_MOST_REASONS])
    more = len(ending.lanes) - _MOST_REASONS
    were = "was" if len(ending.lanes) == 1 else "were"
    of_all = f"{len(ending.lanes)} of {len(summary['locations'])} locations {were} stopped"
    return f"{of_all}: {shown}{f'; and {more} more' if more > 0 else ''}"


def _why(why: Why, resets_in: float | None, ending: Ending) -> str:
    if isinstance(why, QuotaExhausted):
        return f"{_whose(why)} are spent, they are back {_when(ending.at, resets_in)}"
    if isinstance(why, GHLError):
        return _told(why).rstrip(".")
    return f"the same answer again and again with no success between: {why}"


def _whose(spent: QuotaExhausted) -> str:
    return f"{spent.whose} requests of the day" if spent.whose else "the day's requests"


def _why_stopped(ending: Ending) -> str:
    why = ending.why
    if isinstance(why, QuotaExhausted):
        return _sentence(f"{_whose(why).capitalize()} are spent; they are back {_when(ending.at, why.resets_in)}")
    if isinstance(why, GHLError):
        return _sentence(_told(why))
    return _sentence(f"The same answer again and again with no success between, so that the load was stopped: {why}")


def _sentence(text: str) -> str:
    # HighLevel's messages have a full stop or have none.
    return f"{text.rstrip('.')}."


def _told(error: Exception) -> str:
    # The text of an exception that is not ours may hold parameters, and with them people's data.
    if isinstance(error, Unauthorized):
        return error.explain()
    return str(error) if isinstance(error, GHLError) else f"the source failed ({type(error).__name__})"


def _when(now: datetime, seconds: float | None) -> str:
    if seconds is None:
        return "at the next reset, which HighLevel does not announce (midnight UTC is likely)"
    at = now + timedelta(seconds=seconds)
    return f"in {timedelta(seconds=round(seconds))} (at {at:%Y-%m-%d %H:%M} UTC)"


def _account(report: Report, summary: dict[str, Any]) -> str:
    parts = [f"{summary[outcome]:,} {outcome}" for outcome in Outcome if summary[outcome]]
    text = f"{report.rows:,} rows: {', '.join(parts) or 'none'}."
    reasons = [reason for reason in report.reasons() if reason[0] in FAILURES]
    if not reasons:
        return text
    shown = "; ".join(f"{rows:,} × {outcome}: {reason.rstrip('.')}" for outcome, reason, rows in reasons[:_MOST_REASONS])
    rest = len(reasons) - _MOST_REASONS
    return f"{text} Why: {shown}{f'; and {rest} more kinds' if rest > 0 else ''}."
