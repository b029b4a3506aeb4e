"""How many relations a record may have: rows beyond that are refused before a request is spent on them.

HighLevel's API does not show an association's limits, so the user names them. How many relations a record has is asked of
the ledger once, when the record first comes up. No row of this input that names it was let through by then, so that no relation
counts twice, as a row and as one that the ledger knows.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from pandas.util import hash_array

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.load.columns import Flags, Numbers, Objects, Words
from airflow_provider_ghl.load.ledger.relations import Side
from airflow_provider_ghl.load.sorted_runs import Run, SortedRuns, find_keys

__all__ = ["Cardinality", "CountThere"]

#: How many relations of each record are known to be there, by the side that the records are on.
CountThere = Callable[[Side, list[str]], Numbers]

_SMALL, _LARGE = (1 << 16) - 1, (1 << 32) - 1


class Cardinality:
    """The limits of one association in one location, and how much of them is used, over the rows of one input.

    Needs 12 bytes for each different record of a side that has a limit, 16 where the limit is above 65,535, and a third more
    at the peak of a merge. A record is known by 64 bits: two different ones are taken for one, and share its room,
    with odds of 2**-64, and any two among ten million with odds of 1 to 370,000.

    :param max_per_first: relations that a first record may have; ``None`` is no limit. So for ``max_per_second``.
    :param options: what the user calls the limits, first and second.
    :raises ConfigurationError: a limit is no whole number, or below 1.
    """

    def __init__(
        self,
        max_per_first: int | None,
        max_per_second: int | None,
        options: tuple[str, str] = ("max_per_first", "max_per_second"),
    ) -> None:
        self._first = _limit("first", max_per_first, options[0])
        self._second = _limit("second", max_per_second, options[1])

    def refuse(self, first: Objects, second: Objects, count_there: CountThere, names: tuple[str, str]) -> dict[int, str]:
        """Why rows are refused, by offset. Earlier rows win, and a row that is refused takes no room.

        What ``count_there`` raises passes, and leaves nothing behind: the same call may be made again.

        :param first: first records of rows in input order. Their pairs are neither known to be there nor those of other rows.
        :param second: their second records.
        :param names: the source's columns.
        """
        sides = zip((self._first, self._second), (first, second), names, strict=True)
        usages = [limit.usage(records, count_there, name) for limit, records, name in sides if limit is not None]
        refused = _refuse(usages, len(first))
        for usage in usages:
            usage.keep()
        return refused

    def note_there(self, first: Objects, second: Objects) -> None:
        """Take in rows that were found to be there only now.

        They take room of records that came up before. Where a record comes up later, the ledger counts them.
        """
        for limit, records in ((self._first, first), (self._second, second)):
            if limit is not None and len(records):
                limit.take(records)


def _limit(side: Side, most: int | None, option: str) -> _Limit | None:
    if most is not None and (isinstance(most, bool) or not isinstance(most, int) or most < 1):
        raise ConfigurationError(f"{option} must be a whole number, 1 or more, not {most!r}")
    return None if most is None else _Limit(side, most, option)


def _refuse(usages: list[_Usage], rows: int) -> dict[int, str]:
    is_near = np.zeros(rows, dtype=np.bool_)
    for usage in usages:
        is_near |= usage.is_near()
    for usage in usages:
        usage.take(~is_near)
    refused: dict[int, str] = {}
    for row in np.flatnonzero(is_near).tolist():
        full = [usage for usage in usages if usage.is_full(row)]
        if full:
            refused[row] = "; ".join(usage.reason(row) for usage in full)
        else:
            for usage in usages:
                usage.take_one(row)
    return refused


class _Limit:
    """The limit of one side, and how much of it each record of that side has used."""

    def __init__(self, side: Side, most: int, option: str) -> None:
        self.side = side
        self.option = option
        self.most = most
        #: Larger numbers are kept as this one, which is not below the limit either.
        self.highest = _SMALL if most <= _SMALL else _LARGE
        self._key = secrets.token_hex(8)  # random, so that nobody can prepare records that collide
        #: By record: how many relations were known to be there when it first came up, and how many rows were let through.
        self._runs = SortedRuns()

    def usage(self, records: Objects, count_there: CountThere, name: str) -> _Usage:
        """How much the records of some rows have used."""
        words = hash_array(records, hash_key=self._key, categorize=False)
        keys, leads, groups = np.unique(words, return_index=True, return_inverse=True)
        known, taken = np.full(len(keys), -1, dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
        places = [_Places(run, *find_keys(run.keys, keys)) for run in self._runs]
        for place in places:
            known_in_run, taken_in_run = place.run.columns
            known[place.asked], taken[place.asked] = known_in_run[place.at], taken_in_run[place.at]
        new = np.flatnonzero(known < 0)
        if new.size:
            there = count_there(self.side, records[leads[new]].tolist())
            known[new] = np.minimum(there, self.highest)
        return _Usage(self, name, groups, keys, known, taken, places, new)

    def take(self, records: Objects) -> None:
        """Count rows in, for those of their records that came up before."""
        keys, counts = np.unique(hash_array(records, hash_key=self._key, categorize=False), return_counts=True)
        for run in self._runs:
            _, taken = run.columns
            at, asked = find_keys(run.keys, keys)
            taken[at] = np.minimum(taken[at].astype(np.int64) + counts[asked], self.highest)

    def add(self, keys: Words, known: Numbers, taken: Numbers) -> None:
        """Remember new records, of ascending keys."""
        small = np.uint16 if self.highest == _SMALL else np.uint32
        self._runs.add(Run(keys, (known.astype(small), taken.astype(small))))


@dataclass(frozen=True, slots=True)
class _Usage:
    """How much of a limit the records of some rows have used, each record once.

    By relations that are ``known`` to be there, and by rows that have ``taken`` room.
    """

    limit: _Limit
    name: str
    #: By row: the position of its record in what follows.
    groups: Numbers
    keys: Words
    known: Numbers
    taken: Numbers
    places: list[_Places]
    new: Numbers

    def is_near(self) -> Flags:
        """Which rows have a record that may have too little room for all of these rows."""
        asked = np.bincount(self.groups, minlength=len(self.keys))
        flags: Flags = (self.known + self.taken + asked > self.limit.most)[self.groups]
        return flags

    def take(self, rows: Flags) -> None:
        """Let rows through."""
        self.taken[:] += np.bincount(self.groups[rows], minlength=len(self.keys))

    def take_one(self, row: int) -> None:
        """Let one row through."""
        self.taken[self.groups[row]] += 1

    def is_full(self, row: int) -> bool:
        """Whether the row's record has no room."""
        group = self.groups[row]
        return bool(self.known[group] + self.taken[group] >= self.limit.most)

    def reason(self, row: int) -> str:
        """Why a row is refused."""
        group, limit = self.groups[row], self.limit
        counts = f"known to be there: {self.known[group]}, earlier rows: {self.taken[group]}"
        return f"column '{self.name}': {limit.option}={limit.most} is reached ({counts})"

    def keep(self) -> None:
        """Remember it."""
        for place in self.places:
            _, taken = place.run.columns
            taken[place.at] = self.taken[place.asked]
        self.places.clear()  # so that runs are freed one by one as they are merged
        if self.new.size:
            self.limit.add(self.keys[self.new], self.known[self.new], self.taken[self.new])


class _Places(NamedTuple):
    """Where some of the asked records stand in a run."""

    run: Run
    at: Numbers
    asked: Numbers
