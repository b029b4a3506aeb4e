"""When to stop asking: the same no, again and again, with no success between."""

from __future__ import annotations

from airflow_provider_ghl.load.results.outcomes import SUCCESSES, Outcome, RowResult, StoppedBy, mentions, without_ids
from airflow_provider_ghl.load.results.stoppage import Stoppage

__all__ = ["Breaker"]

_NO_ANSWER = "no definite answer"


class Breaker:
    """Counts what speaks against going on, for one location.

    A refusal that names one of its records counts once per record: a hub that is missing fails all its rows, and says nothing
    about the others. Rows that got no definite answer count as one kind, so that an outage ends a load as well.

    :param abort_after: so many of one kind with no success between, and it is time to stop.
    """

    def __init__(self, abort_after: int) -> None:
        self._abort_after = abort_after
        self._seen: dict[str, set[object]] = {}
        self._count = 0

    def note(self, result: RowResult, values: tuple[str, ...]) -> Stoppage | None:
        """Take in a row's end; why to stop, if it is time to.

        :param values: of the row: ids that a refusal may name.
        """
        if result.outcome in SUCCESSES:
            self._seen.clear()
            return None
        if result.outcome is Outcome.REJECTED:
            text = result.reason or ""
            kind = f"{result.status_code}: {without_ids(text, *values)}"
            named = tuple(value for value in values if mentions(text, value))
        elif result.outcome is Outcome.FAILED:
            kind, named = _NO_ANSWER, ()
        else:
            return None
        self._count += 1
        seen = self._seen.setdefault(kind, set())
        seen.add(named or self._count)
        if len(seen) < self._abort_after:
            return None
        return Stoppage(StoppedBy.ABORT, text=kind, is_outage=result.outcome is Outcome.FAILED)
