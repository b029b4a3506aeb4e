"""A batch of rows whose results are not written yet, and how a row's result is told."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from airflow_provider_ghl.load.columns import Codes, Flags, Numbers, Objects
from airflow_provider_ghl.load.results.file import RESULT_FIELDS
from airflow_provider_ghl.load.results.outcomes import OUTCOMES, Evidence, Outcome, RowResult, storable

__all__ = ["OpenBatch", "RowIdentity"]


_NAMES = np.array([str(outcome) for outcome in OUTCOMES], dtype=object)
_NOTHING = RowResult(Outcome.NOT_ATTEMPTED)
#: What a result takes from its location.
_OF_IDENTITY = ("location_id", "association_id", "try_number")
#: What a result takes from a row's verdict, besides its outcome.
_OF_VERDICT = ("evidence", "relation_id", "status_code", "reason", "requests", "trace_id")


@dataclass(frozen=True, slots=True)
class RowIdentity:
    """What all rows of a load that are of one location have in common."""

    location_id: str | None
    association_id: str | None
    try_number: int


@dataclass(slots=True)
class OpenBatch:
    """Some of its rows have no outcome yet, or its turn has not come."""

    start: int
    first: Objects
    second: Objects
    row_keys: list[Any] | None
    pending: int
    #: By row, which location it is of: a position among the report's identities.
    places: Numbers
    #: Verdicts of single rows by offset, earlier rows by the offsets of their repeats, and the verdict of a location's others.
    details: dict[int, RowResult] = field(default_factory=dict)
    repeats: dict[int, int] = field(default_factory=dict)
    others: dict[int, RowResult] = field(default_factory=dict)
    #: Rows of which the ledger said that they are there, and such ids of their relations as are asked for.
    by_ledger: Flags | None = None
    relation_ids: dict[int, str] = field(default_factory=dict)

    @property
    def size(self) -> int:
        return len(self.first)

    def verdict(self, offset: int, outcome: Outcome) -> RowResult:
        """What became of a row, the outcome of which is known."""
        if offset in self.details:
            return self.details[offset]
        if offset in self.repeats:
            return RowResult(Outcome.REPEATED, reason=f"the same pair as row {self.repeats[offset]}")
        if self.by_ledger is not None and self.by_ledger[offset]:
            return RowResult(outcome, Evidence.LEDGER, self.relation_ids.get(offset))
        return self.others.get(int(self.places[offset]), _NOTHING)

    def as_dict(self, offset: int, outcome: Outcome, identities: Sequence[RowIdentity]) -> dict[str, Any]:
        """A row's result, as the XCom has it."""
        result, identity = self.verdict(offset, outcome), identities[self.places[offset]]
        return {
            "row": self.start + offset,
            "row_key": self._key(offset),
            "location_id": identity.location_id,
            "association_id": identity.association_id,
            "first_record_id": self.first[offset] or None,
            "second_record_id": self.second[offset] or None,
            "outcome": str(outcome),
            "evidence": str(result.evidence) if result.evidence else None,
            "relation_id": storable(result.relation_id),
            "status_code": result.status_code,
            "reason": result.reason,
            "requests": result.requests,
            "try_number": identity.try_number,
            "trace_id": result.trace_id,
        }

    def as_frame(self, codes: Codes, identities: Sequence[RowIdentity]) -> pd.DataFrame:
        """All rows' results, as the file has them. ``codes``: their outcomes by number."""
        columns: dict[str, Any] = {
            "row": np.arange(self.start, self.start + self.size),
            "row_key": [self._key(offset) for offset in range(self.size)] if self.row_keys else None,
            "first_record_id": _missing_where_blank(self.first),
            "second_record_id": _missing_where_blank(self.second),
            "outcome": _NAMES[codes],
        }
        columns |= {name: self._by_place([getattr(identity, name) for identity in identities]) for name in _OF_IDENTITY}
        others = [self.others.get(place, _NOTHING) for place in range(len(identities))]
        columns |= {name: self._by_place([getattr(one, name) for one in others]) for name in _OF_VERDICT}
        if self.by_ledger is not None:
            columns["evidence"][self.by_ledger] = Evidence.LEDGER
            columns["reason"][self.by_ledger] = None
            for offset, relation_id in self.relation_ids.items():
                columns["relation_id"][offset] = relation_id
        for offset, result in self._single_verdicts(codes):
            for name in _OF_VERDICT:
                columns[name][offset] = storable(getattr(result, name))
        columns["evidence"] = [value and str(value) for value in columns["evidence"]]
        return pd.DataFrame(columns, columns=list(RESULT_FIELDS), index=range(self.size), dtype=object)

    def _by_place(self, values: list[Any]) -> Objects:
        of_places = np.empty(len(values), dtype=object)
        of_places[:] = values
        of_rows: Objects = of_places[self.places]
        return of_rows

    def _key(self, offset: int) -> str | int | None:
        return storable(self.row_keys[offset]) if self.row_keys else None

    def _single_verdicts(self, codes: Codes) -> Iterator[tuple[int, RowResult]]:
        yield from self.details.items()
        for offset in self.repeats:
            yield offset, self.verdict(offset, OUTCOMES[codes[offset]])


def _missing_where_blank(ids: Objects) -> Objects:
    ids = ids.copy()
    ids[ids == ""] = None
    return ids
