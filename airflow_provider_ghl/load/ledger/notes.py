"""The words between a load and its ledger: what is known of a pair, what a claim came to, what is fresh, what is noted."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import sqlalchemy as sa

from airflow_provider_ghl.load.ledger.schema import relations

__all__ = ["Claim", "Freshness", "Knowledge", "Learned", "Notes"]

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
    AGAIN = 5
    #: As STALE, and made by this load.
    OURS_STALE = 6


class Claim(IntEnum):
    """What a claim came to."""

    #: Ours now, and never sent by this load before.
    CLAIMED = 0
    #: Ours now; an earlier attempt of this load made it, or claimed it and nothing is known of the answer.
    AGAIN = 1
    THERE = 2
    #: There, and made by this load.
    OURS = 3
    #: Another attempt that is alive has it.
    HELD = 4


@dataclass(frozen=True, slots=True)
class Freshness:
    """Which pairs that were there need no look.

    What was confirmed at or after ``since`` is fresh, by whomever, and so is what a load confirmed itself at or after
    ``own_since``. Besides, what was confirmed at or after its pair's last tick: a pair ticks once every ``max_age`` seconds,
    counted from the epoch, and its phase says when. So what is older than ``max_age`` is not fresh, and what was confirmed in
    one night comes due spread evenly over the days of a period. What is younger than a 40th of ``max_age`` (18 hours of 30
    days) is fresh in any case: a load that is run again sends nothing.

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
        """Whether a pair of this phase (0 to 65,535) that was confirmed then, by that load, is fresh."""
        if confirmed is None:
            return False
        if self.load_number is not None and confirmed_by == self.load_number and confirmed >= self.own_since:
            return True
        if not self.max_age:
            return confirmed >= self.since
        last_phase, began, step = self._period(self.max_age)
        tick = (began if phase <= last_phase else began - self.max_age) + phase * step
        return confirmed >= min(tick, self._young(self.max_age))

    def condition(self) -> sa.ColumnElement[bool]:
        """The same for rows of ``ghl_relations``, to the last bit."""
        if self.load_number is None:
            return self._of_anybody()
        is_own = sa.and_(relations.c.confirmed_by == self.load_number, relations.c.confirmed >= _number(self.own_since))
        return sa.or_(is_own, self._of_anybody())

    def _of_anybody(self) -> sa.ColumnElement[bool]:
        confirmed = relations.c.confirmed
        if not self.max_age:
            return confirmed >= _number(self.since)
        last_phase, began, step = self._period(self.max_age)
        start = sa.case((relations.c.phase <= last_phase, _number(began)), else_=_number(began - self.max_age))
        is_young = confirmed >= _number(self._young(self.max_age))
        return sa.or_(is_young, confirmed >= start + relations.c.phase * _number(step))

    def _young(self, max_age: float) -> float:
        return min(self.since, self.now - max_age * _YOUNG)

    def _period(self, max_age: float) -> tuple[int, float, float]:
        """The last phase that has ticked in the period that now is in, when that began, and the seconds from phase to phase."""
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
    #: What was read from HighLevel.
    learned: list[Learned] = field(default_factory=list)
    #: What :meth:`~airflow_provider_ghl.load.ledger.ledger.Ledger.forgets` said before the reading began. If something was
    #: forgotten meanwhile, what was learned may be what was deleted, and is not written.
    forgets: int | None = None
    #: Records that HighLevel does not have, where they were named first and second. On the other side of this or another
    #: association the same id may name a record of another kind, that is there.
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
