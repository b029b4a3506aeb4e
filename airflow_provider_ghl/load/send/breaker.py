"""Stops a location whose requests get the same refusal again and again, with no success in between."""

from __future__ import annotations

from airflow_provider_ghl.load.reasons import mentions, without_ids
from airflow_provider_ghl.load.results.outcomes import RowResult, StoppedBy
from airflow_provider_ghl.load.results.removals import RemovalResult
from airflow_provider_ghl.load.results.stoppage import Stoppage

__all__ = ["Breaker"]

_NO_ANSWER = "no definite answer"


class Breaker:
    """Counts the failures of one location since its last success, by kind.

    A refusal that names a record counts once per record: where one record with many rows is missing, all its rows fail, but
    other records' rows may succeed. Rows without a definite answer count as one kind, so that an outage stops a load too.

    :param abort_after: how many failures of one kind, with no success in between, stop the location.
    """

    def __init__(self, abort_after: int) -> None:
        self._abort_after = abort_after
        self._seen: dict[str, set[object]] = {}
        self._count = 0

    def note(self, result: RowResult | RemovalResult, values: tuple[str, ...]) -> Stoppage | None:
        """Count a row's result. Returns why to stop, or ``None`` where the location may go on.

        :param values: the row's values: ids that a refusal may name.
        """
        if result.is_success:
            self._seen.clear()
            return None
        if result.is_refused:
            text = result.reason or ""
            kind = f"{result.status_code}: {without_ids(text, *values)}"
            named = tuple(value for value in values if mentions(text, value))
        elif result.is_unanswered:
            kind, named = _NO_ANSWER, ()
        else:
            return None
        self._count += 1
        seen = self._seen.setdefault(kind, set())
        seen.add(named or self._count)
        if len(seen) < self._abort_after:
            return None
        return Stoppage(StoppedBy.ABORT, text=kind, is_outage=result.is_unanswered)
