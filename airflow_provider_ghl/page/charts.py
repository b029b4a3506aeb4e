"""Charts as numbers: bars in a box of 1,000 units, for SVG to stretch. Their texts stand in HTML around it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from airflow_provider_ghl.load.ledger.views import DayOutcomes, RatePoint
from airflow_provider_ghl.load.results.counted import counted
from airflow_provider_ghl.load.results.time_span import moment
from airflow_provider_ghl.page.words import ATTENTION, OUTCOMES, WELL

__all__ = ["SIDE", "Bar", "Panel", "Segment", "Shares", "nights", "rates", "shares"]

#: Width and height of every chart's box.
SIDE = 1000.0
_GAP = 0.16
#: The fewest and the most bars of a chart over time.
_FEWEST, _MOST = 3, 120
#: What is there is still seen beside what is a thousand times larger.
_LEAST, _LEAST_SHARE = 18.0, 8.0


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar, or of a line of shares."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    value: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what a pointer over it is told, and its parts from the ground up."""

    title: str
    x: float
    width: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """Bars of one scale.

    :param top: the highest bar's value.
    :param seconds: how long a bar lasts, where that is less than a day.
    """

    label: str
    top: int
    bars: tuple[Bar, ...]
    kinds: tuple[str, ...]
    seconds: float = 0.0

    def path(self, kind: str) -> str:
        """All parts of one kind as one line of SVG, where there are too many charts to tell each bar apart."""
        parts = (part for bar in self.bars for part in bar.segments if part.kind == kind)
        return "".join(f"M{part.x:g} {part.y:g}h{part.width:g}v{part.height:g}h-{part.width:g}z" for part in parts)


@dataclass(frozen=True, slots=True)
class Shares:
    """One line of parts that make a whole."""

    segments: tuple[Segment, ...]
    whole: int


def nights(days: Sequence[DayOutcomes]) -> tuple[Panel, Panel]:
    """A bar for each day, twice: rows that HighLevel holds, and rows that need attention, which have a scale of their own.

    On one scale three rows that failed would not be seen beside a million that did not.
    """
    return _night_panel("rows in HighLevel", days, WELL), _night_panel("rows that need attention", days, ATTENTION)


def rates(points: Sequence[RatePoint]) -> Panel | None:
    """Requests over time, those that HighLevel answered with 429 apart; ``None`` where too few points would tell nothing."""
    merged = _merged(points)
    if len(merged) < _FEWEST or not any(point.requests for point in merged):
        return None

    def title(point: RatePoint) -> str:
        limited = f", {point.rate_limited:,} of them answered 429" if point.rate_limited else ""
        return f"{moment(point.at)}, {point.seconds:,.0f} s: {counted(point.requests, 'request')}{limited}"

    def values(point: RatePoint) -> Mapping[str, int]:
        return {"sent": point.requests - point.rate_limited, "limited": point.rate_limited}

    panel = _panel("requests", [(title(point), values(point)) for point in merged], ("sent", "limited"))
    return replace(panel, seconds=max(point.seconds for point in merged))


def shares(outcomes: Mapping[str, int]) -> Shares:
    """Each outcome's share of all rows, on a line; the smallest is still seen."""
    named = [(kind, outcomes[kind]) for kind in OUTCOMES if outcomes.get(kind)]
    whole = sum(value for _, value in named)
    widths = [max(_LEAST_SHARE, value / whole * SIDE) for _, value in named]
    scale = SIDE / sum(widths) if widths else 1.0
    x, segments = 0.0, []
    for (kind, value), width in zip(named, widths, strict=True):
        segments.append(Segment(kind, round(x, 2), 0.0, round(width * scale, 2), SIDE, value))
        x += width * scale
    return Shares(tuple(segments), whole)


def _night_panel(label: str, days: Sequence[DayOutcomes], kinds: tuple[str, ...]) -> Panel:
    def title(day: DayOutcomes) -> str:
        told = [f"{day.outcomes[kind]:,} {kind}" for kind in kinds if day.outcomes.get(kind)]
        return f"{day.day}: {', '.join(told) or 'none'}; {counted(day.loads, 'load')}"

    return _panel(label, [(title(day), day.outcomes) for day in days], kinds)


def _panel(label: str, columns: Sequence[tuple[str, Mapping[str, int]]], kinds: tuple[str, ...]) -> Panel:
    top = max((_sum(values, kinds) for _, values in columns), default=0)
    step = SIDE / max(1, len(columns))
    bars = []
    for at, (title, values) in enumerate(columns):
        x, width = at * step + step * _GAP / 2, step * (1 - _GAP)
        bars.append(Bar(title, round(x, 2), round(width, 2), tuple(_stack(values, kinds, top, x, width))))
    return Panel(label, top, tuple(bars), tuple(kind for kind in kinds if any(values.get(kind) for _, values in columns)))


def _stack(values: Mapping[str, int], kinds: tuple[str, ...], top: int, x: float, width: float) -> Iterable[Segment]:
    ground = SIDE
    for kind in kinds:
        if value := values.get(kind, 0):
            height = max(_LEAST, value / top * SIDE)
            ground -= height
            yield Segment(kind, round(x, 2), round(max(0.0, ground), 2), round(width, 2), round(height, 2), value)


def _sum(values: Mapping[str, int], kinds: tuple[str, ...]) -> int:
    return sum(values.get(kind, 0) for kind in kinds)


def _merged(points: Sequence[RatePoint]) -> list[RatePoint]:
    """No more than fit: neighbours together."""
    together = -(-len(points) // _MOST) or 1
    return [_one(points[at : at + together]) for at in range(0, len(points), together)]


def _one(points: Sequence[RatePoint]) -> RatePoint:
    total: Callable[[str], int] = lambda name: sum(getattr(point, name) for point in points)  # noqa: E731
    seconds = points[-1].at + points[-1].seconds - points[0].at
    return RatePoint(points[0].at, seconds, total("requests"), total("rate_limited"))
