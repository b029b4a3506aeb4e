"""How searches behave: what is known of it, and worlds that are worse."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["Lie", "Searches"]

Lie = Literal["filter_ignored", "strangers", "page_twice", "cursor_stands"]


@dataclass(slots=True)
class Searches:
    """May be changed while the sandbox runs: ``sandbox.searches.index_lag = 0``.

    Lies:

    - ``filter_ignored``: every record is found.
    - ``strangers``: one record is found in addition that does not match.
    - ``page_twice``: where the second page is asked for, the first one comes again, once for each object.
    - ``cursor_stands``: whatever ``searchAfter`` says, the first page comes.

    :param index_lag: seconds until a search finds a record that was added. Reading by id and ``search/duplicate`` know no lag.
    :param latency: seconds that a search takes in addition to the sandbox's latency.
    :param largest_group: the most comparisons in an OR group; ``None``: any number. HighLevel's is unknown, 100 are in use.
    :param misses_phones: whether a filter on ``phone`` finds nothing, as was seen in May 2026.
    :param records_key: where the list of a search among custom objects stands. Sources contradict each other.
    :param lies: what a search does that nobody would expect.
    :raises ValueError: a number is out of range, or there is no such lie.
    """

    index_lag: float = 0.0
    latency: float = 0.0
    largest_group: int | None = 100
    misses_phones: bool = False
    records_key: Literal["records", "customObjectRecords"] = "records"
    lies: Iterable[Lie] = frozenset()

    def __post_init__(self) -> None:
        self.lies = frozenset(self.lies)
        if self.index_lag < 0 or self.latency < 0 or (self.largest_group is not None and self.largest_group < 1):
            raise ValueError("seconds are at least 0, and a group has at least 1 comparison")
        if unknown := self.lies - set(get_args(Lie)):
            raise ValueError(f"no lie {sorted(unknown)}; there are: {', '.join(get_args(Lie))}")
