"""When to stop asking: the same no, again and again, with no success between."""

from __future__ import annotations

from airflow_provider_ghl.load.results.outcomes import SUCCESSES, Outcome, RowResult, gist, names

__all__ = ["NO_ANSWER", "Refusals"]

#: The kind of all rows that got no definite answer, whatever befell them.
NO_ANSWER = "no definite answer"


class Refusals:
    """Counts what speaks against going on, for one location.

    A refusal that names one of its records counts once per record: a hub that is missing fails all its rows, and says nothing
    about the others. Rows that got no definite answer count as one kind, so that an outage ends a load as well.

    :param abort_after: so many of one kind with no success between, and it is time to stop.
    """

    def __init__(self, abort_after: int) -> None:
        self._abort_after = abort_after
        self._seen: dict[str, set[object]] = {}
        self._count = 0
        self.reason: str | None = None

    def note(self, result: RowResult, first: str, second: str) -> bool:
        """Take in a row's end; whether it is time to stop."""
        if result.outcome in SUCCESSES:
            self._seen.clear()
            return False
        if result.outcome is Outcome.REJECTED:
            text = result.reason or ""
            kind = f"{result.status_code}: {gist(text, first, second)}"
            named = tuple(value for value in (first, second) if names(text, value))
        elif result.outcome is Outcome.FAILED:
            kind, named = NO_ANSWER, ()
        else:
            return False
        self._count += 1
        seen = self._seen.setdefault(kind, set())
        seen.add(named or self._count)
        if len(seen) < self._abort_after:
            return False
        self.reason = kind
        return True
