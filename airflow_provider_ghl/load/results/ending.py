"""Why a load ended, other than by its last row; and why some of its locations did."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from airflow_provider_ghl.exceptions import GHLError, QuotaExhausted
from airflow_provider_ghl.load.patience import Patience
from airflow_provider_ghl.load.plan.price import Estimate
from airflow_provider_ghl.load.results.outcomes import StoppedBy
from airflow_provider_ghl.load.send.breaker import NO_ANSWER
from airflow_provider_ghl.load.send.location import Lane

__all__ = ["Ending", "LaneEnd", "Why"]

Why = GHLError | str | None
#: What says most of a load of which several locations were stopped, first.
_GRAVEST = (StoppedBy.TOKEN, StoppedBy.ABORT, StoppedBy.QUOTA)


@dataclass(frozen=True, slots=True)
class LaneEnd:
    """How one location was stopped. ``by``: ``None`` where its association could not be read, which may pass."""

    location_id: str
    by: StoppedBy | None
    why: Why
    #: Seconds until its day ends, where that is why and HighLevel said it.
    resets_in: float | None = None

    @classmethod
    def of(cls, lane: Lane, now: float) -> LaneEnd:
        """Of a lane that was stopped."""
        is_told = lane.slept_by is not None and lane.slept_by.resets_in is not None
        return cls(lane.location_id, lane.stopped_by, lane.why, max(0.0, lane.asleep_until - now) if is_told else None)

    @property
    def is_final(self) -> bool:
        """Whether another try would end the same way. An outage ends a load as a refusal does, but is worth one."""
        return self.by is StoppedBy.TOKEN or (self.by is StoppedBy.ABORT and self.why != NO_ANSWER)


@dataclass(slots=True)
class Ending:
    """Why a load ended, other than by its last row."""

    too_few: bool = False
    was_told_to_stop: bool = False
    stopped_by: StoppedBy | None = None
    why: Why = None
    #: What broke the source, or kept the association from being read.
    broken_by: Exception | None = None
    #: The locations that were stopped, where the load is about several and went on with the others.
    lanes: list[LaneEnd] = field(default_factory=list)
    #: How long it may wait for quota; ``None``: not at all.
    patience: Patience | None = None
    #: What it would cost, where nothing was to be sent.
    plan: Estimate | None = None
    warnings: list[str] = field(default_factory=list)
    #: The wall clock at the end, and what spreads tasks that wait for the same moment.
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    draw: Callable[[], float] = random.random

    def take_in(self, lane: LaneEnd) -> None:
        """The only location was stopped, so the load was."""
        if lane.by is None and isinstance(lane.why, Exception):
            self.broken_by = self.broken_by or lane.why
        elif self.stopped_by is None:
            self.stopped_by, self.why = lane.by, lane.why

    @property
    def is_final(self) -> bool:
        """Whether another try would end the same way."""
        return LaneEnd("", self.stopped_by, self.why).is_final

    @property
    def said_stopped_by(self) -> str | None:
        """What the summary names."""
        by = self.stopped_by or next((by for by in _GRAVEST if by in {lane.by for lane in self.lanes}), None)
        return str(by) if by else None

    def wait(self) -> float | None:
        """Seconds to wait for quota; ``None`` where it is not to wait. Drawn anew each time."""
        if self.patience is None:
            return None
        if self.stopped_by is StoppedBy.QUOTA and isinstance(self.why, QuotaExhausted):
            return self.patience.wait(self.why.resets_in, self.at, self.draw)
        asleep = [lane.resets_in for lane in self.lanes if lane.by is StoppedBy.QUOTA]
        if self.stopped_by is not None or not asleep:
            return None
        return self.patience.wait(min((one for one in asleep if one is not None), default=None), self.at, self.draw)

    @property
    def cause(self) -> Exception | None:
        """What to raise from."""
        why = self.why if isinstance(self.why, Exception) else None
        if self.is_final:
            return why
        of_lanes = [lane.why for lane in self.lanes if isinstance(lane.why, Exception) and lane.is_final is self.is_all_final]
        return self.broken_by or why or next(iter(of_lanes), None)

    @property
    def is_all_final(self) -> bool:
        """Whether no location that was stopped would fare better in another try."""
        return all(lane.is_final for lane in self.lanes)
