"""What a load and its ledger tell each other: what is known of a pair, the result of a claim, what is fresh, what to write."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import sqlalchemy as sa

__all__ = ["ClaimResult", "Freshness", "KeyNotes", "Knowledge", "Learned", "Notes"]

_PHASES = 1 << 16
#: Part of ``max_age`` within which nothing comes due.
_YOUNG = 1 / 40


class Knowledge(IntEnum):
    """What the ledger knows of a pair."""

    UNKNOWN = 0
    THERE = 1
    #: There, and made by this load.
    OURS = 2
    #: It was there, and is to be looked up again.
    STALE = 3
    #: Claimed by somebody, and not known to be there.
    SENT = 4
    #: The same, by an attempt of this load.
    OURS_SENT = 5
    #: As STALE, and made by this load.
    OURS_STALE = 6


class ClaimResult(IntEnum):
    """The result of a claim."""

    #: Ours now, and never sent by this load before.
    CLAIMED = 0
    #: Ours now. An earlier attempt of this load made it, or claimed it and noted no answer.
    AGAIN = 1
    THERE = 2
    #: There, and made by this load.
    OURS = 3
    #: Another attempt that is alive has it.
    HELD = 4


@dataclass(frozen=True, slots=True)
class Freshness:
    """Which pairs that were there, and which keys' records, need not be looked up again.

    A pair or a key is fresh if one of these holds:

    - it was confirmed at or after ``since``, by whatever load;
    - it was confirmed at or after ``own_since``, by the load itself;
    - it was confirmed since it last came due. Each comes due once every ``max_age`` seconds, at a moment of its own that its
      phase says: so what is older than ``max_age`` is not fresh, and what was confirmed in one night comes due spread evenly
      over the days of a period;
    - it is younger than a 40th of ``max_age`` (18 hours of 30 days): a load that is run again sends nothing.

    :param now: unix seconds.
    :param since: unix seconds.
    :param max_age: seconds; ``None`` or 0: only ``since`` and ``own_since`` count.
    :param load_number: whose confirmations count from ``own_since`` (unix seconds) on; ``None``: nobody's.
    :raises ValueError: ``max_age`` is below 0 or no number.
    """

    now: float
    since: float
    max_age: float | None
    load_number: int | None = None
    own_since: float = math.inf

    def __post_init__(self) -> None:
        if self.max_age is not None and not (self.max_age >= 0 and math.isfinite(self.max_age)):
            raise ValueError("max_age is a number of seconds from 0 on")

    def is_fresh(self, confirmed: float | None, phase: int, confirmed_by: int | None = None) -> bool:
        """Whether what is of this phase (0 to 65,535) and was confirmed then, by that load, is fresh."""
        if confirmed is None:
            return False
        if self.load_number is not None and confirmed_by == self.load_number and confirmed >= self.own_since:
            return True
        if not self.max_age:
            return confirmed >= self.since
        last_phase, began, step = self._period(self.max_age)
        due = (began if phase <= last_phase else began - self.max_age) + phase * step
        return confirmed >= min(due, self._young(self.max_age))

    def condition(self, table: sa.Table) -> sa.ColumnElement[bool]:
        """The same for rows of a table, to the last bit.

        :param table: has the columns ``phase``, ``confirmed`` and ``confirmed_by``.
        """
        if self.load_number is None:
            return self._is_fresh_by_any_load(table)
        is_own = sa.and_(table.c.confirmed_by == self.load_number, table.c.confirmed >= _number(self.own_since))
        return sa.or_(is_own, self._is_fresh_by_any_load(table))

    def _is_fresh_by_any_load(self, table: sa.Table) -> sa.ColumnElement[bool]:
        confirmed = table.c.confirmed
        if not self.max_age:
            return confirmed >= _number(self.since)
        last_phase, began, step = self._period(self.max_age)
        start = sa.case((table.c.phase <= last_phase, _number(began)), else_=_number(began - self.max_age))
        is_young = confirmed >= _number(self._young(self.max_age))
        return sa.or_(is_young, confirmed >= start + table.c.phase * _number(step))

    def _young(self, max_age: float) -> float:
        return min(self.since, self.now - max_age * _YOUNG)

    def _period(self, max_age: float) -> tuple[int, float, float]:
        """Of the period that now is in: the last phase that has come due, when the period began, and seconds between phases."""
        periods = math.floor(self.now / max_age)
        began = periods * max_age
        step = max_age / _PHASES
        return math.floor((self.now - began) / step), began, step


def _number(value: float) -> sa.ColumnElement[float]:
    # Some drivers write numbers out, and PostgreSQL would take them for decimal ones, which round otherwise.
    return sa.cast(sa.literal(value, sa.Double), sa.Double)


#: Key, records, relation id.
Learned = tuple[bytes, tuple[str, ...], str | None]


@dataclass(slots=True)
class Notes:
    """What is written together. Keys are the 16 bytes of a pair's identity."""

    #: Key, relation id (``None`` keeps the one that is known), whether this load made it (else it stays whose it was).
    there: list[tuple[bytes, str | None, bool]] = field(default_factory=list)
    #: Claims that got a definite no.
    refused: list[bytes] = field(default_factory=list)
    #: Pairs that were read from HighLevel.
    learned: list[Learned] = field(default_factory=list)
    #: :meth:`~airflow_provider_ghl.load.ledger.ledger.Ledger.times_forgotten` before the reading began. If something was
    #: forgotten since, what was learned may be what was deleted in HighLevel as well, and is not written.
    times_forgotten: int | None = None
    #: Records that HighLevel does not have: those named first, those named second. On the other side, or in another
    #: association, the same id may name a record of another object that is there.
    missing: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    #: Rows of ``ghl_load_results``: all columns but ``load``. ``row_key`` as the user has it.
    results: list[dict[str, Any]] = field(default_factory=list)
    #: Totals of the attempt so far.
    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    #: When HighLevel said what stands in ``there`` and ``learned``, in unix seconds; ``None`` is now, by the database.
    confirmed_at: float | None = None

    @property
    def names_rows(self) -> bool:
        """Whether pairs or records stand in them."""
        return bool(self.there or self.refused or self.learned or any(self.missing))


@dataclass(slots=True)
class KeyNotes:
    """What is written of the keys of one look-up."""

    #: Key, as the 16 bytes of its identity, and the id of its record: HighLevel has confirmed it just now. Of one key the last
    #: counts. Ids that are no printable ASCII text of 1 to 64 characters are not remembered.
    found: list[tuple[bytes, str]] = field(default_factory=list)
    #: Records that HighLevel does not have: whatever names one in this look-up is forgotten, what was just found included.
    gone: set[str] = field(default_factory=set)
