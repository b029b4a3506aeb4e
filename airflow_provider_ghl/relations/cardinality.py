"""Refuses rows that would exceed a record's limit of relations, before a request is spent on them.

HighLevel's API does not show an association's limits, so the user names them. The ledger is asked once how many relations a
record has: when the record first comes up. At that time no row of this input with that record was accepted, so no relation is
counted twice.
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

__all__ = ["Cardinality", "CountExisting"]

#: Returns how many relations each record is known to have. The arguments are the records' side and the records.
CountExisting = Callable[[Side, list[str]], Numbers]

_SMALL, _LARGE = (1 << 16) - 1, (1 << 32) - 1


class Cardinality:
    """The limits of one association in one location, and how much of them the rows of one input have used.

    Needs 12 bytes for each different record of a side that has a limit, 16 where the limit is above 65,535, and a third more
    at the peak of a merge. A record is known by a hash of 64 bits. Two different records are mistaken for one, and share a
    limit, with a probability of 2**-64; for any two among ten million records it is 1 in 370,000.

    :param max_per_first: how many relations a first record may have; ``None`` for no limit.
    :param max_per_second: how many relations a second record may have; ``None`` for no limit.
    :param options: the names of these two limits in reasons.
    :raises ConfigurationError: a limit is not a whole number, or is below 1.
    """

    def __init__(
        self,
        max_per_first: int | None,
        max_per_second: int | None,
        options: tuple[str, str] = ("max_per_first", "max_per_second"),
    ) -> None:
        self._first = _limit("first", max_per_first, options[0])
        self._second = _limit("second", max_per_second, options[1])

    def refuse(self, first: Objects, second: Objects, count_existing: CountExisting, names: tuple[str, str]) -> dict[int, str]:
        """Accept rows up to the limits, in input order. A refused row uses nothing of a limit.

        Errors of ``count_existing`` are raised and change nothing, so the same call may be repeated.

        :param first: the first records of the rows. Each pair is new: neither known to exist nor in another row.
        :param second: the second records of the rows.
        :param count_existing: counts the relations that records are known to have.
        :param names: the names of the two columns in the source.
        :returns: why rows are refused, by offset.
        """
        sides = zip((self._first, self._second), (first, second), names, strict=True)
        usages = [limit.usage(records, count_existing, name) for limit, records, name in sides if limit is not None]
        refused = _refuse(usages, len(first))
        for usage in usages:
            usage.keep()
        return refused

    def give_back(self, first: Objects, second: Objects) -> None:
        """Count rows no longer that were accepted: their relations cannot be."""
        for limit, records in ((self._first, first), (self._second, second)):
            if limit is not None and len(records):
                limit.give_back(records)

    def note_existing(self, first: Objects, second: Objects) -> None:
        """Count rows that were found to exist only now.

        Only records that came up before are counted here. For a record that comes up later, the ledger counts them.
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
        #: Larger counts are stored as this number, which is above the limit or equal to it.
        self.highest = _SMALL if most <= _SMALL else _LARGE
        self._key = secrets.token_hex(8)  # random, so that nobody can construct ids that collide
        #: For each record: how many relations it was known to have when it first came up, and how many rows were accepted.
        self._runs = SortedRuns()

    def usage(self, records: Objects, count_existing: CountExisting, name: str) -> _Usage:
        """How much of the limit the records of some rows have used."""
        words = hash_array(records, hash_key=self._key, categorize=False)
        keys, leads, groups = np.unique(words, return_index=True, return_inverse=True)
        known, taken = np.full(len(keys), -1, dtype=np.int64), np.zeros(len(keys), dtype=np.int64)
        places = [_Places(run, *find_keys(run.keys, keys)) for run in self._runs]
        for place in places:
            known_in_run, taken_in_run = place.run.columns
            known[place.asked], taken[place.asked] = known_in_run[place.at], taken_in_run[place.at]
        new = np.flatnonzero(known < 0)
        if new.size:
            there = count_existing(self.side, records[leads[new]].tolist())
            known[new] = np.minimum(there, self.highest)
        return _Usage(self, name, groups, keys, known, taken, places, new)

    def take(self, records: Objects) -> None:
        """Count rows as accepted, for those of their records that came up before."""
        self._add(records, 1)

    def give_back(self, records: Objects) -> None:
        """Count rows no longer as accepted."""
        self._add(records, -1)

    def _add(self, records: Objects, each: int) -> None:
        keys, counts = np.unique(hash_array(records, hash_key=self._key, categorize=False), return_counts=True)
        for run in self._runs:
            _, taken = run.columns
            at, asked = find_keys(run.keys, keys)
            taken[at] = np.clip(taken[at].astype(np.int64) + each * counts[asked], 0, self.highest)

    def add(self, keys: Words, known: Numbers, taken: Numbers) -> None:
        """Remember new records.

        :param keys: ascending.
        """
        small = np.uint16 if self.highest == _SMALL else np.uint32
        self._runs.add(Run(keys, (known.astype(small), taken.astype(small))))


@dataclass(frozen=True, slots=True)
class _Usage:
    """How much of a limit the records of some rows have used. Each record stands here once.

    :param name: the name of the records' column in the source.
    :param groups: for each row, the position of its record in the arrays below.
    :param keys: the records' hashes.
    :param known: how many relations each record is known to have.
    :param taken: how many rows were accepted for each record.
    :param places: where the records stand that came up before.
    :param new: the positions of the records that come up first.
    """

    limit: _Limit
    name: str
    groups: Numbers
    keys: Words
    known: Numbers
    taken: Numbers
    places: list[_Places]
    new: Numbers

    def is_near(self) -> Flags:
        """For each row, whether its record may reach the limit within these rows."""
        asked = np.bincount(self.groups, minlength=len(self.keys))
        flags: Flags = (self.known + self.taken + asked > self.limit.most)[self.groups]
        return flags

    def take(self, rows: Flags) -> None:
        """Accept rows."""
        self.taken[:] += np.bincount(self.groups[rows], minlength=len(self.keys))

    def take_one(self, row: int) -> None:
        """Accept one row."""
        self.taken[self.groups[row]] += 1

    def is_full(self, row: int) -> bool:
        """Whether the row's record has reached the limit."""
        group = self.groups[row]
        return bool(self.known[group] + self.taken[group] >= self.limit.most)

    def reason(self, row: int) -> str:
        """Why the row is refused."""
        group, limit = self.groups[row], self.limit
        counts = f"known to be there: {self.known[group]}, earlier rows: {self.taken[group]}"
        return f"column '{self.name}': {limit.option}={limit.most} is reached ({counts})"

    def keep(self) -> None:
        """Store these counts in the limit."""
        for place in self.places:
            _, taken = place.run.columns
            taken[place.at] = self.taken[place.asked]
        self.places.clear()  # so that each run is freed as soon as it is merged
        if self.new.size:
            self.limit.add(self.keys[self.new], self.known[self.new], self.taken[self.new])


class _Places(NamedTuple):
    """The positions of some records in a run: ``at`` in the run, ``asked`` among the records."""

    run: Run
    at: Numbers
    asked: Numbers
