"""What the ledger hears of a load as a whole: that it begins, what its table names, how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.load_ids import SEVERAL
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.results.outcomes import Outcome
from airflow_provider_ghl.load.results.verdict import Verdict
from airflow_provider_ghl.load.send.journal import Journal
from airflow_provider_ghl.load.send.location import Location
from airflow_provider_ghl.load.spec import LoadSpec

__all__ = ["NotedLoad"]

#: How long the ledger keeps the results of a load's rows.
_KEPT = timedelta(days=90)
#: The outcomes of rows of which it may not be known what they name.
_UNNAMED = (Outcome.INVALID, Outcome.UNRESOLVED, Outcome.NOT_ATTEMPTED)


class NotedLoad:
    """One load in the ledger."""

    def __init__(self, spec: LoadSpec, ledger: Ledger) -> None:
        self._spec = spec
        self._ledger = ledger
        #: This run; ``None`` where nothing is to be sent.
        self.attempt: Attempt | None = None

    def begin(self, budget: Budget, clock: Clock, *, is_to_send: bool) -> Journal:
        """Note that it begins, unless nothing is to be sent. Returns the journal of what follows."""
        spec = self._spec
        failure: LedgerError | None = None
        if is_to_send:
            try:
                self.attempt = self._ledger.loads.begin(
                    spec.load_id,
                    try_number=spec.try_number,
                    is_resumed=spec.is_resumed,
                    location_id=spec.location_id or SEVERAL,
                    association=spec.kind.target_name,
                    series=spec.series,
                    total=spec.about if spec.total is None else spec.total,
                )
                budget.carry_on(*self.attempt.spent_before)
            except LedgerError as error:
                failure = error
        journal = Journal(self._ledger, self.attempt, budget, clock)
        if failure is not None:
            journal.fail(failure)
        return journal

    def note_tables(self, locations: Sequence[Location], verdict: Verdict, *, is_all_reached: bool) -> None:
        """Note what the load's table names, so that nobody takes it back with an earlier load.

        :param verdict: gets a warning where that fails.
        """
        if self.attempt is None or self._spec.series is None:
            return
        try:
            for location in locations:
                if (one := location.steps.mirrored) is not None:
                    is_reached = is_all_reached and not location.is_stopped
                    self._ledger.tables.note(
                        self._spec.series,
                        self.attempt.load_number,
                        one.number,
                        one.named,
                        rank=self.attempt.rank,
                        is_complete=is_reached and not any(map(location.results.counts.get, _UNNAMED)),
                        # A table of which no row can be read is nobody's baseline.
                        is_mirror=self._spec.mirror is not None if is_reached and one.named.size else None,
                    )
        except LedgerError as error:
            verdict.warnings.append(f"what the table names could not be noted: {error}")

    def end(
        self, end: str, message: str, counts: dict[str, Any], *, is_well: bool = False, is_deferred: bool = False
    ) -> LedgerError | None:
        """Note the end of this attempt, and delete the results of old loads. Returns how that failed."""
        if self.attempt is None:
            return None
        loads = self._ledger.loads
        try:
            loads.end(self.attempt, end=end, message=message, counts=counts, is_well=is_well, is_deferred=is_deferred)
            loads.prune(self._ledger.time() - _KEPT.total_seconds())
        except LedgerError as error:
            return error
        return None
