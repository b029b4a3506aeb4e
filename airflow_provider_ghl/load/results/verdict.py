"""How a load ended, and what that means for the task: the table of ends in the manual."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow_provider_ghl.exceptions import (
    ConfigurationError,
    GHLError,
    GuardTripped,
    QuotaExhausted,
    ResultsError,
    Unauthorized,
)
from airflow_provider_ghl.load.quota_wait import QuotaWait
from airflow_provider_ghl.load.results.attention import attention_lines
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.effort import Effort
from airflow_provider_ghl.load.results.failure import Failure
from airflow_provider_ghl.load.results.outcomes import End, Outcome, StoppedBy
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.results.stoppage import Stoppage
from airflow_provider_ghl.load.results.time_span import time_span
from airflow_provider_ghl.load.tolerance import Tolerance

__all__ = ["Ending", "StoppedLocation", "Verdict", "judge"]

#: How many reasons, and how many stopped locations, a message names.
_MOST_NAMED = 5
#: Where several locations were stopped, the first of these that applies is the load's ``stopped_by``.
_GRAVEST = (StoppedBy.TOKEN, StoppedBy.ABORT, StoppedBy.QUOTA)


@dataclass(frozen=True, slots=True)
class StoppedLocation:
    """One of several locations that was stopped, while the load went on with the others.

    :param resets_in: seconds until its quota is back, where the quota is the reason and HighLevel named the time.
    """

    location_id: str
    stoppage: Stoppage
    resets_in: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a load ended, apart from the outcomes of its rows."""

    too_few: bool = False
    is_stop_requested: bool = False
    #: What stopped the whole load.
    stoppage: Stoppage | None = None
    #: The error of the source, of the ledger or of the results' destinations, or the one with which reading the target failed.
    broken_by: Exception | None = None
    #: The locations that were stopped, where the load has several and went on with the others.
    locations: Sequence[StoppedLocation] = ()
    #: How long the load may wait for quota; ``None``: not at all.
    quota_wait: QuotaWait | None = None
    #: What became of what the table does not name, where that was to be deleted.
    deletes: Mapping[str, int] | None = None
    #: What the load would cost, where nothing was to be sent.
    plan: str | None = None
    warnings: Sequence[str] = ()
    #: The load's number in the ledger, where it has one.
    load_number: int | None = None
    #: What this attempt took.
    effort: Effort | None = None
    #: The wall clock at the end; and a random number from [0, 1), which spreads tasks that wait for the same moment.
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    draw: Callable[[], float] = random.random

    @property
    def is_final(self) -> bool:
        """Whether the load was stopped, and another try would be stopped too."""
        return self.stoppage is not None and self.stoppage.is_final

    @property
    def is_budget_spent(self) -> bool:
        """Whether ``max_requests`` is spent, which is no failure."""
        return self.stoppage is not None and self.stoppage.by is StoppedBy.MAX_REQUESTS

    @property
    def is_all_final(self) -> bool:
        """Whether every stopped location would be stopped in another try too."""
        return all(location.stoppage.is_final for location in self.locations)

    @property
    def stopped_by(self) -> StoppedBy | None:
        """The summary's ``stopped_by``."""
        if self.stoppage is not None and self.stoppage.by is not None:
            return self.stoppage.by
        by = {location.stoppage.by for location in self.locations}
        return next((one for one in _GRAVEST if one in by), None)

    @property
    def cause(self) -> Exception | None:
        """The exception to raise from."""
        error = self.stoppage.error if self.stoppage is not None and not self.is_budget_spent else None
        if self.is_final:
            return error
        of_locations = [
            one.stoppage.error
            for one in self.locations
            if one.stoppage.error is not None and one.stoppage.is_final is self.is_all_final
        ]
        return self.broken_by or error or next(iter(of_locations), None)

    def wait(self) -> float | None:
        """Seconds to wait for quota; ``None`` where the load does not wait. Has a random part, so call it once."""
        if self.quota_wait is None:
            return None
        if self.stoppage is not None:
            error = self.stoppage.error
            if self.stoppage.by is not StoppedBy.QUOTA or not isinstance(error, QuotaExhausted):
                return None
            return self.quota_wait.seconds(error.resets_in, self.at, self.draw)
        asleep = [location.resets_in for location in self.locations if location.stoppage.by is StoppedBy.QUOTA]
        if not asleep:
            return None
        return self.quota_wait.seconds(min((one for one in asleep if one is not None), default=None), self.at, self.draw)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a load tells its operator at the end.

    :param headline: one sentence: how many rows failed and the most frequent reason, or why the load could not go on.
    :param message: the headline and the counts.
    :param summary: the summary's fields, as JSON can hold them.
    :param results: results for XCom, as JSON can hold them.
    :param failure: which exception the operator raises; ``None`` for none.
    :param attention: the rows that need attention, as lines for the log.
    :param cause: the exception to raise from.
    :param wait: seconds to wait for quota; ``None`` where the load does not wait.
    :param load_number: the load's number in the ledger, where it has one.
    :param effort: what this attempt took.
    """

    end: End
    headline: str
    message: str
    summary: dict[str, Any]
    results: list[dict[str, Any]]
    failure: Failure | None = None
    attention: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    cause: Exception | None = None
    wait: float | None = None
    load_number: int | None = None
    effort: Effort | None = None

    @property
    def is_green(self) -> bool:
        """Whether the task succeeds."""
        return self.end is End.GREEN


def judge(report: Report, ending: Ending, summary: dict[str, Any], tolerance: Tolerance, min_rows: int) -> Verdict:
    """Turn the counts and the ending into a verdict.

    :param summary: the summary's fields, without ``results_cut``, which is added here.
    """
    return _Judgement(report, ending, summary, tolerance, min_rows).verdict()


class _Judgement:
    """The inputs of :func:`judge`, and its steps."""

    def __init__(self, report: Report, ending: Ending, summary: dict[str, Any], tolerance: Tolerance, min_rows: int) -> None:
        self._report = report
        self._ending = ending
        self._summary = summary
        self._tolerance = tolerance
        self._min_rows = min_rows
        self._counts = f"{_counts(report, summary)}{_deletes(ending)}"
        self._wait = ending.wait()

    def verdict(self) -> Verdict:
        """See :func:`judge`."""
        results, self._summary["results_cut"] = self._report.kept()
        end, headline, rest = self._end()
        return Verdict(
            end,
            headline,
            f"{headline} {rest}".strip(),
            self._summary,
            results,
            self._failure(end),
            self._attention(),
            self._warnings(end),
            self._ending.cause,
            self._wait if end is End.DEFERRED else None,
            self._ending.load_number,
            self._ending.effort,
        )

    def _attention(self) -> list[str]:
        return attention_lines(
            self._report.reasons(),
            self._report.fields,
            failures=self._report.failures(),
            rows=self._report.rows,
            load_number=self._ending.load_number,
            has_several_locations="locations" in self._summary,
            skipped=self._report.skipped(),
        )

    def _end(self) -> tuple[End, str, str]:
        """The end, the headline, and the rest of the message. The first case that applies decides."""
        ending, counts = self._ending, self._counts
        if ending.is_final:
            return End.FINAL, self._why_stopped(), counts
        if isinstance(ending.broken_by, GuardTripped):
            return End.FINAL, _sentence(str(ending.broken_by)), counts
        if ending.broken_by is not None:
            if isinstance(ending.broken_by, ResultsError):
                return End.RETRYABLE, _sentence(f"The load has ended, but {ending.broken_by}"), counts
            end = End.FINAL if isinstance(ending.broken_by, ConfigurationError) else End.RETRYABLE
            return end, _sentence(f"The load could not go on: {_explained(ending.broken_by)}"), counts
        if ending.is_stop_requested:
            return End.RETRYABLE, "The load was told to stop.", counts
        if ending.too_few and self._min_rows:
            has = f"The source has {counted(self._report.rows, 'row')}, fewer than min_rows={self._min_rows:,}"
            return End.RETRYABLE, f"{has}: nothing was sent.", ""
        if ending.stoppage is not None and not ending.is_budget_spent:
            return self._end_of_stopped(ending.stoppage)
        if ending.plan is not None:
            return End.GREEN, f"A plan, nothing was sent: {ending.plan}.", counts
        if ending.locations:
            return self._end_of_some_stopped()
        return self._end_by_rows()

    def _end_of_stopped(self, stoppage: Stoppage) -> tuple[End, str, str]:
        if self._wait is not None:
            return End.DEFERRED, self._why_stopped(), self._counts
        too_long = ""
        if stoppage.by is StoppedBy.QUOTA and self._ending.quota_wait is not None:
            too_long = f"To wait for them would take longer than defer_timeout={self._ending.quota_wait.timeout} allows. "
        return End.RETRYABLE, self._why_stopped(), f"{too_long}{self._counts}"

    def _end_of_some_stopped(self) -> tuple[End, str, str]:
        """The end where some locations were stopped and the others are done."""
        spent = "max_requests is spent. " if self._ending.is_budget_spent else ""
        headline, rest = f"{self._stopped_locations()}.", f"{spent}{self._counts}"
        if self._wait is not None:
            return End.DEFERRED, headline, rest
        has_failed = bool(self._summary[Outcome.FAILED]) and not self._is_tolerable()
        return End.FINAL if self._ending.is_all_final and not has_failed else End.RETRYABLE, headline, rest

    def _end_by_rows(self) -> tuple[End, str, str]:
        if self._is_tolerable():
            return self._end_by_deletes()
        end = End.RETRYABLE if self._summary[Outcome.FAILED] else End.FINAL
        too_many = f"More than failure_tolerance={self._tolerance} allows. " if self._tolerance.value else ""
        return end, self._failed_rows(), f"{too_many}{self._counts}"

    def _end_by_deletes(self) -> tuple[End, str, str]:
        """The end where the rows are well: deletes that failed are worth a retry, and refused ones are not."""
        deletes = self._ending.deletes or {}
        refused, open_ones = deletes.get("rejected", 0), deletes.get("failed", 0) + deletes.get("not_attempted", 0)
        if self._ending.is_budget_spent or not (refused or open_ones):
            return End.GREEN, self._counts, ""
        failed = f"{refused + open_ones:,} of {counted(deletes['planned'], 'delete')} failed."
        return End.RETRYABLE if open_ones else End.FINAL, failed, self._counts

    def _failed_rows(self) -> str:
        """How many rows failed, and the most frequent reason."""
        failures, (commonest, *others) = self._report.failures(), self._report.reasons()
        share = "all of them" if not others and commonest.rows == failures else f"{commonest.rows:,} of them"
        failed = f"{failures:,} of {counted(self._report.rows, 'row')} failed"
        return _sentence(f"{failed}, {share} {commonest.outcome}: {commonest.text}")

    def _is_tolerable(self) -> bool:
        return self._tolerance.allows(self._report.failures(), self._report.rows)

    def _failure(self, end: End) -> Failure | None:
        if end in (End.GREEN, End.DEFERRED):
            return None
        failure, is_final = self._likely_failure(end), end is End.FINAL
        if failure.is_final is is_final:
            return failure
        return Failure.FINAL if is_final else Failure.RETRYABLE

    def _likely_failure(self, end: End) -> Failure:
        if (cause := self._ending.cause) is not None:
            return Failure.from_error(cause)
        if end is End.FINAL:
            return Failure.TOKEN_REFUSED if self._ending.stopped_by is StoppedBy.TOKEN else Failure.ROWS_REFUSED
        if self._ending.is_stop_requested:
            return Failure.STOPPED
        deletes = self._ending.deletes or {}
        is_any_failed = self._summary[Outcome.FAILED] or deletes.get("failed", 0) or deletes.get("not_attempted", 0)
        return Failure.ROWS_FAILED if is_any_failed else Failure.TOO_FEW_ROWS

    def _warnings(self, end: End) -> list[str]:
        ending, warnings = self._ending, list(self._ending.warnings)
        if end is not End.GREEN:
            return warnings
        if ending.is_budget_spent:
            deletes = (ending.deletes or {}).get("not_attempted", 0)
            also = f", and {counted(deletes, 'delete')}" if deletes else ""
            warnings.append(f"max_requests is spent: {self._summary[Outcome.NOT_ATTEMPTED]:,} rows were not attempted{also}")
        if ending.locations:
            warnings.append(f"Without a plan: {self._stopped_locations()}.")
        if not self._report.rows:
            warnings.append("the source has no rows: nothing was sent")
        return warnings

    def _stopped_locations(self) -> str:
        ending = self._ending
        shown = "; ".join(f"{one.location_id}: {self._why(one)}" for one in ending.locations[:_MOST_NAMED])
        more = len(ending.locations) - _MOST_NAMED
        were = "was" if len(ending.locations) == 1 else "were"
        of_all = f"{len(ending.locations)} of {len(self._summary['locations'])} locations {were} stopped"
        return f"{of_all}: {shown}{f'; and {more} more' if more > 0 else ''}"

    def _why(self, location: StoppedLocation) -> str:
        error = location.stoppage.error
        if isinstance(error, QuotaExhausted):
            return f"{_spent(error)} are spent, they are back {_when(self._ending.at, location.resets_in)}"
        if error is not None:
            return _explained(error).rstrip(".")
        if location.stoppage.is_outage:
            return location.stoppage.text
        return f"the same answer again and again with no success between: {location.stoppage.text}"

    def _why_stopped(self) -> str:
        stoppage = self._ending.stoppage or Stoppage(None)
        error = stoppage.error
        if isinstance(error, QuotaExhausted):
            when = _when(self._ending.at, error.resets_in)
            return _sentence(f"{_spent(error).capitalize()} are spent; they are back {when}")
        if error is not None:
            return _sentence(_explained(error))
        if stoppage.is_outage:
            return _sentence(f"The load was stopped: {stoppage.text}")
        again = "The same answer again and again with no success between"
        was_stopped = ", so that the load was stopped" if self._summary[Outcome.NOT_ATTEMPTED] else ""
        return _sentence(f"{again}{was_stopped}: {stoppage.text}")


def _spent(error: QuotaExhausted) -> str:
    return f"{error.whose} requests of the day" if error.whose else "the day's requests"


def _sentence(text: str) -> str:
    # Some of HighLevel's messages end with a full stop.
    return f"{text.rstrip('.')}."


def _explained(error: Exception) -> str:
    # The text of a foreign exception may hold parameters of a query, and with them people's data.
    if isinstance(error, Unauthorized):
        return error.explain()
    return str(error) if isinstance(error, GHLError) else f"the source failed ({type(error).__name__})"


def _when(now: datetime, seconds: float | None) -> str:
    if seconds is None:
        return "at the next reset, which HighLevel does not announce (midnight UTC is likely)"
    at = now + timedelta(seconds=seconds)
    return f"in {time_span(seconds)} (at {at:%Y-%m-%d %H:%M} UTC)"


def _deletes(ending: Ending) -> str:
    """What became of what the table does not name, as text."""
    if ending.deletes is None or ending.too_few:
        return ""
    parts = [f"{count:,} {name.replace('_', ' ')}" for name, count in ending.deletes.items() if count and name != "planned"]
    planned = f" {ending.deletes['planned']:,} to be deleted{': ' if parts else ''}{', '.join(parts)}."
    return planned if ending.deletes["planned"] or parts else " Nothing to be deleted."


def _counts(report: Report, summary: Mapping[str, Any]) -> str:
    parts = [f"{summary[outcome]:,} {outcome}" for outcome in Outcome if summary[outcome]]
    text = f"{counted(report.rows, 'row')}: {', '.join(parts) or 'none'}."
    reasons = report.reasons()
    if len(reasons) < 2 and not summary[Outcome.NOT_ATTEMPTED]:
        reasons = []  # the headline has the only one
    reasons = [*reasons, *report.skipped()]
    if not reasons:
        return text
    shown = "; ".join(f"{one.rows:,} × {one.outcome}: {one.text.rstrip('.')}" for one in reasons[:_MOST_NAMED])
    rest = len(reasons) - _MOST_NAMED
    return f"{text} Why: {shown}{f'; and {rest} more kinds' if rest > 0 else ''}."
