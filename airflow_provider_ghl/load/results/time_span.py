"""How long something takes, and when it was, in words."""

from __future__ import annotations

from datetime import UTC, datetime

__all__ = ["moment", "time_span"]


def time_span(seconds: float) -> str:
    """Seconds as people say them: ``42 s``, ``3 min 20 s``, ``27 h 46 min``, ``4 days 4 h``."""
    whole = round(seconds)
    if seconds < 1:
        return "less than 1 s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return _in_two_units(whole, "min", "s")
    if round(whole / 60) < 72 * 60:
        return _in_two_units(round(whole / 60), "h", "min")
    days, hours = divmod(round(whole / 3600), 24)
    return f"{days:,} days {hours} h" if hours else f"{days:,} days"


def moment(seconds: float) -> str:
    """Unix seconds as people write them: ``2026-11-21 07:24:27 UTC``."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _in_two_units(number: int, large: str, small: str) -> str:
    whole, rest = divmod(number, 60)
    return f"{whole:,} {large} {rest} {small}" if rest else f"{whole:,} {large}"
