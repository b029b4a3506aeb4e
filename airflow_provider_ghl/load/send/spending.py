"""What a load sends to its locations, noted in the ledger every ten seconds and at its end."""

from __future__ import annotations

from collections.abc import Sequence

from airflow_provider_ghl.api.client import Client
from airflow_provider_ghl.load.ledger.spending import Spending
from airflow_provider_ghl.load.send.journal import Journal
from airflow_provider_ghl.load.send.location import Location

__all__ = ["SpendingNotes"]

#: Seconds between two notes.
_PAUSE = 10.0


class SpendingNotes:
    """Notes the requests of all locations of a load together: look-ups, deletions and whatever else the client sent there.

    :param locations: those that the load has so far; it may grow.
    """

    def __init__(self, client: Client, journal: Journal, locations: Sequence[Location]) -> None:
        self._client = client
        self._journal = journal
        self._locations = locations
        self._noted: set[str] = set()
        self._due_at = client.clock.monotonic() + _PAUSE

    def tick(self) -> None:
        """Write, if a write is due."""
        if self._client.clock.monotonic() >= self._due_at:
            self.write()

    def write(self) -> None:
        """Write what was sent since the last time, and what HighLevel said of each day. A failure is the journal's."""
        now = self._client.clock.monotonic()
        self._due_at = now + _PAUSE
        if self._journal.attempt is None:
            return
        ids = [location.id for location in self._locations if location.id]
        new = [location_id for location_id in ids if location_id not in self._noted]
        spendings = [
            one for one in (self._spending(location_id, now) for location_id in ids) if one.requests or one.rate_limited
        ]
        if new or spendings:
            self._journal.note_spending(self._client.host, spendings, new)
            self._noted.update(new)

    def _spending(self, location_id: str, now: float) -> Spending:
        limit = self._client.limit(location_id)
        seen_at, ends_at = limit.day_seen_at_and_ends_at
        return Spending(
            location_id,
            *self._client.take_sent(location_id),
            limit.daily_limit,
            limit.daily_left,
            None if ends_at is None else ends_at - now,
            # What is left of a day that is over is not known, until the next answer says it.
            None if seen_at is None or limit.daily_left is None else now - seen_at,
        )
