"""A batch of rows whose results are not written yet, and a row's result in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from airflow_provider_ghl.load.columns import Codes, Flags, Numbers, Objects
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Evidence, Outcome, RowResult, storable

__all__ = ["LocationResults", "OpenBatch", "RowWriter"]


_NAMES = np.array([str(outcome) for outcome in OUTCOMES], dtype=object)
_NOTHING = RowResult(Outcome.NOT_ATTEMPTED)
#: What a result takes from a row's verdict besides its outcome, HighLevel's id aside.
_OF_VERDICT = ("evidence", "status_code", "reason", "requests", "trace_id")


@dataclass(slots=True)
class LocationResults:
    """A location's line in the account of a load: what its rows have in common, and how they ended.

    :param number: stands for the location in columns of row results.
    :param location_id: ``None`` for rows of no location.
    :param target_id: what its rows are about, once that is known.
    """

    number: int
    location_id: str | None
    target_id: str | None
    #: Rows by outcome, without zeros, as far as all rows before them have one.
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class OpenBatch:
    """Some of its rows have no outcome yet, or its turn has not come."""

    start: int
    #: What a row is, in a word.
    noun: str
    values: Sequence[Objects]
    row_keys: Sequence[Any] | None
    pending: int
    #: By row, the number of its location's line.
    locations: Numbers
    #: Verdicts of single rows by offset, earlier rows by the offsets of their repeats, and by line the verdict of all others.
    details: dict[int, RowResult] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)
    others: dict[int, RowResult] = field(default_factory=dict)
    #: Rows of which the ledger said that they are there, and HighLevel's ids of those that this load made.
    by_ledger: Flags | None = None
    made_ids: dict[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.locations)

    def row(self, offset: int) -> tuple[str, ...]:
        """A row's values."""
        return tuple(column[offset] or "" for column in self.values)

    def verdict(self, offset: int, outcome: Outcome) -> RowResult:
        """What became of a row, the outcome of which is known."""
        if offset in self.details:
            return self.details[offset]
        if offset in self.repeats:
            return RowResult(Outcome.REPEATED, reason=f"the same {self.noun} as row {self.repeats[offset]}")
        if self.by_ledger is not None and self.by_ledger[offset]:
            return RowResult(outcome, Evidence.LEDGER, self.made_ids.get(offset))
        return self.others.get(int(self.locations[offset]), _NOTHING)

    def row_key(self, offset: int) -> str | int | None:
        """What the source calls a row."""
        return storable(self.row_keys[offset]) if self.row_keys is not None else None


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Puts rows' results into words.

    :param lines: of the load's locations, by their numbers.
    """

    fields: ResultFields
    try_number: int
    locations: Sequence[LocationResults]

    def as_dict(self, batch: OpenBatch, offset: int, outcome: Outcome) -> dict[str, Any]:
        """A row's result, as the XCom has it."""
        result, location = batch.verdict(offset, outcome), self.locations[batch.locations[offset]]
        return {
            "row": batch.start + offset,
            "row_key": batch.row_key(offset),
            "location_id": location.location_id,
            self.fields.target: location.target_id,
            **dict(zip(self.fields.values, [value or None for value in batch.row(offset)], strict=True)),
            "outcome": str(outcome),
            "evidence": str(result.evidence) if result.evidence else None,
            self.fields.made: storable(result.made_id),
            "status_code": result.status_code,
            "reason": result.reason,
            "requests": result.requests,
            "try_number": self.try_number,
            "trace_id": result.trace_id,
        }

    def as_frame(self, batch: OpenBatch, codes: Codes) -> pd.DataFrame:
        """All rows' results, as the file has them.

        :param codes: their outcomes by number.
        """
        columns: dict[str, Any] = {
            "row": np.arange(batch.start, batch.start + batch.size),
            "row_key": None if batch.row_keys is None else [batch.row_key(offset) for offset in range(batch.size)],
            "location_id": _by_location(batch, [location.location_id for location in self.locations]),
            self.fields.target: _by_location(batch, [location.target_id for location in self.locations]),
            **dict(zip(self.fields.values, map(_missing_where_blank, batch.values), strict=True)),
            "outcome": _NAMES[codes],
            "try_number": self.try_number,
        }
        columns |= self._verdicts(batch, codes)
        return pd.DataFrame(columns, columns=list(self.fields.all), index=range(batch.size), dtype=object)

    def _verdicts(self, batch: OpenBatch, codes: Codes) -> dict[str, Any]:
        others = [batch.others.get(location.number, _NOTHING) for location in self.locations]
        columns = {name: _by_location(batch, [getattr(one, name) for one in others]) for name in (*_OF_VERDICT, "made_id")}
        if batch.by_ledger is not None:
            columns["evidence"][batch.by_ledger] = Evidence.LEDGER
            columns["reason"][batch.by_ledger] = None
            for offset, made_id in batch.made_ids.items():
                columns["made_id"][offset] = made_id
        for offset, result in _single_verdicts(batch, codes):
            for name, column in columns.items():
                column[offset] = storable(getattr(result, name))
        columns["evidence"][:] = [value and str(value) for value in columns["evidence"]]
        columns[self.fields.made] = columns.pop("made_id")
        return columns


def _by_location(batch: OpenBatch, values: list[Any]) -> Objects:
    of_locations = np.empty(len(values), dtype=object)
    of_locations[:] = values
    of_rows: Objects = of_locations[batch.locations]
    return of_rows


def _single_verdicts(batch: OpenBatch, codes: Codes) -> Iterator[tuple[int, RowResult]]:
    yield from batch.details.items()
    for offset in batch.repeats:
        yield offset, batch.verdict(offset, OUTCOMES[codes[offset]])


def _missing_where_blank(values: Objects) -> Objects:
    values = values.copy()
    values[values == ""] = None
    return values
