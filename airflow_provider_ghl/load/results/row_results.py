"""Batches whose results are not written yet, and the form of a result in XCom and in the file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from airflow_provider_ghl.load.columns import Codes, Flags, Numbers, Objects
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Evidence, Outcome, RowResult, storable
from airflow_provider_ghl.load.results.removals import Deletion

__all__ = ["LocationResults", "OpenBatch", "RowWriter"]


_NAMES = np.array([str(outcome) for outcome in OUTCOMES], dtype=object)
_NOTHING = RowResult(Outcome.NOT_ATTEMPTED)
#: The fields of a :class:`RowResult` that appear in results under the same name.
_DETAILS = ("evidence", "status_code", "reason", "requests", "trace_id")


@dataclass(slots=True)
class LocationResults:
    """The results of one location: what its rows have in common, and how many have each outcome.

    :param number: the location's number in :attr:`OpenBatch.locations`.
    :param location_id: ``None`` for the rows without a location.
    :param target_id: HighLevel's id of its target, once that is known.
    """

    number: int
    location_id: str | None
    target_id: str | None
    #: How many rows have each outcome, without zeros. A row is counted once all rows before it have an outcome.
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class OpenBatch:
    """A batch whose results are not written yet: it or a batch before it has rows without an outcome."""

    start: int
    #: A word for one row, such as ``pair``.
    noun: str
    values: Sequence[Objects]
    row_keys: Sequence[Any] | None
    pending: int
    #: For each row, the number of its location.
    locations: Numbers
    #: The rows' keys, column by column, where the results file has them.
    keys: Sequence[Objects | None] = ()
    #: ``details``: results of single rows, by offset. ``repeats``: numbers of the repeated rows, by offset. ``others``: the
    #: result of all other rows of a location, by the location's number.
    details: dict[int, RowResult] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)
    others: dict[int, RowResult] = field(default_factory=dict)
    #: Which rows exist according to the ledger; and HighLevel's ids of those that this load made, by offset.
    by_ledger: Flags | None = None
    made_ids: dict[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.locations)

    def row(self, offset: int) -> tuple[str, ...]:
        """A row's values."""
        return tuple(column[offset] or "" for column in self.values)

    def result(self, offset: int, outcome: Outcome) -> RowResult:
        """The result of a row with this outcome."""
        if offset in self.details:
            return self.details[offset]
        if offset in self.repeats:
            return RowResult(Outcome.REPEATED, reason=f"the same {self.noun} as row {self.repeats[offset]}")
        if self.by_ledger is not None and self.by_ledger[offset]:
            return RowResult(outcome, Evidence.LEDGER, self.made_ids.get(offset))
        return self.others.get(int(self.locations[offset]), _NOTHING)

    def row_key(self, offset: int) -> str | int | None:
        """The source's key of a row."""
        return storable(self.row_keys[offset]) if self.row_keys is not None else None


@dataclass(frozen=True, slots=True)
class RowWriter:
    """Writes results with all their fields, as dicts and as frames.

    :param locations: the results of all locations, by number.
    """

    fields: ResultFields
    try_number: int
    locations: Sequence[LocationResults]

    def as_dict(self, batch: OpenBatch, offset: int, outcome: Outcome) -> dict[str, Any]:
        """A row's result, as in the XCom."""
        result, location = batch.result(offset, outcome), self.locations[batch.locations[offset]]
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

    def of_deletion(self, deletion: Deletion) -> dict[str, Any]:
        """What became of a deletion, in the form of a row's result. It has no row."""
        result = deletion.result
        return {
            "row": None,
            "row_key": None,
            "location_id": deletion.location_id,
            self.fields.target: deletion.target_id,
            **dict(zip(self.fields.values, deletion.values, strict=True)),
            "outcome": str(result.outcome),
            "evidence": None,
            self.fields.made: deletion.made_id,
            "status_code": result.status_code,
            "reason": result.reason,
            "requests": result.requests,
            "try_number": self.try_number,
            "trace_id": result.trace_id,
        }

    def as_frame(self, batch: OpenBatch, codes: Codes) -> pd.DataFrame:
        """The results of all rows, as in the results file.

        :param codes: for each row, its outcome as a position in ``OUTCOMES``.
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
        columns |= self._result_columns(batch, codes)
        named = zip(self.fields.keys, batch.keys, strict=True) if batch.keys else ()
        columns |= {name: _missing_where_blank(keys) for name, keys in named if name is not None and keys is not None}
        return pd.DataFrame(columns, columns=list(self.fields.all), index=range(batch.size), dtype=object)

    def _result_columns(self, batch: OpenBatch, codes: Codes) -> dict[str, Any]:
        others = [batch.others.get(location.number, _NOTHING) for location in self.locations]
        columns = {name: _by_location(batch, [getattr(one, name) for one in others]) for name in (*_DETAILS, "made_id")}
        if batch.by_ledger is not None:
            columns["evidence"][batch.by_ledger] = Evidence.LEDGER
            columns["reason"][batch.by_ledger] = None
            for offset, made_id in batch.made_ids.items():
                columns["made_id"][offset] = made_id
        for offset, result in _single_results(batch, codes):
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


def _single_results(batch: OpenBatch, codes: Codes) -> Iterator[tuple[int, RowResult]]:
    yield from batch.details.items()
    for offset in batch.repeats:
        yield offset, batch.result(offset, OUTCOMES[codes[offset]])


def _missing_where_blank(values: Objects) -> Objects:
    values = values.copy()
    values[values == ""] = None
    return values
