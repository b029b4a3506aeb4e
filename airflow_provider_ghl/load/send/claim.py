"""Rows are claimed batch by batch before they are sent, and set aside where another load has claimed them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from typing import Any

import numpy as np

from airflow_provider_ghl.api.clock import LONGEST_WAIT, Clock
from airflow_provider_ghl.load.columns import Numbers
from airflow_provider_ghl.load.ledger.notes import Claim
from airflow_provider_ghl.load.ledger.pairs import keys_of
from airflow_provider_ghl.load.plan.difference import Chunk
from airflow_provider_ghl.load.results.outcomes import Evidence, Outcome, RowResult
from airflow_provider_ghl.load.results.report import Report
from airflow_provider_ghl.load.send.in_flight import ToSend
from airflow_provider_ghl.load.send.page import Page
from airflow_provider_ghl.relations.association import Target
from airflow_provider_ghl.relations.create import relate

__all__ = ["Claiming"]

#: Seconds between two looks at rows that another load has claimed.
_LOOK_AGAIN = 1.0
_HELD = "another load was sending it when this one stopped"


class Claiming:
    """The claims of one location. Every method raises ``LedgerError`` where the ledger cannot be written.

    :param batch_size: rows that are claimed together.
    :param tell: takes the results of rows that no request is sent for.
    """

    def __init__(
        self,
        target: Target,
        page: Page,
        report: Report,
        batch_size: int,
        clock: Clock,
        tell: Callable[[list[dict[str, Any]]], None],
    ) -> None:
        self._target = target
        self._page = page
        self._report = report
        self._batch_size = batch_size
        self._clock = clock
        self._tell = tell
        self._ready: deque[ToSend] = deque()
        self._held: deque[tuple[Chunk, int]] = deque()
        self._look_at = float("-inf")

    @property
    def has_held(self) -> bool:
        """Whether rows wait for another load."""
        return bool(self._held)

    def send(self, chunk: Chunk) -> Iterator[ToSend]:
        """All that is to do, as far as nobody else has claimed it."""
        while chunk.todo.size:
            batch, rest = np.split(chunk.todo, [self._batch_size])
            self._claim(chunk, batch)
            chunk.todo = rest
            yield from self._send_ready()

    def send_held(self) -> Iterator[ToSend | float]:
        """Look again at the rows that waited longest for another load; what is free now is ours."""
        now = self._clock.monotonic()
        if self._held and now >= self._look_at:
            free = self._claim_held()
            self._look_at = now if free else now + _LOOK_AGAIN  # where it moves on, so may we
            yield from self._send_ready()
        yield LONGEST_WAIT

    def _claim_held(self) -> bool:
        """Whether any of a batch of them is not held any more."""
        chunk = self._held[0][0]
        # Up to the first of another chunk, since behind it there may be more of this one, that were held when looked at last.
        ahead = takewhile(lambda held: held[0] is chunk, islice(self._held, self._batch_size))
        batch = [offset for _, offset in ahead]
        others = len(self._held) - len(batch)
        self._claim(chunk, np.array(batch, dtype=np.int64))
        for _ in batch:
            self._held.popleft()
        return len(self._held) - others < len(batch)

    def _claim(self, chunk: Chunk, offsets: Numbers) -> None:
        codes = self._page.claim(chunk, offsets)
        keys = keys_of(chunk.high[offsets], chunk.low[offsets])
        for offset, key, code in zip(offsets.tolist(), keys, codes.tolist(), strict=True):
            if code == Claim.HELD:
                self._held.append((chunk, offset))
            elif code in (Claim.THERE, Claim.OURS):
                outcome = Outcome.CREATED if code == Claim.OURS else Outcome.ALREADY_EXISTS
                told = self._report.decide(chunk.start + offset, RowResult(outcome, Evidence.LEDGER))
                self._tell([told] if code == Claim.OURS else [])
            else:
                self._ready.append(self._to_send(chunk, offset, key, is_again=code == Claim.AGAIN))

    def _to_send(self, chunk: Chunk, offset: int, key: bytes, *, is_again: bool) -> ToSend:
        first, second = chunk.first[offset], chunk.second[offset]
        conversation = relate(self._target.location_id, self._target.association_id, first, second, is_again=is_again)
        return ToSend(chunk.start + offset, first, second, conversation, key, is_again)

    def _send_ready(self) -> Iterator[ToSend]:
        while self._ready:
            yield self._ready.popleft()

    def leave(self, reason: str) -> None:
        """Account for rows that were claimed and not sent, and for those that were set aside."""
        self._page.give_back(self._ready)
        for sent in self._ready:
            self._report.decide(sent.row, RowResult(Outcome.NOT_ATTEMPTED, reason=reason))
        for chunk, offset in self._held:
            self._report.decide(chunk.start + offset, RowResult(Outcome.NOT_ATTEMPTED, reason=_HELD))
        self._ready.clear()
        self._held.clear()
