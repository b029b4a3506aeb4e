"""What a load tells its ledger, and when: claims before requests go out, answers within two seconds after they came."""

from __future__ import annotations

from typing import Any

import numpy as np

from airflow_provider_ghl.api.budget import Budget
from airflow_provider_ghl.api.clock import Clock
from airflow_provider_ghl.exceptions import LedgerError
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.loads import Attempt
from airflow_provider_ghl.load.ledger.notes import Notes
from airflow_provider_ghl.load.ledger.pairs import words_of
from airflow_provider_ghl.load.plan.difference import Memory
from airflow_provider_ghl.load.send.page import Page

__all__ = ["Bookkeeper"]


#: What is lost at most when the process is killed: so many answers, or those of so many seconds.
_MOST_ANSWERS = 100
_LONGEST = 2.0
#: Seconds after which a sign of life is due, where nothing else is written.
_BEAT = 10.0
#: Other rows of results that are written at once.
_MOST_RESULTS = 5_000


class Bookkeeper:
    """Writes for one attempt what its pages have taken in, all of them together.

    After a first :class:`LedgerError` it writes nothing more, and says so in ``failure``.
    """

    def __init__(self, ledger: Ledger, attempt: Attempt, budget: Budget, clock: Clock) -> None:
        self.failure: LedgerError | None = None
        self._attempt = attempt
        self._ledger = ledger
        self._budget = budget
        self._clock = clock
        self._pages: list[Page] = []
        self._results: list[dict[str, Any]] = []
        self._answers = 0
        self._since: float | None = None
        self._written_at = clock.monotonic()

    def open(self, memory: Memory) -> Page:
        """A page for what this memory is about."""
        page = Page(memory, self._attempt, self._count)
        self._pages.append(page)
        return page

    def tell(self, results: list[dict[str, Any]]) -> None:
        """Take in results of rows that no request was sent for."""
        self._results.extend(results)

    def tick(self) -> None:
        """Write, if it is time to. Failures go to ``failure``."""
        now = self._clock.monotonic()
        is_due = self._since is not None and now - self._since >= _LONGEST
        if is_due or self._answers >= _MOST_ANSWERS or len(self._results) >= _MOST_RESULTS:
            self.commit()
        elif now - self._written_at >= _BEAT:
            self._try(self._beat)

    def commit(self) -> None:
        """Write all that was taken in. Failures go to ``failure``."""
        self._try(self._write)

    def _count(self) -> None:
        self._answers += 1
        if self._since is None:
            self._since = self._clock.monotonic()

    def _try(self, write: Any) -> None:
        if self.failure is not None:
            return
        try:
            write()
            self._written_at = self._clock.monotonic()
        except LedgerError as error:
            self.failure = error

    def _write(self) -> None:
        pages = [page for page in self._pages if page.notes.results or page.notes.names_pairs]
        totals = Notes(results=self._results)
        totals.requests, totals.retries, totals.rate_limited = self._totals()
        self._ledger.write_all(self._attempt, {page.target_id: page.notes for page in pages} | {None: totals})
        self._results, self._answers, self._since = [], 0, None
        for page in pages:
            page.turn()
        for page in [page for page in self._pages if page.given_back]:
            self._release(page)

    def _release(self, page: Page) -> None:
        again = np.array([may_be_sent for _, may_be_sent in page.given_back], dtype=np.bool_)
        words = words_of(b"".join(key for key, _ in page.given_back))
        self._ledger.relations.release(self._attempt, page.target_id, *words, again)
        page.given_back.clear()

    def _beat(self) -> None:
        self._ledger.loads.beat(self._attempt, *self._totals())

    def _totals(self) -> tuple[int, int, int]:
        before = self._attempt.spent_before
        budget = self._budget
        return budget.spent - before[0], budget.retries - before[1], budget.rate_limited - before[2]
